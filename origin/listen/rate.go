package listen

import (
	"slices"
	"time"
)

// A rate measures the bit rate of a rendition as section 4.1 defines it.
type rate struct {
	window []sized // the newest segments, oldest first
	peak   float64 // bit/s of the worst run
	bytes  int64
	length time.Duration
}

type sized struct {
	bytes  int
	length time.Duration
}

// maxRun bounds the segments that one run is looked for in.
const maxRun = 64

// add takes the next segment. A run is a set of segments in a row that lasts from
// 0.5 to 1.5 target durations.
func (r *rate) add(bytes int, length, target time.Duration) {
	if length <= 0 {
		return
	}
	r.bytes += int64(bytes)
	r.length += length
	if r.window = append(r.window, sized{bytes, length}); len(r.window) > maxRun {
		r.window = append(r.window[:0], r.window[1:]...)
	}
	sum, lasts := 0, time.Duration(0)
	for _, s := range slices.Backward(r.window) {
		sum += s.bytes
		if lasts += s.length; lasts > target*3/2 {
			break
		}
		if lasts >= target/2 {
			r.peak = max(r.peak, float64(sum)*8/lasts.Seconds())
		}
	}
}

// restart says that the next segment does not follow the last one.
func (r *rate) restart() { r.window = r.window[:0] }

// average returns the bit rate of everything.
func (r *rate) average() float64 {
	if r.length == 0 {
		return 0
	}
	return float64(r.bytes) * 8 / r.length.Seconds()
}
