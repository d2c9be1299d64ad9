package main_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"longwave/cmd/longwave/systemtest"
	"longwave/cmd/longwave/systemtest/edges"
)

// TestEdgesTLS: caches that speak TLS to listeners and to the origin. They show the origin
// its name, and do not take one with a certificate of somebody else.
func TestEdgesTLS(t *testing.T) {
	t.Parallel()
	ours, other := systemtest.NewAuthority(t), systemtest.NewAuthority(t)
	shown := filepath.Join(t.TempDir(), "shown.pem")
	cert, key := ours.Issue(time.Now().Add(-time.Hour), time.Now().Add(time.Hour), "localhost")
	if err := os.WriteFile(shown, append(cert, key...), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, begin := range map[string]func(testing.TB, edges.Place) *edges.Edge{"varnish": edges.VarnishTLS, "ats": edges.TrafficServer} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, c := range []struct {
				name      string
				authority *systemtest.Authority
				good      bool
			}{{"ours", ours, true}, {"somebody else's", other, false}} {
				asked, origin := tlsOrigin(t, c.authority)
				edge := begin(t, edges.Place{Origin: origin, Secret: "the secret of the CDN", Cert: shown, CA: ours.File})
				e := &edgeTest{T: t}
				client := &http.Client{Transport: &http.Transport{TLSClientConfig: ours.Client("localhost"), DisableKeepAlives: true}}
				get := func() int {
					resp, err := client.Get(edge.URL + "/talk/aac-48/1.m4s")
					if err != nil {
						t.Fatal(err)
					}
					_ = resp.Body.Close()
					return resp.StatusCode
				}
				if c.good { // it may look for the origin's address first
					e.within(30*time.Second, "an answer of the origin", func() bool { return get() == http.StatusOK })
				}
				for range 3 {
					if status := get(); (status == http.StatusOK) != c.good {
						t.Errorf("an origin with %s certificate: status %d", c.name, status)
					}
				}
				if n := asked.Load(); c.good && n != 1 || !c.good && n != 0 {
					t.Errorf("an origin with %s certificate was asked %d times", c.name, n)
				}
			}
		})
	}
}

// tlsOrigin is an origin with https under the name localhost. It counts who asks for sound.
func tlsOrigin(t *testing.T, a *systemtest.Authority) (*atomic.Int64, string) {
	t.Helper()
	var asked atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=3600")
		if r.URL.Path != "/healthz" {
			asked.Add(1)
		}
		if r.TLS.ServerName != "localhost" || r.URL.Path != "/healthz" && r.Header.Get("X-Longwave-Shield") == "" {
			t.Errorf("%s: asked as %q, secret %q", r.URL, r.TLS.ServerName, r.Header.Get("X-Longwave-Shield"))
		}
	}))
	cert, key := a.Issue(time.Now().Add(-time.Hour), time.Now().Add(time.Hour), "localhost")
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	server.StartTLS()
	t.Cleanup(server.Close)
	return &asked, strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
}
