package packager

import (
	"time"

	"longwave/ingest/pcm"
	"longwave/packager/hls"
)

// short is taken off every duration in a playlist. With exact values hls.js 1.7.4
// stalls for seconds when it changes the variant at the edge of a segment: its
// sums of 0.32 end a hair after the buffer does, and it takes the old segment.
const short = 10 * time.Microsecond

// partsListed is how many complete segments list their parts: with the one under
// way less than three target durations (rfc8216bis section 6.2.2).
const partsListed = 2

// A window is what the live playlist of one rendition names.
type window struct {
	rend  *rendition
	segs  []hls.Segment // oldest first; capacity for the whole window
	first int64         // MSN of segs[0]
	open  hls.Segment   // under way
	last  hls.Position  // newest part or segment
}

func newWindow(r *rendition, first int64) *window {
	w := &window{rend: r, first: first, segs: make([]hls.Segment, 0, windowSegments+1)}
	w.last = hls.Position{MSN: first - 1, Part: hls.Whole}
	return w
}

// next is the MSN of the segment under way.
func (w *window) next() int64 { return w.first + int64(len(w.segs)) }

// edge is where what is listed ends, by the grid of parts, which is the same for all.
func (w *window) edge(part pcm.Pos) pcm.Pos {
	end := SegmentPos(w.last.MSN + 1)
	if w.last.Part == hls.Whole {
		return end
	}
	return min(SegmentPos(w.last.MSN)+pcm.Pos(w.last.Part+1)*part, end)
}

// segment describes a whole segment; initHash names its init segment.
func (w *window) segment(msn int64, initHash string) hls.Segment {
	return hls.Segment{
		URI:      Key{Kind: Segment, MSN: msn}.File(),
		Duration: pcm.Duration(SegmentSamples) - short,
		PDT:      SegmentPos(msn).Time(),
		Map:      hls.Map{URI: Key{Kind: Init, Name: initHash}.File()},
	}
}

// add appends a whole segment that has no parts listed: one from before a
// restart, or one that was filled in.
func (w *window) add(initHash string) {
	w.append(w.segment(w.next(), initHash))
	w.last = hls.Position{MSN: w.next() - 1, Part: hls.Whole}
}

// hint names the part that comes next.
func (w *window) hint() string {
	k := Key{Kind: Part, MSN: w.next(), Part: len(w.open.Parts)}
	if k.Part == w.rend.parts { // the segment is about to be closed
		k.MSN, k.Part = k.MSN+1, 0
	}
	return k.File()
}

// addPart lists a part of the segment under way.
func (w *window) addPart(c chunk) {
	if len(w.open.Parts) == 0 {
		w.open = w.segment(c.msn, w.rend.hash)
		w.open.Parts = make([]hls.Part, 0, w.rend.parts)
	}
	w.open.Parts = append(w.open.Parts, hls.Part{
		URI:         Key{Kind: Part, MSN: c.msn, Part: c.part}.File(),
		Duration:    pcm.Duration(c.samples) - short,
		Independent: true,
	})
	w.last = hls.Position{MSN: c.msn, Part: c.part}
}

// close makes the segment under way a whole one.
func (w *window) close(c chunk) {
	s := w.open
	if len(s.Parts) == 0 { // the profile has no parts
		s = w.segment(c.msn, w.rend.hash)
		w.last = hls.Position{MSN: c.msn, Part: hls.Whole}
	}
	w.append(s)
	w.open = hls.Segment{}
}

func (w *window) append(s hls.Segment) {
	w.segs = append(w.segs, s)
	if drop := len(w.segs) - windowSegments; drop > 0 {
		w.segs = w.segs[:copy(w.segs, w.segs[drop:])]
		w.first += int64(drop)
	}
	if i := len(w.segs) - 1 - partsListed; i >= 0 {
		w.segs[i].Parts = nil
	}
}

// mapAt returns the init segment that msn is listed with.
func (w *window) mapAt(msn int64) hls.Map {
	if i := msn - w.first; i >= 0 && i < int64(len(w.segs)) {
		return w.segs[i].Map
	}
	return hls.Map{URI: Key{Kind: Init, Name: w.rend.hash}.File()}
}
