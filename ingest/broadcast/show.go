package broadcast

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"longwave/ingest"
)

// Desk is what a show moves: *[ingest.Desk].
type Desk interface {
	SetAuto(auto bool)
	SetOpen(open bool)
	Restore(places []ingest.Place)
}

// Seats is where a show looks who is there: *[ingest.Desk].
type Seats interface {
	Speakers() []ingest.Speaker
	Places() []ingest.Place
	Events(after int64) ([]ingest.Event, <-chan struct{})
}

// Options are what a [Show] works with.
type Options struct {
	Station string
	Desk    Desk
	Seats   Seats
	Keeper  Keeper
	// Began is called when a broadcast goes live; nil: nobody is told. It must not block
	// nor use the show.
	Began    func()
	Log      *slog.Logger          // nil: nothing is told
	Registry prometheus.Registerer // labelled with the station; nil: nothing is counted in public
}

// A Show runs a station's life: it opens the doors by the clock, does what the host
// wants, moves the desk, and keeps the record. It is safe for concurrent use.
type Show struct {
	opt     Options
	metrics *metrics
	unkept  chan struct{} // there is something to keep

	mu sync.Mutex
	status
	news    []News
	changed chan struct{} // closed and replaced when anything changed
	acked   chan struct{} // closed and replaced when deeds were kept
}

// status is what a show knows, guarded by its mutex.
type status struct {
	base    Record // as the keeper has it
	pending []done // what it does not have yet
	flying  int    // how many of them are on their way
	record  Record // base after pending
	known   bool   // base was read
	running bool
	trouble time.Time // since when nothing can be kept; zero: it can
	count   uint64    // deeds done; those of pending are not kept
	kept    uint64    // of them
	told    int64     // news that were told
}

// mostNews is how many news a show remembers.
const mostNews = 100

// New returns a show in auto mode. What was kept is read by Run; until then and while
// it cannot be read, the station is in auto mode and nothing of it is overwritten.
func New(opt Options) *Show {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	s := &Show{opt: opt, unkept: make(chan struct{}, 1), changed: make(chan struct{}), acked: make(chan struct{})}
	s.record.Phase = Auto
	s.metrics = newMetrics(opt.Registry, s)
	return s
}

// Load reads what was kept, so that it holds before anybody is admitted. An error is
// no reason not to go on: Run tries again.
func (s *Show) Load(ctx context.Context) error {
	if err := s.noted(s.load(ctx)); err != nil {
		return err
	}
	s.tick()
	return nil
}

// Run runs the show until ctx ends and returns nil. It keeps what is not kept yet
// before it returns, if that takes no longer than two seconds.
func (s *Show) Run(ctx context.Context) error {
	s.setRunning(true)
	defer s.setRunning(false)
	keeping := make(chan struct{})
	go func() {
		defer close(keeping)
		s.keep(ctx)
	}()
	s.watch(ctx)
	<-keeping
	return nil
}

func (s *Show) setRunning(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = on
}

// watch looks after clock and desk until ctx ends. It looks at the clock once a minute
// at least, since a wall clock may be set.
func (s *Show) watch(ctx context.Context) {
	var last int64
	for {
		events, moved := s.opt.Seats.Events(last)
		if len(events) > 0 {
			last = events[len(events)-1].ID
		}
		_, changed := s.Look()
		wait := s.tick()
		select {
		case <-moved:
		case <-changed:
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

// tick does what is due, and returns how long nothing will be.
func (s *Show) tick() time.Duration {
	places, alone := s.opt.Seats.Places(), alone(s.opt.Seats.Speakers())
	places = places[max(len(places)-mostPlaces, 0):]
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.known && !slices.Equal(places, s.record.Places) {
		_ = s.apply(seat{places}, now) // it has nothing to refuse
	}
	t := Tick{Alone: alone}
	if after, _, err := s.record.Apply(t, now); err == nil && (after.Phase != s.record.Phase || after.Current != s.record.Current || after.Told != s.record.Told) {
		_ = s.apply(t, now) // it has just been done
	}
	wait := time.Minute
	if due := s.record.Due(); due.After(now) {
		wait = min(wait, due.Sub(now))
	}
	return wait
}

// alone reports that nobody is connected who came by a token.
func alone(speakers []ingest.Speaker) bool {
	return !slices.ContainsFunc(speakers, func(x ingest.Speaker) bool { return x.Role != 0 && x.Connected })
}

// Do does d and returns the record after it. It holds at once; Do then waits until it
// is kept, but never long: a store that fails is told by Trouble.
func (s *Show) Do(ctx context.Context, d Deed) (Record, error) {
	s.mu.Lock()
	if err := s.apply(d, time.Now()); err != nil {
		s.mu.Unlock()
		return Record{}, err
	}
	r, mine, wait := s.record, s.count, s.running && s.trouble.IsZero()
	s.mu.Unlock()
	if wait {
		s.await(ctx, mine)
	}
	return r, nil
}

// Keep waits until what the desk has now is kept, as [Show.Do] does: a speaker who was
// muted is muted after a restart, too.
func (s *Show) Keep(ctx context.Context) {
	s.tick()
	s.mu.Lock()
	mine, wait := s.count, s.running && s.trouble.IsZero()
	s.mu.Unlock()
	if wait {
		s.await(ctx, mine)
	}
}

// await waits until this many deeds are kept.
func (s *Show) await(ctx context.Context, mine uint64) {
	late := time.After(ackTime)
	for {
		s.mu.Lock()
		kept, acked := s.kept >= mine || !s.trouble.IsZero(), s.acked
		changed := s.changed
		s.mu.Unlock()
		if kept {
			return
		}
		select {
		case <-acked:
		case <-changed:
		case <-late:
			return
		case <-ctx.Done():
			return
		}
	}
}

// apply does d to the record. The mutex is held.
func (s *Show) apply(d Deed, now time.Time) error {
	after, news, err := s.record.Apply(d, now)
	if err != nil {
		return err
	}
	x := done{d, now}
	last := len(s.pending) - 1
	switch {
	case last >= s.flying && isSeat(d) && isSeat(s.pending[last].deed):
		s.pending[last] = x
		s.count--
	case last >= s.flying+mostUnkept:
		n := len(s.pending) - s.flying
		s.pending = append(s.pending[:s.flying], done{whole{after}, now})
		s.kept += uint64(n)
	default:
		s.pending = append(s.pending, x)
	}
	s.count++
	s.become(after)
	for _, n := range news {
		s.opt.Log.Info("show", "event", string(n.Kind), "text", n.Text)
		if n.Kind == NewsLive && s.opt.Began != nil {
			s.opt.Began()
		}
	}
	s.add(news)
	s.tell()
	select {
	case s.unkept <- struct{}{}:
	default:
	}
	return nil
}

func isSeat(d Deed) bool {
	_, ok := d.(seat)
	return ok
}

// become makes r the record and moves the desk. The mutex is held.
func (s *Show) become(r Record) {
	if r.Phase == "" {
		r.Phase = Auto
	}
	s.record = r
	// The end of auto mode puts the hosts on air: no frame of that is for the audience
	// when the doors open, so the fader is down first.
	if !r.Open() {
		s.opt.Desk.SetOpen(false)
	}
	s.opt.Desk.SetAuto(r.Unattended())
	s.opt.Desk.SetOpen(r.Open())
}

// add remembers news. The mutex is held.
func (s *Show) add(news []News) {
	s.news = append(s.news, news...)
	s.told += int64(len(news))
	if n := len(s.news) - mostNews; n > 0 {
		s.news = slices.Delete(s.news, 0, n)
	}
}

// tell wakes who waits for a change. The mutex is held.
func (s *Show) tell() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Look returns the record and a channel that is closed when anything changes.
func (s *Show) Look() (Record, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.record, s.changed
}

// News returns the news after the first seen ones, oldest first, and how many there
// have been. Only the last hundred are remembered.
func (s *Show) News(seen int64) (news []News, all int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(max(s.told-seen, 0), int64(len(s.news)))
	return slices.Clone(s.news[int64(len(s.news))-n:]), s.told
}

// Revoked reports that a token was revoked: for [ingest.GateOptions].
func (s *Show) Revoked(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.record.Revoked(id)
}

// Trouble returns since when nothing can be kept; zero: it can.
func (s *Show) Trouble() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trouble
}
