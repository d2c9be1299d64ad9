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
}

// owes reports whether the bucket is still to get an object. Until both stores were
// compared, that may be any.
func (s *spool) owes(k packager.Key) bool { return !s.compared.Load() || s.queue.Owes(k) }

// run compares the stores as soon as both can be listed: a run that was killed while
// the bucket was away left segments on the disk alone.
func (s *spool) run(ctx context.Context) {
	for wait := time.Second; ; wait = min(2*wait, 30*time.Second) {
		n, err := s.compare(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			s.compared.Store(true)
			if n > 0 {
				s.log.Info("the bucket lacks what an earlier run kept on the disk: it gets that when there is nothing newer", "objects", n)
			}
			return
		}
		s.log.Debug("cannot compare disk and bucket yet", "err", err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

func (s *spool) compare(ctx context.Context) (n int, err error) {
	for k, err := range store.Missing(ctx, s.station, s.from, s.to) {
		if err != nil {
			return n, err
		}
		if !s.queue.Owes(k) {
			s.queue.Owe(k)
			n++
		}
	}
	return n, nil
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
