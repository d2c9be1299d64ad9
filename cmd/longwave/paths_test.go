package main

import (
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"

	"longwave/cmd/longwave/config"
	"longwave/ingest"
	"longwave/ingest/icecast"
	"longwave/ingest/studio"
	"longwave/ingest/whip"
	"longwave/packager"
)

// doorsOf returns the first elements of a router's paths.
func doorsOf(t *testing.T, r chi.Routes) []string {
	t.Helper()
	found := map[string]bool{}
	err := chi.Walk(r, func(_, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		door, _, _ := strings.Cut(strings.TrimPrefix(route, "/"), "/")
		found[door] = true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(found))
}

// TestClosedPaths: what a node answers beside its stations has names that no station can
// have and that no cache gives out; the shield leaves open what keys guard, and nothing else.
func TestClosedPaths(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	cfg := config.Default()
	n := &node{face: newFace(cfg, log)}
	n.gate = ingest.NewGate(ingest.GateOptions{Log: log})
	n.inputs.icecast = icecast.New(n.gate, icecast.Options{Log: log})
	w, err := whip.New(n.gate, whip.Options{Address: "127.0.0.1:0", Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Shutdown(t.Context()) })
	n.inputs.whip = w
	n.studio = studio.New(studio.Options{Log: log})
	keyed, health := chi.NewRouter(), chi.NewRouter()
	if err := n.contribution(keyed); err != nil {
		t.Fatal(err)
	}
	n.health(health)
	closed := packager.ClosedPaths()
	for _, door := range append(doorsOf(t, keyed), doorsOf(t, health)...) {
		if !slices.Contains(closed, door) {
			t.Errorf("/%s/ is answered, and caches give it out", door)
		}
		if !packager.ReservedName(door) {
			t.Errorf("a station may be called %q", door)
		}
	}
	if got, want := slices.Sorted(maps.Keys(open)), doorsOf(t, keyed); !slices.Equal(got, want) {
		t.Errorf("the shield leaves %q open, keys guard %q", got, want)
	}
	for door := range securely {
		if !slices.Contains(closed, door) {
			t.Errorf("%q needs https, and caches give it out", door)
		}
	}
	for _, s := range cfg.Stations {
		if packager.ReservedName(s.Name) {
			t.Errorf("the station %q has a name that it cannot have", s.Name)
		}
	}
}

// TestShieldLetsEncodersIn: what an Icecast client asks for beside its stream is not refused
// because it does not come by a CDN.
func TestShieldLetsEncodersIn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("the secret of the CDN"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := config.Default().Shield
	c.SecretFile = file
	s, err := openShield(c, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	h := s.guard(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	for path, want := range map[string]int{
		"/admin/metadata?mount=/ice/talk&mode=updinfo&song=x": http.StatusNoContent,
		"/status-json.xsl": http.StatusNoContent,
		"/ice/talk":        http.StatusNoContent,
		"/talk/index.m3u8": http.StatusForbidden,
		"/adminx":          http.StatusForbidden,
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != want {
			t.Errorf("%s: status %d, want %d", path, w.Code, want)
		}
	}
}
