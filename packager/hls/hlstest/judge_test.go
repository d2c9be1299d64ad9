package hlstest_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluenviron/gohlslib/v2/pkg/playlist"

	"longwave/packager/hls"
)

// What hls-parser objects to though the standard allows it. Section 4.4.3.8: "This
// attribute is OPTIONAL; its absence implies no support", and HOLD-BACK "MAY appear
// in any Media Playlist".
const needsBlockReload = "Invalid Playlist : EXT-X-SERVER-CONTROL: CAN-BLOCK-RELOAD=YES is mandatory for Low-Latency HLS"

// hlsParser asks npm's hls-parser in strict mode. It returns its objections by file.
func hlsParser(t *testing.T, files []string) map[string]string {
	t.Helper()
	if _, err := os.Stat("judge/node_modules/hls-parser"); err != nil {
		t.Fatalf("hls-parser is not installed (%v): run make setup-test, or npm ci in packager/hls/hlstest/judge", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", append([]string{"judge/judge.mjs"}, files...)...)
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("node judge/judge.mjs: %v", err)
	}
	said := map[string]string{}
	for line := range strings.Lines(string(out)) {
		var v struct{ File, Error string }
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		said[v.File] = v.Error
	}
	if len(said) != len(files) {
		t.Fatalf("%d of %d files were judged", len(said), len(files))
	}
	return said
}

func TestHLSParserAcceptsGood(t *testing.T) {
	files := slices.Concat(glob(t, "testdata/good/*.m3u8"), glob(t, "testdata/good/multivariant/*.m3u8"),
		glob(t, "../testdata/*.m3u8"), glob(t, "../testdata/multivariant/[^e]*.m3u8"))
	for file, objection := range hlsParser(t, files) {
		want := ""
		if name := filepath.Base(file); file == "testdata/good/"+name && (name == "plain.m3u8" || name == "ended.m3u8") {
			want = needsBlockReload
		}
		if objection != want {
			t.Errorf("%s: %q, want %q", file, objection, want)
		}
	}
}

// That the other judge accepts our playlists means something only while it rejects
// bad ones: these are the faults that both know.
func TestHLSParserRejectsBroken(t *testing.T) {
	var files []string
	for _, name := range []string{
		"attribute-missing", "block-reload-missing", "byterange-start", "can-skip-until", "daterange-duration", "daterange-end",
		"daterange-end-on-next", "daterange-pdt", "discontinuity-sequence-late", "hint-missing", "hint-repeated", "hold-back",
		"media-sequence-late", "part-hold-back-missing", "part-inf-missing", "part-old", "part-short", "part-target",
		"rendition-group", "report-relative", "session-data", "session-data-repeated", "tag-repeated", "tags-mixed",
		"target-duration", "target-duration-missing", "variant-uri", "version-low",
	} {
		files = append(files, "testdata/broken/"+name+".m3u8")
	}
	for file, objection := range hlsParser(t, files) {
		if objection == "" {
			t.Errorf("%s: hls-parser accepts it", file)
		}
	}
}

// gohlslib reads our playlists, and reads the same in them as we do. It has no
// HOLD-BACK, no EXT-X-DATERANGE and no steering, and refuses a playlist without a
// complete segment.
func TestGohlslibReadsGood(t *testing.T) {
	for _, file := range append(glob(t, "testdata/good/*.m3u8"), glob(t, "../testdata/*.m3u8")...) {
		if filepath.Base(file) == "under-way.m3u8" {
			continue
		}
		t.Run(file, func(t *testing.T) {
			b := read(t, file)
			m, err := hls.ParseMedia(b)
			if err != nil {
				t.Fatal(err)
			}
			theirs, err := playlist.Unmarshal(b)
			if err != nil {
				t.Fatal(err)
			}
			g, ok := theirs.(*playlist.Media)
			if !ok {
				t.Fatalf("read as %T", theirs)
			}
			sameMedia(t, m, g)
		})
	}
}

func sameMedia(t *testing.T, m *hls.Media, g *playlist.Media) {
	t.Helper()
	if g.TargetDuration != int(m.TargetDuration/time.Second) || int64(g.MediaSequence) != m.MediaSequence || g.Endlist != m.EndList {
		t.Errorf("another head: %+v", g)
	}
	if len(g.Segments) != len(m.Segments) || len(g.Parts) != len(m.Open.Parts) || len(g.RenditionReport) != len(m.Reports) {
		t.Fatalf("%d segments, %d parts, %d reports", len(g.Segments), len(g.Parts), len(g.RenditionReport))
	}
	for i, s := range m.Segments {
		o := g.Segments[i]
		if o.URI != s.URI || (o.Duration-s.Duration).Abs() > time.Nanosecond || o.DateTime == nil || !o.DateTime.Equal(s.PDT) {
			t.Errorf("segment %d: %+v, %+v", i, o, s)
		}
		sameParts(t, s.Parts, o.Parts)
	}
	sameParts(t, m.Open.Parts, g.Parts)
	if hint := m.Hint(); hint != "" && (g.PreloadHint == nil || g.PreloadHint.URI != hint) {
		t.Errorf("hint: %+v", g.PreloadHint)
	}
	if n := m.Skip.Segments; n > 0 && (g.Skip == nil || g.Skip.SkippedSegments != n) {
		t.Errorf("skip: %+v", g.Skip)
	}
	if m.PartTarget > 0 && (g.PartInf == nil || (g.PartInf.PartTarget-m.PartTarget).Abs() > time.Nanosecond ||
		g.ServerControl == nil || !g.ServerControl.CanBlockReload) {
		t.Errorf("part target: %+v, %+v", g.PartInf, g.ServerControl)
	}
}

func sameParts(t *testing.T, want []hls.Part, got []*playlist.MediaPart) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d parts, want %d", len(got), len(want))
	}
	for i, p := range want {
		if o := got[i]; o.URI != p.URI || (o.Duration-p.Duration).Abs() > time.Nanosecond || o.Independent != p.Independent {
			t.Errorf("part %d: %+v, %+v", i, o, p)
		}
	}
}

func TestGohlslibReadsMultivariant(t *testing.T) {
	for _, file := range glob(t, "testdata/good/multivariant/*.m3u8") {
		b := read(t, file)
		m, err := hls.ParseMultivariant(b)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := playlist.Unmarshal(b)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		g, ok := theirs.(*playlist.Multivariant)
		if !ok || len(g.Variants) != len(m.Variants) {
			t.Fatalf("%s: read as %+v", file, theirs)
		}
		for i, v := range m.Variants {
			o := g.Variants[i]
			if o.URI != v.URI || int64(o.Bandwidth) != v.Bandwidth || strings.Join(o.Codecs, ",") != v.Codecs {
				t.Errorf("%s: %+v, %+v", file, o, v)
			}
		}
	}
}
