// Package srt lets encoders put sound on air by SRT: hardware, OBS, ffmpeg, GStreamer.
//
//	srt://host:port?streamid={token} ── token, passphrase ── MPEG-TS ──> gate.Open ──> lane.Push, Push, …
//
// The server listens, the encoder calls. The stream ID is the token, which names the
// station; it may also have the forms that [parseStreamID] says. AAC with ADTS headers,
// Opus and MPEG audio are taken from the first audio track; video is thrown away
// before the demuxer sees it.
//
// This package does not decode, buffer or pace (SRT's own latency is the library's),
// and it serves no players.
package srt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"time"

	gosrt "github.com/datarhei/gosrt"
	"github.com/prometheus/client_golang/prometheus"

	"longwave/ingest"
	"longwave/ingest/decode"
	"longwave/ingest/token"
	"longwave/ingest/turnstile"
)

// lane is a speaker's way to the mixer: *ingest.Lane.
type lane interface {
	Push(ingest.Packet) error
	Close() error
}

// gate says who may speak: *ingest.Gate.
type gate[L lane] interface {
	Check(ingest.Claim) (token.Token, error)
	Open(context.Context, ingest.Claim, decode.Format) (L, error)
}

// Options are what a server may be told. The zero value is ready for use.
type Options struct {
	// Address is where connections are awaited, "host:port"; default ":8890".
	Address string
	// Passphrase is what the sound is encrypted with, 10 to 79 bytes; empty: it is not.
	Passphrase string
	// Latency is the least time in which lost packets may be sent again; an encoder
	// may ask for more. 0: 120 ms.
	Latency time.Duration
	// Log is where sources are told; nil: nowhere. Tokens never are.
	Log *slog.Logger
	// Registry is where the metrics live; nil: not counted.
	Registry prometheus.Registerer
	// Silence is how long a source may send no sound before it is ended; 0: 20 s.
	Silence time.Duration
	// Connections is how many there may be, 0: 64, and PerAddress how many from one
	// address, 0: 8.
	Connections, PerAddress int
}

// Lengths of a passphrase (SRT API, SRTO_PASSPHRASE).
const (
	leastPassphrase = 10
	mostPassphrase  = 79
)

// A Server takes SRT connections. It is safe for concurrent use.
type Server struct {
	check func(ingest.Claim) (token.Token, error)
	open  func(context.Context, ingest.Claim, decode.Format) (lane, error)
	o     Options
	m     metrics
	in    *turnstile.Turnstile
	byes  *goodbyes

	mu      sync.Mutex
	ln      gosrt.Listener
	sources map[*source]struct{} // nil: no more are taken
	idle    sync.WaitGroup
}

// New returns a server that puts its sources through g.
func New[L lane](g gate[L], o Options) *Server {
	if o.Address == "" {
		o.Address = ":8890"
	}
	if o.Latency == 0 {
		o.Latency = 120 * time.Millisecond
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
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
		o: o, m: newMetrics(o.Registry), in: turnstile.New(o.Connections, o.PerAddress), byes: newGoodbyes(),
		sources: map[*source]struct{}{},
	}
}

// Listen takes the port. Its error says which option to change.
func (s *Server) Listen(ctx context.Context) error {
	if n := len(s.o.Passphrase); n > 0 && (n < leastPassphrase || n > mostPassphrase) {
		return fmt.Errorf("the passphrase in the file that srt.passphrase_file names has %d bytes: use %d to %d", n, leastPassphrase, mostPassphrase)
	}
	c := gosrt.DefaultConfig()
	c.ReceiverLatency, c.PeerLatency = s.o.Latency, s.o.Latency
	c.PeerIdleTimeout, c.Logger = vanishedAfter, s.byes
	// The library shares the port with whoever has it (SO_REUSEADDR) and nobody would
	// notice; without that option it cannot be had.
	probe, err := new(net.ListenConfig).ListenPacket(ctx, "udp", s.o.Address)
	if err != nil {
		return fmt.Errorf("take the port for SRT, which srt.listen sets: %w", err)
	}
	_ = probe.Close()
	ln, err := gosrt.Listen("srt", s.o.Address, c)
	if err != nil {
		return fmt.Errorf("take the port for SRT, which srt.listen sets: %w", err)
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
	s.o.Log.InfoContext(ctx, "srt listens", "address", s.ln.Addr().String(), "encrypted", s.o.Passphrase != "")
	for {
		req, err := s.accept(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return fmt.Errorf("accept SRT connections: %w", err)
		case req != nil:
			s.take(ctx, req)
		}
	}
}

// accept waits for a caller. A handshake of the wrong length panics in the library; it
// is dropped and nil returned.
func (s *Server) accept(ctx context.Context) (req gosrt.ConnRequest, err error) {
	defer func() {
		if v := recover(); v != nil {
			s.m.ended.WithLabelValues("unknown", resultMalformed).Inc()
			s.o.Log.DebugContext(ctx, "srt handshake panics", "reason", v, "stack", string(debug.Stack()))
			req, err = nil, nil
		}
	}()
	return s.ln.Accept2()
}

// take serves a caller in its own goroutine.
func (s *Server) take(ctx context.Context, req gosrt.ConnRequest) {
	remote := req.RemoteAddr().String()
	src := &source{Server: s, ctx: ctx, claim: ingest.Claim{Transport: "srt", Remote: remote}}
	trust, leave, err := s.in.Guest(remote, func() { src.end(errCrowded) })
	if err != nil {
		s.m.ended.WithLabelValues("unknown", resultBusy).Inc()
		s.o.Log.WarnContext(ctx, "srt connection refused", "remote", remote, "reason", err)
		req.Reject(gosrt.REJX_OVERLOAD)
		return
	}
	src.trust = trust
	if !s.enter(src) {
		leave()
		req.Reject(gosrt.REJ_CLOSE)
		return
	}
	s.m.connections.Inc()
	go func() {
		defer s.idle.Done()
		defer leave()
		defer s.m.connections.Dec()
		defer s.forget(src)
		src.serve(req)
	}()
}

// enter notes that a source is being served; false when the server is closed.
func (s *Server) enter(src *source) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sources == nil {
		return false
	}
	s.sources[src] = struct{}{}
	s.idle.Add(1)
	return true
}

func (s *Server) forget(src *source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sources, src)
}

var (
	// errStopped ends a source when the server shuts down.
	errStopped = errors.New("server shuts down")
	errCrowded = errors.New("too many connections, and this one has shown no token yet")
)

// close takes no more connections and ends those that are there.
func (s *Server) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for src := range s.sources {
		src.end(errStopped)
	}
	s.sources = nil
	s.ln.Close()
}
