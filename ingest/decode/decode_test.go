package decode_test

import (
	"bytes"
	"log/slog"
	"math"
	"os"
	"sync"
	"testing"
	"time"

	"longwave/ingest/decode"
	"longwave/ingest/decode/decodetest"
	"longwave/ingest/decode/sandbox"
	"longwave/ingest/pcm"
)

func TestMain(m *testing.M) {
	sandbox.Main()
	os.Exit(m.Run())
}

// sound collects what a decoder gives out.
type sound struct {
	mu      sync.Mutex
	samples []float32
	titles  []string
	heard   chan struct{} // nil, or told of the first samples
}

func (s *sound) out(b []float32) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.samples = append(s.samples, b...)
	select {
	case s.heard <- struct{}{}:
	default:
	}
	return nil
}

// decodeAll decodes data, given in pieces of n bytes, as what Sniff takes it for.
func decodeAll(t *testing.T, data []byte, n int) *sound {
	t.Helper()
	f, prefix, err := decode.SniffReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(data, prefix) {
		t.Fatal("SniffReader returned other bytes than it read")
	}
	s := &sound{}
	d, err := decode.New(t.Context(), f, s.out, decode.Options{
		Title: func(title string) { s.titles = append(s.titles, title) },
		Log:   slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	for len(data) > 0 {
		k := min(n, len(data))
		if err := d.Decode(data[:k]); err != nil {
			t.Fatal(err)
		}
		data = data[k:]
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	return s
}

var codecs = []struct {
	name    string
	format  decode.Format
	args    []string
	slack   int     // what the codec adds at the edges, in samples
	noiseDB float64 // what the codec does to a tone
	gainDB  float64 // what more channels than two cost
}{
	{"opus", decode.Format{Codec: decode.OggOpus, Rate: 48000, Channels: 1}, []string{"-c:a", "libopus", "-b:a", "96k", "-f", "ogg"}, 0, -25, 0},
	{"opus stereo", decode.Format{Codec: decode.OggOpus, Rate: 48000, Channels: 2}, []string{"-af", "pan=stereo|c0=c0|c1=c0", "-c:a", "libopus", "-b:a", "128k", "-page_duration", "20000", "-f", "ogg"}, 0, -25, 0},
	{"opus 5.1", decode.Format{Codec: decode.OggOpus, Rate: 48000, Channels: 6}, []string{"-af", "pan=5.1|FL=c0|FR=c0", "-c:a", "libopus", "-b:a", "256k", "-f", "ogg"}, 0, -25, -7.7},
	{"vorbis", decode.Format{Codec: decode.OggVorbis, Rate: 44100, Channels: 2}, []string{"-af", "pan=stereo|c0=c0|c1=c0", "-ar", "44100", "-c:a", "libvorbis", "-f", "ogg"}, 128, -25, 0},
	{"ogg flac", decode.Format{Codec: decode.OggFLAC, Rate: 48000, Channels: 1}, []string{"-c:a", "flac", "-f", "ogg"}, 0, -60, 0},
	{"flac", decode.Format{Codec: decode.FLAC, Rate: 44100, Channels: 2}, []string{"-af", "pan=stereo|c0=c0|c1=c0", "-ar", "44100", "-c:a", "flac", "-f", "flac"}, 32, -60, 0},
	{"mp3", decode.Format{Codec: decode.MP3, Rate: 44100, Channels: 2}, []string{"-af", "pan=stereo|c0=c0|c1=c0", "-ar", "44100", "-c:a", "libmp3lame", "-b:a", "128k", "-f", "mp3"}, 2400, -25, 0},
	{"mp3 mono 24k", decode.Format{Codec: decode.MP3, Rate: 24000, Channels: 1}, []string{"-ar", "24000", "-c:a", "libmp3lame", "-b:a", "64k", "-write_xing", "0", "-f", "mp3"}, 4800, -25, 0},
	{"mp2", decode.Format{Codec: decode.MP3, Rate: 48000, Channels: 2}, []string{"-af", "pan=stereo|c0=c0|c1=c0", "-c:a", "mp2", "-b:a", "192k", "-f", "mp2"}, 2400, -25, 0},
	{"aac", decode.Format{Codec: decode.ADTS, Rate: 48000, Channels: 2}, []string{"-af", "pan=stereo|c0=c0|c1=c0", "-c:a", "aac", "-b:a", "128k", "-f", "adts"}, 2200, -25, 0},
	{"wav", decode.Format{Codec: decode.WAV}, []string{"-c:a", "pcm_s16le", "-f", "wav"}, 0, -60, 0},
	{"wav 24 bit 44.1k", decode.Format{Codec: decode.WAV}, []string{"-af", "pan=stereo|c0=c0|c1=c0", "-ar", "44100", "-c:a", "pcm_s24le", "-f", "wav"}, 32, -60, 0},
	{"wav float", decode.Format{Codec: decode.WAV}, []string{"-c:a", "pcm_f32le", "-f", "wav"}, 0, -60, 0},
}

// TestCodecs decodes a tone from every codec: it is told from its bytes, comes
// out whole, at its level, without a seam.
func TestCodecs(t *testing.T) {
	const length = 2 * time.Second
	for _, c := range codecs {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			data := decodetest.Encode(t, length, c.args...)
			f, err := decode.Sniff(data)
			if err != nil || f != c.format {
				t.Errorf("Sniff = %v, %v, want %v", f, err, c.format)
			}
			s := decodeAll(t, data, 1000)
			want := int(pcm.Samples(length))
			r := decodetest.Check(t, s.samples, want, c.slack, c.noiseDB)
			if d := r.Samples - want; d < -c.slack || d > c.slack {
				t.Errorf("%d samples, want %d within %d", r.Samples, want, c.slack)
			}
			if level := -18.06 + c.gainDB; math.Abs(r.LevelDB-level) > 0.5 { // -18.06 is ffmpeg's sine
				t.Errorf("the tone is at %.1f dB, want %.1f", r.LevelDB, level)
			}
			t.Log(r)
		})
	}
}
