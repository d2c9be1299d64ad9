package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// listenAudience opens the audience's listener, with TLS when we end it, and the plain
// one beside it.
func (n *face) listenAudience(ctx context.Context, h http.Handler) error {
	if n.tls == nil {
		if err := n.shield.demand(nil); err != nil {
			return err
		}
		return n.listen(ctx, n.cfg.Listen, h, "--listen")
	}
	// Who gets this line has a proxy on these ports, more often than not.
	const hint = "%w; when it is a proxy or CDN in front that ends TLS, set tls.mode: off"
	if err := n.listen(ctx, n.cfg.Listen, overTLS(h), "--listen"); err != nil {
		return usageError{fmt.Errorf(hint, err)}
	}
	server := n.listeners[len(n.listeners)-1].server
	n.tls.Configure(server)
	if err := n.shield.demand(server.TLSConfig); err != nil {
		return err
	}
	if n.cfg.TLS.Plain == "off" {
		return nil
	}
	if err := n.listen(ctx, n.cfg.TLS.Plain, n.plain(h), "tls.plain"); err != nil {
		return usageError{fmt.Errorf(hint, err)}
	}
	return nil
}

// overTLS lets sources send by HTTP/2 as long as they like: there the time for an answer
// begins with the request, and not with the answer as in HTTP/1.1.
func overTLS(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 2 && r.Method == http.MethodPut {
			if err := http.NewResponseController(w).SetWriteDeadline(time.Time{}); err != nil {
				http.Error(w, "this needs HTTP/1.1", http.StatusHTTPVersionNotSupported)
				return
			}
		}
		h.ServeHTTP(w, r)
	})
}

// plain answers at the listener without TLS, which is there for three who cannot help
// it: the authority that asks whether the host is ours (RFC 8555, 8.3), encoders and
// radio sets that know no TLS, and people who leave out the https. So
//
//   - ACME's challenges are answered,
//   - the addresses of pages lead to https (308),
//   - what a station's page, a studio or a machine does with rights is refused: the
//     studio, the API, WHIP, WHEP,
//   - Icecast sources and everything that players ask for are answered as over TLS:
//     there is no redirect on the way of the sound, since not every player follows it.
//     An Icecast client shows its token before it can be told anything, so refusing it
//     would protect nothing.
//
// Strict-Transport-Security is never sent: it would lock listeners out for months of a
// station that has to go back to http for an evening.
func (n *face) plain(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		read := r.Method == http.MethodGet || r.Method == http.MethodHead
		door, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		switch {
		case n.tls.Challenge(w, r):
		case read && isPage(door, r.URL.Path):
			w.Header().Set("Cache-Control", "no-store")
			http.Redirect(w, r, n.cfg.Public+r.URL.RequestURI(), http.StatusPermanentRedirect)
		case securely[door]:
			w.Header().Set("Cache-Control", "no-store")
			http.Error(w, "this is answered over https alone: "+n.cfg.Public, http.StatusForbidden)
		default:
			h.ServeHTTP(w, r)
		}
	})
}

// securely are the doors behind which somebody has rights.
var securely = map[string]bool{"api": true, "push": true, "studio": true, "whep": true, "whip": true}

// isPage reports whether a path is of a page for people: a name without an ending, or
// none, and nothing that machines ask for.
func isPage(door, path string) bool {
	switch {
	case door == "studio":
		return true
	case securely[door], door == "ice", door == "admin", door == "healthz", door == "readyz", door == "metrics":
		return false
	}
	return !strings.Contains(path[strings.LastIndex(path, "/")+1:], ".")
}
