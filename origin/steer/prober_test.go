package steer

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"longwave/packager"
	"longwave/packager/cmaf"
	"longwave/packager/hls"
)

// A cdn answers as one does that has the station, until it is told otherwise. It is the
// Sent of the node too.
type cdn struct {
	mu     sync.Mutex
	frozen time.Time                              // the time that its playlists are of; zero: now
	fault  func(path string) (int, string, error) // nil, or an empty answer: none
	asked  []string
	media  func(n int64) []byte
}

const station = "talk"

func newCDN() *cdn {
	return &cdn{media: partOf(station)}
}

// partOf makes the n-th part of a station, one second long.
func partOf(name string) func(int64) []byte {
	return func(n int64) []byte {
		return cmaf.Part{Sequence: uint32(n), Sizes: []uint32{1}, Data: []byte{byte(n)}, Tag: cmaf.StationTag(name)}.Append(nil)
	}
}

// Playlist implements Sent: one part a second, the newest of the last 30.
func (c *cdn) Playlist(_, _ string) (*hls.Media, bool) { return c.playlist(time.Now()), false }

func (c *cdn) playlist(now time.Time) *hls.Media {
	n := int64(now.Sub(evening) / time.Second)
	m := &hls.Media{Version: 6, TargetDuration: 2 * time.Second, MediaSequence: n - 30}
	for i := n - 30; i < n; i++ {
		m.Segments = append(m.Segments, hls.Segment{
			URI: fmt.Sprintf("%d.m4s", i), Duration: time.Second, PDT: evening.Add(time.Duration(i) * time.Second),
			Map: hls.Map{URI: "init-1.mp4"},
		})
	}
	return m
}

// Object implements Sent.
func (c *cdn) Object(k packager.Key) ([]byte, bool) { return partOf(station)(k.MSN), true }

// set changes how it answers.
func (c *cdn) set(change func(*cdn)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(c)
}

func (c *cdn) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, r.URL.Path)
	status, body := http.StatusOK, ""
	if c.fault != nil {
		s, b, err := c.fault(r.URL.Path)
		if err != nil {
			<-r.Context().Done() // a listener hangs as long as it likes
			return nil, r.Context().Err()
		}
		if s != 0 {
			status, body = s, b
		}
	}
	if body == "" {
		body = string(c.answer(r.URL.Path))
	}
	return &http.Response{
		StatusCode: status, Status: fmt.Sprint(status, " ", http.StatusText(status)), Header: http.Header{},
		Body: io.NopCloser(strings.NewReader(body)), Request: r,
	}, nil
}

func (c *cdn) answer(path string) []byte {
	switch file := path[strings.LastIndexByte(path, '/')+1:]; file {
	case "index.m3u8":
		m := hls.Multivariant{Version: 6, Variants: []hls.Variant{{URI: "aac-48/live.m3u8", Bandwidth: 48_000, Codecs: hls.CodecAACLC}}}
		return m.Append(nil)
	case "live.m3u8":
		now := time.Now()
		if !c.frozen.IsZero() {
			now = c.frozen
		}
		return c.playlist(now).Append(nil)
	default:
		var n int64
		if _, err := fmt.Sscanf(file, "%d.m4s", &n); err != nil {
			panic(err)
		}
		return c.media(n)
	}
}

func always(status int, body string) func(string) (int, string, error) {
	return func(string) (int, string, error) { return status, body, nil }
}

func ending(suffix string, status int, body string) func(string) (int, string, error) {
	return func(path string) (int, string, error) {
		if strings.HasSuffix(path, suffix) {
			return status, body, nil
		}
		return 0, "", nil
	}
}

const page = "<!doctype html><title>Just a moment…</title>"

func TestProbe(t *testing.T) {
	for name, w := range map[string]struct {
		change func(*cdn)
		twin   bool
		plain  bool
		fault  Fault
		text   string // in what is said
	}{
		"good":                        {change: func(*cdn) {}},
		"503":                         {change: func(c *cdn) { c.fault = always(503, "no") }, fault: Status, text: "503"},
		"404 for media":               {change: func(c *cdn) { c.fault = ending(".m4s", 404, "no") }, fault: Status, text: ".m4s"},
		"hangs":                       {change: func(c *cdn) { c.fault = func(string) (int, string, error) { return 0, "", io.EOF } }, fault: Silent},
		"HTML for a playlist":         {change: func(c *cdn) { c.fault = ending("live.m3u8", 200, page) }, fault: Wrong, text: "doctype"},
		"HTML for media":              {change: func(c *cdn) { c.fault = ending(".m4s", 200, page) }, fault: Wrong, text: "not media"},
		"HTML for the entry":          {change: func(c *cdn) { c.fault = ending("index.m3u8", 200, page) }, fault: Wrong, text: "not a playlist"},
		"half a playlist":             {change: func(c *cdn) { c.fault = ending("live.m3u8", 200, "#EXTM3U\n#EXTINF:x\n") }, fault: Wrong, text: "cannot be read"},
		"another station":             {change: func(c *cdn) { c.media = partOf("news") }, fault: Wrong, text: "another station"},
		"another station, at a twin":  {change: func(c *cdn) { c.media = partOf("news") }, twin: true, fault: Wrong, text: "another station"},
		"other bytes":                 {change: func(c *cdn) { c.media = otherBytes }, fault: Wrong, text: "other bytes"},
		"other bytes, at a twin":      {change: func(c *cdn) { c.media = otherBytes }, twin: true},
		"frozen for 2.9 s":            {change: func(c *cdn) { c.frozen = time.Now().Add(-2900 * time.Millisecond) }},
		"frozen for 4 s":              {change: func(c *cdn) { c.frozen = time.Now().Add(-4 * time.Second) }, fault: Stale, text: "4.0 s behind"},
		"a store that is 6 s behind":  {change: func(c *cdn) { c.frozen = time.Now().Add(-6 * time.Second) }, plain: true},
		"a store that is 10 s behind": {change: func(c *cdn) { c.frozen = time.Now().Add(-10 * time.Second) }, plain: true, fault: Stale},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(evening.Add(time.Minute)))
				c := newCDN()
				w.change(c)
				way := Pathway{Own: !w.twin, Pathway: packager.Pathway{ID: "a", URL: "https://a.example", Plain: w.plain}}
				p := newProber(Options{Station: station, Renditions: []string{"aac-48", "aac-96"}, Sent: c, Limit: time.Second, Transport: c}, way)
				got := Probe{}
				for range 6 { // every target once, and it stays at the one that is bad
					got = p.probe(t.Context())
				}
				if got.Fault != w.fault || !strings.Contains(got.Text, w.text) {
					t.Errorf("fault %q (%s), want %q (%s)", got.Fault, got.Text, w.fault, w.text)
				}
			})
		})
	}
}

func otherBytes(n int64) []byte { return partOf(station)(n + 1) }

// TestTargets: the lowest rendition every second time, everything else in turn.
func TestTargets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(evening.Add(time.Minute)))
		c := newCDN()
		p := newProber(Options{Station: station, Renditions: []string{"aac-48", "aac-96", "opus-24"}, Sent: c, Limit: time.Second, Transport: c},
			Pathway{Pathway: packager.Pathway{ID: "a", URL: "https://a.example"}})
		for range 8 {
			p.probe(t.Context())
		}
		var lists []string
		for _, path := range c.asked {
			if strings.HasSuffix(path, "m3u8") {
				lists = append(lists, strings.TrimPrefix(path, "/talk/"))
			}
		}
		low := "aac-48/live.m3u8"
		want := []string{low, "aac-96/live.m3u8", low, "opus-24/live.m3u8", low, "index.m3u8", low, "aac-96/live.m3u8"}
		if diff := cmp.Diff(want, lists); diff != "" {
			t.Error(diff)
		}
	})
}

// TestRefused: a port that nobody has.
func TestRefused(t *testing.T) {
	p := newProber(Options{Station: station, Renditions: []string{"aac-48"}, Sent: newCDN(), Limit: time.Minute},
		Pathway{Pathway: packager.Pathway{ID: "a", URL: "http://127.0.0.1:1"}})
	if got := p.probe(t.Context()); got.Fault != Refused {
		t.Errorf("fault %q (%s), want refused", got.Fault, got.Text)
	}
}

// TestAnswersAreBounded: a pathway that answers for ever is one that does not answer.
func TestAnswersAreBounded(t *testing.T) {
	c := newCDN()
	c.fault = always(200, string(bytes.Repeat([]byte("x"), maxAnswer+1)))
	p := newProber(Options{Station: station, Renditions: []string{"aac-48"}, Sent: c, Limit: time.Minute, Transport: c},
		Pathway{Pathway: packager.Pathway{ID: "a", URL: "https://a.example"}})
	if got := p.probe(t.Context()); got.Fault != Wrong {
		t.Errorf("fault %q (%s), want wrong", got.Fault, got.Text)
	}
}
