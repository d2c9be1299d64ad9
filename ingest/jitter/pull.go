package jitter

import (
	"time"

	"longwave/ingest/pcm"
)

const (
	// When a frame is so late, the machine was busy, and what is missing may have come
	// and not been read.
	lateEnough = 5 * time.Millisecond
	// patience is what such a frame waits for it, once an underrun.
	patience = 10 * time.Millisecond
	// lately is how long before the frame was due the sender was heard of, if it is to
	// be waited for.
	lately = 100 * time.Millisecond
)

// Pull fills dst, one frame (at most [pcm.FrameLen] values), with the next sound.
// Where there is none it gives zeros; Heard means that the frame has at least one
// sample of the sender's. It does not block, but with [Options].Patient for 10 ms at most
// when the frame is late and what is missing is likely to be on its way.
func (s *Stream) Pull(dst []float32) pcm.Fill {
	if late := s.late(); s.waits && late >= lateEnough {
		s.await(len(dst)/pcm.Channels, time.Now().Add(-late))
	}
	n, left := s.take(len(dst)/pcm.Channels, time.Now(), max(s.late(), 0))
	select {
	case s.room <- struct{}{}:
	default:
	}
	n = s.out.Next(dst[:n*pcm.Channels])
	clear(dst[n*pcm.Channels:])
	if n == 0 {
		return pcm.Silent
	}
	for i := s.in; i < min(fadeLen, s.in+n); i++ {
		scale(dst, i-s.in, fade[i])
	}
	s.in = min(s.in+n, fadeLen)
	for i := max(0, left-fadeLen); i < n; i++ {
		scale(dst, i, fade[left-1-i])
	}
	if left == n {
		s.in = 0
	}
	return pcm.Heard
}

// await lets the writer go before a frame of n samples that was due, if it needs what
// he has. Both were held up by the same; he has further to go.
func (s *Stream) await(n int, due time.Time) {
	if !s.short(n, due) {
		return
	}
	t := time.NewTimer(patience)
	defer t.Stop()
	for s.short(n, due) {
		select {
		case <-s.came:
		case <-s.done:
			return
		case <-t.C:
			return
		}
	}
}

// short reports whether the frame would run dry though the sender was there lately.
func (s *Stream) short(n int, due time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Phase == Playing && !s.ended && s.ring.level < s.out.Need(n)+reserve &&
		due.Sub(s.state.LastWrite) <= lately
}

func scale(x []float32, i int, g float32) {
	x[i*pcm.Channels] *= g
	x[i*pcm.Channels+1] *= g
}

// far stands for an end that is not in sight.
const far = 1 << 30

// take feeds the resampler with what the next frame of n samples needs. It
// returns how many can be made, and how many there are until silence. The frame was
// due at now less late.
func (s *Stream) take(n int, now time.Time, late time.Duration) (made, left int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.steer.pulled(now.Add(-late))
	if s.closed() && s.state.Phase != Playing {
		s.state.Phase = Ended
		s.drop()
	}
	if !s.ready(now, s.state.Target+pcm.Samples(late)) {
		return 0, 0
	}
	s.skip(late)
	s.state.Ratio = s.steer.ratio(s.ring.level)
	s.state.Target = s.steer.back.target(s.state.Target)
	s.out.SetRatio(s.state.Ratio)
	need := s.out.Need(n)
	switch {
	case s.ended:
		made, left = s.takeLast(n)
	case s.ring.level < need+reserve:
		made = min(n, s.out.Able(s.ring.level))
		left = made
		s.ring.feed(s.out, s.out.Need(made))
		s.stall()
	default:
		made, left = n, far
		s.ring.feed(s.out, need)
	}
	s.steer.inHand = pcm.Pos(max(s.out.HeldAfter(made)-s.pad, 0))
	if s.state.Phase == Ended {
		s.drop()
	}
	return made, left
}

// ready reports whether there is sound to play in this frame, where it takes least
// samples to begin.
func (s *Stream) ready(now time.Time, least pcm.Pos) bool {
	if s.state.Phase == Ended || s.state.Phase == Playing {
		return s.state.Phase == Playing
	}
	if !s.ended && pcm.Pos(s.ring.level) < least {
		return false
	}
	if n := s.steer.head(s.ring.level, least, now); n > 0 && !s.ended {
		s.ring.drop(n)
		s.state.Skipped += int64(n)
		s.count.skip(float64(n) / pcm.Rate)
	}
	s.state.Phase = Playing
	s.steer.waiting = time.Time{}
	s.steer.drift.Restart()
	return true
}

// takeLast is take when the end is known.
func (s *Stream) takeLast(n int) (made, left int) {
	left = s.out.Left(s.ring.level - s.pad)
	if s.closed() {
		left = min(left, fadeLen)
	}
	made = min(n, left)
	if made == left {
		s.state.Phase = Ended
	}
	need := s.out.Need(made)
	have := min(need, s.ring.level)
	s.ring.feed(s.out, have)
	s.out.FeedZeros(need - have)
	s.pad += need - have
	return made, left
}

// stall waits for the target anew, and for more than was too little.
func (s *Stream) stall() {
	s.state.Phase = Stalled
	s.state.Underruns++
	s.count.ranDry()
	s.steer.back.ranDry()
	grown := s.state.Target + min(s.state.Target, pcm.Samples(growTarget))
	s.state.Target = max(s.state.Target, min(grown, pcm.Pos(s.ring.size()/2)))
}

// drop counts what is left over at the end.
func (s *Stream) drop() {
	s.state.Dropped += int64(s.ring.level) + int64(s.steer.inHand)
	s.ring.drop(s.ring.level)
	s.steer.inHand = 0
}

// skip takes sound out when so much has piled up, for so long, that it is only delay.
func (s *Stream) skip(late time.Duration) {
	if s.ended {
		return
	}
	n := s.steer.excess(s.ring.level, s.state.Target, late)
	if n == 0 || s.ring.level < n+pcm.FrameSamples {
		return
	}
	if !s.steer.patienceOver() && (s.ring.rms(0, fadeLen) > quiet || s.ring.rms(n, fadeLen) > quiet) {
		return
	}
	s.ring.skip(n)
	s.state.Skipped += int64(n)
	s.count.skip(float64(n) / pcm.Rate)
	s.steer.skipped(n)
}
