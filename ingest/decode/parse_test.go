package decode

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"longwave/ingest/pcm"
)

// adts returns a frame of n bytes of body.
func adts(n int, fill byte) []byte {
	l := n + 7
	return append([]byte{0xff, 0xf1, 0x4c, 0x80 | byte(l>>11), byte(l >> 3), byte(l<<5) | 0x1f, 0xfc}, bytes.Repeat([]byte{fill}, n)...)
}

// mpeg returns a frame of layer III, 128 kbit/s, 48 kHz, stereo: 384 bytes.
func mpeg(fill byte) []byte {
	return append([]byte{0xff, 0xfb, 0x94, 0}, bytes.Repeat([]byte{fill}, 380)...)
}

func id3(n int) []byte {
	return append([]byte{'I', 'D', '3', 4, 0, 0, byte(n >> 21), byte(n >> 14 & 127), byte(n >> 7 & 127), byte(n & 127)}, make([]byte, n)...)
}

func cat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func TestFramer(t *testing.T) {
	a, b, c := adts(100, 1), adts(300, 2), adts(50, 3)
	junk := bytes.Repeat([]byte{0xff, 0xe1, 'I', 0}, 30)
	chance := adts(2000, 0)[:7] // the header of a frame that does not exist
	chance[2] = 0x50
	other := adts(70, 5)
	other[2] = 0x50
	many := bytes.Repeat(a, 30)
	for _, tc := range []struct {
		name       string
		parse      parser
		in, frames []byte
		left       int
	}{
		{"frames", parseADTS, cat(a, b, c), cat(a, b, c), 0},
		{"one frame", parseADTS, a, nil, 0},
		{"a tag first", parseADTS, cat(id3(300), a, b), cat(a, b), 0},
		{"a tag between", parseADTS, cat(a, b, id3(3000), c), cat(a, b, c), 0},
		{"joined inside a frame", parseADTS, cat(a[20:], b, c), cat(b, c), 87},
		{"junk between", parseADTS, cat(a, b, junk, c, a), cat(a, b, c, a), len(junk)},
		{"a header by chance", parseADTS, cat(a, b, chance, many), cat(a, b, many), len(chance)},
		{"another rate from here on", parseADTS, cat(a, b, other, other, other), cat(a, b, other, other, other), 0},
		{"mpeg", parseMPEG, cat(mpeg(1), mpeg(2), mpeg(3)), cat(mpeg(1), mpeg(2), mpeg(3)), 0},
		{"a cut end", parseMPEG, cat(mpeg(1), mpeg(2), mpeg(3)[:100]), cat(mpeg(1), mpeg(2)), 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, step := range []int{1, 13, 1 << 20} {
				f := framer{parse: tc.parse}
				var frames []byte
				left := 0
				for in := tc.in; len(in) > 0; {
					n := min(step, len(in))
					got, l := f.take(in[:n])
					frames, left, in = append(frames, got...), left+l, in[n:]
				}
				frames = append(frames, f.rest()...)
				if !bytes.Equal(frames, tc.frames) || left != tc.left {
					t.Errorf("in steps of %d: %d bytes of frames and %d left out, want %d and %d", step, len(frames), left, len(tc.frames), tc.left)
				}
			}
		})
	}
}

func TestFrameHeaders(t *testing.T) {
	for _, c := range []struct {
		name  string
		parse parser
		in    []byte
		want  frameHeader
		ok    bool
	}{
		{"aac", parseADTS, adts(93, 0), frameHeader{100, 48000, 2, 0xf14c08}, true},
		{"mpeg 1 layer III", parseMPEG, mpeg(0), frameHeader{384, 48000, 2, 0xfa04}, true},
		{"mpeg 1 layer III padded mono 44.1k", parseMPEG, []byte{0xff, 0xfb, 0x92, 0xc0, 0, 0, 0}, frameHeader{418, 44100, 1, 0xfa00}, true},
		{"mpeg 1 layer II", parseMPEG, []byte{0xff, 0xfd, 0xa4, 0, 0, 0, 0}, frameHeader{576, 48000, 2, 0xfc04}, true},
		{"mpeg 2 layer III", parseMPEG, []byte{0xff, 0xf3, 0x84, 0, 0, 0, 0}, frameHeader{192, 24000, 2, 0xf204}, true},
		{"mpeg 2.5 layer III", parseMPEG, []byte{0xff, 0xe3, 0x48, 0, 0, 0, 0}, frameHeader{288, 8000, 2, 0xe208}, true},
		{"layer I", parseMPEG, []byte{0xff, 0xff, 0x94, 0, 0, 0, 0}, frameHeader{}, false},
		{"free format", parseMPEG, []byte{0xff, 0xfb, 0x04, 0, 0, 0, 0}, frameHeader{}, false},
		{"bad bit rate", parseMPEG, []byte{0xff, 0xfb, 0xf4, 0, 0, 0, 0}, frameHeader{}, false},
		{"bad rate", parseMPEG, []byte{0xff, 0xfb, 0x9c, 0, 0, 0, 0}, frameHeader{}, false},
		{"aac of no length", parseADTS, []byte{0xff, 0xf1, 0x4c, 0x80, 0, 0x1f, 0xfc}, frameHeader{}, false},
	} {
		if got, ok := c.parse(c.in); got != c.want || ok != c.ok {
			t.Errorf("%s: %+v, %v, want %+v, %v", c.name, got, ok, c.want, c.ok)
		}
	}
}

func TestSniffRefuses(t *testing.T) {
	for _, c := range []struct {
		name, in, want string
	}{
		{"html", "  <HTML><head><title>x</title>", "an HTML page"},
		{"mp4", "\x00\x00\x00\x20ftypM4A \x00\x00\x00\x00", "an MP4 file"},
		{"webm", "\x1a\x45\xdf\xa3aaaaaaaaaaaaaaaa", "WebM"},
		{"text", strings.Repeat("hello everybody, ", 1000), `text that begins with "hello everybody`},
		{"zeros", strings.Repeat("\x00", 20_000), "bytes that begin with 00 00"},
		{"transport stream", strings.Repeat("\x47"+strings.Repeat("\x00", 187), 3), "an MPEG transport stream"},
		{"a huge tag", "ID3\x04\x00\x00\x7f\x7f\x7f\x7f" + "123456", "more than a megabyte"},
		{"one aac frame", string(adts(100, 1)) + strings.Repeat("x", 20_000), "bytes that begin with ff f1"},
		{"flac without info", "fLaC\x04\x00\x00\x10" + strings.Repeat("x", 40), "STREAMINFO"},
	} {
		_, err := Sniff([]byte(c.in))
		if !errors.Is(err, ErrNotAudio) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "send Ogg") {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestSniffWaits(t *testing.T) {
	whole := cat(id3(5000), adts(300, 1), adts(300, 2))
	for n := range len(whole) - 301 {
		if f, err := Sniff(whole[:n]); !errors.Is(err, ErrMore) {
			t.Fatalf("after %d bytes: %v, %v, want ErrMore", n, f, err)
		}
	}
	if f, err := Sniff(whole); err != nil || f.Codec != ADTS {
		t.Errorf("Sniff = %v, %v", f, err)
	}
	joined := cat(mpeg(1)[77:], mpeg(2), mpeg(3), mpeg(4))
	if f, err := Sniff(joined); err != nil || f.Codec != MP3 {
		t.Errorf("Sniff inside a frame = %v, %v", f, err)
	}
}

// kept is a feed that keeps what it is given.
type kept struct{ b, prime []byte }

func (k *kept) Write(b []byte) error { k.b = append(k.b, b...); return nil }
func (k *kept) Prime(b []byte)       { k.prime = bytes.Clone(b) }
func (k *kept) Close() error         { return nil }

func block(kind byte, last bool, b []byte) []byte {
	if last {
		kind |= 0x80
	}
	return append([]byte{kind, byte(len(b) >> 16), byte(len(b) >> 8), byte(len(b))}, b...)
}

func TestFLACHeader(t *testing.T) {
	info := bytes.Repeat([]byte{7}, streamInfoLen)
	tags := binary.LittleEndian.AppendUint32([]byte{0, 0, 0, 0}, 1)
	tags = append(binary.LittleEndian.AppendUint32(tags, 7), "TITLE=t"...)
	stream := cat([]byte("fLaC"), block(0, false, info), block(6, false, make([]byte, 100_000)), block(4, true, tags), []byte("frames"))
	for _, step := range []int{1, 1000, len(stream)} {
		k := &kept{}
		title := ""
		p := flacPipe{to: k, title: func(s string) { title = s }}
		for in := stream; len(in) > 0; in = in[min(step, len(in)):] {
			if err := p.Decode(in[:min(step, len(in))]); err != nil {
				t.Fatal(err)
			}
		}
		want := cat([]byte("fLaC"), block(0, true, info))
		if !bytes.Equal(k.prime, want) || string(k.b) != "frames" || title != "t" {
			t.Errorf("in steps of %d: headers %q, sound %q, title %q", step, k.prime, k.b, title)
		}
	}
}

func TestOpusSamples(t *testing.T) {
	for _, c := range []struct {
		in   []byte
		want int
		ok   bool
	}{
		{nil, 0, false},
		{[]byte{0 << 3}, 480, true},
		{[]byte{3 << 3}, 2880, true},
		{[]byte{13 << 3}, 960, true},
		{[]byte{31<<3 | 1}, 1920, true},
		{[]byte{28<<3 | 3, 48}, 5760, true},
		{[]byte{28<<3 | 3, 49}, 5880, false},
		{[]byte{28<<3 | 3, 0}, 0, false},
		{[]byte{28<<3 | 3}, 0, false},
	} {
		if got, ok := opusSamples(c.in); got != c.want || ok != c.ok {
			t.Errorf("opusSamples(%v) = %d, %v, want %d, %v", c.in, got, ok, c.want, c.ok)
		}
	}
}

func FuzzSniff(f *testing.F) {
	f.Add(cat(id3(40), adts(40, 1), adts(40, 2)))
	f.Add(cat(mpeg(1)[77:], mpeg(2), mpeg(3), mpeg(4)))
	f.Add([]byte("OggS\x00\x02aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"))
	f.Add([]byte("RIFFxxxxWAVEfmt "))
	f.Add([]byte("fLaC\x00\x00\x00\x22" + strings.Repeat("x", 40)))
	f.Fuzz(func(t *testing.T, b []byte) {
		format, err := Sniff(b)
		if err == nil && format.Codec.String() == "unknown" {
			t.Error("a format without a codec")
		}
		if err != nil && !errors.Is(err, ErrMore) && !errors.Is(err, ErrNotAudio) {
			t.Errorf("error %v is of no kind", err)
		}
	})
}

func FuzzFramer(f *testing.F) {
	f.Add(cat(adts(40, 1), adts(40, 2), []byte("junk"), adts(40, 3), adts(41, 4)), 5, false)
	f.Add(cat(mpeg(1), id3(20), mpeg(2)), 100, true)
	f.Fuzz(func(t *testing.T, b []byte, step int, mp3 bool) {
		parse := parser(parseADTS)
		if mp3 {
			parse = parseMPEG
		}
		whole := framer{parse: parse}
		want, wantLeft := whole.take(b)
		part := framer{parse: parse}
		var got []byte
		left := 0
		for step = max(1, step); len(b) > 0; b = b[min(step, len(b)):] {
			frames, l := part.take(b[:min(step, len(b))])
			got, left = append(got, frames...), left+l
		}
		left += len(part.buf) // what is too short to be judged
		wantLeft += len(whole.buf)
		if !bytes.Equal(got, want) || left != wantLeft {
			t.Errorf("in steps of %d: %d bytes, %d left out; at once %d, %d", step, len(got), left, len(want), wantLeft)
		}
	})
}

// FuzzDecode gives foreign bytes to every decoder up to the process.
func FuzzDecode(f *testing.F) {
	f.Add([]byte("RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x02\x00\x80\xbb\x00\x00\x00\xee\x02\x00\x04\x00\x10\x00data\x04\x00\x00\x00abcdefgh"), uint8(3))
	f.Add([]byte("fLaC\x00\x00\x00\x22"+strings.Repeat("x", 34)+"\x84\x00\x00\x00frames"), uint8(7))
	f.Add(cat(adts(40, 1), adts(40, 2)), uint8(9))
	f.Fuzz(func(t *testing.T, b []byte, step uint8) {
		n := 0
		out := sane(func(s []float32) error {
			n += len(s)
			for _, v := range s {
				if v != v || v > 8 || v < -8 {
					t.Fatalf("sample %v", v)
				}
			}
			return nil
		})
		count := prometheus.NewCounter(prometheus.CounterOpts{Name: "n"})
		title := func(string) {}
		opus, err := newOpus(out, newMetrics(nil))
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range []Decoder{
			&wav{make: func(f Format) (Decoder, error) { return &raw{format: f, out: out}, nil }},
			&flacPipe{to: &kept{}, title: title},
			&oggPipe{to: &kept{}, codec: OggVorbis, title: title, damage: count},
			&oggPipe{to: &kept{}, codec: OggFLAC, title: title, damage: count},
			newOggOpus(out, title, newMetrics(nil)),
			&framePipe{framer: framer{parse: parseMPEG}, codec: MP3, to: &kept{}, damage: count},
			&raw{format: Format{Codec: S24LE, Rate: pcm.Rate, Channels: 1}, out: out},
			&raw{format: Format{Codec: F32LE, Rate: pcm.Rate, Channels: 2}, out: out},
			opus,
		} {
			for in := b; len(in) > 0; in = in[min(int(step)+1, len(in)):] {
				if err := d.Decode(in[:min(int(step)+1, len(in))]); err != nil {
					if !errors.Is(err, ErrNotAudio) {
						t.Errorf("%T: error %v is of no kind", d, err)
					}
					break
				}
			}
			if err := d.Close(); err != nil {
				t.Errorf("%T: Close: %v", d, err)
			}
		}
		if n%pcm.Channels != 0 {
			t.Error("half a sample came out")
		}
	})
}
