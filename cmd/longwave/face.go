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

	"longwave/cmd/longwave/certs"
	"longwave/cmd/longwave/config"
	"longwave/origin"
)

// A face is what serve and origin have in common: the audience's side of a process.
type face struct {
	cfg       config.Config
	log       *slog.Logger
	registry  *prometheus.Registry
	live      *origin.Live
	tls       *certs.Keeper // nil: no TLS of our own
	shield    *shield       // nil: everybody may ask
	ending    *atomic.Bool
	listeners []*listener
}

func newFace(cfg config.Config, log *slog.Logger) face {
	return face{cfg: cfg, log: log, registry: newRegistry(), live: origin.NewLive(), ending: new(atomic.Bool)}
}

// openTLS opens where the certificate comes from. A node that was on air and starts again
// does so with an old certificate rather than not at all.
func (n *face) openTLS(ctx context.Context, wasOnAir bool) (err error) {
	if n.tls, err = certs.Open(ctx, n.cfg, wasOnAir, n.log, n.registry); err != nil {
		return usageError{err}
	}
	return nil
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
