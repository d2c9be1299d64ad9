package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"longwave/origin"
)

// A face is what serve and origin have in common: the audience's side of a process.
type face struct {
	cfg       Config
	log       *slog.Logger
	registry  *prometheus.Registry
	live      *origin.Live
	tls       *tlsKeeper // nil: no TLS of our own
	shield    *shield    // nil: everybody may ask
	ending    *atomic.Bool
	listeners []*listener
}

func newFace(cfg Config, log *slog.Logger) face {
	return face{cfg: cfg, log: log, registry: newRegistry(), live: origin.NewLive(), ending: new(atomic.Bool)}
}

// start runs what the audience's side needs, until ctx ends.
func (n *face) start(ctx context.Context, group *errgroup.Group) {
	group.Go(func() error { return n.live.Run(ctx) })
	if n.tls != nil {
		group.Go(func() error { return n.tls.Run(ctx) })
	}
	if n.shield != nil {
		group.Go(func() error { return n.shield.Run(ctx) })
	}
	for _, l := range n.listeners {
		group.Go(l.serve)
	}
}

// A listener is an open port and what serves it.
type listener struct {
	net.Listener
	server *http.Server
}

func (l *listener) serve() error {
	serve := func() error { return l.server.Serve(l.Listener) }
	if l.server.TLSConfig != nil {
		serve = func() error { return l.server.ServeTLS(l.Listener, "", "") }
	}
	if err := serve(); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	}
	return nil
}
