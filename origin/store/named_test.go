package store

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"longwave/packager"
)

func TestNamedBy(t *testing.T) {
	text := "#EXTM3U\r\n#EXT-X-VERSION:10\r\n" +
		"#EXT-X-MAP:URI=\"init-aa.mp4\",BYTERANGE=\"1@2\"\r\n" +
		"#EXT-X-DATERANGE:ID=\"a\",X-TITLE=\"live.m3u8\"\r\n" +
		"#EXTINF:1.91999,5.m4s\r\n" + // a title, not a URI
		"7.m4s\r\n" +
		"#EXT-X-PART:DURATION=0.31999,URI=\"8.0.m4s\",INDEPENDENT=YES\r\n" +
		"#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"8.1.m4s\"\r\n" +
		"#EXT-X-RENDITION-REPORT:URI=\"../b/live.m3u8\",LAST-MSN=8\r\n" +
		"# a comment with 9.m4s\r\n\r\n" +
		"../../../etc/passwd\r\n//cdn.example/p/talk/c/10.m4s?x=1#y\r\n./11.m4s"
	got, err := namedBy("talk/a/live.m3u8", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var strs []string
	for _, k := range got {
		strs = append(strs, k.String())
	}
	want := []string{
		"talk/a/init-aa.mp4", "talk/a/7.m4s", "talk/a/8.0.m4s", "talk/a/8.1.m4s",
		"b/live.m3u8", "talk/b/live.m3u8", // with and without a prefix: too much rather than too little
		"talk/c/10.m4s", "talk/a/11.m4s",
	}
	if diff := cmp.Diff(want, strs); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// FuzzNamedBy: whatever the text, a segment line at its end is found, or the
// playlist is refused as a whole.
func FuzzNamedBy(f *testing.F) {
	for _, s := range []string{
		"", "#EXTM3U", "#EXTM3U\n1.m4s\n", "#EXTM3U\n#EXT-X-MAP:URI=\"", "#EXTM3U\n#URI=\"a\"URI=\"b\"", "\xff\xfe", "#EXTM3U\n\r\n%zz",
		"#EXTM3U\nhttp://[::1/1.m4s", "#EXTM3U\n{$x}", "#EXTM3U\n#EXT-X-PART:URI=\"../../../../1.m4s\"",
	} {
		f.Add(s)
	}
	last := packager.Key{Station: "talk", Rendition: "a", Kind: packager.Segment, MSN: 42}
	f.Fuzz(func(t *testing.T, s string) {
		keys, err := namedBy("talk/a/live.m3u8", []byte(s+"\n42.m4s"))
		if err != nil {
			if !errors.Is(err, errPlaylist) {
				t.Errorf("error %v", err)
			}
			return
		}
		if len(keys) == 0 || keys[len(keys)-1] != last {
			t.Errorf("42.m4s is not found behind %q", s)
		}
		for _, k := range keys {
			if err := NameOf(k).Check(); err != nil {
				t.Errorf("%q names %v", s, err)
			}
		}
	})
}
