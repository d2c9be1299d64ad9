package icecast

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"

	"longwave/ingest"
	"longwave/ingest/decode"
	"longwave/ingest/parting"
	"longwave/ingest/token"
	"longwave/ingest/turnstile"
)

// lane is a speaker's way to the mixer: *ingest.Lane.
type lane interface {
	Push(ingest.Packet) error
	Title(string)
	Close() error
}

// gate says who may speak: *ingest.Gate.
type gate[L lane] interface {
	Check(ingest.Claim) (token.Token, error)
	Open(context.Context, ingest.Claim, decode.Format) (L, error)
}

// Options are what a server may be told. The zero value is ready for use.
type Options struct {
	// Log is where sources are told; nil: nowhere. Tokens never are.
	Log *slog.Logger
	// Registry is where the metrics live; nil: not counted.
	Registry prometheus.Registerer
	// Silence is how long a source may send nothing before it is ended; 0: 10 s.
	Silence time.Duration
}

// A Server takes Icecast sources. It is safe for concurrent use.
type Server struct {
	check func(ingest.Claim) (token.Token, error)
	open  func(context.Context, ingest.Claim, decode.Format) (lane, error)
	o     Options
	m     metrics
	fails turnstile.Failures

	mu     sync.Mutex
	lanes  map[seat]lane
	early  map[seat]string      // titles of sources that have no lane yet; empty: none came
	takes  map[*intake]struct{} // sources that are being read
	closed bool
	idle   sync.WaitGroup
}

// A seat is where a metadata update finds its lane.
type seat struct{ station, token string }

// New returns a server that puts its sources through g.
func New[L lane](g gate[L], o Options) *Server {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Silence == 0 {
		o.Silence = 10 * time.Second
	}
	return &Server{
		check: g.Check,
		open: func(ctx context.Context, c ingest.Claim, f decode.Format) (lane, error) {
			return g.Open(ctx, c, f)
		},
		o: o, m: newMetrics(o.Registry),
		lanes: map[seat]lane{}, early: map[seat]string{}, takes: map[*intake]struct{}{},
	}
}

// Routes adds the server's routes to r. The routes that clients poll,
// /status-json.xsl and /7.xsl, cost next to nothing and want no rate limit.
func (s *Server) Routes(r chi.Router) {
	chi.RegisterMethod("SOURCE")
	r.MethodFunc("SOURCE", "/ice/{station}", s.source)
	r.MethodFunc(http.MethodPut, "/ice/{station}", s.source)
	r.MethodFunc(http.MethodGet, "/admin/metadata", s.metadata)
	r.MethodFunc(http.MethodGet, "/status-json.xsl", poll("application/json", `{"icestats":{"source":[]}}`))
	r.MethodFunc(http.MethodGet, "/7.xsl", poll("text/html", "<pre></pre>"))
}

// poll answers the clients that ask for the number of listeners, which is told
// elsewhere: with a list that names nobody, since BUTT writes a line about any other
// status into its log, every second.
func poll(kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write([]byte(body))
	}
}

// Shutdown ends every source as if its client had said goodbye, refuses new ones
// and waits until all are done or ctx ends. http.Server.Shutdown does not know
// hijacked connections, so it is called beside it.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	for t := range s.takes {
		t.stop()
	}
	s.mu.Unlock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.idle.Wait()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// enter notes that t is being read; false when the server is shutting down.
func (s *Server) enter(t *intake) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.takes[t] = struct{}{}
	s.idle.Add(1)
	return true
}

func (s *Server) leave(t *intake) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.takes, t)
	s.idle.Done()
}

// expect notes that a source may get a lane, so that a title that comes before is kept,
// until the returned function is called. Mixxx sends it as soon as it is connected.
func (s *Server) expect(at seat) (forget func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.early[at] = ""
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.early, at)
	}
}

// entitle says what the sound of a seat is called; false: it has no source.
func (s *Server) entitle(at seat, title string) bool {
	s.mu.Lock()
	l := s.lanes[at]
	_, ok := s.early[at]
	if ok {
		s.early[at] = title
	}
	s.mu.Unlock()
	if l != nil {
		l.Title(title)
	}
	return ok || l != nil
}

// seated makes l the lane of a seat until the returned function is called.
func (s *Server) seated(at seat, l lane) (unseat func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lanes[at] = l
	if title := s.early[at]; title != "" {
		l.Title(title)
	}
	delete(s.early, at)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.lanes[at] == l { // the same token may have connected again
			delete(s.lanes, at)
		}
	}
}

// credentials returns the token that r shows: a Basic password with any user
// name, or a Bearer token.
func credentials(r *http.Request) string {
	if _, password, ok := r.BasicAuth(); ok {
		return password
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token)
	}
	return ""
}

// admit answers for a request that may not go on: with 401 when it shows no
// token, which is how libshout asks whether one is needed, and after a delay
// when the token is wrong.
func (s *Server) admit(w http.ResponseWriter, r *http.Request, c ingest.Claim) bool {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Connection", "close") // what follows may be sound, not a request
	if c.Token == "" {
		challenge(w)
		return false
	}
	_, err := s.check(c)
	if err == nil {
		return true
	}
	status, result := verdict(err)
	s.m.ended.WithLabelValues("unknown", result).Inc()
	if result == resultUnauthorized || result == resultForbidden {
		s.m.failedLogins.Inc()
		if !s.fails.Wait(r.Context(), c.Remote) { // and nothing is told: there would be no end of it
			http.Error(w, parting.Reason(c, err), http.StatusTooManyRequests)
			return false
		}
	}
	s.o.Log.WarnContext(r.Context(), "source refused", "transport", c.Transport, "station", c.Station, "remote", c.Remote, "reason", parting.Reason(c, err))
	if status == http.StatusUnauthorized {
		challenge(w)
		return false
	}
	http.Error(w, parting.Reason(c, err), status)
	return false
}

func challenge(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", `Basic realm="longwave", charset="UTF-8"`)
	http.Error(w, "a token is needed: any user name, the token as password", http.StatusUnauthorized)
}

// verdict returns the status and the metrics' result for a gate's error.
func verdict(err error) (status int, result string) {
	switch {
	case errors.Is(err, ingest.ErrUnauthorized):
		return http.StatusUnauthorized, resultUnauthorized
	case errors.Is(err, decode.ErrNotAudio):
		return http.StatusUnsupportedMediaType, resultUndecodable
	case errors.Is(err, ingest.ErrForbidden), errors.Is(err, ingest.ErrRefused):
		return http.StatusForbidden, resultForbidden
	case errors.Is(err, ingest.ErrBusy):
		return http.StatusServiceUnavailable, resultBusy
	}
	return http.StatusServiceUnavailable, resultClosed
}
