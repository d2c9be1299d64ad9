package pull

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"longwave/ingest/decode"
	"longwave/ingest/titles"
)

func FuzzICY(f *testing.F) {
	f.Add([]byte("abc\x02StreamTitle='a - b';StreamUrl='';\x00\x00\x00\x00\x00def\x00ghi"), 3)
	f.Add([]byte("a\x01StreamTitle='"), 1)
	f.Add([]byte("a\xff"), 1)
	f.Add([]byte("a\x01StreamTitle='\xfc';"), 1)
	f.Fuzz(func(t *testing.T, b []byte, every int) {
		h := http.Header{"Icy-Metaint": {strconv.Itoa(every)}}
		r, err := newICY(bytes.NewReader(b), h, func(s string) {
			if !utf8.ValidString(s) || len(s) > titles.Most || strings.ContainsAny(s, "\x00\n\r") {
				t.Errorf("title %q", s)
			}
		})
		if err != nil {
			return
		}
		got, _ := io.ReadAll(r)
		if len(got) > len(b) || every > 0 && !bytes.HasPrefix(b, got[:min(len(got), every)]) {
			t.Errorf("%q came of %q", got, b)
		}
	})
}

func FuzzList(f *testing.F) {
	for _, s := range []string{"#EXTM3U\nhttp://a/b\n", "[playlist]\nFile1=http://a/b\n", "http://a/?x=y", "#EXTM3U\nfile:///etc/passwd", "[playlist]\nFile1=\n", "x=y\nb.mp3"} {
		f.Add([]byte(s))
	}
	base := &url.URL{Scheme: "http", Host: "radio.example"}
	f.Fuzz(func(t *testing.T, b []byte) {
		u, err := firstAddress(b, base)
		if err == nil && checkURL(u) != nil {
			t.Errorf("%q leads to %v", b, u)
		}
	})
}

// FuzzDemux: whatever a segment holds, units are bounded and nothing panics.
func FuzzDemux(f *testing.F) {
	f.Add([]byte{}, []byte(packedSegment(1)))
	f.Add([]byte{}, []byte("ID3\x04\x00\x00\x00\x00\x00\x01x"+mpeg("a")+mpeg("b")))
	f.Add([]byte("\x00\x00\x00\x08ftyp\x00\x00\x00\x08moov"), []byte("\x00\x00\x00\x08moof"))
	f.Add([]byte{}, bytes.Repeat(append([]byte{0x47, 0x40, 0, 0x10}, make([]byte, 184)...), 3))
	f.Fuzz(func(t *testing.T, init, data []byte) {
		_, units, err := demux(segment{init: init, data: data, lasts: time.Second}, decode.Format{})
		if err != nil {
			return
		}
		total := 0
		for _, u := range units {
			if total += len(u.data); u.time < 0 {
				t.Errorf("a unit lasts %v", u.time)
			}
		}
		if total > 20*len(data)+1000 {
			t.Errorf("%d bytes came of %d", total, len(data))
		}
	})
}
