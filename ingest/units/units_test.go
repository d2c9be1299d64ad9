package units_test

import (
	"bytes"
	"errors"
	"math"
	"os"
	"testing"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
	"github.com/google/go-cmp/cmp"

	"longwave/ingest"
	"longwave/ingest/decode"
	"longwave/ingest/decode/decodetest"
	"longwave/ingest/decode/sandbox"
	"longwave/ingest/pcm"
	"longwave/ingest/units"
)

func TestMain(m *testing.M) {
	sandbox.Main()
	os.Exit(m.Run())
}

// A reel is a lane that keeps what comes.
type reel struct{ packets []ingest.Packet }

func (r *reel) Push(p ingest.Packet) error {
	r.packets = append(r.packets, p)
	return nil
}

func aac(t testing.TB, rate, channels int) units.Codec {
	t.Helper()
	c, err := units.AAC(mpeg4audio.AudioSpecificConfig{Type: mpeg4audio.ObjectTypeAACLC, SampleRate: rate, ChannelConfig: uint8(channels)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestPlace: what is missing is filled, what jumps is not, and what runs away slowly is
// followed.
func TestPlace(t *testing.T) {
	const unit = pcm.FrameSamples // Opus of 20 ms
	opus := []byte{0xfc, 1, 2}    // CELT, 20 ms, stereo
	ms := func(n int) pcm.Pos { return pcm.Samples(time.Duration(n) * time.Millisecond) }
	steady := func(from pcm.Pos, n int, step pcm.Pos) (at []pcm.Pos) {
		for i := range n {
			at = append(at, from+pcm.Pos(i)*step)
		}
		return at
	}
	join := func(runs ...[]pcm.Pos) (all []pcm.Pos) {
		for _, r := range runs {
			all = append(all, r...)
		}
		return all
	}
	for _, c := range []struct {
		what      string
		tolerance time.Duration
		at        []pcm.Pos
		silent    int // units of silence among them
		jumps     int
	}{
		{"steady", 0, steady(ms(3_600_000), 50, unit), 0, 0},
		{"one unit is missing", 0, join(steady(0, 10, unit), steady(11*unit, 10, unit)), 1, 0},
		{"a second is missing", 0, join(steady(0, 10, unit), steady(60*unit, 10, unit)), 50, 0},
		{"more than a second is missing", 0, join(steady(0, 10, unit), steady(61*unit, 10, unit)), 0, 1},
		{"back to the start", 0, join(steady(ms(5000), 10, unit), steady(0, 10, unit)), 0, 1},
		{"30 ms back", 0, join(steady(ms(5000), 10, unit), steady(ms(5170), 10, unit)), 0, 1},
		{"milliseconds", 100 * time.Millisecond, steady(0, 500, unit), 0, 0},
		{"10 ms early and late", 0, []pcm.Pos{0, ms(30), ms(40), ms(50), ms(90), ms(100), ms(110)}, 0, 0},
		{"one unit is missing, coarse", 100 * time.Millisecond, join(steady(0, 10, unit), steady(11*unit, 10, unit)), 0, 0},
		{"1000 ppm fast for a minute", 0, steady(0, 3000, unit+1), 0, 0},
		{"1000 ppm slow for a minute", 0, steady(0, 3000, unit-1), 0, 0},
		{"from the beginning to the end of time", 0, []pcm.Pos{math.MinInt64 / 4, math.MaxInt64 / 4, 0}, 0, 2},
	} {
		t.Run(c.what, func(t *testing.T) {
			var r reel
			var lost time.Duration
			jumps := 0
			codec, err := units.Opus(2)
			if err != nil {
				t.Fatal(err)
			}
			track := units.NewTrack(&r, codec, units.Options{
				Tolerance: c.tolerance, Lost: func(d time.Duration) { lost += d }, Jumped: func() { jumps++ },
			})
			for _, at := range c.at {
				if ok, err := track.Put(at, opus, time.Time{}); !ok || err != nil {
					t.Fatal(ok, err)
				}
			}
			silent := 0
			for i, p := range r.packets {
				if want := pcm.Pos(i) * unit; p.PTS != want {
					t.Fatalf("packet %d is at %d, want %d", i, p.PTS, want)
				}
				if p.Data == nil {
					silent++
				}
			}
			want := []int{len(c.at) + c.silent, c.silent, c.jumps, 20 * c.silent}
			if diff := cmp.Diff(want, []int{len(r.packets), silent, jumps, int(lost.Milliseconds())}); diff != "" {
				t.Errorf("packets, silent ones, jumps, lost ms (-want +got):\n%s", diff)
			}
		})
	}
}

// TestRates: the position of the sound is exact at rates that do not divide 48 kHz.
func TestRates(t *testing.T) {
	var r reel
	track := units.NewTrack(&r, aac(t, 44100, 2), units.Options{})
	for i := range 44_100 {
		if _, err := track.Next([]byte{1}, time.Time{}); err != nil {
			t.Fatal(err)
		}
		if want := pcm.Pos(i * 1024 * 48_000 / 44_100); r.packets[i].PTS != want {
			t.Fatalf("unit %d is at %d, want %d", i, r.packets[i].PTS, want)
		}
	}
}

// TestSilence: lost units of AAC and MPEG audio become silence in their place, and what
// is beside them is heard as it was.
func TestSilence(t *testing.T) {
	for _, c := range []struct {
		what string
		args []string
		unit int // samples at 48 kHz, rounded
	}{
		{"aac mono", []string{"-c:a", "aac", "-ac", "1", "-f", "adts"}, 1024},
		{"aac stereo", []string{"-c:a", "aac", "-ac", "2", "-f", "adts"}, 1024},
		{"aac stereo 44.1", []string{"-c:a", "aac", "-ac", "2", "-ar", "44100", "-f", "adts"}, 1115},
		{"aac 5.1", []string{"-c:a", "aac", "-af", "pan=5.1|c0=c0|c1=c0", "-f", "adts"}, 1024},
		{"aac 7.1", []string{"-c:a", "aac", "-af", "pan=7.1|c0=c0|c1=c0", "-f", "adts"}, 1024},
		{"mp3", []string{"-c:a", "libmp3lame", "-ac", "2", "-write_xing", "0", "-id3v2_version", "0", "-b:a", "128k", "-f", "mp3"}, 1152},
		{"mp2", []string{"-c:a", "mp2", "-ac", "2", "-b:a", "128k", "-f", "mp2"}, 1152},
	} {
		t.Run(c.what, func(t *testing.T) {
			codec, frames := split(t, decodetest.Encode(t, 2*time.Second, c.args...))
			var r reel
			track := units.NewTrack(&r, codec, units.Options{})
			const from, n = 20, 12
			for i, f := range frames {
				if i >= from && i < from+n {
					continue
				}
				if ok, err := track.Put(pcm.Pos(i*c.unit), f, time.Time{}); !ok || err != nil {
					t.Fatal(ok, err)
				}
			}
			if len(r.packets) != len(frames) {
				t.Fatalf("%d packets, want %d", len(r.packets), len(frames))
			}
			samples := decoded(t, codec.Format, r.packets)
			if got, want := len(samples)/pcm.Channels, len(frames)*c.unit; got < want-2*c.unit || got > want+2*c.unit {
				t.Errorf("%d samples, want %d", got, want)
			}
			part := func(from, to int) decodetest.Report {
				return decodetest.Judge(samples[from*c.unit*pcm.Channels:to*c.unit*pcm.Channels], decodetest.Hz)
			}
			before, gap, after := part(5, from-3), part(from+4, from+n-3), part(from+n+5, len(frames)-5)
			if gap.LevelDB > before.LevelDB-40 && gap.Tone > 0 {
				t.Errorf("the gap is not silent: %v", gap)
			}
			for _, r := range []decodetest.Report{before, after} {
				if len(r.Jumps) > 0 || r.NoiseDB > -20 || math.Abs(r.LevelDB-before.LevelDB) > 0.5 {
					t.Errorf("beside the gap: %v", r)
				}
			}
		})
	}
}

// split returns the units of an elementary stream.
func split(t *testing.T, b []byte) (units.Codec, [][]byte) {
	t.Helper()
	var frames [][]byte
	var adts mpeg4audio.ADTSPackets
	if adts.Unmarshal(b) == nil {
		for _, p := range adts {
			frames = append(frames, p.AU)
		}
		return aac(t, adts[0].SampleRate, int(adts[0].ChannelConfig)), frames
	}
	const frame = 384 // 128 kbit/s at 48 kHz
	for ; len(b) >= frame; b = b[frame:] {
		frames = append(frames, b[:frame])
	}
	return units.MPEG(), frames
}

func decoded(t *testing.T, f decode.Format, packets []ingest.Packet) (samples []float32) {
	t.Helper()
	d, err := decode.New(t.Context(), f, func(x []float32) error {
		samples = append(samples, x...)
		return nil
	}, decode.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packets {
		if err := d.Decode(p.Data); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	return samples
}

func TestUnsupported(t *testing.T) {
	lc := mpeg4audio.AudioSpecificConfig{Type: mpeg4audio.ObjectTypeAACLC, SampleRate: 48000, ChannelConfig: 2}
	for _, c := range []struct {
		change func(*mpeg4audio.AudioSpecificConfig)
		want   string
	}{
		{func(c *mpeg4audio.AudioSpecificConfig) { c.Type = 42 }, "AAC object type 42: sound that is not supported, send AAC-LC"},
		{func(c *mpeg4audio.AudioSpecificConfig) { c.SampleRate = 47999 }, "AAC at 47999 Hz: sound that is not supported, send 48000 or 44100"},
		{func(c *mpeg4audio.AudioSpecificConfig) { c.ChannelConfig = 0 }, "AAC with channels of its own layout: sound that is not supported, send mono or stereo"},
		{func(c *mpeg4audio.AudioSpecificConfig) { c.FrameLengthFlag = true }, "AAC with 960 samples a frame: sound that is not supported, send 1024"},
	} {
		x := lc
		c.change(&x)
		if _, err := units.AAC(x); !errors.Is(err, units.ErrUnsupported) || err.Error() != c.want {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
	if _, err := units.Opus(6); !errors.Is(err, units.ErrUnsupported) {
		t.Errorf("Opus with 6 channels: %v", err)
	}
	track := units.NewTrack(&reel{}, units.MPEG(), units.Options{})
	if err := track.Change(aac(t, 48000, 2)); !errors.Is(err, units.ErrUnsupported) {
		t.Errorf("another codec: %v", err)
	}
}

// FuzzTrack: no unit and no timestamp upsets a track, and every AAC unit that is taken
// comes out between ADTS headers.
func FuzzTrack(f *testing.F) {
	f.Add(uint8(0), []byte{0xfc, 1, 2}, int64(0), int64(960))
	f.Add(uint8(1), []byte{0x21, 0x10}, int64(1)<<62, int64(-1)<<62)
	f.Add(uint8(2), append([]byte{0xff, 0xfb, 0x94, 0x00}, make([]byte, 380)...), int64(0), int64(4000))
	f.Fuzz(func(t *testing.T, kind uint8, unit []byte, first, second int64) {
		opus, err := units.Opus(0)
		if err != nil {
			t.Fatal(err)
		}
		codec := []units.Codec{opus, aac(t, 44100, 2), units.MPEG()}[kind%3]
		var r reel
		track := units.NewTrack(&r, codec, units.Options{})
		for _, at := range []int64{first, second} {
			if _, err := track.Put(pcm.Pos(at), unit, time.Time{}); err != nil {
				t.Fatal(err)
			}
		}
		if len(r.packets) > 2+400 {
			t.Errorf("two units became %d", len(r.packets))
		}
		if codec.Format.Codec != decode.ADTS {
			return
		}
		for _, p := range r.packets {
			var adts mpeg4audio.ADTSPackets
			if err := adts.Unmarshal(p.Data); err != nil && len(unit) > 1 {
				t.Fatal(err)
			}
			if len(adts) != 1 && len(unit) > 1 {
				t.Fatalf("%d ADTS frames", len(adts))
			}
		}
		if n := len(r.packets); n > 0 && !bytes.Equal(r.packets[n-1].Data[7:], unit) {
			t.Error("the unit is changed")
		}
	})
}
