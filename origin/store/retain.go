package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"longwave/packager"
)

const (
	// defaultEvery is the time between two sweeps. A sweep lists everything,
	// which in a bucket costs a request for 1,000 names.
	defaultEvery = 5 * time.Minute
	// defaultPartAge is how long parts are of use: players ask for those of the
	// last three target durations, edges keep them a little longer.
	defaultPartAge = 3 * time.Minute
	// minAge protects what was put just now and is not named yet, or was named
	// in a playlist that some cache still hands out.
	minAge = 2 * time.Minute
	// deletersAtOnce bounds the deletions that run at once.
	deletersAtOnce = 8
)

// RetainOptions say what to keep.
type RetainOptions struct {
	// MaxAge is how long a segment is kept. 0: for ever.
	MaxAge time.Duration
	// MaxBytes is how much is kept for each station, all its objects together.
	// 0: no limit.
	MaxBytes int64
	// Owed reports what another store is still to get from here. nil: nothing. Such an
	// object is kept longer than MaxAge: for OwedAge, and of a station as much as
	// OwedBytes, the newest; 0 is no limit.
	Owed      func(packager.Key) bool
	OwedAge   time.Duration
	OwedBytes int64
	// PartAge is how long a part is kept. 0: 3 minutes.
	PartAge time.Duration
	// Every is the time between two sweeps. 0: 5 minutes.
	Every time.Duration
	// Label is the store's label in the figures, as in [Metrics.Watch].
	Label string
	// Metrics counts. nil: nobody does.
	Metrics *Metrics
	// Log says what was deleted and what failed. nil: nobody does.
	Log *slog.Logger
}

// A Keep is what [Retain] needs of a store.
type Keep interface {
	Get(ctx context.Context, n Name) (Object, error)
	List(ctx context.Context, prefix string, after Name) iter.Seq2[Info, error]
	Delete(ctx context.Context, n Name) error
}

// A Retain deletes what is old from a store: segments by age and by the bytes of
// their station, oldest first; parts after some minutes; an init segment when
// nothing of its rendition is left. It deletes nothing that a playlist in the
// store names, nothing else than these three kinds, nothing that is younger than
// two minutes, and in a station with a playlist that cannot be read nothing.
type Retain struct {
	s Keep
	o RetainOptions
}

// NewRetain returns a Retain for s; [Retain.Run] starts it.
func NewRetain(s Keep, o RetainOptions) *Retain {
	if o.PartAge == 0 {
		o.PartAge = defaultPartAge
	}
	if o.Every == 0 {
		o.Every = defaultEvery
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Retain{s: s, o: o}
}

// Run sweeps at once and then at intervals until ctx ends; then it returns nil. A
// sweep that fails is logged, and made good by the next.
func (r *Retain) Run(ctx context.Context) error {
	tick := time.NewTicker(r.o.Every)
	defer tick.Stop()
	for {
		r.run(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// run is one sweep with its log and figures.
func (r *Retain) run(ctx context.Context) {
	start := time.Now()
	swept, err := r.Sweep(ctx)
	if ctx.Err() != nil {
		return
	}
	log := r.o.Log.With("store", r.o.Label, "deleted", swept.Deleted, "deleted_bytes", swept.DeletedBytes,
		"kept", swept.Kept, "kept_bytes", swept.KeptBytes, "elapsed", time.Since(start))
	switch {
	case err != nil:
		r.o.Metrics.sweeps.WithLabelValues(r.o.Label, "error").Inc()
		log.WarnContext(ctx, "old objects not all deleted", "error", err)
		return
	case swept.Deleted > 0:
		log.InfoContext(ctx, "old objects deleted")
	}
	r.o.Metrics.sweeps.WithLabelValues(r.o.Label, "ok").Inc()
	r.o.Metrics.kept.WithLabelValues(r.o.Label).Set(float64(swept.KeptBytes))
}

// Swept is what a sweep did.
type Swept struct {
	Deleted      int
	DeletedBytes int64
	Kept         int
	KeptBytes    int64
}

// Sweep deletes what is old now. Its error is of the stations for which it could
// not; the others are done.
func (r *Retain) Sweep(ctx context.Context) (Swept, error) {
	now := time.Now()
	stations, err := takeStock(ctx, r.s)
	if err != nil {
		return Swept{}, fmt.Errorf("retain: %w", err)
	}
	// All playlists are read before anything is deleted, and after the names were
	// listed: what was put since is not in the list.
	named := make(map[ref]bool)
	for _, st := range stations {
		st.err = st.readPlaylists(ctx, r.s, named)
	}
	var (
		swept Swept
		errs  []error
	)
	for _, st := range stations {
		swept.Kept += st.count
		swept.KeptBytes += st.bytes
		if st.err == nil {
			st.err = r.delete(ctx, st.old(r.o, now, named), &swept)
		}
		if st.err != nil {
			errs = append(errs, fmt.Errorf("retain station %q: %w", st.name, st.err))
		}
	}
	return swept, errors.Join(errs...)
}

// delete deletes the items, in about their order, and counts in swept. It ends at
// the first failure: what fails for one object mostly fails for all.
func (r *Retain) delete(ctx context.Context, items []item, swept *Swept) error {
	done := make([]bool, len(items))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(deletersAtOnce)
	for i, it := range items {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() error {
			err := r.s.Delete(ctx, NameOf(it.key()))
			done[i] = err == nil
			return err
		})
	}
	err := g.Wait()
	for i, it := range items {
		if done[i] {
			swept.Deleted++
			swept.DeletedBytes += it.size
			swept.Kept--
			swept.KeptBytes -= it.size
			kind := kindLabel(it.kind)
			r.o.Metrics.deleted.WithLabelValues(r.o.Label, kind).Inc()
			r.o.Metrics.deletedSize.WithLabelValues(r.o.Label, kind).Add(float64(it.size))
		}
	}
	return err
}
