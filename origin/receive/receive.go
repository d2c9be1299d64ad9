package receive

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"longwave/origin"
	"longwave/packager"
)

// Tokens reads the keys that senders show. It takes the same time for every wrong one.
type Tokens interface {
	// Origin returns the station that a token lets its bearer push, or why it is none.
	Origin(text string, now time.Time) (station string, err error)
}

// Options are what a [Server] works with.
type Options struct {
	Live   *origin.Live
	Tokens Tokens
	// Stations are the names that may be pushed.
	Stations []string
	// MaxBytes bounds what a station has in memory; default 128 MiB, some 25 times a
	// ladder of five.
	MaxBytes int64
	// MaxRenditions of a station; default 16.
	MaxRenditions int
	// Keep is how long a station stays after the last push; default 10 minutes.
	Keep     time.Duration
	Log      *slog.Logger
	Registry prometheus.Registerer // nil: nothing is counted in public
}

// A Server is the handler of /push/.
type Server struct {
	opt      Options
	metrics  *metrics
	stations map[string]*station
	reading  chan struct{} // a token for each body under way
}

// A station is what is known of one that is pushed.
type station struct {
	name string
	mu   sync.Mutex // held while something is checked and put
	last time.Time  // of the last push that was taken; guarded by mu
	away bool       // it is over, and that was said; guarded by mu

	foreign *foreign // guarded by mu

	sending atomic.Int32 // bodies under way
	sent    atomic.Int64 // bytes of them
}

// maxReading bounds the bodies under way, maxSending those of a station: one whose bodies
// do not end leaves room for others. A foreign encoder sends a segment for as long as it
// lasts, so there may be one a rendition; a relay that fills sends six a rendition.
const (
	maxReading = 256
	maxSending = 128
)

// Prefix is the path below which keys are taken.
const Prefix = "/push/"

// New returns a server of opt.Live. [Server.Run] must run while it serves.
func New(opt Options) *Server {
	if opt.MaxBytes == 0 {
		opt.MaxBytes = 128 << 20
	}
	if opt.MaxRenditions == 0 {
		opt.MaxRenditions = 16
	}
	if opt.Keep == 0 {
		opt.Keep = 10 * time.Minute
	}
	s := &Server{opt: opt, stations: map[string]*station{}, reading: make(chan struct{}, maxReading)}
	for _, name := range opt.Stations {
		s.stations[name] = &station{name: name, foreign: newForeign()}
	}
	s.metrics = newMetrics(opt.Registry, s)
	return s
}

// Run drops stations that nobody pushes any more. It returns when ctx ends.
func (s *Server) Run(ctx context.Context) error {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			for _, st := range s.stations {
				s.look(ctx, st)
			}
		}
	}
}

// awayAfter is how long nothing may come until that is said.
const awayAfter = 5 * time.Second

// look says when nothing comes any more, and drops what is left in the end.
func (s *Server) look(ctx context.Context, st *station) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.last.IsZero() {
		return
	}
	quiet := time.Since(st.last)
	s.sweep(st, time.Now())
	for _, name := range s.opt.Live.DropUnlisted(st.name) {
		s.opt.Log.InfoContext(ctx, "a rendition is in no list any more, and nobody pushes it", "station", st.name, "rendition", name)
	}
	if quiet > awayAfter && !st.away {
		st.away = true
		s.opt.Log.WarnContext(ctx, "nobody pushes this station any more: listeners are sent elsewhere", "station", st.name)
	}
	if quiet > s.opt.Keep {
		st.last = time.Time{}
		s.opt.Live.Forget(st.name)
		st.foreign = newForeign()
	}
}

// taken notes that something of st was taken. st.mu is held.
func (s *Server) taken(ctx context.Context, st *station) {
	switch {
	case st.last.IsZero():
		s.opt.Log.InfoContext(ctx, "a station is pushed here", "station", st.name)
	case st.away:
		s.opt.Log.InfoContext(ctx, "the station is pushed again", "station", st.name)
	}
	st.last, st.away = time.Now(), false
}

// ServeHTTP implements [http.Handler] for everything below [Prefix].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, err := s.serve(w, r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	s.metrics.requests.WithLabelValues(reasonTaken).Inc()
	w.Header()["Cache-Control"] = noStore
	w.WriteHeader(status)
}

var noStore = []string{"no-store"}

// serve checks who it is, what it is about, and does it.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) (int, error) {
	if !slices.Contains([]string{http.MethodPut, http.MethodPost, http.MethodDelete}, r.Method) {
		w.Header().Set("Allow", "PUT, POST, DELETE")
		return 0, refuse(http.StatusMethodNotAllowed, reasonMethod, "use PUT or DELETE")
	}
	name, err := s.authenticate(r)
	if err != nil {
		return 0, err
	}
	target, err := parseTarget(r)
	if err != nil {
		return 0, err
	}
	st := s.stations[target.station]
	if st == nil || target.station != name {
		return 0, refuse(http.StatusForbidden, reasonStation, "this token is not for that station, or the station is not in the configuration here")
	}
	if r.Method == http.MethodDelete {
		s.remove(r.Context(), st, target)
		return http.StatusNoContent, nil
	}
	data, err := s.read(w, r, st, target.limit())
	if err != nil {
		return 0, err
	}
	created, err := s.take(r.Context(), st, target, data)
	if err != nil {
		return 0, err
	}
	if created {
		return http.StatusCreated, nil
	}
	return http.StatusNoContent, nil
}

// take puts an object of ours or a file of a foreign encoder.
func (s *Server) take(ctx context.Context, st *station, t target, data []byte) (created bool, err error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if t.key == (packager.Key{}) || s.isForeign(t.key, data) {
		created, err = s.putForeign(ctx, st, t.path, data)
	} else {
		created, err = s.put(ctx, t, data)
	}
	if err == nil {
		s.taken(ctx, st)
	}
	return created, err
}

// authenticate returns the station that the request's token is for.
func (s *Server) authenticate(r *http.Request) (string, error) {
	text, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !found {
		_, text, found = r.BasicAuth()
	}
	if !found {
		return "", refuse(http.StatusUnauthorized, reasonNoToken, "a token with the role origin is needed: as Bearer, or as the password of Basic")
	}
	station, err := s.opt.Tokens.Origin(strings.TrimSpace(text), time.Now())
	if err != nil {
		return "", refuse(http.StatusUnauthorized, reasonToken, err.Error())
	}
	return station, nil
}
