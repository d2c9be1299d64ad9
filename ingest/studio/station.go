package studio

import (
	"context"
	"log/slog"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"longwave/ingest"
	"longwave/ingest/mix"
)

const (
	levelsEvery = 100 * time.Millisecond
	alarmsEvery = 10   // in those: a second
	mostNews    = 300  // that are remembered
	nobodyAfter = 1e15 // an event's ID that will never be
)

// A news is one thing that happened, as the API tells it.
type news struct {
	ID   int64  `json:"id"`
	Time stamp  `json:"time"`
	Kind string `json:"kind"`
	Seat string `json:"seat"`
	Text string `json:"text"`
}

// A talk is whom a host speaks to instead of to the audience.
type talk struct {
	seats []string
	all   bool // everybody, those who come later too
}

func (t talk) on() bool { return t.all || len(t.seats) > 0 }

// to returns whom the host of this seat speaks to.
func (t talk) to(host string, speakers []ingest.Speaker) []string {
	if !t.all {
		return t.seats
	}
	var to []string
	for _, s := range speakers {
		if s.Seat != host {
			to = append(to, s.Seat)
		}
	}
	return to
}

// A station watches its desk and its show, and wakes the streams.
type station struct {
	Station

	mu      sync.Mutex
	version uint64 // of what a snapshot says
	tick    uint64 // of the levels
	wake    chan struct{}
	levels  levels
	news    []news
	last    int64 // the newest news' ID
	cues    map[string][]string
	talks   map[string]talk
	alarms  []Alarm
	streams int
	faders  faders

	// Of the goroutine that watches.
	seen struct {
		desk, show int64 // news of theirs
		hears      string
	}
	silences map[string]*silence
}

func newStation(s Station) *station {
	return &station{
		Station: s, wake: make(chan struct{}), cues: map[string][]string{}, talks: map[string]talk{},
		silences: map[string]*silence{},
		// IDs go on growing over a restart, so that a page that comes back misses nothing.
		last: time.Now().UnixMilli(),
	}
}

// run watches until ctx ends, and tells the log.
func (s *station) run(ctx context.Context, log *slog.Logger) {
	defer func() { s.faders.rest(time.Now().Add(faderRests)) }()
	ticker := time.NewTicker(levelsEvery)
	defer ticker.Stop()
	_, desk := s.Desk.Events(nobodyAfter)
	_, show := s.Show.Look()
	for n := 0; ; {
		s.gather()
		// A channel is taken anew only when it was closed, and before anybody looks: what
		// changes while this goroutine is busy closes the one that it will wait for.
		select {
		case <-desk:
			_, desk = s.Desk.Events(nobodyAfter)
		case <-show:
			_, show = s.Show.Look()
		case <-ticker.C:
			if n++; n%alarmsEvery == 0 {
				s.watchAlarms(time.Now(), log)
				s.faders.rest(time.Now())
			}
			s.measure()
			continue
		case <-ctx.Done():
			return
		}
		s.changed()
	}
}

// changed says that a snapshot would be another now.
func (s *station) changed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	s.wakeAll()
}

// wakeAll wakes the streams. The mutex is held.
func (s *station) wakeAll() {
	close(s.wake)
	s.wake = make(chan struct{})
}

// gather takes in the news of show and desk, in the order of their times; at the same
// time the show is first, since it moves the desk.
func (s *station) gather() {
	var fresh []news
	told, all := s.Show.News(s.seen.show)
	s.seen.show = all
	for _, n := range told {
		fresh = append(fresh, news{Time: stamp(n.Time), Kind: string(n.Kind), Text: n.Text})
	}
	events, _ := s.Desk.Events(s.seen.desk)
	for _, e := range events {
		s.seen.desk = e.ID
		fresh = append(fresh, news{Time: stamp(e.Time), Kind: string(e.Kind), Seat: e.Seat, Text: e.Text})
	}
	slices.SortStableFunc(fresh, func(a, b news) int { return time.Time(a.Time).Compare(time.Time(b.Time)) })
	speakers := s.Desk.Speakers()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range fresh {
		s.last++
		n.ID = s.last
		s.news = append(s.news, n)
		if n.Kind == string(ingest.EventRemoved) {
			delete(s.cues, n.Seat)
			delete(s.talks, n.Seat)
		}
	}
	if n := len(s.news) - mostNews; n > 0 {
		s.news = slices.Delete(s.news, 0, n)
	}
	if len(fresh) > 0 {
		s.version++
		s.wakeAll()
	}
	for host, t := range maps.All(s.talks) {
		if t.all {
			_ = s.speakTo(host, t, speakers) // who is not there speaks to nobody
		}
	}
}

// measure takes the levels, if anybody looks.
func (s *station) measure() {
	s.mu.Lock()
	watched := s.streams > 0
	s.mu.Unlock()
	m := s.Meters()
	var speakers []ingest.Speaker
	if watched {
		speakers = s.Desk.Speakers()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.OnAir != s.seen.hears {
		s.seen.hears = m.OnAir
		s.version++
	}
	if watched {
		s.tick++
		s.levels = levels{now: time.Now(), programme: m, speakers: speakers}
		s.wakeAll()
	}
}

// A view is what a stream may have to tell.
type view struct {
	version, tick uint64
	levels        levels
	last          int64
	wake          <-chan struct{}
}

func (s *station) look() view {
	s.mu.Lock()
	defer s.mu.Unlock()
	return view{s.version, s.tick, s.levels, s.last, s.wake}
}

// newsAfter returns the news after the one with this ID that are remembered.
func (s *station) newsAfter(id int64) []news {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.news, func(n news) bool { return n.ID > id })
	if i < 0 {
		return nil
	}
	return slices.Clone(s.news[i:])
}

// join counts a stream in, until leave.
func (s *station) join() (leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.streams++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.streams--
	}
}

// cue lets a host listen to seats besides.
func (s *station) cue(host string, seats []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.Desk.Cue(host, seats); err != nil {
		return err
	}
	s.cues[host] = seats
	return nil
}

// talk lets a host speak to some instead of to the audience.
func (s *station) talk(host string, t talk) error {
	speakers := s.Desk.Speakers()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.speakTo(host, t, speakers)
}

// speakTo is talk with the mutex held. Whoever speaks to all is in the desk's list
// themselves: an empty one would put them on air when the last guest leaves.
func (s *station) speakTo(host string, t talk, speakers []ingest.Speaker) error {
	to := t.to(host, speakers)
	before := s.talks[host]
	if t.all && before.all && slices.Equal(before.seats, to) {
		return nil
	}
	seats := to
	if t.all {
		seats = append(slices.Clone(to), host)
	}
	if err := s.Desk.Talk(host, seats); err != nil {
		delete(s.talks, host)
		return err
	}
	if !t.on() {
		delete(s.talks, host)
		return nil
	}
	s.talks[host] = talk{seats: to, all: t.all}
	return nil
}

// ears returns whom a host listens and speaks to.
func (s *station) ears(host string) (cue, talkback []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return none(s.cues[host]), none(s.talks[host].seats)
}

// levels are the meters of one moment.
type levels struct {
	now       time.Time
	programme mix.Snapshot
	speakers  []ingest.Speaker
}

// silent is the peak, in dBFS, under which a microphone is not heard.
const silent = -60

func quiet(l mix.LaneLevel) bool { return !(l.PeakDBFS > silent) || math.IsNaN(l.PeakDBFS) }
