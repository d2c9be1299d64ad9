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
	log     *slog.Logger
	name    string
	metrics *metrics

	mu       sync.Mutex
	failing  bool
	lastFail time.Time
	lastGood time.Time
	first    bool // something was taken once
}

// wellAfter is how long nothing may have failed for the other side to be well again:
// renditions fail and work one by one.
const wellAfter = 2 * time.Second

func (h *health) failed(ctx context.Context, err error) {
	h.mu.Lock()
	turned := !h.failing
	h.failing, h.lastFail = true, time.Now()
	h.mu.Unlock()
	if turned {
		h.log.ErrorContext(ctx, "another origin does not take what is pushed: listeners there hear nothing new until it does", "remote", h.name, "reason", reasonOf(err), "err", err)
	}
}

func (h *health) worked(ctx context.Context) {
	h.mu.Lock()
	turned := h.failing && time.Since(h.lastFail) > wellAfter
	first := !h.first
	h.first, h.lastGood = true, time.Now()
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

func (h *health) value() float64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.failing {
		return 1
	}
	return 0
}
