package packager

import (
	"bytes"
	"fmt"

	"longwave/ingest/pcm"
	"longwave/packager/cmaf"
	"longwave/packager/encode"
)

// A rendition codes the programme on one rung of the ladder and cuts it into parts
// and segments. One goroutine uses it.
//
// Two coders take turns. Towards the end of a segment the idle one is brought back
// to its first state and rolled in alongside; at the start of the next segment they
// change places, and the one before still gives out what it looked ahead for.
//
//	cur   |── segment ───────────────────────|── tail|
//	idle                          |─ pre-roll ─|── segment ──────
type rendition struct {
	rung   Rung
	format encode.Format
	parts  int    // in a segment
	tag    uint32 // of the station
	init   []byte
	hash   string // of init

	cur, idle encode.Coder
	next      pcm.Pos // of the next frame to feed
	bound     pcm.Pos // of the next segment to begin
	on        bool    // a segment is under way
	tail      int     // access units that idle still owes
	skip      int     // access units of cur that are pre-roll

	out output
}

// An output is what was coded and not yet given out.
type output struct {
	au      pcm.Pos // of the next access unit to be written
	sizes   []uint32
	data    []byte // access units of the part under way
	segment []byte // parts of the segment under way
}

// A chunk is a part that was just finished, and the segment when it closed one.
type chunk struct {
	msn      int64
	part     int
	samples  pcm.Pos // in the part
	data     []byte
	segment  []byte // not nil in the last part
	newestAU pcm.Pos
}

// newRendition returns a rendition of a station whose first segment begins at pos.
func newRendition(station string, r Rung, p Profile, pos pcm.Pos) (*rendition, error) {
	cur, format, err := r.newCoder()
	if err != nil {
		return nil, fmt.Errorf("rendition %s: %w", r.Name, err)
	}
	idle, _, err := r.newCoder()
	if err != nil {
		return nil, fmt.Errorf("rendition %s: %w", r.Name, err)
	}
	init, err := cmaf.Init(format, r.Channels, r.Bitrate)
	if err != nil {
		return nil, fmt.Errorf("rendition %s: %w", r.Name, err)
	}
	return &rendition{
		rung: r, format: format, parts: p.Parts(), tag: cmaf.StationTag(station), init: init, hash: cmaf.Hash(init),
		cur: cur, idle: idle, next: pos - pcm.Pos(format.PreRoll)*format.FrameSamples, bound: pos,
		out: output{au: pos, sizes: make([]uint32, 0, SegmentSamples/format.FrameSamples)},
	}, nil
}

// advance codes what is on the tape and calls emit for each part that it finishes.
func (r *rendition) advance(t *tape, emit func(*rendition, chunk)) error {
	n := r.format.FrameSamples
	for ; t.end >= r.next+n; r.next += n {
		if err := r.feed(t.read(r.next, n, r.rung.Channels), emit); err != nil {
			return fmt.Errorf("rendition %s: %w", r.rung.Name, err)
		}
	}
	return nil
}

// feed codes the frame at r.next.
func (r *rendition) feed(frame []float32, emit func(*rendition, chunk)) error {
	if r.next == r.bound {
		r.begin()
	}
	preRoll := r.bound - pcm.Pos(r.format.PreRoll)*r.format.FrameSamples
	if r.next == preRoll {
		if err := r.idle.Reset(); err != nil {
			return err
		}
	}
	switch {
	case r.tail > 0:
		r.tail--
		if err := r.take(r.idle, frame, emit); err != nil {
			return err
		}
	case r.next >= preRoll:
		if _, err := r.idle.Encode(frame); err != nil {
			return err
		}
	}
	switch {
	case r.skip > 0: // what comes out is the end of the pre-roll
		r.skip--
		_, err := r.cur.Encode(frame)
		return err
	case r.on:
		return r.take(r.cur, frame, emit)
	}
	return nil
}

// begin makes the coders change places at the start of a segment.
func (r *rendition) begin() {
	r.cur, r.idle = r.idle, r.cur
	if r.on {
		r.tail = r.format.Delay
	}
	r.on, r.skip = true, r.format.Delay
	r.bound += SegmentSamples
}

// take feeds a frame to c and writes the access unit that comes out.
func (r *rendition) take(c encode.Coder, frame []float32, emit func(*rendition, chunk)) error {
	unit, err := c.Encode(frame)
	if err != nil {
		return err
	}
	r.out.sizes = append(r.out.sizes, uint32(len(unit)))
	r.out.data = append(r.out.data, unit...)
	r.out.au += r.format.FrameSamples
	// An access unit belongs to the part that holds its start: the part is whole
	// when the next unit starts at or after its end.
	start := r.out.au - pcm.Pos(len(r.out.sizes))*r.format.FrameSamples
	length := SegmentSamples / pcm.Pos(r.parts)
	if r.out.au >= start.Floor(length)+length {
		emit(r, r.cut(start, length))
	}
	return nil
}

// cut makes a chunk of the access units so far; start is the position of the first.
func (r *rendition) cut(start, length pcm.Pos) chunk {
	msn := MSN(start)
	part := int((start - SegmentPos(msn)) / length)
	from := len(r.out.segment)
	r.out.segment = cmaf.Part{
		Sequence: uint32(msn*int64(r.parts) + int64(part)),
		Pos:      start,
		Duration: uint32(r.format.FrameSamples),
		Sizes:    r.out.sizes,
		Data:     r.out.data,
		First:    part == 0,
		Tag:      r.tag,
	}.Append(r.out.segment)
	c := chunk{msn: msn, part: part, samples: r.out.au - start, newestAU: r.out.au, data: bytes.Clone(r.out.segment[from:])}
	r.out.sizes, r.out.data = r.out.sizes[:0], r.out.data[:0]
	if part == r.parts-1 {
		c.segment = bytes.Clone(r.out.segment)
		r.out.segment = r.out.segment[:0]
	}
	return c
}
