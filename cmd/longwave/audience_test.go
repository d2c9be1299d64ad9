package main

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"longwave/cmd/longwave/certs"
	"longwave/cmd/longwave/config"
)

// TestPlain: what the listener without TLS leads to https, refuses, and answers.
func TestPlain(t *testing.T) {
	n := &face{cfg: config.Config{Public: "https://radio.example"}, tls: &certs.Keeper{}}
	h := n.plain(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	const moved, refused, answered = http.StatusPermanentRedirect, http.StatusForbidden, http.StatusTeapot
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/", moved},
		{"HEAD", "/talk", moved},
		{"GET", "/talk/", moved},
		{"GET", "/talk/embed?x=y", moved},
		{"GET", "/studio/talk", moved},
		{"GET", "/studio/talk/page.js", moved},
		{"POST", "/studio/talk", refused},
		{"GET", "/api/v1/stations", refused},
		{"POST", "/whip/talk", refused},
		{"POST", "/whep/talk", refused},
		{"PUT", "/push/talk/1.m4s", refused},
		{"GET", "/talk/index.m3u8", answered},
		{"GET", "/talk/aac-48/live.m3u8?_HLS_msn=1", answered},
		{"GET", "/talk/aac-48/1.0.m4s", answered},
		{"GET", "/talk/status.json", answered},
		{"PUT", "/ice/talk", answered},
		{"SOURCE", "/ice/talk", answered},
		{"OPTIONS", "/talk/", answered},
		{"GET", "/admin/metadata", answered},
		{"GET", "/healthz", answered},
		{"GET", "/readyz", answered},
		{"GET", "/.well-known/acme-challenge/x.y", answered},
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), c.method, c.path, nil)
		r.Host = "attacker.example"
		h.ServeHTTP(w, r)
		if w.Code != c.status {
			t.Errorf("%s %s: status %d, want %d", c.method, c.path, w.Code, c.status)
		}
		if want := "https://radio.example" + c.path; w.Code == moved && w.Header().Get("Location") != want {
			t.Errorf("%s %s: it leads to %q, want %q", c.method, c.path, w.Header().Get("Location"), want)
		}
	}
}

// TestLongPut: a source may send by HTTP/2 for longer than an answer may take.
func TestLongPut(t *testing.T) {
	const longest = 100 * time.Millisecond
	for method, want := range map[string]string{http.MethodPut: "", http.MethodPost: "INTERNAL_ERROR"} {
		server := httptest.NewUnstartedServer(overTLS(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
		})))
		server.EnableHTTP2 = true
		server.Config.WriteTimeout = longest
		server.StartTLS()
		body, sound := io.Pipe()
		go func() {
			_, _ = sound.Write([]byte("sound"))
			<-time.After(5 * longest)
			_ = sound.Close()
		}()
		req, err := http.NewRequestWithContext(t.Context(), method, server.URL+"/ice/talk", body)
		if err != nil {
			t.Fatal(err)
		}
		r, err := server.Client().Do(req)
		if err == nil {
			r.Body.Close()
		}
		if want == "" && (err != nil || r.ProtoMajor != 2) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", method, err, want)
		}
		server.Close()
	}
}

// TestListenRefusedHint: who cannot have a port reads what to do, on one line.
func TestListenRefusedHint(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for key, cfg := range map[string]config.Config{
		"--listen":  {Listen: taken.Addr().String(), TLS: config.TLS{Plain: "off"}},
		"tls.plain": {Listen: "127.0.0.1:0", TLS: config.TLS{Plain: taken.Addr().String()}},
	} {
		n := &face{cfg: cfg, log: slog.New(slog.DiscardHandler), tls: &certs.Keeper{}}
		err := n.listenAudience(t.Context(), http.NotFoundHandler())
		for _, l := range n.listeners {
			l.Close()
		}
		want := "is taken by another program: end that one or choose another with " + key + "; when it is a proxy or CDN in front that ends TLS, set tls.mode: off"
		if usage, ok := errors.AsType[usageError](err); !ok || !strings.HasSuffix(usage.Error(), want) {
			t.Errorf("%s: got %v, want %q", key, err, want)
		}
	}
}

func TestWithPort(t *testing.T) {
	for _, tt := range []struct {
		host, port, want string
	}{
		{"radio.example.org", "1935", "radio.example.org"},
		{"radio.example.org", "8890", "radio.example.org:8890"},
		{"2001:db8::7", "1935", "[2001:db8::7]"},
		{"2001:db8::7", "8890", "[2001:db8::7]:8890"},
	} {
		addr, err := net.ResolveTCPAddr("tcp", ":"+tt.port)
		if err != nil {
			t.Fatal(err)
		}
		if got := withPort(tt.host, addr); got != tt.want {
			t.Errorf("%s, port %s: %q, want %q", tt.host, tt.port, got, tt.want)
		}
	}
}
