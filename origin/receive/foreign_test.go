package receive_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-chi/chi/v5"

	"longwave/origin"
)

// audience is what listeners of a live window see.
func audience(live *origin.Live) http.Handler {
	r := chi.NewRouter()
	server := origin.NewServer(origin.Options{Live: live, HideStanding: true})
	server.Routes(r, "talk")
	return server.First(r)
}

// foreignText is a playlist of segments live{from}.ts up to before to.
func foreignText(from, to int) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, foreignList, from)
	for n := from; n < to; n++ {
		fmt.Fprintf(&b, "#EXTINF:2,\nlive%d.ts\n", n)
	}
	return []byte(b.String())
}

// TestForeign: an encoder that is not ours names its files as it likes. Its playlist is
// shown as far as what it names is here, and the address for everybody is made.
func TestForeign(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		live, s := newOrigin("talk")
		ctx, end := context.WithCancel(t.Context())
		defer end()
		go func() { _ = s.Run(ctx) }()
		h := audience(live)
		put := func(path, body string, want int) {
			t.Helper()
			if w := ask(s, "PUT", "/push/talk/"+path, []byte(body)); w.Code != want {
				t.Fatalf("%s: status %d, want %d: %s", path, w.Code, want, w.Body)
			}
		}
		shown := func(path, want string) {
			t.Helper()
			status, body, _ := get(h, "/talk/"+path)
			if status == http.StatusOK != (want != "") || !strings.Contains(body, want) {
				t.Fatalf("%s: status %d, want %q in\n%s", path, status, want, body)
			}
		}
		put("live.m3u8", string(foreignText(0, 2)), 201)
		shown("live.m3u8", "") // nothing of it is here
		put("live1.ts", strings.Repeat("x", 1000), 201)
		shown("live.m3u8", "MEDIA-SEQUENCE:1\n#EXTINF:2.0,\nlive1.ts\n") // the first one is lost
		shown("index.m3u8", "BANDWIDTH=4000\nlive.m3u8\n")
		shown("opus.m3u8", "live.m3u8")
		shown("live1.ts", "xxx")
		if _, _, head := get(h, "/talk/live1.ts"); head.Get("Content-Type") != "video/mp2t" || head.Get("Cache-Control") != origin.CacheForeign {
			t.Errorf("headers %v", head)
		}
		put("live1.ts", "other", 204) // an encoder that began again
		put("b/init.mp4", "moov", 201)
		put("b/live.m3u8", fmt.Sprintf(foreignList, 0)+"#EXT-X-MAP:URI=\"init.mp4\"\n#EXTINF:2,\nlive0.m4s\n", 201)
		put("b/live0.m4s", "moof", 201)
		shown("b/live.m3u8", "live0.m4s")
		shown("index.m3u8", "b/live.m3u8")
		put("index.m3u8", "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=\"mp4a.40.2\"\nb/live.m3u8\n", 204)
		shown("index.m3u8", "CODECS")
		put("b/live.m3u8", strings.Replace(string(foreignText(1, 2)), "live1.ts", "../../news/live1.ts", 1), 400)
		if w := ask(s, "DELETE", "/push/talk/live1.ts", nil); w.Code != 204 {
			t.Errorf("DELETE: status %d", w.Code)
		}
		shown("live1.ts", "")
		for range 4 {
			time.Sleep(2 * time.Second)
			put("b/live.m3u8", fmt.Sprintf(foreignList, 0)+"#EXT-X-MAP:URI=\"init.mp4\"\n#EXTINF:2,\nlive0.m4s\n", 204)
		}
		shown("live.m3u8", "") // it was not renewed
		shown("b/live.m3u8", "live0.m4s")
		time.Sleep(11 * time.Minute)
		shown("index.m3u8", "")
		if n, size := live.Size("talk"); n != 0 || size != 0 {
			t.Errorf("%d renditions and %d bytes are left of a station that nobody pushes", n, size)
		}
	})
}
