package listen

import (
	"sync"
	"time"
)

// Stalls are the silences that a player would have had which stays as far behind the
// live edge as the playlist says, and never further than it must.
type Stalls struct {
	Count   int    `json:"count"`
	Total   Millis `json:"total_ms"`
	Longest Millis `json:"longest_ms"`
}

// A player is a playhead and a buffer, and nothing else. Places are those of a
// [timeline]. Several goroutines use it.
type player struct {
	mu      sync.Mutex
	started bool
	playing bool
	wall    time.Time     // at this instant
	at      time.Duration // the playhead is here
	filled  bool
	begin   time.Duration // of the buffer, when it was first filled
	end     time.Duration // the buffer has everything up to here
	ahead   []run         // what came beyond a hole, in order
	ended   bool          // nothing comes after the buffer: running dry is no stall
	stalls  Stalls
}

type run struct{ begin, end time.Duration }

// hole is the silence that a player plays over: durations in playlists are rounded.
const hole = 50 * time.Millisecond

// maxAhead bounds what is remembered of what came beyond a hole.
const maxAhead = 64

// start lets the playhead go: at an instant at which the live edge has just moved to
// edge it is hold behind it. Only the first call counts.
func (p *player) start(now time.Time, edge, hold time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.started {
		return
	}
	p.started, p.wall, p.at = true, now, edge-hold
	if p.filled && p.at < p.begin { // the playlist was too short for that
		p.at = p.begin
	}
	p.play(now)
}

// head returns where the playhead is when nothing holds it up.
func (p *player) head(now time.Time) time.Duration { return p.at + now.Sub(p.wall) }

// add fills the buffer with what came at an instant.
func (p *player) add(now time.Time, begin, end time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.filled {
		p.filled, p.begin, p.end = true, begin, begin
	}
	p.jump(now)
	before := p.end
	if begin <= p.end+hole {
		p.end = max(p.end, end)
		p.close()
	} else if len(p.ahead) < maxAhead {
		p.ahead = append(p.ahead, run{begin, end})
	}
	if !p.playing {
		p.play(now)
		return
	}
	dry := p.head(now) - before
	switch {
	case dry <= 0 || p.ended:
	case p.end > before:
		p.stalls.note(dry)
		p.wall, p.at = now, before
	case len(p.ahead) > 0: // nothing else is coming: it goes on behind the hole
		p.stalls.note(max(dry, p.skip()))
		p.wall, p.at = now, p.ahead[0].begin
		p.close()
	}
}

// play begins when there is something under the playhead.
func (p *player) play(now time.Time) {
	if !p.started || p.end <= p.head(now) {
		return
	}
	p.playing = true
	if p.head(now) < p.begin {
		p.wall, p.at = now, p.begin
	}
}

// jump takes the playhead over a hole that it has reached since, when there was
// something behind it. What is left out is silence too.
func (p *player) jump(now time.Time) {
	for p.playing && len(p.ahead) > 0 && p.head(now) >= p.end {
		reached := p.wall.Add(p.end - p.at)
		p.stalls.note(p.skip())
		p.wall, p.at = reached, p.ahead[0].begin
		p.close()
	}
}

// skip moves the end of the buffer over the hole before what came early, and returns
// the length of the hole.
func (p *player) skip() time.Duration {
	left := p.ahead[0].begin - p.end
	p.end = p.ahead[0].begin
	return left
}

// close moves the end of the buffer over what had come early.
func (p *player) close() {
	for len(p.ahead) > 0 && p.ahead[0].begin <= p.end+hole {
		p.end = max(p.end, p.ahead[0].end)
		p.ahead = p.ahead[1:]
	}
}

// finish says that nothing will follow the buffer.
func (p *player) finish() {
	p.mu.Lock()
	p.ended = true
	p.mu.Unlock()
}

// result returns the stalls so far, one under way included.
func (p *player) result(now time.Time) Stalls {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.jump(now)
	s := p.stalls
	if dry := p.head(now) - p.end; p.playing && !p.ended && dry > 0 {
		s.note(dry)
	}
	return s
}

func (s *Stalls) note(d time.Duration) {
	s.Count++
	s.Total += Millis(d)
	s.Longest = max(s.Longest, Millis(d))
}
