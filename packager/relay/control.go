package relay

import (
	"cmp"
	"context"
	"slices"
	"time"

	"longwave/packager"
)

const (
	// lookEvery is how often lateness is looked at.
	lookEvery = 100 * time.Millisecond
	// yieldAfter is how late a rendition may be until higher ones wait for it: one part.
	yieldAfter = 350 * time.Millisecond
	// shedAfter is how late one may be until the highest is shed, when it has been so for
	// lateFor. A player has 1.28 s of the lowest rendition.
	shedAfter = 900 * time.Millisecond
	lateFor   = 600 * time.Millisecond
	// shedPause is how long the effect is waited for.
	shedPause = 1500 * time.Millisecond
	// calmBelow is what is not late at all. When all have been so for a rest, one
	// rendition comes back. The rest doubles when that was too early, and is as before
	// after a long time of peace.
	calmBelow   = 500 * time.Millisecond
	firstRest   = 15 * time.Second
	longestRest = 2 * time.Minute
	peace       = 6 * time.Minute
)

// A controller decides who waits, who is shed and who comes back.
type controller struct {
	relay  *Relay
	ladder []rung
	of     int // the version of the lists that ladder was made of

	late time.Time // since when one is too late; zero: none is
	calm time.Time // since when none is late; zero: one is
	shed time.Time // the last one
	back time.Time // the last one
	rest time.Duration
}

// A rung is a rendition in the order in which they are given up: the last one first.
type rung struct {
	way       *way
	codec     string
	bandwidth int64
	keep      bool // the lowest of its codec
}

// control looks after the ways until ctx ends.
func (r *Relay) control(ctx context.Context) {
	c := &controller{relay: r, rest: firstRest}
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			c.look(ctx, time.Now())
		}
	}
}

// look decides anew.
func (c *controller) look(ctx context.Context, now time.Time) {
	if v := c.relay.desk.changes(); v != c.of {
		c.of, c.ladder = v, c.relay.ladder()
	}
	late, filling := time.Duration(0), false
	for i := range c.ladder {
		w := c.ladder[i].way
		w.paused.Store(late > yieldAfter && !c.ladder[i].keep)
		if !w.isShed() {
			late = max(late, w.window.lag())
			filling = filling || w.filling.Load()
		}
	}
	c.note(now, late)
	c.relay.narrow.Store(!c.shed.IsZero() && now.Sub(c.shed) < peace)
	switch {
	case filling || !c.relay.health.narrow(now):
		c.late = time.Time{} // it is not the way that is narrow
	case !c.late.IsZero() && now.Sub(c.late) >= lateFor && now.Sub(c.shed) >= shedPause:
		c.shedOne(ctx, now)
	case !c.calm.IsZero() && now.Sub(c.calm) >= c.rest:
		c.bringBack(ctx, now)
	}
}

// note keeps since when it is late, or calm.
func (c *controller) note(now time.Time, late time.Duration) {
	since := func(t *time.Time, is bool) {
		switch {
		case !is:
			*t = time.Time{}
		case t.IsZero():
			*t = now
		}
	}
	since(&c.late, late > shedAfter)
	since(&c.calm, late < calmBelow)
}

// shedOne takes the highest rendition off the other side.
func (c *controller) shedOne(ctx context.Context, now time.Time) {
	for _, r := range slices.Backward(c.ladder) {
		if r.keep || r.way.isShed() {
			continue
		}
		if !c.back.IsZero() && now.Sub(c.back) < 4*c.rest { // it came back too early
			c.rest = min(2*c.rest, longestRest)
		}
		c.shed, c.late, c.calm = now, time.Time{}, time.Time{}
		r.way.setShed(true)
		c.relay.metrics.sheds.Inc()
		c.relay.opt.Log.WarnContext(ctx, "the way to another origin is too narrow: a rendition is not sent there for a while",
			"remote", c.relay.opt.Name, "station", r.way.station, "rendition", r.way.name)
		return
	}
}

// bringBack sends the lowest rendition that was shed again.
func (c *controller) bringBack(ctx context.Context, now time.Time) {
	if now.Sub(c.shed) > peace && now.Sub(c.back) > peace {
		c.rest = firstRest
	}
	for _, r := range c.ladder {
		if !r.way.isShed() {
			continue
		}
		c.back, c.calm = now, time.Time{}
		r.way.setShed(false)
		c.relay.opt.Log.InfoContext(ctx, "a rendition is sent to another origin again",
			"remote", c.relay.opt.Name, "station", r.way.station, "rendition", r.way.name)
		return
	}
}

// setShed says whether the rendition is to be sent, and has the lists follow.
func (w *way) setShed(is bool) {
	if is {
		w.standing.Store(shed)
	} else {
		w.standing.Store(returning)
	}
	signal(w.wake)
	w.relay.desk.again()
}

// ladder returns the renditions of all stations that stand in a multivariant playlist:
// first those that are always sent, then the others, lowest first.
func (r *Relay) ladder() []rung {
	var all []rung
	for station, lists := range r.desk.multivariants() {
		for _, m := range lists {
			for _, v := range m.Variants {
				w := r.known(station, packager.RenditionOf(v.URI))
				if w != nil && !slices.ContainsFunc(all, func(o rung) bool { return o.way == w }) {
					all = append(all, rung{way: w, codec: v.Codecs, bandwidth: v.Bandwidth})
				}
			}
		}
	}
	for i := range all {
		all[i].keep = !slices.ContainsFunc(all, func(o rung) bool {
			return o.way.station == all[i].way.station && o.codec == all[i].codec && o.bandwidth < all[i].bandwidth
		})
	}
	slices.SortFunc(all, func(a, b rung) int {
		if a.keep != b.keep {
			if a.keep {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.bandwidth, b.bandwidth), cmp.Compare(a.way.station, b.way.station), cmp.Compare(a.way.name, b.way.name))
	})
	return all
}
