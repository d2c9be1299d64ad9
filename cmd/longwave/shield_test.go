package main

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"longwave/cmd/longwave/config"
	"longwave/cmd/longwave/systemtest"
)

// TestShield: the audience's side is answered to who shows one of the secrets; keys
// guard the other doors. New secrets are taken beside the old ones.
func TestShield(t *testing.T) {
	const one, two = "the first secret of all", "the second secret of all"
	file := filepath.Join(t.TempDir(), "secrets")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("# of the CDN\n" + one + "\n")
	s, err := openShield(config.Shield{Header: "X-Longwave-Shield", SecretFile: file}, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	done := 0
	h := s.guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { done++ }))
	ask := func(path, secret string, want int) {
		t.Helper()
		before := done
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil)
		if secret != "" {
			r.Header.Set("X-Longwave-Shield", secret)
		}
		h.ServeHTTP(w, r)
		if w.Code != want || (done > before) != (want == http.StatusOK) {
			t.Errorf("%s with %q: status %d, %d requests went on; want status %d", path, secret, w.Code, done-before, want)
		}
		if got := w.Header().Get("Cache-Control"); want == http.StatusForbidden && got != "no-store" {
			t.Errorf("%s: Cache-Control %q", path, got)
		}
	}
	for _, path := range []string{"/talk/live.m3u8", "/talk/", "/", "/talk", "/nothing", "/healthz", "/readyz", "//talk/", "/pushed", "/studios/talk"} {
		ask(path, "", 403)
		ask(path, "# of the CDN", 403)
		ask(path, one+"!", 403)
		ask(path, one, 200)
	}
	for _, path := range []string{"/push/talk/x", "/studio/talk", "/whip/talk", "/whep/talk", "/ice/talk", "/api/v1/openapi.json"} {
		ask(path, "", 200)
	}
	if got := testutil.ToFloat64(s.refused); got != 30 {
		t.Errorf("%v refused requests were counted, want 30", got)
	}
	for _, step := range []struct {
		text     string
		one, two int
	}{
		{one + "\n" + two + "\n", 200, 200}, // a new one beside the old one
		{"", 200, 200},                      // no good: the old ones stay
		{"short\n", 200, 200},
		{two, 403, 200}, // the old one goes
	} {
		write(step.text)
		s.look(t.Context())
		ask("/talk/", one, step.one)
		ask("/talk/", two, step.two)
	}
}

// TestShieldFiles: what is no good is said at the start.
func TestShieldFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, []byte("short\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []config.Shield{{SecretFile: file}, {SecretFile: file + "x"}, {ClientCA: file}, {ClientCA: file + "x"}} {
		if _, err := openShield(c, slog.New(slog.DiscardHandler), prometheus.NewRegistry()); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
	s, err := openShield(config.Shield{Header: "X"}, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if s != nil || err != nil {
		t.Errorf("a shield of nothing: %v, %v", s, err)
	}
	if err := (&shield{pool: x509.NewCertPool()}).demand(nil); err == nil {
		t.Error("certificates without TLS are taken")
	}
}

// TestShieldCertificate: a certificate of the CDN's authority is as good as a secret;
// who has none is refused, and not cut off.
func TestShieldCertificate(t *testing.T) {
	ours, theirs := systemtest.NewAuthority(t), systemtest.NewAuthority(t)
	s, err := openShield(config.Shield{Header: "X", ClientCA: theirs.File}, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(s.guard(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "sound") })))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair(t, ours, "127.0.0.1")}}
	if err := s.demand(server.TLS); err != nil {
		t.Fatal(err)
	}
	server.StartTLS()
	defer server.Close()
	for _, c := range []struct {
		name   string
		show   []tls.Certificate
		status int
	}{
		{"none", nil, 403},
		{"of the CDN", []tls.Certificate{pair(t, theirs, "cdn.example")}, 200},
	} {
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ours.Pool, Certificates: c.show}}}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/talk/", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		resp.Body.Close()
		if resp.StatusCode != c.status {
			t.Errorf("certificate %s: status %d, want %d", c.name, resp.StatusCode, c.status)
		}
	}
}

func pair(t *testing.T, a *systemtest.Authority, name string) tls.Certificate {
	t.Helper()
	cert, key := a.Issue(time.Now().Add(-time.Hour), time.Now().Add(time.Hour), name)
	p, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
