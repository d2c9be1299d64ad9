package pull

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bluenviron/gohlslib/v2/pkg/playlist"
	"github.com/google/go-cmp/cmp"

	"longwave/ingest"
	"longwave/ingest/decode"
)

// A shelf is a gate whose lane notes when what was pushed.
type shelf struct {
	start  time.Time
	pushed []string // "seconds: data"
	lanes  int
	done   func(pushed int)
}

func (s *shelf) Open(context.Context, ingest.Claim, decode.Format) (*shelf, error) {
	s.lanes++
	return s, nil
}

func (s *shelf) Push(p ingest.Packet) error {
	s.pushed = append(s.pushed, fmt.Sprintf("%.0f: %s", time.Since(s.start).Seconds(), p.Data))
	if s.done != nil {
		s.done(len(s.pushed))
	}
	return nil
}

func (s *shelf) Title(string) {}

func (s *shelf) Close() error { return nil }

// A station is a server within the process.
type station func(path string, at time.Duration) (status int, body string)

// simulate runs a puller of s for d of simulated time.
func simulate(t *testing.T, d time.Duration, s station) (*shelf, string, error) {
	t.Helper()
	var g *shelf
	var log bytes.Buffer
	var err error
	synctest.Test(t, func(t *testing.T) {
		g = &shelf{start: time.Now()}
		start := time.Now()
		p, newErr := New(g, Options{Station: "talk", URL: "http://radio.example/live.m3u8", Log: slog.New(slog.NewTextHandler(&log, nil))})
		if newErr != nil {
			t.Fatal(newErr)
		}
		p.fetch.client.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
			status, body := s(r.URL.Path, time.Since(start))
			if status == 0 {
				return nil, io.ErrUnexpectedEOF
			}
			return &http.Response{StatusCode: status, Header: http.Header{}, ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), d)
		defer cancel()
		err = p.Run(ctx)
	})
	return g, log.String(), err
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// mpeg is a frame of MPEG-1 layer III, 128 kbit/s, 48 kHz, mono, with text in it: 24 ms.
func mpeg(text string) string {
	b := make([]byte, 384)
	copy(b, []byte{0xff, 0xfb, 0x94, 0xc0})
	copy(b[40:], text)
	return string(b)
}

// packedSegment is a segment of packed audio with its number in each piece.
func packedSegment(n int) string { return strings.Repeat(mpeg(fmt.Sprintf("<%d>", n)), pieces) }

// liveList is a live playlist at a time: segments of 2 s, of which the last six stand.
func liveList(at time.Duration, first int) string {
	newest := first + 5 + int(at/(2*time.Second))
	var b strings.Builder
	fmt.Fprintf(&b, "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:%d\n", newest-5)
	for n := newest - 5; n <= newest; n++ {
		fmt.Fprintf(&b, "#EXTINF:2,\n%d.mp3\n", n)
	}
	return b.String()
}

// numbers returns the segments in the order in which their first piece was pushed.
func (s *shelf) numbers() (list []int) {
	for _, p := range s.pushed {
		_, rest, _ := strings.Cut(p, "<")
		n, _, _ := strings.Cut(rest, ">")
		if v, err := strconv.Atoi(n); err == nil && (len(list) == 0 || list[len(list)-1] != v) {
			list = append(list, v)
		}
	}
	return list
}

func from(a, b int) (list []int) {
	for n := a; n <= b; n++ {
		list = append(list, n)
	}
	return list
}

// TestLive follows live playlists that behave and that do not.
func TestLive(t *testing.T) {
	number := func(path string) int {
		n, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(path, "/"), ".mp3"))
		return n
	}
	serve := func(path string, at time.Duration, first int) string {
		if path == "/live.m3u8" {
			return liveList(at, first)
		}
		return packedSegment(number(path))
	}
	for _, c := range []struct {
		name  string
		serve station
		want  []int
		lanes int
	}{
		{"behaves", func(path string, at time.Duration) (int, string) { return 200, serve(path, at, 100) }, from(103, 130), 1},
		{"a segment is missing", func(path string, at time.Duration) (int, string) {
			if path == "/110.mp3" {
				return 404, ""
			}
			return 200, serve(path, at, 100)
		}, slices.Concat(from(103, 109), from(111, 130)), 1},
		{"a segment is garbage", func(path string, at time.Duration) (int, string) {
			if path == "/110.mp3" {
				return 200, "no sound at all, but text that goes on for a while" + strings.Repeat(".", 9000)
			}
			return 200, serve(path, at, 100)
		}, slices.Concat(from(103, 109), from(111, 130)), 1},
		{"every third answer fails", func() station {
			n := 0
			return func(path string, at time.Duration) (int, string) {
				if n++; n%3 == 0 {
					return 503, ""
				}
				return 200, serve(path, at, 100)
			}
		}(), from(103, 130), 1},
		{"away for 10 s", func(path string, at time.Duration) (int, string) {
			if at > 20*time.Second && at < 30*time.Second {
				return 0, ""
			}
			return 200, serve(path, at, 100)
		}, from(103, 128), 1},
		{"away for half a minute", func(path string, at time.Duration) (int, string) {
			if at > 10*time.Second && at < 37*time.Second {
				return 0, ""
			}
			return 200, serve(path, at, 100)
		}, slices.Concat(from(103, 110), from(121, 128)), 2},
		{"begins anew", func(path string, at time.Duration) (int, string) {
			if at > 20*time.Second {
				return 200, serve(path, at-20*time.Second, 0)
			}
			return 200, serve(path, at, 100)
		}, slices.Concat(from(103, 115), from(5, 22)), 2},
		{"ends, and begins again", func(path string, at time.Duration) (int, string) {
			if path == "/live.m3u8" && at > 20*time.Second && at < 40*time.Second {
				return 200, liveList(20*time.Second, 100) + "#EXT-X-ENDLIST\n"
			}
			return 200, serve(path, at, 100)
		}, slices.Concat(from(103, 115), from(127, 130)), 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, log, err := simulate(t, time.Minute, c.serve)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Run = %v", err)
			}
			got := g.numbers() // the minute may end in the middle of what comes after these
			if diff := cmp.Diff(c.want, got[:min(len(got), len(c.want))]); diff != "" || g.lanes != c.lanes {
				t.Errorf("%d lanes; segments (-want +got):\n%s\n%s", g.lanes, diff, log)
			}
		})
	}
}

// TestPace: sound is pushed two seconds ahead of time, evenly.
func TestPace(t *testing.T) {
	g, _, _ := simulate(t, 10*time.Second, func(path string, at time.Duration) (int, string) {
		if path == "/live.m3u8" {
			return 200, liveList(at, 100)
		}
		return 200, packedSegment(100)
	})
	if n, want := len(g.pushed), (10+2)*pieces/2; n < want-2 || n > want+2 {
		t.Errorf("%d pieces in 10 s, want %d", n, want)
	}
}

// TestPacerFollows: a source whose clock is slower than ours by 100 ppm is taken slower,
// and what is known of it ahead of time does not run out in a day.
func TestPacerFollows(t *testing.T) {
	for _, drift := range []float64{100e-6, -100e-6} {
		synctest.Test(t, func(t *testing.T) {
			var p pacer
			start := time.Now()
			var low, high time.Duration = time.Hour, 0
			for i := range 24 * 3600 / 4 { // segments of 4 s, known 8 s before they are due at first
				known := start.Add(time.Duration(float64(i) * 4e9 * (1 + drift)))
				p.begin(known)
				if margin := p.due.Sub(known); i > 100 {
					low, high = min(low, margin), max(high, margin)
				}
				if i == 0 {
					p.due = p.due.Add(8 * time.Second)
				}
				if err := p.wait(t.Context(), 4*time.Second); err != nil {
					t.Fatal(err)
				}
			}
			if low < 6*time.Second || high > 10*time.Second {
				t.Errorf("drift %v: margins from %v to %v", drift, low, high)
			}
		})
	}
}

// TestBackOff: attempts come 0.2 to 10 s apart, failing and being back are logged once.
func TestBackOff(t *testing.T) {
	var at []time.Duration
	g, log, err := simulate(t, 10*time.Minute, func(path string, now time.Duration) (int, string) {
		if path != "/live.m3u8" {
			return 200, packedSegment(1)
		}
		if len(at) < 20 {
			at = append(at, now)
			return 500, ""
		}
		return 200, liveList(now, 100)
	})
	if !errors.Is(err, context.DeadlineExceeded) || g.lanes != 1 {
		t.Errorf("Run = %v with %d lanes", err, g.lanes)
	}
	want := 200 * time.Millisecond
	for i := 1; i < len(at); i++ {
		if d := at[i] - at[i-1]; d < want*9/10 || d > want*11/10 {
			t.Errorf("attempt %d after %v, want %v", i, d, want)
		}
		want = min(2*want, 10*time.Second)
	}
	if strings.Count(log, "pull failed") != 1 || strings.Count(log, "pull on a lane") != 1 || !strings.Contains(log, "again=true") {
		t.Errorf("log:\n%s", log)
	}
}

func TestChoose(t *testing.T) {
	base := &url.URL{Scheme: "https", Host: "radio.example", Path: "/a/index.m3u8"}
	head := "#EXTM3U\n"
	variant := func(uri, attrs string) string { return "#EXT-X-STREAM-INF:" + attrs + "\n" + uri + "\n" }
	for _, c := range []struct {
		name, text string
		try        int
		want       string
	}{
		{"the best sound", head + variant("low.m3u8", `BANDWIDTH=50000,CODECS="mp4a.40.5"`) + variant("high.m3u8", `BANDWIDTH=130000,CODECS="mp4a.40.2"`), 0, "/a/high.m3u8"},
		{"Safari's Opus", head + variant("o.m3u8", `BANDWIDTH=130000,CODECS="Opus"`) + variant("a.m3u8", `BANDWIDTH=96000,CODECS="mp4a.40.2"`), 0, "/a/o.m3u8"},
		{"no codecs told", head + variant("a.m3u8", `BANDWIDTH=96000`), 0, "/a/a.m3u8"},
		{"what we cannot decode", head + variant("x.m3u8", `BANDWIDTH=500000,CODECS="ec-3"`) + variant("a.m3u8", `BANDWIDTH=96000,CODECS="mp4a.40.2"`), 0, "/a/a.m3u8"},
		{"nothing", head + variant("x.m3u8", `BANDWIDTH=500000,CODECS="ec-3"`), 0, ""},
		{"sound before pictures", head + variant("v.m3u8", `BANDWIDTH=5000000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1x1`) + variant("a.m3u8", `BANDWIDTH=64000,CODECS="mp4a.40.2"`), 0, "/a/a.m3u8"},
		{"the smallest pictures", head + variant("v.m3u8", `BANDWIDTH=5000000,CODECS="avc1.64001f,mp4a.40.2"`) + variant("w.m3u8", `BANDWIDTH=500000,CODECS="avc1.64001f,mp4a.40.2"`), 0, "/a/w.m3u8"},
		{"a group's default", head + `#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="g",NAME="a",URI="a.m3u8"` + "\n" + `#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="g",NAME="b",DEFAULT=YES,URI="b.m3u8"` + "\n" +
			variant("v.m3u8", `BANDWIDTH=5000000,CODECS="avc1.64001f,mp4a.40.2",AUDIO="g"`), 0, "/a/b.m3u8"},
		{"redundant, first", head + variant("a.m3u8", `BANDWIDTH=96000,CODECS="mp4a.40.2"`) + variant("//b.example/a.m3u8", `BANDWIDTH=96000,CODECS="mp4a.40.2"`), 0, "/a/a.m3u8"},
		{"redundant, second", head + variant("a.m3u8", `BANDWIDTH=96000,CODECS="mp4a.40.2"`) + variant("//b.example/a.m3u8", `BANDWIDTH=96000,CODECS="mp4a.40.2"`), 1, "//b.example/a.m3u8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			pl, err := parse([]byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			got, err := choose(pl.(*playlist.Multivariant), base, c.try)
			switch {
			case c.want == "":
				if !errors.Is(err, errNoVariant) {
					t.Errorf("got %v, %v", got, err)
				}
			case err != nil:
				t.Error(err)
			default:
				if want, _ := base.Parse(c.want); got.String() != want.String() {
					t.Errorf("got %s, want %s", got, want)
				}
			}
		})
	}
}
