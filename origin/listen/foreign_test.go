package listen_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"longwave/origin/listen"
)

// ffmpeg makes 40 s of a tone into HLS by its own muxer and returns the folder.
func ffmpeg(t *testing.T, args ...string) string {
	t.Helper()
	dir := t.TempDir()
	args = append([]string{"-nostdin", "-v", "error", "-f", "lavfi", "-i", "sine=frequency=440:duration=40"}, args...)
	args = append(args, "-f", "hls", "-hls_time", "2", "-hls_list_size", "0", filepath.Join(dir, "index.m3u8"))
	if out, err := exec.CommandContext(t.Context(), "ffmpeg", args...).CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg: %v\n%s", err, out)
	}
	return dir
}

// A relay serves what ffmpeg made as ffmpeg itself does when it is live: the text of
// its playlist, from a window that moves.
type relay struct {
	dir     string
	head    string
	entries []string // #EXTINF and URI, in order
	start   time.Time
}

const relayWindow = 8 // segments

var reSequence = regexp.MustCompile(`#EXT-X-MEDIA-SEQUENCE:\d+`)

func newRelay(t *testing.T, dir string) *relay {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "index.m3u8"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.TrimSuffix(string(b), "#EXT-X-ENDLIST\n")
	head, rest, ok := strings.Cut(text, "#EXTINF")
	if !ok {
		t.Fatalf("no segment in %s", b)
	}
	r := &relay{dir: dir, head: head}
	for entry := range strings.SplitSeq(rest, "#EXTINF") {
		r.entries = append(r.entries, "#EXTINF"+entry)
	}
	return r
}

func (r *relay) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.URL.Path != "/index.m3u8" {
		w.Header().Set("Content-Type", map[string]string{".m4s": "audio/mp4", ".mp4": "audio/mp4", ".ts": "video/mp2t"}[filepath.Ext(req.URL.Path)])
		http.ServeFile(w, req, filepath.Join(r.dir, filepath.Base(req.URL.Path)))
		return
	}
	last := min(relayWindow+int(time.Since(r.start)/(2*time.Second)), len(r.entries))
	first := max(0, last-relayWindow)
	w.Header().Set("Content-Type", "application/vnd.apple.mpegurl")
	head := reSequence.ReplaceAllString(r.head, fmt.Sprintf("#EXT-X-MEDIA-SEQUENCE:%d", first))
	fmt.Fprint(w, head+strings.Join(r.entries[first:last], ""))
}

// What a plain file server leaves out: warnings, all of them.
var plainServer = []string{"http-cache-missing", "http-cors", "http-gzip", "http-preflight"}

func (r *relay) hear(t *testing.T, opt listen.Options) listen.Report {
	t.Helper()
	var rep listen.Report
	synctest.Test(t, func(t *testing.T) {
		r.start = time.Now()
		opt.Transport = serve(t, r)
		opt.URL = "http://station.test/index.m3u8?token=a%2Bb"
		rep = hear(t, opt)
	})
	show(t, rep)
	return rep
}

// onlyRules checks that these rules were broken and no others.
func onlyRules(t *testing.T, rep listen.Report, want ...string) {
	t.Helper()
	var got []string
	for name := range rules(rep) {
		got = append(got, name)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("rules broken: %q, want %q", got, want)
	}
}

func TestFFmpegFragments(t *testing.T) {
	r := newRelay(t, ffmpeg(t, "-c:a", "aac", "-hls_segment_type", "fmp4"))
	rep := r.hear(t, listen.Options{})
	onlyRules(t, rep, append(plainServer, "version-high")...)
	if h := rep.Renditions[0]; h.Mode != "polling" || h.Segments < 8 || h.Stalls.Count > 0 {
		t.Errorf("%+v", h)
	}
}

// A playlist that is elsewhere than the multivariant playlist says is read, and what
// it names is relative to where it is.
func TestRedirectedPlaylist(t *testing.T) {
	st := &station{tape: tapeOf(t, "low"), serve: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		path, moved := strings.CutPrefix(r.URL.Path, "/cdn")
		switch {
		case moved:
			r.URL.Path = path
			next.ServeHTTP(w, r)
		case isPlaylist(r):
			w.Header().Set("Location", strings.TrimSuffix("/cdn"+path+"?"+r.URL.RawQuery, "?"))
			w.WriteHeader(http.StatusFound)
		case strings.HasSuffix(path, ".m3u8"):
			next.ServeHTTP(w, r)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}}
	rep := st.hear(t, listen.Options{URL: "http://station.test/talk/opus.m3u8"})
	if rep.Failed(false) || rep.Renditions[0].Mode != "blocking" || rep.Renditions[0].Segments < 9 {
		show(t, rep)
		t.Error("the redirect was not followed well")
	}
}

func TestFFmpegTransportStream(t *testing.T) {
	r := newRelay(t, ffmpeg(t, "-c:a", "aac"))
	rep := r.hear(t, listen.Options{})
	onlyRules(t, rep, append(plainServer, "format-unknown")...)
	if f := rules(rep)["format-unknown"]; !strings.Contains(f.Found, "MPEG-TS") || rep.Failed(false) {
		t.Errorf("%+v", f)
	}
}
