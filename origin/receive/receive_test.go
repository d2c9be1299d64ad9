package receive_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"longwave/origin"
	"longwave/origin/receive"
	"longwave/packager"
	"longwave/packager/relay/relaytest"
)

// ask sends a request to a server; header is name and value in turn.
func ask(s http.Handler, method, path string, body []byte, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://b.example/", bytes.NewReader(body))
	r.URL.Path = path
	if strings.Contains(path, "%") {
		r = httptest.NewRequest(method, "http://b.example"+path, bytes.NewReader(body))
	}
	r.Header.Set("Authorization", "Bearer talk-origin")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
		if header[i+1] == "" {
			r.Header.Del(header[i])
		}
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// fill puts what a relay would into a server.
type fill struct {
	*testing.T
	server http.Handler
}

func (f fill) Put(_ context.Context, o packager.Object) error {
	if w := ask(f.server, http.MethodPut, "/push/"+o.Key.String(), o.Data); w.Code >= 300 {
		f.Errorf("%s: status %d: %s", o.Key, w.Code, w.Body)
	}
	return nil
}

func zip(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestRefused: everything that is wrong gets its status and reason, is counted, and
// changes nothing.
func TestRefused(t *testing.T) {
	live, reg := origin.NewLive(), prometheus.NewRegistry()
	s := receive.New(receive.Options{
		Live: live, Tokens: tokens{}, Stations: []string{"talk", "music"}, MaxBytes: 6 << 20, MaxRenditions: 6,
		Log: slog.New(slog.DiscardHandler), Registry: reg,
	})
	talk := relaytest.New(t, fill{t, s}, 1000)
	for range 8 {
		talk.Next()
	}
	part := packager.Key{Station: "talk", Rendition: "opus-24", Kind: packager.Part, MSN: 1001, Part: 0}
	list, _ := live.Object(packager.Key{Station: "talk", Rendition: "opus-24", Kind: packager.Media})
	index, _ := live.Object(packager.Key{Station: "talk", Kind: packager.Multivariant, Name: "index"})
	old := strings.ReplaceAll(string(list), "MEDIA-SEQUENCE:969", "MEDIA-SEQUENCE:968")
	next := strings.ReplaceAll(string(list), "#EXT-X-PRELOAD", "#EXT-X-PART:DURATION=0.32,URI=\"1001.2.m4s\"\n#EXT-X-PRELOAD")
	tests := []struct {
		name, method, path string
		body               []byte
		header             []string
		status             int
		reason             string
	}{
		{"no token", "PUT", "/push/talk/status.json", []byte("{}"), []string{"Authorization", ""}, 401, "no_token"},
		{"wrong token", "PUT", "/push/talk/status.json", []byte("{}"), []string{"Authorization", "Bearer x"}, 401, "wrong_token"},
		{"wrong password", "PUT", "/push/talk/status.json", []byte("{}"), []string{"Authorization", "Basic eDp5"}, 401, "wrong_token"},
		{"token of another station", "PUT", "/push/music/status.json", []byte("{}"), nil, 403, "other_station"},
		{"station not here", "PUT", "/push/news/status.json", []byte("{}"), []string{"Authorization", "Bearer news-origin"}, 403, "other_station"},
		{"traversing", "PUT", "/push/talk/../music/status.json", []byte("{}"), nil, 400, "not_a_key"},
		{"traversing, escaped", "PUT", "/push/talk/%2e%2e/music/status.json", []byte("{}"), nil, 400, "not_a_key"},
		{"escaped slash", "PUT", "/push/talk%2fstatus.json", []byte("{}"), nil, 400, "not_a_key"},
		{"hidden file", "PUT", "/push/talk/.htaccess.ts", []byte("x"), nil, 400, "not_a_key"},
		{"a page", "PUT", "/push/talk/index.html", []byte("<script>"), nil, 400, "not_a_key"},
		{"no key", "PUT", "/push/", nil, nil, 400, "not_a_key"},
		{"another spelling", "PUT", "/push/talk/opus-24/01001.1.m4s", []byte("x"), nil, 201, "taken"}, // a foreign file
		{"method", "PATCH", "/push/talk/status.json", []byte("{}"), nil, 405, "method"},
		{"not JSON", "PUT", "/push/talk/status.json", []byte("{"), nil, 400, "malformed"},
		{"not a playlist", "PUT", "/push/talk/opus-24/live.m3u8", []byte("<html>"), nil, 400, "malformed"},
		{"not a list", "PUT", "/push/talk/index.m3u8", []byte("<html>"), nil, 400, "malformed"},
		{"a playlist of elsewhere", "PUT", "/push/talk/opus-24/live.m3u8", bytes.ReplaceAll(list, []byte("969.m4s"), []byte("../aac-48/969.m4s")), nil, 400, "malformed"},
		{"a delta", "PUT", "/push/talk/opus-24/live.m3u8", []byte("#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:2\n#EXT-X-SKIP:SKIPPED-SEGMENTS=3\n"), nil, 400, "malformed"},
		{"not gzip", "PUT", "/push/talk/status.json", []byte("{}"), []string{"Content-Encoding", "gzip"}, 400, "malformed"},
		{"brotli", "PUT", "/push/talk/status.json", []byte("{}"), []string{"Content-Encoding", "br"}, 415, "malformed"},
		{"too large", "PUT", "/push/talk/status.json", make([]byte, 300<<10), nil, 413, "too_large"},
		{"a bomb", "PUT", "/push/talk/status.json", zip(t, make([]byte, 1<<20)), []string{"Content-Encoding", "gzip"}, 413, "too_large"},
		{"more than a station may have", "PUT", "/push/talk/opus-24/1002.m4s", make([]byte, 5<<20), nil, 507, "full"},
		{"other bytes", "PUT", "/push/" + part.String(), []byte("other"), nil, 412, "other_bytes"},
		{"the future", "PUT", "/push/talk/opus-24/9999.m4s", []byte("x"), nil, 409, "out_of_order"},
		{"the past", "PUT", "/push/talk/opus-24/9.m4s", []byte("x"), nil, 409, "out_of_order"},
		{"an old playlist", "PUT", "/push/talk/opus-24/live.m3u8", []byte(old), nil, 409, "out_of_order"},
		{"a playlist of what is not here", "PUT", "/push/talk/opus-24/live.m3u8", []byte(next), nil, 409, "missing"},
		{"a list of what is not here", "PUT", "/push/talk/index.m3u8", bytes.ReplaceAll(index, []byte("aac-48/"), []byte("aac-32/")), nil, 409, "missing"},
		{"a list of elsewhere", "PUT", "/push/talk/index.m3u8", bytes.ReplaceAll(index, []byte("aac-48/"), []byte("../x/")), nil, 400, "malformed"},
	}
	before := snapshot(t, live, talk)
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			counted := figure(t, reg, "longwave_receive_requests_total", `result="`+c.reason+`"`)
			w := ask(s, c.method, c.path, c.body, c.header...)
			if w.Code != c.status {
				t.Errorf("status %d, want %d: %s", w.Code, c.status, w.Body)
			}
			if got := w.Header().Get("Cache-Control"); got != "no-store" {
				t.Errorf("Cache-Control %q", got)
			}
			if c.reason != "taken" {
				var problem struct{ Reason string }
				if err := json.Unmarshal(w.Body.Bytes(), &problem); err != nil || problem.Reason != c.reason {
					t.Errorf("reason %q (%v), want %q", problem.Reason, err, c.reason)
				}
			}
			if got := figure(t, reg, "longwave_receive_requests_total", `result="`+c.reason+`"`); got != counted+1 {
				t.Errorf("%q counted %v times, want %v", c.reason, got, counted+1)
			}
		})
	}
	if diff := cmp.Diff(before, snapshot(t, live, talk)); diff != "" {
		t.Errorf("something changed (-before +after):\n%s", diff)
	}
}

// snapshot is what a listener can get of a station.
func snapshot(t *testing.T, live *origin.Live, talk *relaytest.Station) map[string]string {
	t.Helper()
	got := map[string]string{}
	look := func(k packager.Key) {
		if data, ok := live.Object(k); ok {
			got[k.String()] = string(data)
		}
	}
	for _, station := range []string{"talk", "music", "news"} {
		look(packager.Key{Station: station, Kind: packager.State, Name: "status"})
		look(packager.Key{Station: station, Kind: packager.Multivariant, Name: "index"})
		look(packager.Key{Station: station, Kind: packager.Multivariant, Name: "opus"})
	}
	for _, r := range append(talk.Ladder, relaytest.Rendition{Name: "aac-32"}) {
		look(packager.Key{Station: "talk", Rendition: r.Name, Kind: packager.Media})
		for n := talk.MSN - 40; n < talk.MSN+3; n++ {
			look(packager.Key{Station: "talk", Rendition: r.Name, Kind: packager.Segment, MSN: n})
			for p := range 8 {
				look(packager.Key{Station: "talk", Rendition: r.Name, Kind: packager.Part, MSN: n, Part: p})
			}
		}
	}
	return got
}

// TestRenditions: a station may not have more renditions than that.
func TestRenditions(t *testing.T) {
	s := receive.New(receive.Options{Live: origin.NewLive(), Tokens: tokens{}, Stations: []string{"talk"}, MaxRenditions: 2, Log: slog.New(slog.DiscardHandler)})
	for i, want := range []int{201, 201, 507} {
		if w := ask(s, "PUT", "/push/talk/r"+string(rune('a'+i))+"/1.m4s", []byte("x")); w.Code != want {
			t.Errorf("rendition %d: status %d, want %d", i+1, w.Code, want)
		}
	}
}

// TestSame: an object that comes twice is a success, and nobody sees a difference.
func TestSame(t *testing.T) {
	_, s := newOrigin("talk")
	for _, want := range []int{201, 204} {
		if w := ask(s, "PUT", "/push/talk/opus-24/1.0.m4s", []byte("sound")); w.Code != want {
			t.Errorf("status %d, want %d", w.Code, want)
		}
	}
	if w := ask(s, "PUT", "/push/talk/status.json", zip(t, []byte(`{"a":1}`)), "Content-Encoding", "gzip", "Authorization", "Basic eDp0YWxrLW9yaWdpbg=="); w.Code != 201 {
		t.Errorf("gzip with Basic: status %d: %s", w.Code, w.Body)
	}
	if w := ask(s, "DELETE", "/push/talk/status.json", nil); w.Code != 204 {
		t.Errorf("DELETE: status %d", w.Code)
	}
}

// get asks the audience's side.
func get(h http.Handler, path string) (int, string, http.Header) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	body, _ := io.ReadAll(w.Body)
	return w.Code, string(body), w.Header()
}

const foreignList = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:%d\n"

// FuzzPush: whatever is put, the server answers and says so by its status; what it takes
// can be read back.
func FuzzPush(f *testing.F) {
	for _, path := range []string{"talk/live.m3u8", "talk/a/live.m3u8", "talk/a/0.m4s", "talk/a/0.1.m4s", "talk/index.m3u8", "talk/live0.ts", "talk/../x", "/", "talk/a/init-1.mp4", "talk/status.json"} {
		f.Add(path, []byte("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n0.m4s\n"))
		f.Add(path, []byte("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\na/live.m3u8\n"))
		f.Add(path, []byte("{}"))
	}
	f.Fuzz(func(t *testing.T, path string, body []byte) {
		live, s := newOrigin("talk")
		w := ask(s, "PUT", "/push/"+strings.ReplaceAll(path, "%", ""), body)
		if w.Code/100 != 2 && w.Code/100 != 4 && w.Code != 507 {
			t.Fatalf("status %d: %s", w.Code, w.Body)
		}
		if w.Code/100 == 4 {
			if n, size := live.Size("talk"); n != 0 || size != 0 {
				t.Fatalf("refused, and there are %d renditions of %d bytes", n, size)
			}
		}
	})
}
