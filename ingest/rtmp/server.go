// Package rtmp lets encoders put sound on air by RTMP and enhanced RTMP: OBS, ffmpeg,
// phones and hardware.
//
//	rtmp://host/live/{token} ── token ── first audio ──> gate.Open ──> lane.Push, Push, …
//
// In OBS the server is rtmp://host/live and the stream key is the token, which names
// the station. AAC, Opus (enhanced RTMP) and MP3 are taken from the first audio track;
// video is read and thrown away. Messages are read one by one: the library's Reader
// would gather two seconds of everything before it says what tracks there are.
//
// This package does not decode, buffer or pace, and it serves no players.
package rtmp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"longwave/ingest"
	"longwave/ingest/decode"
	"longwave/ingest/pcm"
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
	// Address is where connections are awaited, "host:port"; default ":1935".
	Address string
	// TLS makes it RTMPS; nil: plain.
	TLS *tls.Config
	// Log is where sources are told; nil: nowhere. Tokens never are.
	Log *slog.Logger
	// Registry is where the metrics live; nil: not counted.
	Registry prometheus.Registerer
	// Handshake is how long a client may take to show its token; 0: 10 s.
	Handshake time.Duration
	// Silence is how long a source may send no sound before it is ended; 0: 20 s.
	Silence time.Duration
	// Connections is how many there may be, 0: 64, and PerAddress how many from one
	// address, 0: 8.
	Connections, PerAddress int
}

// A Server takes RTMP connections. It is safe for concurrent use.
type Server struct {
	check func(ingest.Claim) (token.Token, error)
	open  func(context.Context, ingest.Claim, decode.Format) (lane, error)
	o     Options
	m     metrics
	in    *turnstile.Turnstile

	mu    sync.Mutex
	ln    net.Listener
	wires map[*wire]struct{} // nil: no more are taken
	idle  sync.WaitGroup
}

// New returns a server that puts its sources through g.
func New[L lane](g gate[L], o Options) *Server {
	if o.Address == "" {
		o.Address = ":1935"
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Handshake == 0 {
		o.Handshake = 10 * time.Second
	}
	if o.Silence == 0 {
		o.Silence = 20 * time.Second
	}
	if o.Connections == 0 {
		o.Connections = 64
	}
	if o.PerAddress == 0 {
		o.PerAddress = 8
	}
	return &Server{
		check: g.Check,
		open: func(ctx context.Context, c ingest.Claim, f decode.Format) (lane, error) {
			return g.Open(ctx, c, f)
		},
		o: o, m: newMetrics(o.Registry), in: turnstile.New(o.Connections, o.PerAddress),
		wires: map[*wire]struct{}{},
	}
}

// Listen takes the port. Its error says which option to change.
func (s *Server) Listen(ctx context.Context) error {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", s.o.Address)
	if err != nil {
		return fmt.Errorf("take the port for RTMP, which rtmp.listen sets: %w", err)
	}
	if s.o.TLS != nil {
		ln = tls.NewListener(ln, s.o.TLS)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ln = ln
	return nil
}

// Addr is where the server listens, after Listen.
func (s *Server) Addr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ln.Addr()
}

// Run takes connections until ctx ends, and calls Listen if nobody has. Then it ends
// every source as if its client had said goodbye, waits for them, and returns nil.
func (s *Server) Run(ctx context.Context) error {
	if s.ln == nil {
		if err := s.Listen(ctx); err != nil {
			return err
		}
	}
	stop := context.AfterFunc(ctx, s.close)
	defer s.idle.Wait()
	defer s.close()
	defer stop()
	s.o.Log.InfoContext(ctx, "rtmp listens", "address", s.ln.Addr().String(), "tls", s.o.TLS != nil)
	for pause := time.Duration(0); ; {
		conn, err := s.ln.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = conn.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept RTMP connections: %w", err)
		case err != nil: // out of files: it may pass
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.o.Log.WarnContext(ctx, "rtmp cannot accept", "reason", err, "pause", pause)
			_ = pcm.Sleep(ctx, pause)
			continue
		}
		pause = 0
		s.take(ctx, conn)
	}
}

// take serves a connection in its own goroutine.
func (s *Server) take(ctx context.Context, conn net.Conn) {
	remote := conn.RemoteAddr().String()
	w := &wire{conn: conn}
	trust, leave, err := s.in.Guest(remote, func() { w.stop(errCrowded) })
	if err != nil {
		s.m.ended.WithLabelValues("unknown", resultBusy).Inc()
		s.o.Log.WarnContext(ctx, "rtmp connection refused", "remote", remote, "reason", err)
		_ = conn.Close()
		return
	}
	w.trust = trust
	s.mu.Lock()
	closed := s.wires == nil
	if !closed {
		s.wires[w] = struct{}{}
		s.idle.Add(1)
	}
	s.mu.Unlock()
	if closed {
		leave()
		_ = conn.Close()
		return
	}
	s.m.connections.Inc()
	go func() {
		defer s.idle.Done()
		defer leave()
		defer s.m.connections.Dec()
		defer s.forget(w)
		s.serve(ctx, w, remote)
	}()
}

func (s *Server) forget(w *wire) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.wires, w)
}

// close takes no more connections and ends those that are there.
func (s *Server) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.ln.Close()
	for w := range s.wires {
		w.stop(errStopped)
	}
	s.wires = nil
}
