package hls_test

import (
	"errors"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"longwave/packager/hls"
)

func ladder() *hls.Multivariant {
	m := &hls.Multivariant{
		Version:             9,
		IndependentSegments: true,
		Steering:            hls.ContentSteering{ServerURI: "steering.json", PathwayID: "A"},
	}
	for _, pathway := range []struct{ id, base string }{{"A", ""}, {"B", "https://b.example/talk/"}} {
		m.Variants = append(m.Variants,
			hls.Variant{
				URI: pathway.base + "opus-24/live.m3u8", Bandwidth: 29000, AverageBandwidth: 27300,
				Codecs: hls.CodecOpus, StableID: "opus-24", PathwayID: pathway.id,
			},
			hls.Variant{
				URI: pathway.base + "aac-96/live.m3u8", Bandwidth: 125000, AverageBandwidth: 110500,
				Codecs: hls.CodecAACLC, StableID: "aac-96", PathwayID: pathway.id,
			})
	}
	return m
}

func TestMultivariant(t *testing.T) {
	groups := ladder()
	groups.Steering = hls.ContentSteering{}
	groups.Renditions = []hls.Rendition{
		{Type: "AUDIO", GroupID: "stereo", Name: "The \"main\" one", Language: "de", Channels: "2", Default: true, Autoselect: true, StableID: "s", URI: "s.m3u8"},
		{Type: "AUDIO", GroupID: "stereo", Name: "In the variant"},
	}
	groups.Variants = []hls.Variant{{URI: "a.m3u8", Bandwidth: 1, Audio: "stereo"}}
	for name, m := range map[string]*hls.Multivariant{"ladder.m3u8": ladder(), "groups.m3u8": groups, "empty.m3u8": {}} {
		t.Run(name, func(t *testing.T) {
			b := m.Append(nil)
			golden(t, "multivariant/"+name, b)
			want := *m
			if name == "groups.m3u8" {
				want.Renditions = append([]hls.Rendition(nil), m.Renditions...)
				want.Renditions[0].Name = "The 'main' one"
			}
			got, err := hls.ParseMultivariant(b)
			if err != nil {
				t.Fatal(err)
			}
			diff(t, "parsed", &want, got)
			if is := hls.IsMultivariant(b); is != (len(m.Variants) > 0) {
				t.Errorf("IsMultivariant: %v", is)
			}
		})
	}
	if hls.IsMultivariant(live(32, 2).Append(nil)) {
		t.Error("a media playlist is taken for a multivariant one")
	}
}

func TestParseMultivariant(t *testing.T) {
	got, err := hls.ParseMultivariant([]byte(`#EXTM3U
#EXT-X-SESSION-DATA:DATA-ID="a",VALUE="b"
#EXT-X-STREAM-INF:BANDWIDTH=1,REQ-NEW=1
ignored.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="i.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=2,RESOLUTION=1x1,CODECS="opus"

# a comment
a.m3u8?x=y
`))
	if err != nil {
		t.Fatal(err)
	}
	diff(t, "parsed", &hls.Multivariant{Variants: []hls.Variant{{URI: "a.m3u8?x=y", Bandwidth: 2, Codecs: "opus"}}}, got)
}

func TestParseMultivariantRefuses(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"nothing", "", "empty file"},
		{"no bandwidth", "#EXT-X-STREAM-INF:CODECS=\"a\"\na\n", "line 2: EXT-X-STREAM-INF: BANDWIDTH is missing"},
		{"no URI", "#EXT-X-STREAM-INF:BANDWIDTH=1\n", "EXT-X-STREAM-INF without a URI at the end"},
		{"no URI between", "#EXT-X-STREAM-INF:BANDWIDTH=1\n#EXT-X-STREAM-INF:BANDWIDTH=1\na\n", "line 3: EXT-X-STREAM-INF: the variant before has no URI"},
		{"URI alone", "a\n", "line 2: URI without EXT-X-STREAM-INF"},
		{"unquoted", "#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=Opus\na\n", "line 2: EXT-X-STREAM-INF: CODECS is not quoted"},
		{"media tags", "#EXT-X-TARGETDURATION:1\n", "line 2: EXT-X-TARGETDURATION: not a tag of a multivariant playlist"},
		{"steering twice", "#EXT-X-CONTENT-STEERING:SERVER-URI=\"a\"\n#EXT-X-CONTENT-STEERING:SERVER-URI=\"a\"\n", "line 3: EXT-X-CONTENT-STEERING: stands twice"},
		{"steering nowhere", "#EXT-X-CONTENT-STEERING:PATHWAY-ID=\"a\"\n", "line 2: EXT-X-CONTENT-STEERING: SERVER-URI is missing"},
		{"rendition", "#EXT-X-MEDIA:GROUP-ID=\"a\",NAME=\"b\"\n", "line 2: EXT-X-MEDIA: TYPE is missing"},
		{"version", "#EXT-X-VERSION:x\n", "line 2: EXT-X-VERSION: no such version"},
		{"variables", "#EXT-X-DEFINE:NAME=\"a\",VALUE=\"b\"\n", "line 2: EXT-X-DEFINE: variables are not supported"},
		{"attributes", "#EXT-X-MEDIA:x\n", "line 2: EXT-X-MEDIA: not a list of NAME=value"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := c.in
			if in != "" {
				in = "#EXTM3U\n" + in
			}
			_, err := hls.ParseMultivariant([]byte(in))
			var syntax *hls.SyntaxError
			if !errors.As(err, &syntax) || err.Error() != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func FuzzParseMultivariant(f *testing.F) {
	for _, name := range []string{"ladder", "groups", "empty"} {
		b, err := os.ReadFile("testdata/multivariant/" + name + ".m3u8")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := hls.ParseMultivariant(b)
		if err != nil {
			return
		}
		again, err := hls.ParseMultivariant(m.Append(nil))
		if err != nil {
			t.Fatalf("our own playlist: %v\n%s", err, m.Append(nil))
		}
		if d := cmp.Diff(m, again); d != "" {
			t.Fatalf("not the same (-first +second):\n%s", d)
		}
	})
}
