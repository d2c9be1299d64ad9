package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"longwave/origin"
)

// A face is what serve and origin have in common: the audience's side of a process.
type face struct {
	cfg       Config
	log       *slog.Logger
	registry  *prometheus.Registry
	live      *origin.Live
	tls       *tlsKeeper // nil: no TLS of our own
	listeners []*listener
}

func newFace(cfg Config, log *slog.Logger) face {
	return face{cfg: cfg, log: log, registry: newRegistry(), live: origin.NewLive()}
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
