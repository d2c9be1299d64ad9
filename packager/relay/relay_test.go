package relay_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"longwave/packager"
	"longwave/packager/hls"
	"longwave/packager/hls/hlstest"
	"longwave/packager/relay"
	"longwave/packager/relay/relaytest"
)

// A shelf is any server that keeps what is put there. It judges as it goes.
type shelf struct {
	*testing.T
	mu    sync.Mutex
	files map[string][]byte
	auth  string // of the last request
}

func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	s.auth = r.Header.Get("Authorization")
	switch {
	case r.Method == http.MethodDelete:
		delete(s.files, r.URL.Path)
		w.WriteHeader(http.StatusNoContent)
		return
	case r.Method != http.MethodPut || r.Header.Get("Content-Encoding") != "":
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if strings.HasSuffix(r.URL.Path, "/live.m3u8") {
		s.judge(r.URL.Path, body)
	}
	s.files[r.URL.Path] = body
	w.WriteHeader(http.StatusCreated)
}

// judge wants all that a playlist names to be there.
func (s *shelf) judge(path string, text []byte) {
	for _, v := range hlstest.Check(text) {
		s.Errorf("%s: %v", path, v)
	}
	m, err := hls.ParseMedia(text)
	if err != nil {
		s.Error(err)
		return
	}
	dir := strings.TrimSuffix(path, "live.m3u8")
	for _, seg := range append(m.Segments, m.Open) {
		names := []string{seg.Map.URI, seg.URI}
		for _, p := range seg.Parts {
			names = append(names, p.URI)
		}
		for _, n := range names {
			if n != "" && s.files[dir+n] == nil {
				s.Errorf("%s names %s, which is not there", path, n)
			}
		}
	}
}

// push runs a station for d, which a relay pushes to a shelf, and returns what is there.
func push(t *testing.T, o relay.Options, d time.Duration) *shelf {
	t.Helper()
	s := &shelf{T: t, files: map[string][]byte{}}
	synctest.Test(t, func(t *testing.T) {
		o.Name, o.URL, o.Log = "b", "https://b.example/in", slog.New(slog.DiscardHandler)
		o.Client = &http.Client{Transport: relaytest.NewLink(s)}
		r := relay.New(o)
		go func() { _ = r.Run(t.Context()) }()
		talk := relaytest.New(t, r, 1000)
		for end := time.Now().Add(d); time.Now().Before(end); {
			time.Sleep(relaytest.PartDur)
			talk.Next()
			synctest.Wait()
		}
	})
	return s
}

// TestForeign: a server that is not ours gets everything under its own name, segments
// whole, and each playlist after what it names.
func TestForeign(t *testing.T) {
	s := push(t, relay.Options{Foreign: true}, 10*time.Second)
	for _, want := range []string{
		"/in/talk/index.m3u8", "/in/talk/opus.m3u8", "/in/talk/aac-48/init-1.mp4", "/in/talk/aac-48/1002.m4s",
		"/in/talk/aac-48/1002.3.m4s", "/in/talk/opus-96/live.m3u8",
	} {
		if s.files[want] == nil {
			t.Errorf("%s is not there", want)
		}
	}
	if s.auth != "" {
		t.Errorf("a token was sent: %q", s.auth)
	}
}

// TestPlain: a server that knows no parts gets none.
func TestPlain(t *testing.T) {
	s := push(t, relay.Options{Foreign: true, Plain: true, Token: func(string) (string, error) { return "key", nil }}, 10*time.Second)
	for name := range s.files {
		if k, err := packager.ParseKey(strings.TrimPrefix(name, "/in/")); err == nil && k.Kind == packager.Part {
			t.Errorf("%s is a part", name)
		}
	}
	m, err := hls.ParseMedia(s.files["/in/talk/aac-48/live.m3u8"])
	if err != nil {
		t.Fatal(err)
	}
	if m.OpenMSN() != 1005 || m.PartTarget != 0 || m.Control.CanBlockReload {
		t.Errorf("the playlist ends before %d with parts of %v, blocking %v; want 1005, plain", m.OpenMSN(), m.PartTarget, m.Control.CanBlockReload)
	}
	if s.auth != "Bearer key" {
		t.Errorf("Authorization %q", s.auth)
	}
}

// TestStations: a relay of some stations lets the others go by.
func TestStations(t *testing.T) {
	s := push(t, relay.Options{Foreign: true, Stations: []string{"music"}}, time.Second)
	if len(s.files) != 0 {
		t.Errorf("%d files of a station that is not pushed", len(s.files))
	}
}

// TestHTTP2: over TLS everything goes by HTTP/2, on few connections.
func TestHTTP2(t *testing.T) {
	s := &shelf{T: t, files: map[string][]byte{}}
	var mu sync.Mutex
	from := map[string]int{} // requests by connection
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		from[r.RemoteAddr+" "+r.Proto]++
		mu.Unlock()
		s.ServeHTTP(w, r)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	trust := x509.NewCertPool()
	trust.AddCert(server.Certificate())
	r := relay.New(relay.Options{
		Name: "b", URL: server.URL, Foreign: true, Log: slog.New(slog.DiscardHandler),
		Client: relay.NewClient(&tls.Config{RootCAs: trust}),
	})
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = r.Run(ctx) }()
	defer func() { end(); <-ended }()
	relaytest.New(t, r, 1000)
	there := func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, l := range relaytest.Ladder() {
			if s.files["/talk/"+l.Name+"/live.m3u8"] == nil {
				return false
			}
		}
		return true
	}
	for begin := time.Now(); !there(); time.Sleep(time.Millisecond) {
		if time.Since(begin) > time.Minute {
			t.Fatal("the playlists are not there after a minute")
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(from) > len(relaytest.Ladder())+1 { // as many as begin at one time, and no more
		t.Errorf("%d connections", len(from))
	}
	for at, n := range from {
		if !strings.HasSuffix(at, "HTTP/2.0") {
			t.Errorf("%d requests from %s", n, at)
		}
	}
}

// TestPutNeverBlocks: a side that hangs for an hour costs neither time nor more memory
// than the window.
func TestPutNeverBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		link := relaytest.NewLink(nil)
		link.Hang(true)
		r := relay.New(relay.Options{Name: "b", URL: "https://b.example", Client: &http.Client{Transport: link}, Log: slog.New(slog.DiscardHandler)})
		ctx, end := context.WithCancel(t.Context())
		defer end()
		go func() { _ = r.Run(ctx) }()
		begin := time.Now()
		talk := relaytest.New(t, r, 1000)
		for range 600 {
			talk.Next()
		}
		if d := time.Since(begin); d != 0 {
			t.Errorf("Put took %v", d)
		}
		time.Sleep(10 * time.Second) // requests come to their end and are tried again
	})
}
