package decode_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"longwave/ingest/decode"
	"longwave/ingest/decode/decodetest"
	"longwave/ingest/decode/ffmpeg"
	"longwave/ingest/decode/ogg"
	"longwave/ingest/pcm"
)

var opusArgs = []string{"-c:a", "libopus", "-b:a", "96k", "-page_duration", "20000", "-f", "ogg"}

// pages returns the pages of an Ogg stream.
func pages(t *testing.T, b []byte) []ogg.Page {
	t.Helper()
	var p ogg.Pages
	p.Feed(b)
	var all []ogg.Page
	for {
		page, ok := p.Next()
		if !ok {
			return all
		}
		all = append(all, page)
	}
}

func join(all []ogg.Page) []byte {
	var b []byte
	for _, p := range all {
		b = append(b, p.Raw...)
	}
	return b
}

// TestOpusHole: lost pages leave the length as it was, and the tone after them
// where it was.
func TestOpusHole(t *testing.T) {
	all := pages(t, decodetest.Encode(t, 2*time.Second, opusArgs...))
	holed := append(append([]ogg.Page{}, all[:50]...), all[53:]...) // 60 ms
	s := decodeAll(t, join(holed), 1<<16)
	if got := len(s.samples) / pcm.Channels; got != 2*pcm.Rate {
		t.Errorf("%d samples, want %d", got, 2*pcm.Rate)
	}
	after := s.samples[pcm.Channels*3*pcm.Rate/2:]
	whole := decodeAll(t, join(all), 1<<16).samples[pcm.Channels*3*pcm.Rate/2:]
	if d := difference(after, whole); d > -40 {
		t.Errorf("half a second after the hole the sound differs by %.1f dB", d)
	}
	long := append(append([]ogg.Page{}, all[:20]...), all[90:]...) // 1.4 s: not filled
	if got := len(decodeAll(t, join(long), 1<<16).samples) / pcm.Channels; got != 2*pcm.Rate-70*960 {
		t.Errorf("with a long hole %d samples, want %d", got, 2*pcm.Rate-70*960)
	}
}

// difference returns the power of a-b against b in decibels.
func difference(a, b []float32) float64 {
	var d, p float64
	for i := range min(len(a), len(b)) {
		d += float64(a[i]-b[i]) * float64(a[i]-b[i])
		p += float64(b[i]) * float64(b[i])
	}
	return 10 * math.Log10(d/p+1e-20)
}

// TestOpusJoined: a stream that is joined in the middle has its headers and then
// positions that do not begin at 0.
func TestOpusJoined(t *testing.T) {
	all := pages(t, decodetest.Encode(t, 2*time.Second, opusArgs...))
	joined := append(append([]ogg.Page{}, all[:2]...), all[52:]...)
	s := decodeAll(t, join(joined), 1<<16)
	if got, want := len(s.samples)/pcm.Channels, pcm.Rate-312; math.Abs(float64(got-want)) > 960 {
		t.Errorf("%d samples, want %d within a packet", got, want)
	}
}

// TestOpusGain: the header's gain is applied (RFC 7845 section 5.1).
func TestOpusGain(t *testing.T) {
	b := decodetest.Encode(t, time.Second, opusArgs...)
	head := bytes.Index(b, []byte("OpusHead"))
	binary.LittleEndian.PutUint16(b[head+16:], uint16(6*256)) // +6 dB
	fixChecksum(b[:head+19])
	r := decodetest.Judge(decodeAll(t, b, 1<<16).samples, decodetest.Hz)
	if math.Abs(r.LevelDB+12.06) > 0.5 {
		t.Errorf("the tone is at %.1f dB, want -12", r.LevelDB)
	}
}

// fixChecksum computes the checksum of a page anew.
func fixChecksum(b []byte) {
	clear(b[22:26])
	var crc uint32
	for _, v := range b {
		crc ^= uint32(v) << 24
		for range 8 {
			top := crc & 0x80000000
			crc <<= 1
			if top != 0 {
				crc ^= 0x04c11db7
			}
		}
	}
	binary.LittleEndian.PutUint32(b[22:], crc)
}

// TestChains: links follow each other without a sample lost between them, also
// where the next has another rate and other headers, and their titles are told.
func TestChains(t *testing.T) {
	link := func(title string, args ...string) []byte {
		return decodetest.Encode(t, time.Second, append([]string{"-metadata", "title=" + title}, args...)...)
	}
	stereo := []string{"-af", "pan=stereo|c0=c0|c1=c0"}
	vorbis := append(append([]string{}, stereo...), "-c:a", "libvorbis", "-f", "ogg")
	vorbis44 := append(append([]string{}, stereo...), "-ar", "44100", "-c:a", "libvorbis", "-f", "ogg")
	flac := []string{"-c:a", "flac", "-f", "ogg"}
	for _, c := range []struct {
		name  string
		links [][]byte
		slack int
	}{
		{"opus", [][]byte{link("1", opusArgs...), link("2", opusArgs...), link("3", append(append([]string{}, stereo...), opusArgs...)...)}, 0},
		{"vorbis", [][]byte{link("1", vorbis...), link("2", vorbis...), link("3", vorbis...)}, 0},
		{"vorbis of another rate", [][]byte{link("1", vorbis...), link("2", vorbis44...), link("3", vorbis...)}, 32},
		{"flac", [][]byte{link("1", flac...), link("2", flac...), link("3", append([]string{"-ar", "44100"}, flac...)...)}, 32},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			want := 0
			for _, l := range c.links {
				want += len(decodeAll(t, l, 4000).samples) / pcm.Channels
			}
			if want < 3*pcm.Rate-500 {
				t.Fatalf("the links alone hold %d samples", want)
			}
			s := decodeAll(t, bytes.Join(c.links, nil), 4000)
			if d := len(s.samples)/pcm.Channels - want; d < -c.slack || d > c.slack {
				t.Errorf("%d samples too many", d)
			}
			if diff := cmp.Diff([]string{"1", "2", "3"}, s.titles); diff != "" {
				t.Errorf("titles (-want +got):\n%s", diff)
			}
		})
	}
}

func TestChainOfAnotherCodec(t *testing.T) {
	b := append(decodetest.Encode(t, time.Second, opusArgs...), decodetest.Encode(t, time.Second, "-c:a", "flac", "-f", "ogg")...)
	d, err := decode.New(t.Context(), decode.Format{Codec: decode.OggOpus, Channels: 1}, (&sound{}).out, decode.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Decode(b); !errors.Is(err, decode.ErrNotAudio) || !strings.Contains(err.Error(), "changed from ogg-opus to ogg-flac") {
		t.Errorf("Decode = %v", err)
	}
}

// TestOpusPackets: a lost packet is rebuilt from the next one's forward error
// correction, and the length stays.
func TestOpusPackets(t *testing.T) {
	voice := []string{"-c:a", "libopus", "-b:a", "32k", "-application", "voip", "-fec", "1", "-packet_loss", "30", "-page_duration", "20000", "-f", "ogg"}
	all := pages(t, decodetest.Encode(t, time.Second, voice...))[2:]
	run := func(lost ...int) []float32 {
		s := &sound{}
		d, err := decode.New(t.Context(), decode.Format{Codec: decode.Opus}, s.out, decode.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range all {
			b := p.Body
			for _, l := range lost {
				if l == i {
					b = nil
				}
			}
			if err := d.Decode(b); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		return s.samples
	}
	whole := run()
	for _, lost := range [][]int{{20}, {20, 21, 22}, {5, 10, 15, 20, 25, 30}} {
		if got := run(lost...); len(got) != len(whole) {
			t.Errorf("without packets %v: %d samples, want %d", lost, len(got), len(whole))
		}
	}
	if got := run(len(all) - 1); len(whole)-len(got) != 960*pcm.Channels {
		t.Errorf("without the last packet %d values are missing, want one packet's", len(whole)-len(got))
	}
}

// TestDamage: flipped bytes cost no more than what they hit, and never an error.
func TestDamage(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, c := range codecs {
		if c.format.Codec == decode.WAV {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			args := c.args
			if args[len(args)-1] == "ogg" {
				args = append([]string{"-page_duration", "20000"}, args...)
			}
			b := decodetest.Encode(t, 2*time.Second, args...)
			for i := 12_000; i < len(b); i += 2500 + i%97 {
				b[i] ^= 0x55
			}
			got := len(decodeAll(t, b, 1000).samples) / pcm.Channels
			if got < pcm.Rate || got > 2*pcm.Rate+5000 {
				t.Errorf("%d samples of %d survive", got, 2*pcm.Rate)
			}
			cut := b[:len(b)*2/3]
			if got := len(decodeAll(t, cut, 1000).samples) / pcm.Channels; got == 0 {
				t.Error("nothing survives when the end is cut")
			}
		})
	}
	for _, format := range []decode.Format{{Codec: decode.ADTS}, {Codec: decode.MP3}} {
		d, err := decode.New(t.Context(), format, (&sound{}).out, decode.Options{})
		if err != nil {
			t.Fatal(err)
		}
		noise := make([]byte, 100_000)
		for i := range noise {
			noise[i] = byte(r.Uint32())
		}
		if err := d.Decode(noise); !errors.Is(err, decode.ErrNotAudio) {
			t.Errorf("%v: noise: %v, want ErrNotAudio", format, err)
		}
		if err := d.Close(); err != nil {
			t.Errorf("%v: Close: %v", format, err)
		}
	}
}

// TestKilled: a decoder that is killed comes back, from the stream's headers
// where it needs them.
func TestKilled(t *testing.T) {
	for _, c := range codecs {
		if c.format.Codec == decode.WAV || c.format == codecs[0].format || c.format == codecs[1].format {
			continue // decoded in this process
		}
		t.Run(c.name, func(t *testing.T) {
			if left := decodetest.Children(t); len(left) != 0 {
				t.Fatalf("processes %v are left from another test", left)
			}
			b := decodetest.Encode(t, 4*time.Second, c.args...)
			s := &sound{heard: make(chan struct{}, 1)}
			reg := prometheus.NewRegistry()
			d, err := decode.New(t.Context(), c.format, s.out, decode.Options{Registry: reg, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
			if err != nil {
				t.Fatal(err)
			}
			half := len(b) / 2
			feed(t, d, b[:half])
			<-s.heard // what is in its pipes is lost with it
			for _, pid := range decodetest.Children(t) {
				decodetest.Kill(t, pid)
			}
			before := s.len()
			feed(t, d, b[half:])
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			if got := s.len() - before; got < pcm.Rate {
				t.Fatalf("%d samples after the kill, want most of two seconds", got)
			}
			tail := s.samples[len(s.samples)-pcm.Rate:]
			decodetest.Check(t, tail, len(tail)/pcm.Channels, 2400, c.noiseDB)
			if n, err := testutil.GatherAndCount(reg, "longwave_decode_restarts_total"); err != nil || n != 1 {
				t.Errorf("restarts are counted for %d codecs, %v", n, err)
			}
		})
	}
}

func feed(t *testing.T, d decode.Decoder, b []byte) {
	t.Helper()
	for len(b) > 0 {
		n := min(1000, len(b))
		if err := d.Decode(b[:n]); err != nil {
			t.Fatal(err)
		}
		b = b[n:]
	}
}

func (s *sound) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.samples) / pcm.Channels
}

// program writes a shell script that stands for ffmpeg.
func program(t *testing.T, script string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "ffmpeg")
	text := "#!/bin/sh\ncase $1 in -version) exit 0;; esac\n" + script
	if err := os.WriteFile(name, []byte(text), 0o755); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	for d := filepath.Dir(name); d != os.TempDir(); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil { //nolint:gosec // the sandbox is another user
			t.Fatal(err)
		}
	}
	return name
}

// TestGivenUp: a program that always dies is started five times again.
func TestGivenUp(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	d, err := decode.New(t.Context(), decode.Format{Codec: decode.S16LE, Rate: 44100, Channels: 2}, (&sound{}).out,
		decode.Options{FFmpeg: program(t, "echo broken >&2; exit 1"), Registry: reg})
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		err = d.Decode(make([]byte, 4000))
	}
	if !errors.Is(err, ffmpeg.ErrGivenUp) || !strings.Contains(err.Error(), "broken") {
		t.Errorf("Decode = %v, want ErrGivenUp with what the program said", err)
	}
	if err := d.Decode(make([]byte, 4000)); !errors.Is(err, ffmpeg.ErrGivenUp) {
		t.Errorf("Decode after that = %v", err)
	}
	want := "# HELP longwave_decode_restarts_total Decoder processes that died or hung and were started again, by codec.\n" +
		"# TYPE longwave_decode_restarts_total counter\nlongwave_decode_restarts_total{codec=\"s16le\"} 5\n"
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "longwave_decode_restarts_total"); err != nil {
		t.Error(err)
	}
}

// TestHangs: a program that stops giving samples is killed and started again,
// and one that does not end when its input does is killed.
func TestHangs(t *testing.T) {
	t.Parallel()
	s := &sound{}
	reg := prometheus.NewRegistry()
	d, err := decode.New(t.Context(), decode.Format{Codec: decode.S16LE, Rate: 44100, Channels: 2}, s.out,
		decode.Options{FFmpeg: program(t, "printf 12345678\nwhile :; do read -r x; done"), Registry: reg})
	if err != nil {
		t.Fatal(err)
	}
	for s.len() < 2 { // the second process gives its sample too
		if err := d.Decode(bytes.Repeat([]byte("0123456\n"), 4000)); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
}

// TestOutRefuses: the taker's error ends the decoder and comes back.
func TestOutRefuses(t *testing.T) {
	errFull := errors.New("full")
	b := decodetest.Encode(t, 2*time.Second, "-c:a", "aac", "-f", "adts")
	d, err := decode.New(t.Context(), decode.Format{Codec: decode.ADTS}, func([]float32) error { return errFull }, decode.Options{})
	if err != nil {
		t.Fatal(err)
	}
	err = d.Decode(b)
	if err == nil {
		err = d.Close()
	}
	if !errors.Is(err, errFull) {
		t.Errorf("error %v, want %v", err, errFull)
	}
}

// TestContext: when the context ends, so does a Decode that waits.
func TestContext(t *testing.T) {
	b := decodetest.Encode(t, 20*time.Second, "-c:a", "pcm_s16le", "-ar", "44100", "-f", "s16le")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	blocked := make(chan struct{}, 1)
	d, err := decode.New(ctx, decode.Format{Codec: decode.S16LE, Rate: 44100, Channels: 1}, func([]float32) error {
		select {
		case blocked <- struct{}{}:
		default:
		}
		<-ctx.Done()
		return ctx.Err()
	}, decode.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- d.Decode(b) }()
	<-blocked
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Decode = %v, want %v", err, context.Canceled)
	}
	_ = d.Close()
	if left := decodetest.Children(t); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
}

// TestFormatsThatCannotBe are refused before anything is started.
func TestFormatsThatCannotBe(t *testing.T) {
	for _, f := range []decode.Format{{}, {Codec: 99}, {Codec: decode.S16LE}, {Codec: decode.F32LE, Rate: 48000, Channels: 99}} {
		if _, err := decode.New(t.Context(), f, (&sound{}).out, decode.Options{}); !errors.Is(err, decode.ErrNotAudio) {
			t.Errorf("New(%+v) = %v, want ErrNotAudio", f, err)
		}
	}
}

// TestMissingProgram says what to install.
func TestMissingProgram(t *testing.T) {
	d, err := decode.New(t.Context(), decode.Format{Codec: decode.MP3}, (&sound{}).out, decode.Options{FFmpeg: "no-such-ffmpeg"})
	if err != nil {
		t.Fatal(err)
	}
	err = d.Decode(decodetest.Encode(t, time.Second, "-c:a", "libmp3lame", "-f", "mp3"))
	if err == nil || !strings.Contains(err.Error(), "install the package ffmpeg") {
		t.Errorf("Decode = %v", err)
	}
}
