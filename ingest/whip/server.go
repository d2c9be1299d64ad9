package whip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"

	"longwave/ingest"
	"longwave/ingest/token"
	"longwave/ingest/turnstile"
)

// An Admission answers before anything is opened.
type Admission interface {
	Check(ingest.Claim) (token.Token, error)
	Room(ingest.Claim) error
}

// A Gate says who may speak and who may hear: *ingest.Gate.
type Gate interface {
	Admission
	OpenPackets(context.Context, ingest.Claim) (*ingest.PacketLane, error)
	OpenReturn(ingest.Claim) (*ingest.Return, error)
}

// An ICEServer is a STUN or TURN server that clients are told of.
type ICEServer struct {
	URL        string // "stun:host:port", "turn:host:port?transport=udp"
	Username   string // of TURN; empty: none
	Credential string
}

// Options are what a server may be told. The zero value listens on a port that the
// system chooses, on all addresses.
type Options struct {
	// Address is where media is received: one number for UDP and, as ICE-TCP, for
	// TCP. Without a host it is all addresses but link-local ones and those of bridges
	// to containers, and those that come later too. Empty: ":0".
	Address string
	// Public are the IP addresses under which clients reach this host when it is
	// behind a 1:1 NAT, the best first. They replace the addresses of its own of the
	// same family in the candidates.
	Public []string
	// ICEServers are given to clients in Link header fields.
	ICEServers []ICEServer
	// Loopback offers candidates on 127.0.0.1 and ::1 too, for speakers on this host.
	Loopback bool
	// Lite answers connectivity checks and makes none (RFC 8445 section 2.5). Right
	// where this host is reached under Address or Public, wrong behind any other NAT.
	Lite bool
	// Sessions bounds all sessions, WHIP and WHEP together; 0: 256.
	Sessions int
	// PerAddress bounds the sessions of one client address, an IPv6 /64; 0: 32.
	PerAddress int
	// Log is where sessions are told; nil: nowhere. Tokens never are.
	Log *slog.Logger
	// Registry is where the metrics live; nil: not counted.
	Registry prometheus.Registerer
}

func (o *Options) setDefaults() {
	if o.Address == "" {
		o.Address = ":0"
	}
	if o.Sessions == 0 {
		o.Sessions = 256
	}
	if o.PerAddress == 0 {
		o.PerAddress = 32
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// A Server takes voices by WHIP and sends returns by WHEP. It is safe for
// concurrent use.
type Server struct {
	gate  Gate
	o     Options
	m     *metrics
	links []string // Link header fields for the ICE servers
	media *media
	idle  sync.WaitGroup // sessions' goroutines
	done  chan struct{}  // closed by stop
	fails turnstile.Failures

	mu       sync.Mutex
	sessions map[string]*session // by ID; nil after stop
}

// New listens on o.Address and returns a server that puts voices through g. Run must
// be called to end it.
func New(g Gate, o Options) (*Server, error) {
	o.setDefaults()
	s := &Server{
		gate: g, o: o, m: newMetrics(o.Registry), links: links(o.ICEServers),
		done: make(chan struct{}), sessions: map[string]*session{},
	}
	var err error
	if s.media, err = listen(o, s.m); err != nil {
		return nil, err
	}
	o.Log.Info("receiving media", "port", s.Addr().Port, "addresses", s.media.udp.GetListenAddresses(), "public", o.Public)
	return s, nil
}

// Addr is where media is received, UDP and TCP.
func (s *Server) Addr() *net.UDPAddr { return s.media.addr }

// Routes adds the server's routes to r.
func (s *Server) Routes(r chi.Router) {
	for _, k := range []kind{whip, whep} {
		r.HandleFunc("/"+string(k)+"/{station}", s.endpoint(k))
		r.HandleFunc("/"+string(k)+"/{station}/{session}", s.resource(k))
	}
}

// Run lasts until ctx ends or Shutdown is called; then it closes what is left and
// waits for it.
func (s *Server) Run(ctx context.Context) error {
	asking, enough := context.WithCancel(ctx)
	var work sync.WaitGroup
	work.Go(func() { s.askICEServers(asking) })
	select {
	case <-ctx.Done():
	case <-s.done:
	}
	enough()
	work.Wait()
	s.stop()
	s.idle.Wait()
	return nil
}

// Shutdown closes every session, refuses new ones and waits until all are done or
// ctx ends. What the lanes hold is still played.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.idle.Wait()
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("close WebRTC sessions: %w", context.Cause(ctx))
	}
}

// stop ends every session and closes the sockets behind them.
func (s *Server) stop() {
	s.mu.Lock()
	defer s.mu.Unlock() // whoever waits for idle after another stop finds all counted
	sessions := s.sessions
	s.sessions = nil
	if sessions == nil {
		return
	}
	close(s.done)
	s.idle.Go(func() {
		for _, x := range sessions {
			x.end(resultShutdown)
		}
		for _, x := range sessions {
			<-x.closed
		}
		s.media.close()
	})
}

var (
	errStopped = errors.New("the server shuts down")
	errFull    = errors.New("all places are taken, try again in a moment")
)

// retryAfter is what clients are told with [http.StatusServiceUnavailable].
const retryAfter = 5 * time.Second

// enter registers x, or says why there is no place for it. Of one token there is at
// most one session that sounds and one that is on its way: a third ends the latter.
func (s *Server) enter(x *session) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions == nil {
		return errStopped
	}
	near := 0
	for _, y := range s.sessions {
		if y.network == x.network {
			near++
		}
		if y.kind == x.kind && y.claim.Token == x.claim.Token && !y.sounds.Load() {
			y.end(resultTakenOver)
			near--
		}
	}
	if len(s.sessions) >= s.o.Sessions || near >= s.o.PerAddress {
		return errFull
	}
	s.sessions[x.id] = x
	s.m.sessions.WithLabelValues(string(x.kind)).Inc()
	s.idle.Add(1)
	return nil
}

// leave is the last that x does.
func (s *Server) leave(x *session) {
	s.mu.Lock()
	delete(s.sessions, x.id)
	s.mu.Unlock()
	s.m.sessions.WithLabelValues(string(x.kind)).Dec()
	s.idle.Done()
}

// find returns the session of an ID.
func (s *Server) find(k kind, station, id string) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.sessions[id]
	if x == nil || x.kind != k || x.claim.Station != station {
		return nil
	}
	return x
}
