package origin_test

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/go-cmp/cmp"

	"longwave/origin"
	"longwave/packager"
	"longwave/packager/hls"
	"longwave/packager/hls/hlstest"
)

// firstMSN is the first segment of the tests' playlists.
const firstMSN = 931_120_000

// A rig is an origin with one rendition, whose parts a test puts one by one.
type rig struct {
	t       *testing.T
	live    *origin.Live
	router  http.Handler
	handler http.Handler // the same behind First
	media   hls.Media
}

func newRig(t *testing.T, archive origin.Archive, maxWaiting int) *rig {
	t.Helper()
	g := &rig{t: t, live: origin.NewLive()}
	r := chi.NewRouter()
	server := origin.NewServer(origin.Options{Live: g.live, Archive: archive, MaxWaiting: maxWaiting, Log: slog.New(slog.DiscardHandler)})
	server.Routes(r, "talk")
	g.router, g.handler = r, server.First(r)
	g.media = hls.Media{
		Version: 9, TargetDuration: packager.TargetDuration, PartTarget: 320 * time.Millisecond,
		Control:       hls.ServerControl{CanBlockReload: true, CanSkipUntil: 12 * time.Second, HoldBack: 6 * time.Second, PartHoldBack: 1280 * time.Millisecond},
		MediaSequence: firstMSN,
	}
	g.put(packager.Key{Kind: packager.Init, Name: "abc"}, "init")
	for range 20 {
		g.segment()
	}
	g.put(packager.Key{Kind: packager.Multivariant, Name: "index"}, "#EXTM3U\n")
	return g
}

func (g *rig) put(k packager.Key, data string) {
	g.t.Helper()
	k.Station = "talk"
	if k.Kind != packager.Multivariant {
		k.Rendition = "opus-48"
	}
	if err := g.live.Put(g.t.Context(), packager.Object{Key: k, Data: []byte(data)}); err != nil {
		g.t.Fatal(err)
	}
}

// part puts the next part, and the segment when it is the last one.
func (g *rig) part() {
	msn, n := g.media.OpenMSN(), len(g.media.Open.Parts)
	k := packager.Key{Kind: packager.Part, MSN: msn, Part: n}
	g.put(k, "part "+k.File())
	if n == 0 {
		g.media.Open = hls.Segment{PDT: packager.SegmentPos(msn).Time(), Map: hls.Map{URI: "init-abc.mp4"}}
	}
	g.media.Open.Parts = append(g.media.Open.Parts, hls.Part{URI: k.File(), Duration: 319_990 * time.Microsecond, Independent: true})
	if n == 5 {
		s := g.media.Open
		s.URI, s.Duration = packager.Key{Kind: packager.Segment, MSN: msn}.File(), 1_919_990*time.Microsecond
		g.put(packager.Key{Kind: packager.Segment, MSN: msn}, "segment "+s.URI)
		g.media.Segments = append(g.media.Segments, s)
		if i := len(g.media.Segments) - 3; i >= 0 {
			g.media.Segments[i].Parts = nil
		}
		if len(g.media.Segments) > 32 {
			g.media.Segments = g.media.Segments[1:]
			g.media.MediaSequence++
		}
		g.media.Open = hls.Segment{}
	}
	hint := packager.Key{Kind: packager.Part, MSN: g.media.OpenMSN(), Part: len(g.media.Open.Parts)}
	g.media.Hints = []hls.PreloadHint{{Type: hls.HintPart, URI: hint.File()}}
	g.put(packager.Key{Kind: packager.Media}, string(g.media.Append(nil)))
}

func (g *rig) segment() {
	for range 6 {
		g.part()
	}
}

func (g *rig) request(ctx context.Context, method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(ctx, method, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	g.handler.ServeHTTP(w, r)
	return w
}

func (g *rig) get(path string, header ...string) *httptest.ResponseRecorder {
	return g.request(g.t.Context(), http.MethodGet, path, header...)
}

// ask sends a request that may wait, in a goroutine of the bubble.
func (g *rig) ask(ctx context.Context, path string) <-chan *httptest.ResponseRecorder {
	done := make(chan *httptest.ResponseRecorder, 1)
	go func() { done <- g.request(ctx, http.MethodGet, path) }()
	return done
}

func TestHeaders(t *testing.T) {
	g := newRig(t, nil, 0)
	msn := g.media.OpenMSN() - 1
	for path, want := range map[string]hlstest.Resource{
		"/talk/index.m3u8":        hlstest.MultivariantPlaylist,
		"/talk/opus-48/live.m3u8": hlstest.MediaPlaylist,
		fmt.Sprintf("/talk/opus-48/live.m3u8?_HLS_msn=%d", msn):      hlstest.BlockedPlaylist,
		"/talk/opus-48/init-abc.mp4":                                 hlstest.InitSegment,
		fmt.Sprintf("/talk/opus-48/%d.m4s", msn):                     hlstest.MediaSegment,
		fmt.Sprintf("/talk/opus-48/%d.3.m4s", msn):                   hlstest.PartialSegment,
		fmt.Sprintf("/talk/opus-48/%d.9.m4s", msn):                   hlstest.Failure,
		"/talk/opus-48/live.m3u8?_HLS_msn=-1":                        hlstest.Failure,
		"/talk/nothing/live.m3u8":                                    hlstest.Failure,
		"/talk/opus-48/..%2fsecret":                                  hlstest.Failure,
		fmt.Sprintf("/talk/opus-48/live.m3u8?_HLS_msn=%d", msn+1000): hlstest.Failure,
	} {
		for _, gz := range []bool{false, true} {
			header := []string{"Accept-Encoding", "gzip;q=0"}
			if gz {
				header[1] = "br, gzip"
			}
			w := g.get(path, header...)
			for _, v := range hlstest.CheckResponse(hlstest.Response{
				Resource: want, Status: w.Code, Header: w.Header(), AcceptsGzip: gz, TargetDuration: packager.TargetDuration,
			}) {
				t.Errorf("%s (gzip %v): %s", path, gz, v)
			}
		}
	}
}

func TestBodies(t *testing.T) {
	g := newRig(t, nil, 0)
	msn := g.media.OpenMSN() - 1
	segment := fmt.Sprintf("/talk/opus-48/%d.m4s", msn)
	want := fmt.Sprintf("segment %d.m4s", msn)
	if got := g.get(segment).Body.String(); got != want {
		t.Errorf("got %q", got)
	}
	if w := g.get(segment, "Range", "bytes=8-10"); w.Code != http.StatusPartialContent || w.Body.String() != want[8:11] {
		t.Errorf("range: %d %q", w.Code, w.Body)
	}
	if w := g.request(t.Context(), http.MethodHead, segment); w.Body.Len() != 0 || w.Header().Get("Content-Length") != fmt.Sprint(len(want)) {
		t.Errorf("HEAD: %d bytes, Content-Length %s", w.Body.Len(), w.Header().Get("Content-Length"))
	}
	w := g.get("/talk/opus-48/live.m3u8", "Accept-Encoding", "gzip")
	z, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil || string(text) != string(g.media.Append(nil)) {
		t.Errorf("gzipped playlist differs (error %v)", err)
	}
	delta, err := hls.ParseMedia(g.get("/talk/opus-48/live.m3u8?_HLS_skip=YES").Body.Bytes())
	if err != nil || delta.Skip.Segments == 0 {
		t.Errorf("no delta update: %+v, %v", delta.Skip, err)
	}
	if w := g.request(t.Context(), http.MethodOptions, segment); w.Code != http.StatusNoContent || w.Header().Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("OPTIONS: %d %v", w.Code, w.Header())
	}
}

// TestNonsense: nothing that a client sends may wait, or be kept by a cache.
func TestNonsense(t *testing.T) {
	g := newRig(t, nil, 0)
	msn := g.media.OpenMSN()
	for _, query := range []string{
		"_HLS_msn=", "_HLS_msn=x", "_HLS_msn=-1", "_HLS_msn=1e9", "_HLS_msn=99999999999999999999", "_HLS_part=1", "_HLS_msn=%FF",
		"_HLS_msn=5&_HLS_msn=6", "_HLS_skip=NO", fmt.Sprintf("_HLS_msn=%d", msn+2), fmt.Sprintf("_HLS_msn=%d&_HLS_part=99", msn),
		fmt.Sprintf("_HLS_msn=%d&_HLS_part=-1", msn),
	} {
		w := g.get("/talk/opus-48/live.m3u8?" + query)
		if w.Code != http.StatusBadRequest || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d, %q", query, w.Code, w.Header().Get("Cache-Control"))
		}
	}
}

// TestFirst: who goes past the router gets what the router would have given.
func TestFirst(t *testing.T) {
	g := newRig(t, nil, 0)
	segment := fmt.Sprintf("/talk/opus-48/%d.m4s", g.media.OpenMSN()-1)
	for _, path := range []string{
		segment, "/talk/opus-48/live.m3u8", "/talk/opus-48/live.m3u8?_HLS_skip=YES", "/talk/opus-48/live.m3u8?_HLS_msn=x", "/talk/index.m3u8",
		"/talk/opus-48/", "/talk/opus-48", "/talk/opus-48%2Flive.m3u8", "/talk/opus%2d48/live.m3u8", "/talk/opus-48/../live.m3u8",
		"/talk/opus-48/x/live.m3u8", "//talk/opus-48/live.m3u8", "/", "/x", "/talk/aac-48/live.m3u8", segment + "/",
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodOptions} {
			want := httptest.NewRecorder()
			g.router.ServeHTTP(want, httptest.NewRequestWithContext(t.Context(), method, path, nil))
			got := g.request(t.Context(), method, path)
			if got.Code != want.Code || got.Body.String() != want.Body.String() {
				t.Errorf("%s %s: %d %q, want %d %q", method, path, got.Code, got.Body, want.Code, want.Body)
			}
			want.Header().Del("Allow") // chi's order is not always the same
			got.Header().Del("Allow")
			if diff := cmp.Diff(want.Header(), got.Header()); diff != "" {
				t.Errorf("%s %s: headers differ:\n%s", method, path, diff)
			}
		}
	}
}

func TestBlockingReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, nil, 0)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _ = g.live.Run(ctx) }()
		msn := g.media.OpenMSN()
		part := g.ask(ctx, fmt.Sprintf("/talk/opus-48/live.m3u8?_HLS_msn=%d&_HLS_part=1", msn))
		whole := g.ask(ctx, fmt.Sprintf("/talk/opus-48/live.m3u8?_HLS_part=0&x=y&_HLS_msn=%d", msn+1))
		hinted := g.ask(ctx, fmt.Sprintf("/talk/opus-48/%d.0.m4s", msn))
		synctest.Wait()
		notYet(t, "part", part)
		notYet(t, "hinted", hinted)
		time.Sleep(300 * time.Millisecond)
		g.part()
		if w := <-hinted; w.Code != http.StatusOK || w.Body.String() != fmt.Sprintf("part %d.0.m4s", msn) {
			t.Errorf("hinted part: %d %q", w.Code, w.Body)
		}
		synctest.Wait()
		notYet(t, "part", part)
		g.part()
		if m := parse(t, <-part); len(m.Open.Parts) != 2 {
			t.Errorf("the answer has %d parts, want 2", len(m.Open.Parts))
		}
		for range 4 {
			g.part()
		}
		synctest.Wait()
		notYet(t, "first part of the next segment", whole)
		g.part()
		if m := parse(t, <-whole); m.OpenMSN() != msn+1 {
			t.Errorf("the answer is at %d, want %d", m.OpenMSN(), msn+1)
		}
	})
}

// TestStall: when nothing comes any more, those who wait are told so after three
// target durations, and never with a 503.
func TestStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, nil, 0)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _ = g.live.Run(ctx) }()
		began := time.Now()
		w := <-g.ask(ctx, fmt.Sprintf("/talk/opus-48/live.m3u8?_HLS_msn=%d", g.media.OpenMSN()))
		if d := time.Since(began); w.Code != http.StatusNotFound || d < 6*time.Second || d > 7*time.Second {
			t.Errorf("%d after %v", w.Code, d)
		}
		if age, ok := g.live.Age("talk"); !ok || age < 6*time.Second {
			t.Errorf("age %v, %v", age, ok)
		}
	})
}

// TestAfterStall: nobody waits at an edge that stands, also not after a playlist that
// does not move it; and everybody does again once it moves.
func TestAfterStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, nil, 0)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _ = g.live.Run(ctx) }()
		time.Sleep(7 * time.Second)
		msn := g.media.OpenMSN()
		playlist, part := fmt.Sprintf("/talk/opus-48/live.m3u8?_HLS_msn=%d&_HLS_part=0", msn), fmt.Sprintf("/talk/opus-48/%d.0.m4s", msn)
		for _, when := range []string{"after a stall", "after the same playlist"} {
			for _, path := range []string{playlist, part} {
				began := time.Now()
				if w := <-g.ask(ctx, path); w.Code != http.StatusNotFound || time.Since(began) != 0 {
					t.Errorf("%s, %s: %d after %v", when, path, w.Code, time.Since(began))
				}
			}
			g.put(packager.Key{Kind: packager.Media}, string(g.media.Append(nil)))
		}
		if w := g.get("/talk/opus-48/live.m3u8"); w.Code != http.StatusOK {
			t.Errorf("the playlist of a station that stands: %d", w.Code)
		}
		g.part()
		next := g.ask(ctx, fmt.Sprintf("/talk/opus-48/live.m3u8?_HLS_msn=%d&_HLS_part=1", msn))
		time.Sleep(5 * time.Second)
		notYet(t, "the part after a stall", next)
		g.part()
		if w := <-next; w.Code != http.StatusOK {
			t.Errorf("the part after a stall: %d", w.Code)
		}
	})
}

// TestWaitersLeave: a listener that goes frees its place, and the next one gets it.
func TestWaitersLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, nil, 2)
		run, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _ = g.live.Run(run) }()
		path := fmt.Sprintf("/talk/opus-48/live.m3u8?_HLS_msn=%d&_HLS_part=0", g.media.OpenMSN())
		ctx, leave := context.WithCancel(run)
		var gone sync.WaitGroup
		for range 2 {
			gone.Go(func() { g.request(ctx, http.MethodGet, path) })
		}
		synctest.Wait()
		if w := g.get(path); w.Code != http.StatusNotFound || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("one too many: %d", w.Code)
		}
		leave()
		gone.Wait()
		next := g.ask(run, path)
		synctest.Wait()
		notYet(t, "next", next)
		g.part()
		if w := <-next; w.Code != http.StatusOK {
			t.Errorf("next: %d", w.Code)
		}
	})
}

// TestEnd: an ended playlist answers every directive at once.
func TestEnd(t *testing.T) {
	g := newRig(t, nil, 0)
	g.media.Hints, g.media.EndList = nil, true
	g.put(packager.Key{Kind: packager.Media}, string(g.media.Append(nil)))
	w := g.get(fmt.Sprintf("/talk/opus-48/live.m3u8?_HLS_msn=%d", g.media.OpenMSN()+50))
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "#EXT-X-ENDLIST") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestForgets: the window does not grow, and what left it comes from the archive.
func TestForgets(t *testing.T) {
	archive := archive{}
	g := newRig(t, archive, 0)
	for range 100 {
		g.segment()
	}
	old := packager.Key{Station: "talk", Rendition: "opus-48", Kind: packager.Segment, MSN: firstMSN + 1}
	if w := g.get("/" + old.String()); w.Code != http.StatusNotFound {
		t.Errorf("a segment from long ago is still in memory: %d", w.Code)
	}
	archive[old.String()] = "old"
	if w := g.get("/" + old.String()); w.Code != http.StatusOK || w.Body.String() != "old" || w.Header().Get("Cache-Control") != packager.CacheForever {
		t.Errorf("from the archive: %d %q %v", w.Code, w.Body, w.Header())
	}
	asked := archive["asked"]
	for _, path := range []string{"/talk/opus-48/999999999999.m4s", "/talk/opus-48/init-zzz.mp4", "/talk/else/1.m4s", "/talk/secret.json", "/talk/opus-48/1.1.m4s"} {
		if w := g.get(path); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	if archive["asked"] != asked {
		t.Error("a guessed name was looked for in the archive")
	}
}

type archive map[string]string

func (a archive) Get(_ context.Context, k packager.Key) (packager.Object, error) {
	a["asked"] += "."
	if s, ok := a[k.String()]; ok {
		return packager.Object{Key: k, Data: []byte(s)}, nil
	}
	return packager.Object{}, fmt.Errorf("no %s", k)
}

func notYet(t *testing.T, what string, done <-chan *httptest.ResponseRecorder) {
	t.Helper()
	select {
	case w := <-done:
		t.Errorf("%s was answered before it existed: %d", what, w.Code)
	default:
	}
}

func parse(t *testing.T, w *httptest.ResponseRecorder) *hls.Media {
	t.Helper()
	m, err := hls.ParseMedia(w.Body.Bytes())
	if err != nil {
		t.Fatalf("%d: %v", w.Code, err)
	}
	return m
}
