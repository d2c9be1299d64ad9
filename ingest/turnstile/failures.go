package turnstile

import (
	"context"
	"maps"
	"net/netip"
	"sync"
	"time"
)

const (
	freeFailures = 3               // wrong tokens that are answered at once
	firstDelay   = time.Second     // of the answer after that; it doubles
	maxDelay     = 8 * time.Second //
	maxWaiting   = 4               // answers that wait at once for one address
	forgetAfter  = 10 * time.Minute
	maxAddresses = 10_000
)

// Failures delay the answers to addresses that show wrong tokens. A right token
// is never delayed. The zero value is ready for use.
type Failures struct {
	mu sync.Mutex
	of map[netip.Prefix]*record
}

type record struct {
	count   int
	waiting int
	last    time.Time
}

// Wait notes a wrong token from remote and waits as long as its answer must. It
// returns false at once when too many answers wait already, or when ctx ends.
func (f *Failures) Wait(ctx context.Context, remote string) bool {
	r, delay, ok := f.note(Network(remote), time.Now())
	if !ok {
		return false
	}
	defer f.leave(r)
	if delay == 0 { // also for a client that has closed its side already: it may still read
		return true
	}
	t := time.NewTimer(delay)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (f *Failures) note(at netip.Prefix, now time.Time) (*record, time.Duration, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.forget(at, now)
	r := f.of[at]
	if r == nil {
		if len(f.of) >= maxAddresses {
			return nil, 0, false
		}
		if f.of == nil {
			f.of = map[netip.Prefix]*record{}
		}
		r = &record{}
		f.of[at] = r
	}
	r.last = now
	if r.waiting >= maxWaiting {
		return nil, 0, false
	}
	r.waiting++
	r.count++
	if r.count <= freeFailures {
		return r, 0, true
	}
	return r, min(firstDelay<<min(r.count-freeFailures-1, 8), maxDelay), true
}

func (f *Failures) leave(r *record) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r.waiting--
}

// forget drops the addresses that have been quiet; it looks through all of them
// only when there are many.
func (f *Failures) forget(at netip.Prefix, now time.Time) {
	if r := f.of[at]; r != nil && r.old(now) {
		delete(f.of, at)
	}
	if len(f.of) < maxAddresses/2 {
		return
	}
	maps.DeleteFunc(f.of, func(_ netip.Prefix, r *record) bool { return r.old(now) })
}

func (r *record) old(now time.Time) bool { return r.waiting == 0 && now.Sub(r.last) > forgetAfter }
