package jitter

import (
	"bytes"
	"testing"

	"github.com/hraban/opus"

	"longwave/ingest/pcm"
)

func TestParseOpus(t *testing.T) {
	body := func(toc byte, n int) []byte { return append([]byte{toc}, bytes.Repeat([]byte{0x55}, n)...) }
	for _, tt := range []struct {
		name string
		in   []byte
		want format
		ok   bool
	}{
		{"nothing", nil, format{}, false},
		{"a pause", []byte{0x08}, format{frame: 960, dur: 960, pause: true}, true},
		{"SILK, 20 ms, with the one before", []byte{0x08, 0x40, 1, 2}, format{frame: 960, dur: 960, fec: true}, true},
		{"SILK, 60 ms, with the one before", []byte{0x18, 0x10, 1, 2}, format{frame: 2880, dur: 2880, fec: true}, true},
		{"SILK, 20 ms, without", []byte{0x08, 0x80, 1, 2}, format{frame: 960, dur: 960}, true},
		{"SILK, stereo, in the side", []byte{0x0c, 0x10, 1, 2}, format{frame: 960, dur: 960, fec: true}, true},
		{"hybrid, 10 ms", []byte{0x60, 0x40, 1}, format{frame: 480, dur: 480, fec: true}, true},
		{"CELT, 2.5 ms", []byte{0xe0, 0x40, 1}, format{frame: 120, dur: 120}, true},
		{"two of CELT", body(0xe1, 10), format{frame: 120, dur: 240}, true},
		{"two of odd length", body(0xe1, 11), format{}, false},
		{"two of lengths", []byte{0xe2, 1, 7, 7, 7}, format{frame: 120, dur: 240}, true},
		{"two, the first too long", []byte{0xe2, 9, 7, 7}, format{}, false},
		{"48 of CELT", body(0xe3, 0), format{}, false},
		{"48 of CELT, empty", []byte{0xe3, 48}, format{frame: 120, dur: 5760, pause: true}, true},
		{"49 of CELT", []byte{0xe3, 49}, format{}, false},
		{"none", []byte{0xe3, 0}, format{}, false},
		{"three, padded", []byte{0xfb, 0x43, 2, 9, 9, 9, 0, 0}, format{frame: 960, dur: 2880}, true},
		{"padding without end", []byte{0xfb, 0x43, 255, 255}, format{}, false},
		{"a frame too long", body(0xfc, 1276), format{}, false},
		{"120 ms", []byte{0x1b, 2, 9, 9}, format{frame: 2880, dur: 5760}, true},
		{"180 ms", []byte{0x1b, 3, 9, 9, 9}, format{}, false},
	} {
		if got, ok := parseOpus(tt.in); got != tt.want || ok != tt.ok {
			t.Errorf("%s: %+v, %v, want %+v, %v", tt.name, got, ok, tt.want, tt.ok)
		}
	}
}

// FuzzParseOpus holds the parser against libopus: what it takes decodes to as much as
// it said, and what it refuses is refused there, too.
func FuzzParseOpus(f *testing.F) {
	for _, s := range []string{"\x08", "\x0b\x02abcd", "\xe3\x80", "\xfb\xc2\x01\x01ab\x00", "\xfc" + "abc", "\x1b\x43\x01\x00", "\xe2\xfc\x00"} {
		f.Add([]byte(s))
	}
	dec, err := opus.NewDecoder(pcm.Rate, pcm.Channels)
	if err != nil {
		f.Fatal(err)
	}
	buf := make([]float32, mostSamples*pcm.Channels)
	f.Fuzz(func(t *testing.T, in []byte) {
		format, ok := parseOpus(in)
		n, err := dec.DecodeFloat32(in, buf)
		if ok != (err == nil) || n != format.dur {
			t.Fatalf("%x: %+v, %v, but libopus says %d, %v", in, format, ok, n, err)
		}
	})
}
