package relay

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// A health says when the other side begins to fail and when it is well again, and not
// each time.
type health struct {
	log  *slog.Logger
	name string

	mu       sync.Mutex
	failing  bool
	lastFail time.Time
	lastDown time.Time // it was not there, or took nothing at all
	lastGood time.Time // something was taken
	well     bool      // a playlist was taken once
}

// wellAfter is how long nothing may have failed for the other side to be well again:
// renditions fail and work one by one.
const wellAfter = 2 * time.Second

func (h *health) failed(ctx context.Context, err error) {
	h.mu.Lock()
	turned := !h.failing
	h.failing, h.lastFail = true, time.Now()
	if reasonOf(err) != resultTimeout {
		h.lastDown = h.lastFail
	}
	h.mu.Unlock()
	if turned {
		h.log.ErrorContext(ctx, "another origin does not take what is pushed: listeners there hear nothing new until it does", "remote", h.name, "reason", reasonOf(err), "err", err)
	}
}

func (h *health) worked(ctx context.Context) {
	h.mu.Lock()
	turned := h.failing && time.Since(h.lastFail) > wellAfter
	first := !h.well
	h.well = true
	if turned {
		h.failing = false
	}
	h.mu.Unlock()
	switch {
	case turned:
		h.log.InfoContext(ctx, "the other origin takes everything again", "remote", h.name)
	case first:
		h.log.InfoContext(ctx, "another origin takes what is pushed", "remote", h.name)
	}
}

// took notes that the other side acknowledged something.
func (h *health) took() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lastGood = time.Now()
}

// A way that is only narrow takes something all the time; one that took nothing for
// cutAfter was cut, and then needs catchUp: until all requests that hang have ended.
const (
	cutAfter = time.Second
	catchUp  = 6 * time.Second
)

// narrow reports that the other side is there, so that what is late is so for want of
// room.
func (h *health) narrow(now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now.Sub(h.lastGood) > cutAfter {
		h.lastDown = now
	}
	return now.Sub(h.lastDown) > catchUp
}

func (h *health) value() float64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.failing {
		return 1
	}
	return 0
}
