package hls_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"longwave/packager/hls"
)

// What an encoder of somebody else may write: every tag we know, tags we do not,
// blank lines, CRLF, comments, blanks in attribute-lists, implied byte ranges.
const foreign = "#EXTM3U\r\n" + `
#EXT-X-VERSION:7
## a comment
#EXT-X-ALLOW-CACHE:NO
#EXT-X-TARGETDURATION:5
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=NO, HOLD-BACK=15 ,NEW-THING="a,b"
#EXT-X-MEDIA-SEQUENCE:18446744073
#EXT-X-DISCONTINUITY-SEQUENCE:7
#EXT-X-START:TIME-OFFSET=-20
#EXT-X-KEY:METHOD=NONE
#EXT-X-MAP:URI="all.mp4",BYTERANGE="700@0"
#EXT-X-PROGRAM-DATE-TIME:2026-11-20T09:35:30.123+0100
#EXTINF:4.992000, a title, with a comma
#EXT-X-BYTERANGE:1000@700
all.mp4
#EXT-X-GAP
#EXTINF:5
#EXT-X-BYTERANGE:2000
all.mp4
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI="b.mp4",REQ-NEW=1
#EXT-X-MAP:URI="c.mp4"
#EXT-X-DATERANGE:ID="a",START-DATE="2026-11-20T09:35:30Z",DURATION=0,PLANNED-DURATION=3.5,X-A="",X-B="{$x}",X-C=0xAF,lower="1",SCTE35-OUT=0xF0
#EXT-X-DATERANGE:ID="broken",START-DATE="yesterday"
#EXT-X-DATERANGE:broken
#EXT-X-PART:URI="p",DURATION=1,BYTERANGE="10@5",INDEPENDENT=YES
#EXT-X-PART:URI="p",DURATION=0.5,BYTERANGE="20",GAP=YES,INDEPENDENT=NO
#EXTINF:1.5,` + "\t" + `
http://example.org/x?y=z#EXT
#EXT-X-PRELOAD-HINT:TYPE=NEW,URI="x"
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="p",BYTERANGE-START=35
#EXT-X-RENDITION-REPORT:URI="r"
`

func TestParseForeign(t *testing.T) {
	pdt := time.Date(2026, 11, 20, 8, 35, 30, 123e6, time.UTC)
	all := hls.Map{URI: "all.mp4", ByteRange: hls.ByteRange{Length: 700}}
	want := &hls.Media{
		Version: 7, TargetDuration: 5 * time.Second, IndependentSegments: true,
		Control:       hls.ServerControl{HoldBack: 15 * time.Second},
		MediaSequence: 18446744073, DiscontinuitySequence: 7,
		Segments: []hls.Segment{
			{
				URI: "all.mp4", Title: " a title, with a comma", Duration: 4992 * time.Millisecond, PDT: pdt, Map: all,
				ByteRange: hls.ByteRange{Length: 1000, Start: 700},
			},
			{URI: "all.mp4", Duration: 5 * time.Second, Map: all, ByteRange: hls.ByteRange{Length: 2000, Start: 1700}, Gap: true},
			{
				URI: "http://example.org/x?y=z#EXT", Duration: 1500 * time.Millisecond, Map: hls.Map{URI: "c.mp4"}, Discontinuity: true,
				Parts: []hls.Part{
					{URI: "p", Duration: time.Second, ByteRange: hls.ByteRange{Length: 10, Start: 5}, Independent: true},
					{URI: "p", Duration: time.Second / 2, ByteRange: hls.ByteRange{Length: 20, Start: 15}, Gap: true},
				},
			},
		},
		Hints:   []hls.PreloadHint{{Type: hls.HintPart, URI: "p", ByteRange: hls.ByteRange{Start: 35}}},
		Reports: []hls.RenditionReport{{URI: "r", Last: hls.Position{MSN: -1, Part: -1}}},
		DateRanges: []hls.DateRange{{
			ID: "a", Start: time.Date(2026, 11, 20, 9, 35, 30, 0, time.UTC), HasDuration: true,
			Attrs: []hls.Attr{
				{Name: "PLANNED-DURATION", Value: "3.5", Bare: true},
				{Name: "X-B", Value: "{ $x}"},
				{Name: "X-C", Value: "0xAF", Bare: true},
				{Name: "SCTE35-OUT", Value: "0xF0", Bare: true},
			},
		}},
	}
	got := parse(t, []byte(foreign))
	diff(t, "parsed", want, got)
	diff(t, "parsed again", want, parse(t, got.Append(nil)))
}

func TestParseMediaRefuses(t *testing.T) {
	const head = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n"
	for _, c := range []struct{ name, in, want string }{
		{"nothing", "", "empty file"},
		{"not a playlist", "<html>", "line 1: #EXTM3U expected"},
		{"byte order mark", "\uFEFF#EXTM3U\n", "line 1: #EXTM3U expected"},
		{"not UTF-8", "#EXTM3U\n\xff\n", "not UTF-8"},
		{"control character", head + "#EXTINF:1,\na\x00b\n", "line 4: control character at column 2"},
		{"carriage return inside", head + "a\rb\n", "line 3: control character at column 2"},
		{"no target duration", "#EXTM3U\n", "EXT-X-TARGETDURATION is missing"},
		{"target duration", "#EXTM3U\n#EXT-X-TARGETDURATION:0\n", "line 2: EXT-X-TARGETDURATION: out of range"},
		{"fraction", "#EXTM3U\n#EXT-X-TARGETDURATION:2.5\n", "line 2: EXT-X-TARGETDURATION: not a decimal integer"},
		{"tag twice", head + "#EXT-X-TARGETDURATION:2\n", "line 3: EXT-X-TARGETDURATION: stands twice"},
		{"version twice", head + "#EXT-X-VERSION:6\n#EXT-X-VERSION:6\n", "line 4: EXT-X-VERSION: stands twice"},
		{"version", head + "#EXT-X-VERSION:99999\n", "line 3: EXT-X-VERSION: no such version"},
		{"number too large", head + "#EXT-X-MEDIA-SEQUENCE:18446744073709551615\n", "line 3: EXT-X-MEDIA-SEQUENCE: not a decimal integer"},
		{"number out of range", head + "#EXT-X-MEDIA-SEQUENCE:9223372036854775807\n", "line 3: EXT-X-MEDIA-SEQUENCE: out of range"},
		{"sequence too late", head + "#EXTINF:1,\na\n#EXT-X-MEDIA-SEQUENCE:1\n", "line 5: EXT-X-MEDIA-SEQUENCE: stands after the first segment"},
		{"discontinuity sequence too late", head + "#EXT-X-DISCONTINUITY\n#EXT-X-DISCONTINUITY-SEQUENCE:1\n", "line 4: EXT-X-DISCONTINUITY-SEQUENCE: stands after the first segment"},
		{"playlist type", head + "#EXT-X-PLAYLIST-TYPE:LIVE\n", "line 3: EXT-X-PLAYLIST-TYPE: neither EVENT nor VOD"},
		{"both kinds", head + "#EXT-X-STREAM-INF:BANDWIDTH=1\na\n", "line 3: EXT-X-STREAM-INF: not a tag of a media playlist"},
		{"URI without EXTINF", head + "a.m4s\n", "line 3: URI without EXTINF"},
		{"EXTINF without URI", head + "#EXTINF:1,\n", "EXTINF without a URI at the end"},
		{"range without URI", head + "#EXT-X-BYTERANGE:1@1\n", "EXT-X-BYTERANGE without a URI at the end"},
		{"duration", head + "#EXTINF:1e3,\n", "line 3: EXTINF: not a duration"},
		{"negative duration", head + "#EXTINF:-1,\n", "line 3: EXTINF: not a duration"},
		{"a point", head + "#EXTINF:.,\n", "line 3: EXTINF: not a duration"},
		{"date", head + "#EXT-X-PROGRAM-DATE-TIME:12:00\n", "line 3: EXT-X-PROGRAM-DATE-TIME: not a date and time"},
		{"year", head + "#EXT-X-PROGRAM-DATE-TIME:0001-01-01T00:00:00+01:00\n", "line 3: EXT-X-PROGRAM-DATE-TIME: not a date and time"},
		{"byte range", head + "#EXT-X-BYTERANGE:@5\n", "line 3: EXT-X-BYTERANGE: not a byte range"},
		{"implied range", head + "#EXTINF:1,\n#EXT-X-BYTERANGE:5\na\n", "line 5: byte range without an offset does not follow one of the same resource"},
		{"implied part range", head + `#EXT-X-PART:URI="a",DURATION=1,BYTERANGE="5"` + "\n", "line 3: EXT-X-PART: BYTERANGE without an offset does not follow one of the same resource"},
		{"map range", head + `#EXT-X-MAP:URI="a",BYTERANGE="5"` + "\n", "line 3: EXT-X-MAP: BYTERANGE without an offset"},
		{"no attributes", head + "#EXT-X-MAP\n", "line 3: EXT-X-MAP: URI is missing"},
		{"no list", head + "#EXT-X-MAP:init.mp4\n", "line 3: EXT-X-MAP: not a list of NAME=value"},
		{"no closing quote", head + "#EXT-X-MAP:URI=\"a\n", "line 3: EXT-X-MAP: URI has no closing quote"},
		{"text behind the quote", head + `#EXT-X-MAP:URI="a"b` + "\n", "line 3: EXT-X-MAP: URI has text behind its closing quote"},
		{"attribute twice", head + `#EXT-X-MAP:URI="a",URI="a"` + "\n", "line 3: EXT-X-MAP: URI stands twice"},
		{"many attributes", head + "#EXT-X-MAP:" + strings.Repeat("A", 1) + attributes(70) + "\n", "line 3: EXT-X-MAP: too many attributes"},
		{"not quoted", head + "#EXT-X-MAP:URI=a\n", "line 3: EXT-X-MAP: URI is not quoted"},
		{"empty", head + "#EXT-X-MAP:URI=\"\"\n", "line 3: EXT-X-MAP: URI is empty"},
		{"part without duration", head + `#EXT-X-PART:URI="a"` + "\n", "line 3: EXT-X-PART: DURATION is missing"},
		{"part without length", head + `#EXT-X-PART:URI="a",DURATION=0` + "\n", "line 3: EXT-X-PART: DURATION is zero"},
		{"quoted number", head + `#EXT-X-PART-INF:PART-TARGET="1"` + "\n", "line 3: EXT-X-PART-INF: PART-TARGET is not a number of seconds"},
		{"hint without type", head + `#EXT-X-PRELOAD-HINT:URI="a"` + "\n", "line 3: EXT-X-PRELOAD-HINT: TYPE is missing"},
		{"report", head + `#EXT-X-RENDITION-REPORT:URI="a",LAST-MSN=-4` + "\n", "line 3: EXT-X-RENDITION-REPORT: LAST-MSN is not a decimal integer"},
		{"report far off", head + `#EXT-X-RENDITION-REPORT:URI="a",LAST-MSN=9223372036854775807` + "\n", "line 3: EXT-X-RENDITION-REPORT: LAST-MSN is out of range"},
		{"skip nothing", head + "#EXT-X-SKIP:\n", "line 3: EXT-X-SKIP: SKIPPED-SEGMENTS is missing"},
		{"skip everything", head + "#EXT-X-SKIP:SKIPPED-SEGMENTS=9999999999\n", "line 3: EXT-X-SKIP: SKIPPED-SEGMENTS is out of range"},
		{"late skip", head + "#EXTINF:1,\na\n#EXT-X-SKIP:SKIPPED-SEGMENTS=1\n", "line 5: EXT-X-SKIP: stands after the first segment"},
		{"encrypted", head + `#EXT-X-KEY:METHOD=AES-128,URI="k"` + "\n", "line 3: EXT-X-KEY: encrypted media is not supported"},
		{"variables", head + `#EXT-X-DEFINE:NAME="a",VALUE="b"` + "\n", "line 3: EXT-X-DEFINE: variables are not supported"},
		{"I-frames", head + "#EXT-X-I-FRAMES-ONLY\n", "line 3: EXT-X-I-FRAMES-ONLY: I-frame playlists are not supported"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := hls.ParseMedia([]byte(c.in))
			var syntax *hls.SyntaxError
			if !errors.As(err, &syntax) || err.Error() != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func attributes(n int) string {
	var b strings.Builder
	b.WriteString("=1")
	for i := range n {
		b.WriteString("," + strings.Repeat("A", i+2) + "=1")
	}
	return b.String()
}

// ffmpeg's hls muxer is the encoder that most people will point at an origin.
func TestParseFFmpeg(t *testing.T) {
	for name, args := range map[string][]string{
		"fMP4":        {"-hls_segment_type", "fmp4", "-hls_flags", "program_date_time+independent_segments"},
		"MPEG-TS":     {"-hls_list_size", "3"},
		"byte ranges": {"-hls_segment_type", "fmp4", "-hls_flags", "single_file+round_durations"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			args = append([]string{
				"-v", "error", "-f", "lavfi", "-i", "sine=r=48000", "-t", "9.5", "-c:a", "aac", "-f", "hls", "-hls_time", "2",
			}, args...)
			cmd := exec.CommandContext(t.Context(), "ffmpeg", append(args, "list.m3u8")...)
			cmd.Dir = dir
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("ffmpeg: %v\n%s", err, out)
			}
			b, err := os.ReadFile(filepath.Join(dir, "list.m3u8"))
			if err != nil {
				t.Fatal(err)
			}
			m := parse(t, b)
			end := m.Segments[len(m.Segments)-1]
			if !m.EndList || m.OpenMSN() != 5 || end.Duration < time.Second || end.Duration > 2*time.Second {
				t.Errorf("read %+v\nfrom %s", m, b)
			}
			if name == "fMP4" && (m.Segments[2].PDT.Sub(m.Segments[0].PDT).Round(time.Second) != 4*time.Second || end.Map.URI != "init.mp4") {
				t.Errorf("read %+v\nfrom %s", m, b)
			}
			if name == "byte ranges" && end.ByteRange.Start == 0 {
				t.Errorf("read %+v\nfrom %s", m, b)
			}
			diff(t, "round", m, parse(t, m.Append(nil)))
		})
	}
}

func FuzzParseMedia(f *testing.F) {
	f.Add([]byte(foreign))
	files, _ := filepath.Glob("testdata/*.m3u8")
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-SKIP:SKIPPED-SEGMENTS=0,RECENTLY-REMOVED-DATERANGES=\"\"\n#EXT-X-DATERANGE:ID=\"\uFEFF\"\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := hls.ParseMedia(b)
		if err != nil {
			if m != nil || err.Error() == "" {
				t.Fatalf("%v and %v", m, err)
			}
			return
		}
		again, err := hls.ParseMedia(m.Append(nil))
		if err != nil {
			t.Fatalf("our own playlist: %v\n%s", err, m.Append(nil))
		}
		if d := cmp.Diff(m, again); d != "" {
			t.Fatalf("not the same (-first +second):\n%s", d)
		}
		exercise(t, m)
	})
}

// exercise checks what holds for every playlist.
func exercise(t *testing.T, m *hls.Media) {
	t.Helper()
	last, next := m.Last(), m.Next()
	if last.Compare(next) >= 0 {
		t.Fatalf("last %v, next %v", last, next)
	}
	if len(m.Segments)+len(m.Open.Parts) > 0 && !m.Contains(last) {
		t.Fatalf("does not contain its last %v", last)
	}
	if !m.EndList && m.Contains(next) {
		t.Fatalf("contains what comes next, %v", next)
	}
	delta, ok := m.AppendDelta(nil)
	if !ok {
		return
	}
	d, err := hls.ParseMedia(delta)
	if err != nil {
		t.Fatalf("our own delta update: %v\n%s", err, delta)
	}
	full, err := hls.Merge(m, d)
	if err != nil {
		t.Fatal(err)
	}
	want := *m
	want.Segments = append([]hls.Segment(nil), m.Segments...)
	for i := range d.Skip.Segments {
		want.Segments[i].Parts = nil
	}
	if diff := cmp.Diff(&want, full); diff != "" {
		t.Fatalf("merged (-want +got):\n%s", diff)
	}
}
