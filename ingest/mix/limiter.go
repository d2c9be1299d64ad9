package mix

import (
	"math"

	"longwave/ingest/loudness"
	"longwave/ingest/pcm"
)

const (
	// lookahead is how long before a peak the gain begins to fall: 5 ms.
	lookahead = pcm.Rate / 200
	// latency is the look-ahead and what the detector needs to see between samples.
	latency = lookahead + loudness.PeakDelay

	ceilingDB = -1.0
	// headroomDB is kept under the ceiling for what four-fold oversampling cannot see
	// and for what a lossy encoder adds: AAC at 48 kbit/s makes -1.0 dBTP of -1.15.
	headroomDB  = 0.5
	releaseTime = 0.100 // seconds for 63 % of the way back
	// nearOne (0.01 dB) ends the release: an exponential never arrives, and two
	// mixers must.
	nearOne = 1e-3
	group   = 16 // samples that are passed over at once when they are low
)

// Latency is how much later than its lanes the programme is, in samples: 5.2 ms.
const Latency pcm.Pos = latency

// A limiter turns the gain down before a true peak would pass the ceiling.
//
// The gain that each sample needs goes through three steps: the least of the last
// window, an exponential release, and the mean of the last window. The first
// makes sure that the mean has arrived at what a peak needs when, one window
// later, the peak comes out; the mean makes a smooth curve of it.
type limiter struct {
	buf   [(latency + pcm.FrameSamples) * pcm.Channels]float32 // the end of the last frame, the frame
	need  [pcm.FrameSamples]float32
	least slidingMin
	held  float32         // the gain after the release
	ring  [window]float32 // the last values of held
	at    int
	sum   float64 // of ring. It is exact: see gain
	calm  int     // samples since held was last below 1
	floor float32 // lowest gain of the last frame
}

// window is how many samples after the output's the gain knows.
const window = lookahead + 1

var (
	ceiling = float32(math.Pow(10, (ceilingDB-headroomDB)/20))
	release = float32(1 - math.Exp(-1/(releaseTime*pcm.Rate)))
)

func newLimiter() *limiter {
	l := &limiter{held: 1, sum: window, calm: window, floor: 1}
	for i := range l.ring {
		l.ring[i] = 1
	}
	return l
}

// process limits x, one frame, in place. It comes out latency samples later.
func (l *limiter) process(x []float32) {
	n := len(x) / pcm.Channels
	copy(l.buf[latency*pcm.Channels:], x)
	loud := l.detect(n)
	l.floor = 1
	if !loud && l.calm >= window {
		copy(x, l.buf[:len(x)])
		l.least.pass(n)
	} else {
		for i := range n {
			g := l.gain(l.need[i])
			l.floor = min(l.floor, g)
			x[2*i] = l.buf[2*i] * g
			x[2*i+1] = l.buf[2*i+1] * g
		}
	}
	copy(l.buf[:latency*pcm.Channels], l.buf[len(x):])
}

// detect fills need with the gain that each sample needs, from the first that
// the last frame could not see the end of, and reports whether any is below 1.
func (l *limiter) detect(n int) (loud bool) {
	const first = latency - loudness.PeakDelay // in buf
	const before, after = loudness.PeakDelay - 1, loudness.PeakDelay
	for i := 0; i < n; i += group {
		k := min(group, n-i)
		from := first + i
		near := l.buf[(from-before)*pcm.Channels : (from+k+after)*pcm.Channels]
		if loudness.Top(near)*loudness.OvershootMost <= ceiling {
			for j := range k {
				l.need[i+j] = 1
			}
			continue
		}
		for j := range k {
			w := near[j*pcm.Channels:]
			peak := max(loudness.Oversample(w), loudness.Oversample(w[1:]))
			l.need[i+j] = 1
			if peak > ceiling {
				l.need[i+j] = ceiling / peak
				loud = true
			}
		}
	}
	return loud
}

// gain returns the gain for the sample that comes out when the one that needs
// need has been detected. Gains are floats of 24 bits above 2^-20, so a sum of 241
// of them fits the 53 bits of sum: adding and taking away leaves no error behind.
func (l *limiter) gain(need float32) float32 {
	held := min(l.least.next(need), l.held+(1-l.held)*release)
	if held > 1-nearOne {
		held = min(1, l.least.value())
	}
	if l.held = held; held < 1 {
		l.calm = 0
	} else {
		l.calm++
	}
	l.sum += float64(held) - float64(l.ring[l.at])
	l.ring[l.at] = held
	if l.at++; l.at == window {
		l.at = 0
	}
	return float32(l.sum / window)
}

// A slidingMin tells the least of the last window values: a queue of those that
// can still become the least, which rise from its front to its end.
type slidingMin struct {
	values      [window + 1]float32
	when        [window + 1]int
	front, size int
	now         int
}

func (s *slidingMin) next(v float32) float32 {
	s.now++
	for s.size > 0 && s.values[s.index(s.size-1)] >= v {
		s.size--
	}
	s.values[s.index(s.size)] = v
	s.when[s.index(s.size)] = s.now
	s.size++
	if s.when[s.front] <= s.now-window {
		s.front = s.index(1)
		s.size--
	}
	return s.value()
}

func (s *slidingMin) value() float32 { return s.values[s.front] }

func (s *slidingMin) index(i int) int { return (s.front + i) % (window + 1) }

// pass stands for n values of 1 after at least window such values.
func (s *slidingMin) pass(n int) {
	s.now += n
	s.front, s.size = 0, 1
	s.values[0], s.when[0] = 1, s.now
}
