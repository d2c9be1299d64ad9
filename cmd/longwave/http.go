package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"syscall"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"longwave/origin"
	"longwave/origin/receive"
	"longwave/origin/web"
	"longwave/packager"
)

// closeTime is how long answers under way may take when the node ends.
const closeTime = 2 * time.Second

func newRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// openListeners opens the ports, for the audience and for the operator.
func (n *face) openListeners(ctx context.Context, audience http.Handler) error {
	if err := n.listenAudience(ctx, audience); err != nil {
		return err
	}
	if n.cfg.Metrics == "off" {
		return nil
	}
	return n.listen(ctx, n.cfg.Metrics, n.operator(), "--metrics")
}

func (n *face) listen(ctx context.Context, addr string, h http.Handler, flag string) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		switch {
		case errors.Is(err, syscall.EADDRINUSE):
			err = fmt.Errorf("address %s is taken by another program: end that one or choose another with %s", addr, flag)
		case errors.Is(err, syscall.EACCES):
			// Not by setcap: a program with capabilities of its own cannot put decoders into
			// namespaces.
			err = fmt.Errorf("address %s is not allowed to this user: allow it (AmbientCapabilities=CAP_NET_BIND_SERVICE in a systemd unit, or sysctl net.ipv4.ip_unprivileged_port_start=80), or choose a port above 1023 with %s", addr, flag)
		default:
			err = fmt.Errorf("address %s cannot be listened on (%w): choose another with %s", addr, err, flag)
		}
		return usageError{err}
	}
	n.listeners = append(n.listeners, &listener{Listener: l, server: newServer(h, slog.NewLogLogger(n.log.Handler(), slog.LevelDebug))})
	return nil
}

func newServer(h http.Handler, log *log.Logger) *http.Server {
	return &http.Server{
		Handler:           inTime(h),
		ReadHeaderTimeout: 5 * time.Second,
		WriteTimeout:      30 * time.Second, // a wait is at most 6 s; sources are hijacked
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          log,
	}
}

// bodyTime is how long a request may send its body, unless who reads it says otherwise: as
// long as there is for the answer.
const bodyTime = 30 * time.Second

// inTime bounds the time for bodies. The server's ReadTimeout would do that for requests
// without one too, and end those that wait; without any, a body that was refused and never
// comes keeps its connection for ever.
func inTime(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 { // -1: it is not known
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime)) // fails on a dead connection only
		}
		h.ServeHTTP(w, r)
	})
}

// audience is what listeners and sources see.
func (n *node) audience() (http.Handler, error) {
	r := chi.NewRouter()
	if err := n.contribution(r); err != nil {
		return nil, err
	}
	return n.serveAudience(r, origin.Options{Archive: n.storage})
}

// contribution mounts what is for speakers, hosts and other nodes: no cache gives it out, see
// [packager.ClosedPaths].
func (n *node) contribution(r chi.Router) error {
	n.inputs.routes(r)
	r.HandleFunc(receive.Prefix+"*", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", packager.CacheNever)
		http.Error(w, "this node makes its stations itself: push to a longwave origin", http.StatusForbidden)
	})
	return n.studioRoutes(r)
}

// serveAudience mounts what listeners see, on top of what r has.
func (n *face) serveAudience(r chi.Router, o origin.Options) (http.Handler, error) {
	o.Live, o.MaxWaiting, o.Log, o.Registry = n.live, n.cfg.Limits.Waiting, n.log, n.registry
	server := origin.NewServer(o)
	for _, s := range n.cfg.Stations {
		page, err := web.Handler(web.Station{Name: s.Title, Address: s.Name, Hosts: n.cfg.Hosts(s.Name)})
		if err != nil {
			return nil, err
		}
		page = server.Page(http.StripPrefix("/"+s.Name, page))
		r.Handle("/"+s.Name+"/", page)
		r.Handle("/"+s.Name+"/"+web.Folder+"*", page)
		server.Routes(r, s.Name)
	}
	n.health(r)
	var err error
	if n.shield, err = openShield(n.cfg.Shield, n.log, n.registry); err != nil {
		return nil, usageError{err}
	}
	return n.shield.guard(server.First(r)), n.doors(r)
}

// operator is what is not for the public.
func (n *face) operator() http.Handler {
	r := chi.NewRouter()
	n.health(r)
	r.Handle("/metrics", promhttp.HandlerFor(n.registry, promhttp.HandlerOpts{Registry: n.registry}))
	r.HandleFunc("/debug/pprof/*", pprof.Index)
	r.HandleFunc("/debug/pprof/profile", pprof.Profile)
	r.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	r.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return r
}

// stuck is how old a live edge may be: one and a half target durations.
const stuck = 3 * packager.TargetDuration / 2

// health mounts what supervisors and load balancers ask: healthz while the process
// answers at all, readyz only while the live edge of every station moves.
func (n *face) health(r chi.Router) {
	answer := func(w http.ResponseWriter, status int, text string) {
		w.Header().Set("Cache-Control", packager.CacheNever)
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(status)
		fmt.Fprintln(w, text)
	}
	r.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "ok") })
	r.Get("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		if n.ending.Load() {
			answer(w, http.StatusServiceUnavailable, "ending")
			return
		}
		if station, moves := n.onAir(); !moves {
			answer(w, http.StatusServiceUnavailable, fmt.Sprintf("station %s: the live edge does not move", station))
			return
		}
		answer(w, http.StatusOK, "ok")
	})
}

// closeListeners lets answers under way finish, after others have been ended.
func (n *face) closeListeners(ctx context.Context, most time.Duration, others func(context.Context) error) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	if err := others(ctx); err != nil {
		n.log.Debug("sources were cut off", "err", err)
	}
	for _, l := range n.listeners {
		if err := l.server.Shutdown(ctx); err != nil {
			_ = l.server.Close()
		}
	}
}
