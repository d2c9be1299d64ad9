package jitter

import (
	"math"
	"time"

	"longwave/ingest/pcm"
)

// After an underrun more is kept ahead. Whether it is needed is seen in time: what
// was never touched is given back, slowly, by playing a little faster.
const (
	// firstWait is for how long, in frames, the level is watched after an underrun
	// before any of it is given back: 60 s. It doubles with every underrun that follows
	// a retreat, since that one was wrong, up to mostWait: 32 min. A sender that needs
	// the extra every some minutes comes to keep it.
	firstWait = int(time.Minute / pcm.FrameDuration)
	mostWait  = 32 * firstWait
	// retreatSpeed is 2 ms a second, or 3.5 cents: nobody hears it. 60 ms take half a
	// minute, 0.5 s four.
	retreatSpeed = 2000e-6
	retreatSlew  = 1000e-6 // a second
	// leastRetreat is the least that is worth it: 10 ms.
	leastRetreat = pcm.Rate / 100
	// spareShare of the configured target must remain untouched.
	spareShare = 4
)

// A retreat brings a stream that ran dry back to the target it was configured with.
type retreat struct {
	home  pcm.Pos // the configured target
	grown bool    // it ran dry, so there may be something to give back
	tried bool    // something was given back since
	wait  int     // frames to watch before
	seen  int     // frames watched

	least int // samples that remained untouched, the fewest of those frames
	most  int // samples that had arrived, the most of those frames

	left  float64 // seconds to give back
	speed float64 // in force: seconds a second
	given float64 // samples that the target does not know of yet
}

// ranDry says that all that was kept was needed, and more.
func (r *retreat) ranDry() {
	if r.tried {
		r.wait = min(2*r.wait, mostWait)
	}
	*r = retreat{home: r.home, wait: r.wait, grown: true}
}

// forget begins to watch anew.
func (r *retreat) forget() { r.seen, r.left, r.speed = 0, 0, 0 }

// step looks at a frame before it is played from level samples, and returns what is
// to be added to the ratio.
func (r *retreat) step(level int) float64 {
	if !r.grown {
		return 0
	}
	r.watch(level, level-pcm.FrameSamples-reserve)
	goal := min(retreatSpeed, math.Sqrt(2*retreatSlew*r.left))
	r.speed += clamp(goal-r.speed, retreatSlew*frameSeconds)
	r.left = max(r.left-r.speed*frameSeconds, 0)
	r.given += r.speed * pcm.FrameSamples
	return r.speed
}

func (r *retreat) watch(level, spare int) {
	if r.seen == 0 {
		r.least, r.most = spare, level
	}
	r.least, r.most = min(r.least, spare), max(r.most, level)
	r.seen++
	switch {
	case r.left > 0 && spare < int(r.home)/spareShare:
		r.left, r.seen = 0, 0 // it is needed after all
	case r.left > 0:
		r.seen = 0
	case r.seen >= r.wait:
		r.seen = 0
		if n := min(r.least-int(r.home)/spareShare, r.most-int(r.home)); n >= leastRetreat {
			r.left, r.tried = float64(n)/pcm.Rate, true
		}
	}
}

// target returns what became of a target by what was given back.
func (r *retreat) target(t pcm.Pos) pcm.Pos {
	n := math.Floor(r.given)
	r.given -= n
	return max(t-pcm.Pos(n), min(t, r.home))
}
