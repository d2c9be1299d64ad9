package pcm

import (
	"context"
	"time"
)

// A Clock tells the programme's time. It reads the wall clock once and counts
// on the monotonic clock from then on. The zero Clock is not ready for use.
type Clock struct {
	start time.Time // with its monotonic reading
	pos   Pos       // of start
}

// NewClock starts a clock whose wall-clock anchor is now. The caller passes
// time.Now(): the monotonic reading in it is what the clock counts from.
func NewClock(now time.Time) Clock {
	return Clock{start: now, pos: At(now)}
}

// Now returns the programme's time.
func (c Clock) Now() Pos { return c.pos + Samples(time.Since(c.start)) }

// Until returns how long it is until p; it is negative when p has passed.
func (c Clock) Until(p Pos) time.Duration {
	return time.Until(c.start.Add(Duration(p - c.pos)))
}

// Wall returns the instant of p on this clock: the wall clock as it was at the
// start, advanced by the monotonic clock.
func (c Clock) Wall(p Pos) time.Time { return c.start.Add(Duration(p - c.pos)) }

// Drift returns how far the wall clock has moved away from this clock since it
// started: positive when the wall clock is ahead.
func (c Clock) Drift() time.Duration {
	now := time.Now()
	wall := now.Round(0).Sub(c.start.Round(0)) // Round(0) strips the monotonic reading
	return wall - now.Sub(c.start)
}

// Wait blocks until p is due or ctx ends; it returns ctx's cause then. A p in
// the past returns at once, so a caller that woke late runs every frame that is
// due: there is no tick to lose.
func (c Clock) Wait(ctx context.Context, p Pos) error {
	return Sleep(ctx, c.Until(p))
}

// Sleep waits for d or until ctx ends; it returns ctx's cause then. A d that is not
// positive is over at once.
func Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return context.Cause(ctx)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
