package jitter

import (
	"time"

	"longwave/ingest/pcm"
)

const (
	// heldFrames is for how long a sender counts as held back after it was: 10 s.
	heldFrames = 500
	// skipOver is how much more than the target there may be in the long run.
	skipOver = 2 * pcm.Rate
	// skipSteady is how much the smallest margins of 10 s may differ when they are
	// taken for a state and not for a movement, such as a sender that is faster
	// than real time and will soon be held back.
	skipSteady = pcm.Rate / 5
	// mostLate is how late a frame may be while what piles up is a sender's doing.
	mostLate = 100 * time.Millisecond
	// skipPatience is how many frames a quiet moment is waited for: 10 s.
	skipPatience = 500
	// quiet is the RMS (-45 dBFS) under which a cut is not noticed.
	quiet = 0.0056
)

// pipeBuffer is what a system may have buffered before we began to read.
const pipeBuffer = 500 * time.Millisecond

// A steering decides how fast a stream is played and when to skip.
// The stream's mutex guards it.
type steering struct {
	drift    Drift
	frame    int       // pulls so far
	lastPull time.Time // when the newest frame was due
	heldAt   int       // pull at which a Write last waited
	inHand   pcm.Pos   // samples fed to the resampler and not played
	surplus  int       // samples to skip
	since    int       // pull at which surplus was found
	trim     bool
	back     retreat
	waiting  time.Time // since when sound has come in and not gone out; zero: none has
	live     bool      // the sender has kept the time
	watched  int       // pulls in a row for which they were held back
	least    int       // samples that were there at the least of those
}

func (s *steering) pulled(due time.Time) {
	s.frame++
	s.lastPull = due
}

// arrived observes the margin: what there is less what is being played since the
// last frame.
func (s *steering) arrived(level int, now time.Time) {
	s.drift.Observe(pcm.Pos(level) - pcm.Samples(now.Sub(s.lastPull)))
}

func (s *steering) held() { s.heldAt = s.frame }

func (s *steering) isHeld() bool { return s.frame-s.heldAt < heldFrames }

// ratio returns how the next frame is to be played, of level samples that are there.
func (s *steering) ratio(level int) float64 {
	if s.isHeld() {
		s.back.forget()
		return s.drift.Rest()
	}
	s.drift.Lean(s.back.step(level))
	return s.drift.Step()
}

// excess returns how many of level samples should be skipped, in a frame that is so
// late. It looks once a block.
func (s *steering) excess(level int, target pcm.Pos, late time.Duration) int {
	if s.isHeld() {
		return s.backlog(level, target, late)
	}
	s.watched = 0
	if s.frame%blockFrames == 0 {
		margin, spread, ok := s.drift.Settled()
		over := margin - target
		s.live = s.live || ok && over <= skipOver && spread <= skipSteady
		switch {
		case !ok || over <= skipOver || spread > skipSteady:
			s.surplus = 0
		case s.surplus == 0:
			s.surplus, s.since = int(over), s.frame
		}
	}
	return s.surplus
}

// backlog is excess while the sender is held back. Who kept the time before and is held
// back now sends what piled up while the network or they stood still: it would be delay
// until the end. A file that is sent as fast as we take it never kept the time.
func (s *steering) backlog(level int, target pcm.Pos, late time.Duration) int {
	if !s.live || late > mostLate {
		s.watched, s.surplus = 0, 0
		return 0
	}
	if s.watched == 0 || level < s.least {
		s.least = level
	}
	if s.watched++; s.watched < heldFrames {
		return s.surplus
	}
	s.watched = 0
	if over := s.least - int(target); s.surplus == 0 && over > skipOver {
		s.surplus, s.since = over, s.frame
	}
	return s.surplus
}

func (s *steering) patienceOver() bool { return s.frame-s.since > skipPatience }

func (s *steering) skipped(n int) {
	s.drift.Shift(pcm.Pos(n))
	s.back.forget()
	s.surplus = 0
}

// head returns how many of level samples are too much to start with. A sender that
// sent much faster than time passed is no live one, and nothing of it is too much.
func (s *steering) head(level int, target pcm.Pos, now time.Time) int {
	over := pcm.Pos(level) - target
	if !s.trim || over <= 0 || s.isHeld() || over > pcm.Samples(now.Sub(s.waiting)+pipeBuffer) {
		return 0
	}
	return int(over)
}
