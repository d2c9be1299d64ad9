package relay

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"longwave/packager"
	"longwave/packager/hls"
)

// media is a playlist of segments from first to before open with parts in the last two
// and so many of the open one, three a segment.
func media(first, open int64, parts int) *hls.Media {
	m := &hls.Media{Version: 9, TargetDuration: packager.TargetDuration, PartTarget: packager.TargetDuration / 3, MediaSequence: first}
	for n := first; n <= open; n++ {
		s := hls.Segment{Map: hls.Map{URI: "init-1.mp4"}}
		have := 3
		if n == open {
			have = parts
		}
		for p := 0; p < have && n >= open-2; p++ {
			s.Parts = append(s.Parts, hls.Part{URI: fmt.Sprintf("%d.%d.m4s", n, p), Duration: packager.TargetDuration / 3})
		}
		switch {
		case n < open:
			s.URI, s.Duration = fmt.Sprintf("%d.m4s", n), packager.TargetDuration
			m.Segments = append(m.Segments, s)
		case parts > 0:
			m.Open = s
		}
	}
	m.Hints = []hls.PreloadHint{{Type: hls.HintPart, URI: fmt.Sprintf("%d.%d.m4s", open, parts)}}
	return m
}

// TestCut: a playlist is cut to what the other side has, and is none when that is too
// little.
func TestCut(t *testing.T) {
	m := media(10, 20, 2)
	tests := []struct {
		name  string
		join  bool
		lacks string // files, with blanks between
		floor int64
		want  string // first, end, hint; "" for none
	}{
		{"everything", true, "", 0, "10 20.1 20.2.m4s"},
		{"the last part", true, "20.1.m4s", 0, "10 20.0 20.1.m4s"},
		{"a part, and the next one is there", true, "20.0.m4s", 0, "10 19.2 20.0.m4s"},
		{"a part of a whole segment", true, "19.1.m4s", 0, "10 19.0 19.1.m4s"},
		{"a segment that can be joined", true, "19.m4s", 0, "10 20.1 20.2.m4s"},
		{"a segment that is not joined", false, "19.m4s", 0, "10 19.2 20.0.m4s"},
		{"an old segment", true, "12.m4s", 0, "13 20.1 20.2.m4s"},
		{"what is below the floor", true, "", 15, "15 20.1 20.2.m4s"},
		{"a segment near the end", true, "17.m4s", 0, "10 16 17.0.m4s"},
		{"three near the end", true, "16.m4s", 14, ""},
		{"the init segment", true, "init-1.mp4", 0, ""},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			a := newAccount(c.join)
			a.floor = c.floor
			for _, f := range named(m) {
				a.have[f] = !slices.Contains(strings.Fields(c.lacks), f)
			}
			got := ""
			if cut := a.cut(m); cut != nil {
				got = fmt.Sprintf("%d %v %s", cut.MediaSequence, cut.Last(), cut.Hint())
				if _, err := hls.ParseMedia(cut.Append(nil)); err != nil {
					t.Error(err)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestWants: what is sent, in which order, to a side that has nothing and to one that
// is a little behind.
func TestWants(t *testing.T) {
	m := media(10, 20, 2)
	a := newAccount(true)
	a.floor = 13
	want := "init-1.mp4 16.m4s 17.m4s 18.0.m4s 18.1.m4s 18.2.m4s 19.0.m4s 19.1.m4s 19.2.m4s 20.0.m4s 20.1.m4s 15.m4s 14.m4s 13.m4s"
	if diff := cmp.Diff(want, strings.Join(a.wants(m), " ")); diff != "" {
		t.Errorf("nothing is there (-want +got):\n%s", diff)
	}
	a.settle(media(10, 19, 2), nil)
	if diff := cmp.Diff("19.2.m4s 20.0.m4s 20.1.m4s", strings.Join(a.wants(m), " ")); diff != "" {
		t.Errorf("a little behind (-want +got):\n%s", diff)
	}
	a.settle(m, []string{"talk/opus-24/19.1.m4s"})
	if diff := cmp.Diff("19.1.m4s", strings.Join(a.wants(m), " ")); diff != "" {
		t.Errorf("one is missing (-want +got):\n%s", diff)
	}
}
