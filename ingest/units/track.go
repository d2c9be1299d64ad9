// Package units puts the access units of a track on a lane, each at its place in
// time.
//
//	RTMP, MPEG-TS ── unit, timestamp ──> Track ── ADTS frame, Opus packet ──> lane
//	                                       └── silence where units are missing
//
// A lane counts samples: what does not arrive makes everything after it come early,
// and eats what the lane holds ahead. So a gap in the timestamps is filled, up to one
// second. After a longer one the lane has run dry already and has begun to wait anew;
// filling it then would only be delay. A timestamp that goes back, or further ahead,
// says nothing of the sound: it is the encoder's clock that was set, and counting
// begins anew.
//
// Timestamps that run away slowly from the sound (two clocks in one encoder) are
// followed: the lane's drift control sees to the difference.
//
// This package does not open lanes, decode, or read containers.
package units

import (
	"fmt"
	"time"

	"longwave/ingest"
	"longwave/ingest/pcm"
)

// MostFilled is the longest gap that is filled.
const MostFilled = time.Second

// follow is the share of the distance between timestamp and count by which a unit
// brings the count nearer: with 20 ms a unit, the time constant is 0.6 s.
const follow = 32

// A Lane takes packets: *ingest.Lane.
type Lane interface {
	Push(ingest.Packet) error
}

// Options are what a track may be told.
type Options struct {
	// Tolerance is how far a timestamp may be from where it should be before it is
	// taken at its word; default 15 ms. It must be less than the units that can be
	// lost, and more than the encoder's inaccuracy.
	Tolerance time.Duration
	// Lost is called with the length of a gap that was filled; nil: not.
	Lost func(time.Duration)
	// Jumped is called when the timestamps jumped; nil: not.
	Jumped func()
}

// A Track is the units of one elementary stream on their way to a lane. One goroutine
// uses it.
type Track struct {
	lane  Lane
	codec Codec
	o     Options

	begun bool
	next  pcm.Pos // timestamp that the next unit should have
	at    pcm.Pos // samples pushed
	rest  int64   // of a sample that next and at do not have, in 1/rate
	last  []byte  // unit
}

// NewTrack returns the way of units of a codec to a lane.
func NewTrack(l Lane, c Codec, o Options) *Track {
	if o.Tolerance == 0 {
		o.Tolerance = 15 * time.Millisecond
	}
	if o.Lost == nil {
		o.Lost = func(time.Duration) {}
	}
	if o.Jumped == nil {
		o.Jumped = func() {}
	}
	return &Track{lane: l, codec: c, o: o}
}

// Change says that the units from now on are of another form: another rate or other
// channels. Another codec wraps [ErrUnsupported].
func (t *Track) Change(c Codec) error {
	if c.Format.Codec != t.codec.Format.Codec {
		return fmt.Errorf("from %v to %v in mid-stream: %w, connect again", t.codec.Format.Codec, c.Format.Codec, ErrUnsupported)
	}
	t.codec, t.rest, t.last = c, 0, nil
	return nil
}

// Put carries a unit with its timestamp, at 48 kHz on whatever clock the source has.
// It blocks while the lane is full. The unit is kept. A unit that is none is left out
// and reported false.
func (t *Track) Put(pts pcm.Pos, unit []byte, arrival time.Time) (ok bool, err error) {
	samples, rate, err := t.codec.length(unit)
	if err != nil {
		return false, nil //nolint:nilerr // it is dropped and counted, and the sound goes on
	}
	if err := t.place(pts, pcm.Pos(samples*pcm.Rate/rate), arrival); err != nil {
		return true, err
	}
	t.last = unit
	return true, t.push(t.codec.wrap(unit), samples, rate, arrival)
}

// Next is Put for a unit that follows the last one directly and has no timestamp of its
// own.
func (t *Track) Next(unit []byte, arrival time.Time) (ok bool, err error) {
	return t.Put(t.next, unit, arrival)
}

// place sees to it that the unit at pts, so long, is the next.
func (t *Track) place(pts, length pcm.Pos, arrival time.Time) error {
	gap, tolerance := pts-t.next, pcm.Samples(t.o.Tolerance)
	switch {
	case !t.begun:
		t.begun, t.next = true, pts
	case gap > tolerance && gap <= pcm.Samples(MostFilled) && t.last != nil:
		return t.fill(int((gap+length/2)/length), arrival)
	case gap > tolerance || gap < -tolerance:
		t.next = pts
		t.o.Jumped()
	default:
		t.next += gap / follow
	}
	return nil
}

// fill pushes n units of silence, as long as the last.
func (t *Track) fill(n int, arrival time.Time) error {
	samples, rate, err := t.codec.length(t.last)
	if err != nil {
		return err
	}
	for range n {
		if err := t.push(t.codec.silence(t.last), samples, rate, arrival); err != nil {
			return err
		}
	}
	t.o.Lost(pcm.Duration(pcm.Pos(int64(n) * samples * pcm.Rate / rate)))
	return nil
}

func (t *Track) push(data []byte, samples, rate int64, arrival time.Time) error {
	if err := t.lane.Push(ingest.Packet{Data: data, PTS: t.at, Arrival: arrival}); err != nil {
		return err
	}
	whole := samples*pcm.Rate + t.rest
	t.rest = whole % rate
	t.at += pcm.Pos(whole / rate)
	t.next += pcm.Pos(whole / rate)
	return nil
}
