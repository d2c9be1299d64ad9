package mix

import (
	"bytes"
	"math"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
)

// limited sends x through a limiter and takes the latency off.
func limited(x []float32) []float32 {
	l := newLimiter()
	x = append(slices.Clone(x), make([]float32, pcm.FrameLen)...)
	for i := 0; i+pcm.FrameLen <= len(x); i += pcm.FrameLen {
		l.process(x[i : i+pcm.FrameLen])
	}
	return x[latency*pcm.Channels:]
}

func TestLimiterLeavesTheRestAlone(t *testing.T) {
	x := make([]float32, 50*pcm.FrameLen)
	pcmtest.Noise(x, 0.4, 1)
	if got := limited(x); !slices.Equal(got[:len(x)], x) {
		t.Error("sound under the ceiling was changed")
	}
	for i := range 2 * pcm.FrameLen {
		x[i] *= 6
	}
	// The release takes 100 ms times the logarithm of 0.63 / 0.001: 0.65 s.
	got := limited(append(x[:2*pcm.FrameLen:2*pcm.FrameLen], slices.Repeat(x[2*pcm.FrameLen:], 2)...))
	const calm = 40 * pcm.FrameLen
	if want := slices.Repeat(x[2*pcm.FrameLen:], 2)[calm:]; !slices.Equal(got[2*pcm.FrameLen+calm:][:len(want)], want) {
		t.Error("after a loud start the gain does not come back to exactly 1")
	}
}

// loudSounds need limiting.
func loudSounds() map[string][]float32 {
	const n = 5 * pcm.Rate
	noise := make([]float32, 2*n)
	pcmtest.Noise(noise, 3, 1)
	for i := len(noise) - 1; i >= 2; i-- {
		noise[i] = (noise[i] + noise[i-2]) / 2 // little near 24 kHz, as in any sound
	}
	clicks := make([]float32, 2*n)
	for i := 2000; i < len(clicks); i += 7919 {
		clicks[i] = 4
	}
	quarter := make([]float32, 2*n) // peaks between the samples
	beats := make([]float32, 2*n)
	for i := range quarter {
		at := float64(i / 2)
		quarter[i] = float32(min(1, at/480) * 1.5 * math.Sin(math.Pi/2*at+math.Pi/4))
		beats[i] = float32(1.2 * (math.Sin(2*math.Pi*at*311/pcm.Rate) + math.Sin(2*math.Pi*at*317/pcm.Rate)))
	}
	burst := pcmtest.Tone{Hz: 1000, Amp: 2, RightHz: 3000}.Make(n)
	for i := range burst {
		if i/2%30_000 > 10_000 {
			burst[i] *= 0.1
		}
	}
	return map[string][]float32{"noise": noise, "clicks": clicks, "quarter": quarter, "beats": beats, "burst": burst}
}

// truePeak is ffmpeg's opinion, in dBTP.
func truePeak(t *testing.T, x []float32) float64 {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "ffmpeg", "-f", "f32le", "-ar", "48000", "-ac", "2", "-i", "pipe:0",
		"-af", "ebur128=peak=true:framelog=verbose", "-f", "null", "-")
	cmd.Stdin = bytes.NewReader(pcmtest.Bytes(x))
	out, err := cmd.CombinedOutput()
	found := regexp.MustCompile(`Peak:\s+(-?[0-9.]+) dBFS`).FindSubmatch(out)
	if err != nil || found == nil {
		t.Fatalf("ffmpeg: %v: %s", err, out)
	}
	peak, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	return peak
}

func TestLimiterHoldsTheCeiling(t *testing.T) {
	for name, x := range loudSounds() {
		t.Run(name, func(t *testing.T) {
			out := limited(x)
			peak := truePeak(t, out)
			t.Logf("%.1f dBTP", peak)
			if peak > -1 {
				t.Errorf("true peak %.1f dBTP, want at most -1", peak)
			}
			if peak < -1.8 {
				t.Errorf("true peak %.1f dBTP: more was taken than is needed", peak)
			}
		})
	}
}

func TestLimiterGainIsSmooth(t *testing.T) {
	x := pcmtest.Tone{Hz: 50, Amp: 0.2}.Make(pcm.Rate)
	for i := 20_000; i < 20_100; i++ {
		x[i] += 3 * float32(math.Sin(math.Pi*float64(i/2-10_000)/50))
	}
	out := limited(x)
	last := float32(1)
	for i := range len(x) / 2 {
		if x[2*i] == 0 || math.Abs(float64(x[2*i])) < 0.05 {
			continue
		}
		g := out[2*i] / x[2*i]
		// From 1 to 0.28 in 241 samples; some samples between are left out.
		if math.Abs(float64(g-last)) > 0.1 {
			t.Fatalf("sample %d: gain from %.3f to %.3f", i, last, g)
		}
		last = g
	}
	if last < 0.99 {
		t.Errorf("gain %.3f a second later", last)
	}
}

func TestSlidingMin(t *testing.T) {
	x := make([]float32, 5000)
	pcmtest.Noise(x, 1, 3)
	for i := range x {
		if i%700 < 350 {
			x[i] = float32(i%700) / 350 // rising runs are the longest queues
		}
	}
	var s slidingMin
	for i, v := range x {
		if got, want := s.next(v), slices.Min(x[max(0, i-window+1):i+1]); got != want {
			t.Fatalf("value %d: %v, want %v", i, got, want)
		}
	}
}

func BenchmarkLimiter(b *testing.B) {
	for name, amp := range map[string]float64{"quiet": 0.3, "loud": 1.5} {
		b.Run(name, func(b *testing.B) {
			l := newLimiter()
			x := make([]float32, pcm.FrameLen)
			y := make([]float32, pcm.FrameLen)
			pcmtest.Noise(x, amp, 1)
			b.ReportAllocs()
			for b.Loop() {
				copy(y, x)
				l.process(y)
			}
		})
	}
}
