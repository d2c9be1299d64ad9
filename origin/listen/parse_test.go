package listen

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"longwave/packager/hls"
)

func TestNameOf(t *testing.T) {
	for uri, want := range map[string]string{
		"aac-48/live.m3u8":                       "aac-48",
		"live.m3u8?token=1/2":                    "live",
		"../b/audio/96k/index.m3u8":              "96k",
		"../live.m3u8":                           "live",
		"https://cdn.test/talk/aac-48/live.m3u8": "aac-48",
		"https://cdn.test/live.m3u8":             "cdn.test",
		"":                                       "media",
	} {
		if got := nameOf("", uri); got != want {
			t.Errorf("%q is called %q, want %q", uri, got, want)
		}
	}
	if got := nameOf("id", "x.m3u8"); got != "id" {
		t.Errorf("the stable ID is id, not %q", got)
	}
}

func TestBeyond(t *testing.T) {
	for _, c := range []struct {
		hint string
		part int
		want string
	}{
		{"934984596.4.m4s", 4, "934984596.6.m4s"},
		{"934984596.0.m4s", 0, "934984596.2.m4s"},
		{"4/4.4.m4s?v=4", 4, "4/4.6.m4s?v=4"},
		{"stream_part17.mp4", 3, "no-such-stream_part17.mp4"},
		{"https://cdn.test/a/b.mp4", 1, "https://cdn.test/a/no-such-b.mp4"},
		{"part", 1, "no-such-part"},
	} {
		if got := beyond(c.hint, c.part); got != c.want {
			t.Errorf("beyond(%q, %d) = %q, want %q", c.hint, c.part, got, c.want)
		}
	}
}

func FuzzBeyond(f *testing.F) {
	f.Add("934984596.4.m4s?a=b", 4)
	f.Add("/", 0)
	f.Add(".4", 4)
	f.Fuzz(func(t *testing.T, hint string, part int) {
		if got := beyond(hint, part); got == hint {
			t.Errorf("%q is what was hinted at", got)
		}
		nameOf("", hint)
		for range rePlaylist.FindAllStringSubmatch(hint, -1) {
			continue
		}
	})
}

func TestWithDirectives(t *testing.T) {
	for _, c := range []struct {
		query string
		d     hls.Directives
		want  string
	}{
		{"", hls.Directives{}, ""},
		{"", hls.Directives{Blocking: true, At: hls.Position{MSN: 7, Part: 2}, Skip: hls.SkipSegments}, "_HLS_msn=7&_HLS_part=2&_HLS_skip=YES"},
		{"", hls.Directives{Blocking: true, At: hls.Position{MSN: 7, Part: hls.Whole}}, "_HLS_msn=7"},
		{"token=a%2Bb&A=1", hls.Directives{Blocking: true, At: hls.Position{MSN: 7}}, "A=1&_HLS_msn=7&_HLS_part=0&token=a%2Bb"},
	} {
		u := &url.URL{Scheme: "http", Host: "station.test", Path: "/live.m3u8", RawQuery: c.query}
		if got := withDirectives(u, c.d).RawQuery; got != c.want {
			t.Errorf("%+v: %q, want %q", c.d, got, c.want)
		}
		if u.RawQuery != c.query {
			t.Error("it changed its argument")
		}
	}
}

// segments describes n segments of 2 s; the dates of some are off.
func segments(first int64, n int, off map[int64]time.Duration, dates bool) *hls.Media {
	m := &hls.Media{TargetDuration: 2 * time.Second, MediaSequence: first}
	for msn := first; msn < first+int64(n); msn++ {
		s := hls.Segment{Duration: 2*time.Second - 10*time.Microsecond}
		if dates {
			s.PDT = time.Unix(1_790_000_000+2*msn, 0).Add(off[msn])
		}
		m.Segments = append(m.Segments, s)
	}
	return m
}

func TestTimeline(t *testing.T) {
	const s, u = time.Second, 10 * time.Microsecond
	for name, c := range map[string]struct {
		versions []*hls.Media
		want     []time.Duration // where the segments of the last version and its end are
	}{
		"dates":             {[]*hls.Media{segments(10, 3, nil, true), segments(11, 3, nil, true)}, []time.Duration{2 * s, 4 * s, 6 * s, 8*s - u}},
		"no dates":          {[]*hls.Media{segments(10, 3, nil, false), segments(11, 3, nil, false)}, []time.Duration{2*s - u, 4*s - 2*u, 6*s - 3*u, 8*s - 4*u}},
		"no overlap":        {[]*hls.Media{segments(10, 2, nil, false), segments(14, 1, nil, false)}, []time.Duration{8*s - 2*u, 10*s - 3*u}},
		"a date that jumps": {[]*hls.Media{segments(10, 3, map[int64]time.Duration{11: time.Hour, 12: time.Hour}, true)}, []time.Duration{0, 2*s - u, 4*s - u, 6*s - 2*u}},
		"starts again":      {[]*hls.Media{segments(10, 3, nil, false), segments(0, 1, nil, false)}, []time.Duration{0, 2*s - u}},
	} {
		t.Run(name, func(t *testing.T) {
			var l timeline
			for _, m := range c.versions {
				l.update(m)
			}
			if diff := cmp.Diff(c.want, l.begins); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestNewestDate(t *testing.T) {
	m := segments(10, 2, nil, true)
	m.Open.Parts = []hls.Part{{Duration: 300 * time.Millisecond}, {Duration: 300 * time.Millisecond}}
	if got, ok := newestDate(m); !ok || got.Sub(m.Segments[0].PDT) != 4600*time.Millisecond-10*time.Microsecond {
		t.Error(got, ok)
	}
	m.Open.PDT = m.Segments[1].PDT.Add(2 * time.Second)
	if got, _ := newestDate(m); got.Sub(m.Segments[0].PDT) != 4600*time.Millisecond {
		t.Error(got)
	}
	if got, ok := newestDate(segments(10, 2, nil, false)); ok {
		t.Error(got)
	}
}

func TestDifference(t *testing.T) {
	for _, c := range [][3]string{
		{"a\nb\n", "a\nc\n", `line 2: merged "b", full "c"`},
		{"a\n", "a\nb\n", `line 2: merged "", full "b"`},
		{"a", "a\nb", "merged 1 lines, full 2 lines"},
	} {
		if got := difference([]byte(c[0]), []byte(c[1])); got != c[2] {
			t.Errorf("%q, %q: %s, want %s", c[0], c[1], got, c[2])
		}
	}
}

// What a foreign server says does not fill the report.
func TestLedgerIsBounded(t *testing.T) {
	l := newLedger(time.Now())
	for range 1000 {
		l.add("a", broken("silence", "%s", strings.Repeat("ü", 1000)))
		l.note(strings.Repeat("x", 10) + time.Now().String())
	}
	f := l.findings(2)
	if len(f) != 1 || f[0].Count != 1000 || len(f[0].Found) > 310 || !strings.HasSuffix(f[0].Found, "ü…") || len(l.noted()) > maxNotes {
		t.Errorf("%+v", f)
	}
}

func TestWords(t *testing.T) {
	strange := errors.New("something else")
	if got := words(&url.Error{Op: "Get", URL: "http://station.test/?token=secret", Err: strange}); !errors.Is(got, strange) || strings.Contains(got.Error(), "secret") {
		t.Errorf("%v", got)
	}
}
