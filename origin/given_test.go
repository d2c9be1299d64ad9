package origin_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-chi/chi/v5"

	"longwave/origin"
	"longwave/packager"
)

// next is a request for the playlist with the next part.
func (g *rig) next() string {
	return fmt.Sprintf("/talk/opus-48/live.m3u8?_HLS_msn=%d&_HLS_part=%d", g.media.OpenMSN(), len(g.media.Open.Parts))
}

// TestLetGo: who waits is let go at once when the playlist is taken away, when the
// station is forgotten and when the process ends; and nobody begins to wait.
func TestLetGo(t *testing.T) {
	media := packager.Key{Station: "talk", Rendition: "opus-48", Kind: packager.Media}
	for name, c := range map[string]struct {
		do    func(*origin.Live)
		after int // status of the plain playlist
	}{
		"removed":   {func(l *origin.Live) { l.Remove(media) }, 404},
		"forgotten": {func(l *origin.Live) { l.Forget("talk") }, 404},
		"released":  {func(l *origin.Live) { l.Release() }, 200},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newRig(t, nil, 0)
				hint := "/talk/opus-48/" + g.media.Hints[0].URI
				playlist, part := g.ask(t.Context(), g.next()), g.ask(t.Context(), hint)
				synctest.Wait()
				begin := time.Now()
				c.do(g.live)
				for _, w := range []*httptest.ResponseRecorder{<-playlist, <-part, <-g.ask(t.Context(), g.next()), <-g.ask(t.Context(), hint)} {
					if w.Code != http.StatusNotFound || w.Header().Get("Cache-Control") != "no-store" {
						t.Errorf("status %d, Cache-Control %q, want 404 that nobody keeps", w.Code, w.Header().Get("Cache-Control"))
					}
				}
				if d := time.Since(begin); d != 0 {
					t.Errorf("answered after %v", d)
				}
				if w := g.get("/talk/opus-48/live.m3u8"); w.Code != c.after {
					t.Errorf("the plain playlist: status %d, want %d", w.Code, c.after)
				}
				if n, size := g.live.Size("talk"); name == "forgotten" && (n != 0 || size != 0) {
					t.Errorf("%d renditions of %d bytes are left", n, size)
				}
				g.part() // it goes on
				if w := g.get("/talk/opus-48/live.m3u8"); w.Code != http.StatusOK {
					t.Errorf("the next playlist: status %d", w.Code)
				}
			})
		})
	}
}

// TestHideStanding: an origin that is cut off answers 404 for its live playlists; one
// that has ended stays.
func TestHideStanding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, nil, 0)
		r := chi.NewRouter()
		server := origin.NewServer(origin.Options{Live: g.live, HideStanding: true, Log: slog.New(slog.DiscardHandler)})
		server.Routes(r, "talk")
		g.handler = server.First(r)
		ctx, end := context.WithCancel(t.Context())
		defer end()
		go func() { _ = g.live.Run(ctx) }()
		for _, c := range []struct {
			after time.Duration
			want  int
		}{{5 * time.Second, 200}, {2 * time.Second, 404}} {
			time.Sleep(c.after)
			for _, path := range []string{"/talk/opus-48/live.m3u8", "/talk/opus-48/live.m3u8?tracking=1"} {
				if w := g.get(path); w.Code != c.want {
					t.Errorf("%s: status %d, want %d", path, w.Code, c.want)
				}
			}
		}
		if w := g.get(g.next()); w.Code != http.StatusNotFound {
			t.Errorf("a blocking request: status %d", w.Code)
		}
		g.media.EndList, g.media.Hints = true, nil
		g.put(packager.Key{Kind: packager.Media}, string(g.media.Append(nil)))
		time.Sleep(time.Minute)
		if w := g.get("/talk/opus-48/live.m3u8"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "ENDLIST") {
			t.Errorf("one that has ended: status %d", w.Code)
		}
	})
}

// TestSize: what is in memory is counted, and what is forgotten is not.
func TestSize(t *testing.T) {
	g := newRig(t, nil, 0)
	for range 100 {
		g.segment()
	}
	_, before := g.live.Size("talk")
	for range 100 {
		g.segment()
	}
	if n, size := g.live.Size("talk"); n != 1 || size == 0 || size > before+before/10 {
		t.Errorf("%d renditions of %d bytes, before %d", n, size, before)
	}
	if n, size := g.live.Size("tal"); n != 0 || size != 0 {
		t.Errorf("%d renditions of %d bytes of a station that is not there", n, size)
	}
}

// TestUnknownParameters: a parameter that is not one of HLS neither waits nor misses,
// whatever it looks like.
func TestUnknownParameters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, nil, 0)
		want := g.get("/talk/opus-48/live.m3u8").Body.String()
		begin := time.Now()
		for _, query := range []string{"x=1", "_hls_msn=9", "_HLS_", "_HLS_other=9999999999", "_HLS_report=../x", "%zz", "&&=&", "utm_source=a&_HLS_msnx=1", strings.Repeat("a=b&", 1000)} {
			if w := g.get("/talk/opus-48/live.m3u8?" + query); w.Code != http.StatusOK || w.Body.String() != want {
				t.Errorf("?%.20s: status %d", query, w.Code)
			}
		}
		for _, path := range []string{"/talk/index.m3u8?x=1", fmt.Sprintf("/talk/opus-48/%d.m4s?v=2", g.media.OpenMSN()-1)} {
			if w := g.get(path); w.Code != http.StatusOK {
				t.Errorf("%s: status %d", path, w.Code)
			}
		}
		if d := time.Since(begin); d != 0 {
			t.Errorf("something waited for %v", d)
		}
	})
}
