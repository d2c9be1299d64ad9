package jitter

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"longwave/ingest/pcm"
	"longwave/ingest/resample"
)

// ErrClosed is returned by [Stream.Write] after End or Close.
var ErrClosed = errors.New("stream is closed")

const (
	// DefaultTarget suits Icecast senders, whose Ogg pages come every 0.2 to 1.9 s.
	DefaultTarget = 1500 * time.Millisecond
	// FileTarget suits sources that are read as fast as they are played.
	FileTarget = 200 * time.Millisecond
	// PipeTarget suits a program on this machine that writes sound as time passes.
	PipeTarget = 60 * time.Millisecond
	// DefaultCapacity is what a sender may be ahead before Write holds it back.
	DefaultCapacity = 10 * time.Second

	leastTarget = 40 * time.Millisecond
	growTarget  = 500 * time.Millisecond

	// reserve is what must remain for the fade when a frame is played in full.
	reserve = fadeLen + 8
	// putMost bounds the copy that Write makes under the lock.
	putMost = pcm.Rate / 10
)

// Options of a [Stream]; the zero value is right for live senders over TCP.
type Options struct {
	// Target is how much must have arrived before sound starts. 0 is
	// [DefaultTarget]; the least is 40 ms. It doubles with every underrun, by 0.5 s
	// at most and up to half the capacity, and comes back when a minute or more has
	// shown that the extra is not touched.
	Target time.Duration
	// Capacity is how much the stream holds. 0 is [DefaultCapacity]; the least
	// is twice the target.
	Capacity time.Duration
	// Trim drops what piled up beyond the target before sound starts. It is for
	// senders that keep the time: with them it would stay as delay for ever. From one
	// that is faster than time nothing is dropped.
	Trim bool
	// Late returns how late the frame is that is being pulled; it is called by Pull.
	// Who is late takes several frames at once then, so sound starts with as much
	// more ahead, and what piled up meanwhile is needed and not taken out. nil: frames
	// are pulled when they are due.
	Late func() time.Duration
	// Patient lets a late frame that would run dry wait for the writer, 10 ms at most:
	// for one on this machine, who was held up by the same.
	Patient bool
	// Metrics counts underruns and skips; nil does not.
	Metrics *Metrics
}

// A Phase is what a [Stream] is doing.
type Phase uint8

// The phases of a stream.
const (
	Filling Phase = iota // waiting for the first target
	Playing
	Stalled // ran dry; waiting for the target again
	Ended   // nothing will come any more
)

// String returns the phase's name in lower case.
func (p Phase) String() string { return [...]string{"filling", "playing", "stalled", "ended"}[p] }

// A State is a stream at one moment. All counts are samples per channel.
type State struct {
	Phase  Phase
	Level  pcm.Pos // arrived and not yet played
	Target pcm.Pos // see [Options]; grown by underruns, until it is seen not to be needed
	Ratio  float64 // input per output
	// Held reports that the sender was held back in the last 10 s.
	Held bool

	Written   int64     // arrived; is Level + Played + Skipped + Dropped
	Played    int64     // went to the mixer
	Skipped   int64     // taken out to come back to the target
	Dropped   int64     // left over at Close
	Underruns int64     // times it ran dry
	LastWrite time.Time // zero before the first

	Packets PacketState // of [Packets]; zero otherwise
}

// A Stream is a buffer between one goroutine that writes and one that pulls.
// All else may be called by anybody.
type Stream struct {
	room chan struct{} // holds a token when samples were taken
	came chan struct{} // holds a token when samples came
	done chan struct{} // closed by Close

	mu    sync.Mutex
	ring  ring
	state State // Level and Played are worked out when it is asked for
	ended bool  // by End or Close
	steer steering
	late  func() time.Duration
	count *Metrics
	waits bool // see Options.Patient

	// Only Pull uses these.
	out *resample.Resampler
	in  int // samples since the last gap, as far as it matters for the fade
	pad int // zeros fed after the end
}

// NewStream returns a stream that waits for sound.
func NewStream(o Options) *Stream {
	if o.Target == 0 {
		o.Target = DefaultTarget
	}
	o.Target = max(o.Target, leastTarget)
	if o.Capacity == 0 {
		o.Capacity = DefaultCapacity
	}
	o.Capacity = max(o.Capacity, 2*o.Target)
	if o.Late == nil {
		o.Late = func() time.Duration { return 0 }
	}
	return &Stream{
		room:  make(chan struct{}, 1),
		came:  make(chan struct{}, 1),
		done:  make(chan struct{}),
		ring:  newRing(int(pcm.Samples(o.Capacity))),
		state: State{Target: pcm.Samples(o.Target), Ratio: 1},
		steer: steering{heldAt: -heldFrames, trim: o.Trim, back: retreat{home: pcm.Samples(o.Target), wait: firstWait}},
		late:  o.Late,
		waits: o.Patient,
		out:   resample.New(),
		count: o.Metrics,
	}
}

// Write appends samples, interleaved stereo at [pcm.Rate]. While the stream is
// full it waits. It returns [ErrClosed] after End or Close, and ctx's cause when
// ctx ends; a part of the samples may have been taken then.
func (s *Stream) Write(ctx context.Context, samples []float32) error {
	if len(samples)%pcm.Channels != 0 {
		return fmt.Errorf("write to stream: %d values are not stereo", len(samples))
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	for first := true; len(samples) > 0; first = false {
		n, err := s.put(samples[:min(len(samples), putMost*pcm.Channels)], first)
		if err != nil {
			return err
		}
		if samples = samples[n*pcm.Channels:]; n > 0 {
			select {
			case s.came <- struct{}{}:
			default:
			}
			continue
		}
		select {
		case <-s.room:
		case <-s.done:
			return ErrClosed
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

func (s *Stream) put(x []float32, first bool) (int, error) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return 0, ErrClosed
	}
	if first {
		s.state.LastWrite = now
		if s.state.Phase != Playing && s.steer.waiting.IsZero() {
			s.steer.waiting = now
		}
		if s.state.Phase == Playing {
			s.steer.arrived(s.ring.level, now)
		}
	}
	n := s.ring.put(x)
	s.state.Written += int64(n)
	if n == 0 {
		s.steer.held()
	}
	return n, nil
}

// End says that no more will come: what is left is played to its last sample
// (whose last 10 ms fade), then the stream is [Ended].
func (s *Stream) End() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
}

// Close ends the stream at once: the next frame fades out within 10 ms and the
// rest is dropped. A Write that waits returns. It may be called more than once.
func (s *Stream) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	select {
	case <-s.done:
	default:
		close(s.done)
	}
}

func (s *Stream) closed() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// State returns what the stream is doing.
func (s *Stream) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.state
	st.Level = pcm.Pos(s.ring.level) + s.steer.inHand
	st.Played = st.Written - st.Skipped - st.Dropped - int64(st.Level)
	st.Held = s.steer.isHeld()
	return st
}
