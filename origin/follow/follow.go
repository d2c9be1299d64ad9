// Package follow serves an origin from a store that another node writes.
//
//	store ── plain playlists, every second ──> what they newly name ──> origin.Live
//
// What holds:
//
//   - A playlist is put after all that it names, so a listener finds what is listed.
//   - A store that fails changes nothing: what is here stays until it is too old, and
//     then the origin says so.
//   - The store is only read.
//
// This package does not write, receive, make parts of segments, or keep anything that
// must last.
package follow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"longwave/origin"
	"longwave/origin/store"
	"longwave/packager"
	"longwave/packager/hls"
)

// Options are what a [Follower] works with.
type Options struct {
	Store    store.Getter
	Live     *origin.Live
	Stations []string
	// Every is how often playlists are looked at; default 1 s.
	Every    time.Duration
	Log      *slog.Logger
	Registry prometheus.Registerer // nil: nothing is counted in public
}

// A Follower puts what a store has into a live window.
type Follower struct {
	opt     Options
	metrics *metrics
}

// New returns a follower; [Follower.Run] follows.
func New(opt Options) *Follower {
	if opt.Every == 0 {
		opt.Every = time.Second
	}
	return &Follower{opt: opt, metrics: newMetrics(opt.Registry)}
}

// Run follows until ctx ends.
func (f *Follower) Run(ctx context.Context) error {
	var all sync.WaitGroup
	defer all.Wait()
	for _, name := range f.opt.Stations {
		s := &station{Follower: f, name: name, seen: map[packager.Key]store.ETag{}, named: map[string][]string{}}
		all.Go(func() { s.run(ctx) })
	}
	<-ctx.Done()
	return nil
}

// A station is one that is followed, by one goroutine.
type station struct {
	*Follower
	name       string
	mu         sync.Mutex
	seen       map[packager.Key]store.ETag // what of the store is here; guarded by mu
	named      map[string][]string         // renditions, by the list that names them
	renditions []string
	failing    bool
}

const (
	// lookTime bounds one look at the store.
	lookTime = 5 * time.Second
	// width is how many objects are read at one time.
	width = 8
	// stateEvery is how many looks there are between looks at what seldom changes.
	stateEvery = 5
)

func (s *station) run(ctx context.Context) {
	t := time.NewTicker(s.opt.Every)
	defer t.Stop()
	for n := 0; ; n++ {
		look, cancel := context.WithTimeout(ctx, lookTime)
		err := s.look(look, n%stateEvery == 0)
		cancel()
		if ctx.Err() != nil {
			return
		}
		s.report(ctx, err)
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// report says when the store begins to fail and when it is well again.
func (s *station) report(ctx context.Context, err error) {
	turned := s.failing != (err != nil)
	s.failing = err != nil
	switch {
	case err != nil:
		s.metrics.failures.Inc()
		if turned {
			s.opt.Log.ErrorContext(ctx, "cannot follow the store: listeners here get nothing new", "station", s.name, "err", err)
		}
	case turned:
		s.opt.Log.InfoContext(ctx, "following the store again", "station", s.name)
	}
}

// The states that are followed.
var states = []string{"status", "steering"}

// look takes in what is new, of every rendition what can be had: one that fails does not
// hold up the others. The lists come last: they name playlists.
func (s *station) look(ctx context.Context, all bool) error {
	var lists []packager.Object
	if all || len(s.renditions) == 0 {
		var err error
		if lists, err = s.lists(ctx); err != nil {
			return err
		}
	}
	var group sync.WaitGroup
	errs := make([]error, len(s.renditions))
	for i, name := range s.renditions {
		group.Go(func() { errs[i] = s.rendition(ctx, name) })
	}
	group.Wait()
	if len(errs) > 0 && !slices.Contains(errs, nil) { // then nothing that they name may be here
		return errors.Join(errs...)
	}
	for _, o := range lists {
		if err := s.opt.Live.Put(ctx, o); err != nil {
			return err
		}
	}
	return errors.Join(errs...)
}

// lists reads the multivariant playlists and states, and so the renditions. A rendition
// that is named no more is taken away; a list that is gone, which nobody takes away, names
// what it did.
func (s *station) lists(ctx context.Context) ([]packager.Object, error) {
	var changed []packager.Object
	for _, name := range []string{packager.EverybodyList, packager.OpusList} {
		k := packager.Key{Station: s.name, Kind: packager.Multivariant, Name: name}
		o, err := s.opt.Store.Get(ctx, store.NameOf(k))
		switch {
		case errors.Is(err, store.ErrNotFound):
			continue
		case err != nil:
			return nil, err
		}
		m, err := hls.ParseMultivariant(o.Data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", k, err)
		}
		s.named[name] = nil
		for _, v := range m.Variants {
			if r := packager.RenditionOf(v.URI); packager.ValidName(r) {
				s.named[name] = append(s.named[name], r)
			}
		}
		changed = append(changed, packager.Object{Key: k, Data: o.Data})
	}
	for _, name := range states {
		k := packager.Key{Station: s.name, Kind: packager.State, Name: name}
		o, err := s.opt.Store.Get(ctx, store.NameOf(k))
		switch {
		case errors.Is(err, store.ErrNotFound):
		case err != nil:
			return nil, err
		default:
			changed = append(changed, packager.Object{Key: k, Data: o.Data})
		}
	}
	s.take(slices.Concat(s.named[packager.EverybodyList], s.named[packager.OpusList]))
	return changed, nil
}

// take makes these the renditions.
func (s *station) take(named []string) {
	slices.Sort(named)
	named = slices.Compact(named)
	for _, r := range s.renditions {
		if !slices.Contains(named, r) {
			k := packager.Key{Station: s.name, Rendition: r, Kind: packager.Media}
			s.opt.Live.Remove(k)
			s.forget(k)
		}
	}
	s.renditions = named
}

// rendition takes in the playlist of a rendition, when it has changed, after what it
// newly names.
func (s *station) rendition(ctx context.Context, name string) error {
	k := packager.Key{Station: s.name, Rendition: name, Kind: packager.Media}
	info, err := s.opt.Store.Head(ctx, store.NameOf(k))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil // of a station that has not begun
	case err != nil:
		return err
	case s.has(k, info.ETag):
		return nil
	}
	o, err := s.opt.Store.Get(ctx, store.NameOf(k))
	if err != nil {
		return err
	}
	m, err := hls.ParseMedia(o.Data)
	if err != nil {
		return fmt.Errorf("%s: %w", k, err)
	}
	if old, stands := s.opt.Live.Playlist(s.name, name); old != nil && !stands && m.Last().Compare(old.Last()) < 0 {
		return fmt.Errorf("%s ends at %s, before it ended at %s", k, m.Last(), old.Last())
	}
	if err := s.media(ctx, k, m); err != nil {
		return err
	}
	if err := s.opt.Live.Put(ctx, packager.Object{Key: k, Data: o.Data}); err != nil {
		return err
	}
	s.mu.Lock()
	s.seen[k] = o.ETag
	s.mu.Unlock()
	s.metrics.playlists.Inc()
	return nil
}

func (s *station) has(k packager.Key, e store.ETag) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return e != "" && s.seen[k] == e
}

func (s *station) forget(k packager.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.seen, k)
}

// media reads what m names and memory does not have.
func (s *station) media(ctx context.Context, of packager.Key, m *hls.Media) error {
	var wanted []packager.Key
	for _, seg := range m.Segments {
		for _, uri := range []string{seg.Map.URI, seg.URI} {
			k, err := packager.ParseKey(of.Station + "/" + of.Rendition + "/" + uri)
			if err != nil || !k.Immutable() {
				return fmt.Errorf("%s names %q, which is not a file of ours", of, uri)
			}
			if _, here := s.opt.Live.Object(k); !here && !slices.Contains(wanted, k) {
				wanted = append(wanted, k)
			}
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(width)
	for _, k := range wanted {
		group.Go(func() error {
			o, err := s.opt.Store.Get(ctx, store.NameOf(k))
			if err != nil {
				return err
			}
			s.metrics.bytes.Add(float64(len(o.Data)))
			return s.opt.Live.Put(ctx, packager.Object{Key: k, Data: o.Data})
		})
	}
	return group.Wait()
}
