package hls_test

import (
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"longwave/packager/hls"
)

const (
	segment = 1_919_990 * time.Microsecond
	part    = 319_990 * time.Microsecond
	first   = 931_000_000
)

// live returns a playlist of the profile low as the packager writes it: n segments,
// the last two with parts, and open parts of the segment under way.
func live(n, open int) *hls.Media {
	m := &hls.Media{
		Version:        9,
		TargetDuration: 2 * time.Second,
		PartTarget:     320 * time.Millisecond,
		Control: hls.ServerControl{
			CanBlockReload: true,
			CanSkipUntil:   12 * time.Second,
			HoldBack:       6 * time.Second,
			PartHoldBack:   1280 * time.Millisecond,
		},
		MediaSequence: first,
	}
	for i := range n {
		msn := first + int64(i)
		s := newSegment(msn)
		s.URI, s.Duration = strconv.FormatInt(msn, 10)+".m4s", segment
		if i >= n-2 {
			s.Parts = newParts(msn, 6)
		}
		m.Segments = append(m.Segments, s)
	}
	msn := first + int64(n)
	if open > 0 {
		m.Open = newSegment(msn)
		m.Open.Parts = newParts(msn, open)
	}
	m.Hints = []hls.PreloadHint{{Type: hls.HintPart, URI: partURI(msn, open)}}
	m.Reports = []hls.RenditionReport{{URI: "../aac-96/live.m3u8", Last: m.Last()}}
	return m
}

func newSegment(msn int64) hls.Segment {
	return hls.Segment{
		PDT: time.UnixMilli(msn * 1920).UTC(),
		Map: hls.Map{URI: "init-5f0c1d2e.mp4"},
	}
}

func newParts(msn int64, n int) []hls.Part {
	parts := make([]hls.Part, n)
	for i := range parts {
		parts[i] = hls.Part{URI: partURI(msn, i), Duration: part, Independent: true}
	}
	return parts
}

func partURI(msn int64, i int) string {
	return strconv.FormatInt(msn, 10) + "." + strconv.Itoa(i) + ".m4s"
}

var update = flag.Bool("update", false, "write the golden files anew")

func diff(t *testing.T, what string, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	diff(t, name, string(want), string(got))
}

func parse(t *testing.T, b []byte) *hls.Media {
	t.Helper()
	m, err := hls.ParseMedia(b)
	if err != nil {
		t.Fatalf("parse: %v\n%s", err, b)
	}
	return m
}

func lineWith(t *testing.T, m *hls.Media, prefix string) string {
	t.Helper()
	for line := range strings.SplitSeq(string(m.Append(nil)), "\n") {
		if strings.HasPrefix(line, prefix) {
			return line
		}
	}
	t.Fatalf("no %s", prefix)
	return ""
}
