package broadcast

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// A Keeper keeps one JSON object a station. It is safe for concurrent use.
type Keeper interface {
	// Load returns the object of a station, nil when there is none.
	Load(ctx context.Context, station string) ([]byte, error)
	// Update replaces the object of a station on condition that nobody else replaced
	// it meanwhile; else it calls change again with what is there now. Old is nil when
	// there is none. An error of change ends it, and nothing is written.
	Update(ctx context.Context, station string, change func(old []byte) ([]byte, error)) error
}

const (
	keepTimeout = 5 * time.Second        // of one attempt
	firstRetry  = 500 * time.Millisecond // doubles
	lastRetry   = 10 * time.Second
	goodbyeTime = 2 * time.Second // for the last attempt, after Run was told to end
	ackTime     = time.Second     // how long Do waits for the store
	mostUnkept  = 1000            // deeds; more become one
)

// decode returns the record in data, nil being none, put right where it contradicts
// itself.
func decode(data []byte) (Record, error) {
	var r Record
	if data == nil {
		return r, nil
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("decode record: %w", err)
	}
	r.mend()
	return r, nil
}

// mend makes r a record that every deed can be done to.
func (r *Record) mend() {
	seen := map[string]bool{}
	r.Broadcasts = slices.DeleteFunc(r.Broadcasts, func(b Broadcast) bool {
		again := b.ID == "" || seen[b.ID]
		seen[b.ID] = true
		return again || b.Start.IsZero() && b.ahead()
	})
	b, ok := r.Broadcast(r.Current)
	switch r.Phase {
	case Auto, Scheduled:
		r.Current = ""
	case Doors:
		ok = ok && b.ahead()
	case Live:
		ok = ok && !b.LiveAt.IsZero() && b.EndedAt.IsZero()
	case Ended:
		ok = ok && !b.EndedAt.IsZero() || r.Current == ""
	default:
		r.Phase, r.Current = Auto, ""
	}
	if !ok && r.Phase != Auto && r.Phase != Scheduled {
		r.Phase, r.Current = Ended, "" // nobody is put on air by a mistake in a file
	}
	for i, b := range r.Broadcasts {
		if !b.LiveAt.IsZero() && b.EndedAt.IsZero() && (r.Phase != Live || b.ID != r.Current) {
			r.Broadcasts[i].EndedAt = b.LiveAt
		}
	}
}

// A done is a deed and when it was done.
type done struct {
	deed Deed
	at   time.Time
}

// whole puts a record in the place of the one there is.
type whole struct{ record Record }

func (w whole) do(r *Record, _ time.Time, _ tell) error {
	*r = w.record
	return nil
}

// replay does deeds to r. One that cannot be done any more is left out: somebody else
// was first, or it was kept although the store said otherwise.
func replay(r Record, deeds []done) Record {
	for _, d := range deeds {
		if after, _, err := r.Apply(d.deed, d.at); err == nil {
			r = after
		}
	}
	return r
}

// keep brings what is done to the keeper until ctx ends, and then once more.
func (s *Show) keep(ctx context.Context) {
	retry := firstRetry
	for {
		err := s.attempt(ctx)
		if ctx.Err() != nil {
			s.goodbye(context.WithoutCancel(ctx))
			return
		}
		if err == nil {
			retry = firstRetry
			select {
			case <-s.unkept:
			case <-ctx.Done():
			}
			continue
		}
		select {
		case <-time.After(retry):
		case <-ctx.Done():
		}
		retry = min(2*retry, lastRetry)
	}
}

// goodbye tries a last time.
func (s *Show) goodbye(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, goodbyeTime)
	defer cancel()
	if err := s.attempt(ctx); err != nil {
		s.opt.Log.Error("the show's state was not kept", "error", err)
	}
}

// attempt tries once to keep all that was done until now.
func (s *Show) attempt(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, keepTimeout)
	defer cancel()
	if err := s.load(ctx); err != nil {
		return s.noted(err)
	}
	s.mu.Lock()
	deeds := slices.Clone(s.pending)
	s.flying = len(deeds)
	s.mu.Unlock()
	if len(deeds) == 0 {
		return s.noted(nil)
	}
	var kept Record
	err := s.opt.Keeper.Update(ctx, s.opt.Station, func(old []byte) ([]byte, error) {
		r, err := decode(old)
		if err != nil {
			return nil, err
		}
		kept = replay(r, deeds)
		return json.Marshal(kept)
	})
	s.mu.Lock()
	s.flying = 0
	if err == nil {
		s.base, s.pending = kept, slices.Clone(s.pending[len(deeds):])
		s.become(replay(s.base, s.pending))
		s.kept += uint64(len(deeds))
		close(s.acked)
		s.acked = make(chan struct{})
	}
	s.mu.Unlock()
	return s.noted(err)
}

// load reads what was kept, once.
func (s *Show) load(ctx context.Context) error {
	s.mu.Lock()
	known := s.known
	s.mu.Unlock()
	if known {
		return nil
	}
	data, err := s.opt.Keeper.Load(ctx, s.opt.Station)
	if err != nil {
		return fmt.Errorf("load the show's state: %w", err)
	}
	r, err := decode(data)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known, s.base = true, r
	s.opt.Desk.Restore(r.Places)
	s.become(replay(r, s.pending))
	s.opt.Log.Info("show", "phase", string(s.record.Phase), "broadcasts", len(r.Broadcasts), "links", len(r.Links), "places", len(r.Places))
	return nil
}

// noted tells of a store that begins or ceases to fail, and returns err.
func (s *Show) noted(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	failing := !s.trouble.IsZero()
	switch {
	case err != nil && !failing:
		s.trouble = time.Now()
		s.opt.Log.Error("the show's state cannot be kept; it goes on, and is kept later", "error", err)
		s.tell()
	case err == nil && failing:
		s.opt.Log.Info("the show's state is kept again", "after", time.Since(s.trouble))
		s.trouble = time.Time{}
		s.tell()
	}
	s.metrics.kept(err)
	return err
}
