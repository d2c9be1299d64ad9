package jitter_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hraban/opus"
	pion "github.com/pion/opus"

	"longwave/ingest/jitter"
	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
)

// spoken is [voiced] in syllables with pauses, at the level of speech.
func spoken(samples int) []float32 {
	x := voiced(samples)
	for i := range x {
		t := float64(i) / pcm.Rate
		g := math.Max(0, math.Sin(2*math.Pi*3.1*t)) * math.Max(0, 0.3+math.Sin(2*math.Pi*0.4*t))
		x[i] *= float32(g)
	}
	return x
}

// A coding is how a sender encodes.
type coding struct {
	dur      int // samples in a packet
	channels int
	app      opus.Application
	bitrate  int
}

// encode encodes sound, interleaved when the coding is stereo.
func (c coding) encode(tb testing.TB, x []float32) [][]byte {
	tb.Helper()
	n, channels := c.dur, c.channels
	enc, err := opus.NewEncoder(pcm.Rate, channels, c.app)
	for _, err := range []error{err, enc.SetBitrate(c.bitrate), enc.SetComplexity(2)} {
		if err != nil {
			tb.Fatal(err)
		}
	}
	var packets [][]byte
	buf := make([]byte, 8000)
	for ; len(x) >= n*channels; x = x[n*channels:] {
		k, err := enc.EncodeFloat32(x[:n*channels], buf)
		if err != nil {
			tb.Fatal(err)
		}
		packets = append(packets, slices.Clone(buf[:k]))
	}
	return packets
}

func stereo(mono []float32) []float32 {
	x := make([]float32, 2*len(mono))
	for i, v := range mono {
		x[2*i], x[2*i+1] = v, -0.5*mono[(i+4000)%len(mono)]
	}
	return x
}

// judge decodes packets with pion's decoder, which shares nothing with libopus.
func judge(t *testing.T, packets [][]byte) []float32 {
	t.Helper()
	dec, err := pion.NewDecoderWithOutput(pcm.Rate, pcm.Channels)
	if err != nil {
		t.Fatal(err)
	}
	var out []float32
	buf := make([]float32, 5760*pcm.Channels)
	for i, b := range packets {
		n, err := dec.DecodeToFloat32(b, buf)
		if err != nil {
			t.Fatalf("packet %d: %v", i, err)
		}
		out = append(out, buf[:n*pcm.Channels]...)
	}
	return out
}

// decodeAll is libopus on its own.
func decodeAll(t *testing.T, packets [][]byte) (out []float32) {
	t.Helper()
	dec, err := opus.NewDecoder(pcm.Rate, pcm.Channels)
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]float32, 5760*pcm.Channels)
	for i, b := range packets {
		n, err := dec.DecodeFloat32(b, buf)
		if err != nil {
			t.Fatalf("packet %d: %v", i, err)
		}
		out = append(out, buf[:n*pcm.Channels]...)
	}
	return out
}

// ratioDB is the level of what was wanted over that of what differs from it, when got
// is shifted to where it fits best, by up to reach samples from at on.
func ratioDB(want, got []float32, at, reach int) float64 {
	best := math.Inf(-1)
	for shift := at; shift < at+reach; shift++ {
		if shift < 0 || (shift+pcm.Rate)*2 > len(got) {
			continue
		}
		var signal, noise float64
		n := min(len(want), len(got)-2*shift)
		for i := 2 * pcm.Rate / 2; i < n; i += 7 {
			d := float64(want[i]) - float64(got[i+2*shift])
			signal += float64(want[i]) * float64(want[i])
			noise += d * d
		}
		best = max(best, 10*math.Log10(signal/noise))
	}
	return best
}

// TestJudge plays streams of which nothing is lost and compares them with what an
// independent decoder makes of them. The delay is held at 80 ms, so that nothing is
// resampled.
func TestJudge(t *testing.T) {
	mono, both := spoken(6*pcm.Rate), stereo(spoken(6*pcm.Rate))
	for _, tt := range []struct {
		name string
		coding
		snr float64 // the judge is less exact in SILK
	}{
		{"speech, 20 ms", coding{960, 1, opus.AppVoIP, 24_000}, 45},
		{"speech, 60 ms", coding{2880, 1, opus.AppVoIP, 24_000}, 45},
		{"speech, 20 ms, narrow", coding{960, 1, opus.AppVoIP, 12_000}, 45},
		{"music, 20 ms, stereo", coding{960, 2, opus.AppAudio, 128_000}, 90},
		{"music, 2.5 ms, stereo", coding{120, 2, opus.AppRestrictedLowdelay, 128_000}, 90},
		{"speech, 10 ms", coding{480, 1, opus.AppVoIP, 24_000}, 45},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := mono
			if tt.channels == 2 {
				x = both
			}
			packets := tt.encode(t, x)
			o := jitter.PacketOptions{Min: 80 * time.Millisecond, Max: 80 * time.Millisecond}
			out := listen(t, o, network{}.carry(packets, tt.dur), nil)
			if s := out.state.Packets; s.Lost+s.Late+s.Refused != 0 || int(s.Received) != len(packets) {
				t.Fatalf("%d packets: %+v", len(packets), s)
			}
			const late = 105 * pcm.Rate / 1000 // 25 ms on the way and 80 of delay
			same := ratioDB(decodeAll(t, packets), out.x, late-20, 40)
			snr := ratioDB(judge(t, packets), out.x, late-20, 40)
			t.Logf("%.1f dB from the judge, %.1f from libopus", snr, same)
			if snr < tt.snr || !math.IsInf(same, 1) {
				t.Errorf("want at least %v dB, and what libopus makes of it to the bit", tt.snr)
			}
		})
	}
}

// TestRepair compares what comes out of a lossy way with what was sent.
func TestRepair(t *testing.T) {
	packets := encode(t, spoken(20*pcm.Rate), pcm.FrameSamples)
	o := jitter.PacketOptions{Min: 80 * time.Millisecond, Max: 80 * time.Millisecond}
	clean := listen(t, o, network{}.carry(packets, pcm.FrameSamples), nil)
	level := map[string]float64{}
	for _, n := range []network{{seed: 3, loss: 0.1}, {seed: 3, loss: 0.1, red: true}} {
		out := listen(t, o, n.carry(packets, pcm.FrameSamples), nil)
		name := fmt.Sprintf("red %v", n.red)
		level[name] = ratioDB(clean.x, out.x, -2, 5)
		t.Logf("%s: %.1f dB, %+v", name, level[name], out.state.Packets)
		if n.red && out.state.Packets.RecoveredRED < 80 || !n.red && out.state.Packets.RecoveredFEC < 30 {
			t.Errorf("%s: recovered %d and %d", name, out.state.Packets.RecoveredRED, out.state.Packets.RecoveredFEC)
		}
	}
	if level["red false"] < 6 || level["red true"] < 12 {
		t.Errorf("want at least 6 and 12 dB: %v", level)
	}
}

// TestEdges checks that sound begins and ends softly, at an outage as at the end, and
// that what is said to be silent is.
func TestEdges(t *testing.T) {
	packets := coding{960, 1, opus.AppAudio, 64_000}.encode(t, voiced(5*pcm.Rate))
	in := network{}.carry(packets, 960)
	in = slices.Delete(in, 100, 160)
	out := listen(t, jitter.PacketOptions{}, in, func(p *jitter.Packets, now time.Duration) {
		if now == 5*time.Second {
			p.End()
		}
	})
	steepest := 0.0
	for i := 2; i < len(out.x); i += 2 {
		steepest = max(steepest, math.Abs(float64(out.x[i]-out.x[i-2])))
	}
	clean := listen(t, jitter.PacketOptions{}, network{}.carry(packets, 960), nil)
	most := 0.0
	for i := pcm.Rate; i < len(clean.x)-2; i += 2 {
		most = max(most, math.Abs(float64(clean.x[i]-clean.x[i-2])))
	}
	if steepest > 1.3*most {
		t.Errorf("a step of %.3f, where the sound has none over %.3f", steepest, most)
	}
	seen := map[pcm.Fill]int{}
	for i, f := range out.fills {
		seen[f]++
		if zero := pcmtest.Peak(out.x[i*pcm.FrameLen:][:pcm.FrameLen]) == 0; zero != (f == pcm.Silent) && i > 60 {
			t.Errorf("frame %d: %v, though zero is %v", i, f, zero)
		}
	}
	// 1.2 s are lost, of which 100 ms are concealed.
	if seen[pcm.Concealed] < 5 || seen[pcm.Concealed] > 8 || seen[pcm.Silent] < 54 {
		t.Errorf("frames by how they were obtained: %v", seen)
	}
}

func TestEndedPackets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := jitter.NewPackets(jitter.PacketOptions{})
		if err != nil {
			t.Fatal(err)
		}
		packets := vowel()[:50]
		for i, b := range packets {
			p.Put(jitter.Packet{Seq: uint16(i), Timestamp: uint32(i * 960), Payload: b, Arrival: time.Now()})
			p.Pull(make([]float32, pcm.FrameLen))
			time.Sleep(pcm.FrameDuration)
		}
		p.End()
		var tail []float32
		for range 12 {
			frame := make([]float32, pcm.FrameLen)
			p.Pull(frame)
			tail = append(tail, frame...)
			time.Sleep(pcm.FrameDuration)
		}
		s := p.State()
		if s.Phase != jitter.Ended || s.Played != 50*960 || s.Level != 0 {
			t.Errorf("%+v", s)
		}
		if n := len(trim(tail)) / 2; n < 60*48 || n > 140*48 {
			t.Errorf("%d samples after the end, want the delay's", n)
		}
	})
}

func TestPacketsDoNotAllocate(t *testing.T) {
	p, err := jitter.NewPackets(jitter.PacketOptions{Metrics: jitter.NewMetrics(nil)})
	if err != nil {
		t.Fatal(err)
	}
	frame := make([]float32, pcm.FrameLen)
	synctest.Test(t, func(t *testing.T) {
		i := 0
		n := testing.AllocsPerRun(1000, func() {
			if i++; i%7 != 0 {
				p.Put(jitter.Packet{Seq: uint16(i), Timestamp: uint32(i * 960), Payload: vowel()[i], Arrival: time.Now()})
			}
			p.Pull(frame)
			time.Sleep(pcm.FrameDuration)
		})
		if n >= 1 {
			t.Errorf("%v allocations a frame", n)
		}
	})
}

// FuzzPackets puts what the input says and pulls as often as it says.
func FuzzPackets(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x00\x00\x00\x00\x03\x00\x01\x01"))
	var seed []byte
	for i, b := range vowel()[:40] {
		seed = append(seed, 0, byte(i), 0, 0)
		seed = binary.BigEndian.AppendUint16(seed, uint16(i))
		seed = binary.BigEndian.AppendUint16(seed, uint16(len(b)))
		seed = append(seed, b...)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, in []byte) { synctest.Test(t, func(t *testing.T) { putAny(t, in) }) })
}

// putAny reads packets: how many frames to pull first, number, high and low word of
// the time in frames of 2.5 ms, length, payload.
func putAny(t *testing.T, in []byte) {
	p, err := jitter.NewPackets(jitter.PacketOptions{})
	if err != nil {
		t.Fatal(err)
	}
	frame := make([]float32, pcm.FrameLen)
	pull := func() {
		fill := p.Pull(frame)
		peak := pcmtest.Peak(frame)
		if fill == pcm.Silent && peak != 0 || math.IsNaN(peak) || math.IsInf(peak, 0) {
			t.Fatalf("fill %v with a peak of %v", fill, peak)
		}
		s := p.State()
		if s.Written != s.Played+s.Skipped+s.Dropped+int64(s.Level) || s.Level < 0 || s.Level > 512*5760 {
			t.Fatalf("%+v", s)
		}
		if s.Target < pcm.Rate*39/1000 || s.Target > pcm.Rate*401/1000 || math.Abs(s.Ratio-1) > 0.008 {
			t.Fatalf("target %d, ratio %v", s.Target, s.Ratio)
		}
		time.Sleep(pcm.FrameDuration)
	}
	for range 200 {
		if len(in) < 8 {
			break
		}
		for range in[0] % 32 {
			pull()
		}
		if in[0]&0x80 != 0 {
			p.Reset()
		}
		n := min(int(binary.BigEndian.Uint16(in[6:])), len(in)-8)
		p.Put(jitter.Packet{
			Seq: uint16(in[1]) | uint16(in[2])<<8, Timestamp: uint32(in[3])<<24 | uint32(binary.BigEndian.Uint16(in[4:]))*120,
			Payload: in[8 : 8+n], Arrival: time.Now(), Redundant: in[0]&0x40 != 0,
		})
		in = in[8+n:]
	}
	p.End()
	for range 600 {
		pull()
	}
	if s := p.State(); s.Phase != jitter.Ended || s.Level != 0 {
		t.Fatalf("no end: %+v", s)
	}
}
