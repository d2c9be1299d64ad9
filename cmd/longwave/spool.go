package main

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"longwave/origin/store"
	"longwave/packager"
	"longwave/packager/push"
)

// A spool knows what of a station the disk has and the bucket lacks: what the queue to
// the bucket says of this run, and what an earlier run left.
type spool struct {
	station  string
	from, to store.Lister
	queue    *push.Queue
	log      *slog.Logger
	compared atomic.Bool
	audit    bool                  // nobody of ours deletes from the bucket what is on the disk
	suspect  map[packager.Key]bool // what it lacked at the last look
}

// owes reports whether the bucket is still to get an object. Until both stores were
// compared, that may be any.
func (s *spool) owes(k packager.Key) bool { return !s.compared.Load() || s.queue.Owes(k) }

// compareEvery is how often the stores are compared: a segment is on the disk for three
// times as long.
const compareEvery = journalKeep / 3

// run compares the stores as soon as both can be listed: a run that was killed while
// the bucket was away left segments on the disk alone. Where audit is set it does so again
// and again: a bucket may lose what it said that it has.
func (s *spool) run(ctx context.Context) {
	failures := 0
	for {
		err := s.compare(ctx)
		wait := compareEvery
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.log.Debug("cannot compare disk and bucket yet", "err", err)
			wait = min(time.Second<<min(failures, 5), 30*time.Second)
			failures++
		case !s.audit:
			return
		default:
			failures = 0
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

// compare has the queue send what the bucket lacks: at the first time at once, then what
// it lacked the time before too, for an object that is being put may seem to be missing.
func (s *spool) compare(ctx context.Context) error {
	missing := map[packager.Key]bool{}
	for k, err := range store.Missing(ctx, s.station, s.from, s.to) {
		if err != nil {
			return err
		}
		if !s.queue.Owes(k) {
			missing[k] = true
		}
	}
	first, n := !s.compared.Load(), 0
	for k := range missing {
		if first || s.suspect[k] {
			s.queue.Owe(k)
			delete(missing, k)
			n++
		}
	}
	s.suspect = missing
	s.compared.Store(true)
	switch {
	case n > 0 && first:
		s.log.InfoContext(ctx, "the bucket lacks what an earlier run kept on the disk: it gets that when there is nothing newer", "objects", n)
	case n > 0:
		s.log.ErrorContext(ctx, "the bucket lacks objects that were put there: it gets them again; look at its life-cycle rules, and who else deletes there", "objects", n)
	}
	return nil
}

// owed reports whether the bucket is still to get an object of any station.
func (st *storage) owed(k packager.Key) bool {
	for _, s := range st.spools {
		if s.station == k.Station {
			return s.owes(k)
		}
	}
	return false
}
