package resample_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
	"longwave/ingest/resample"
)

// pass sends x through r in pieces of random size and returns all that can be
// made of it.
func pass(r *resample.Resampler, x []float32, rng *rand.Rand) []float32 {
	var out []float32
	frame := make([]float32, pcm.FrameLen)
	for len(x) > 0 {
		n := min(2*(1+rng.IntN(1500)), len(x))
		r.Feed(x[:n])
		x = x[n:]
		for {
			k := r.Next(frame[:2*(1+rng.IntN(pcm.FrameSamples))])
			if k == 0 {
				break
			}
			out = append(out, frame[:2*k]...)
		}
	}
	return out
}

func TestRatioOneIsExact(t *testing.T) {
	x := make([]float32, 100_000)
	pcmtest.Noise(x, 1, 7)
	rng := rand.New(rand.NewPCG(1, 2))
	got := pass(resample.New(), x, rng)
	if want := x[:len(x)-2*resample.Lookahead]; !slices.Equal(got, want) {
		t.Errorf("%d values came out, want the first %d unchanged", len(got), len(want))
	}
}

func TestQuality(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, tt := range []struct {
		hz, ppm, want float64
	}{
		{100, 100, 110},
		{997, 100, 100},
		{997, -500, 100},
		{997, 2000, 100},
		{5000, 100, 100},
		{10_000, 100, 95},
		{10_000, -2000, 95},
		{15_000, 500, 95},
		{19_000, 500, 90},
	} {
		t.Run(fmt.Sprintf("%v Hz at %v ppm", tt.hz, tt.ppm), func(t *testing.T) {
			r := resample.New()
			r.SetRatio(1 + tt.ppm/1e6)
			out := pass(r, pcmtest.Tone{Hz: tt.hz, Amp: 0.5}.Make(48_000), rng)
			if got := pcmtest.SNR(out[2*100:2*40_000], 1, tt.hz*(1+tt.ppm/1e6)); got < tt.want {
				t.Errorf("SNR %.1f dB, want at least %.0f", got, tt.want)
			} else {
				t.Logf("SNR %.1f dB", got)
			}
		})
	}
}

func TestCountFollowsRatio(t *testing.T) {
	for _, ratio := range []float64{0.998, 0.9995, 1, 1.0001, 1.002} {
		r := resample.New()
		r.SetRatio(ratio)
		const in = 480_000
		out := pass(r, make([]float32, 2*in), rand.New(rand.NewPCG(5, 6)))
		got := float64(len(out)/2 + r.Left(0))
		if want := math.Ceil(in / ratio); math.Abs(got-want) > 1 {
			t.Errorf("ratio %v: %v outputs, want %v", ratio, got, want)
		}
		n := r.Left(0)
		r.FeedZeros(r.Need(n))
		if k := r.Next(make([]float32, 2*n)); k != n {
			t.Errorf("ratio %v: the tail has %d samples, want %d", ratio, k, n)
		}
	}
}

func TestNeedIsEnoughAndNoMore(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	r := resample.New()
	out := make([]float32, pcm.FrameLen)
	for range 5000 {
		r.SetRatio(1 + (rng.Float64()-0.5)*0.004)
		n := 1 + rng.IntN(pcm.FrameSamples)
		need := r.Need(n)
		if need > 0 {
			r.Feed(make([]float32, 2*(need-1)))
			if r.Need(n) != 1 || r.Able(0) >= n || r.Able(1) < n {
				t.Fatalf("%d outputs: after need-1 samples %d are needed, %d can be made, with one more %d",
					n, r.Need(n), r.Able(0), r.Able(1))
			}
			r.Feed(make([]float32, 2))
		}
		if k := r.Next(out[:2*n]); k != n {
			t.Fatalf("%d outputs from what was needed for %d", k, n)
		}
	}
}

func TestRatioChangesAreNotHeard(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	r := resample.New()
	tone := pcmtest.Tone{Hz: 1000, Amp: 0.5}
	var out []float32
	var fed pcm.Pos
	frame := make([]float32, pcm.FrameLen)
	for i := range 500 {
		switch {
		case i < 50: // bit-exact at first
		case i < 250:
			r.SetRatio(1 + (rng.Float64()-0.5)*0.004)
		default:
			r.SetRatio(1)
		}
		in := make([]float32, 2*r.Need(pcm.FrameSamples))
		tone.Fill(in, fed)
		fed += pcm.Pos(len(in) / 2)
		r.Feed(in)
		r.Next(frame)
		out = append(out, frame...)
	}
	// 4000 ppm of 1 kHz turn the phase by 0.25 rad in 10 ms; a step of the
	// ratio in mid-block shows as half of it, a lost sample as 0.13 at once.
	for _, j := range pcmtest.Jumps(out[2*pcm.Rate/100:], 0, 1000, 0.26) {
		t.Errorf("jump %+v", j)
	}
	if step, most := pcmtest.Step(out), 0.5*2*math.Pi*1000*1.003/pcm.Rate; step > most {
		t.Errorf("greatest step %.4f, a clean tone has at most %.4f", step, most)
	}
}

func TestNoAllocations(t *testing.T) {
	r := resample.New()
	r.SetRatio(1.0003)
	in := make([]float32, 4*pcm.FrameLen)
	out := make([]float32, pcm.FrameLen)
	if n := testing.AllocsPerRun(200, func() {
		r.Feed(in[:2*r.Need(pcm.FrameSamples)])
		r.Next(out)
	}); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

func BenchmarkFrame(b *testing.B) {
	for _, ppm := range []float64{0, 100} {
		b.Run(fmt.Sprintf("%vppm", ppm), func(b *testing.B) {
			r := resample.New()
			r.SetRatio(1 + ppm/1e6)
			in := make([]float32, 4*pcm.FrameLen)
			pcmtest.Noise(in, 1, 1)
			out := make([]float32, pcm.FrameLen)
			b.ReportAllocs()
			for b.Loop() {
				r.Feed(in[:2*r.Need(pcm.FrameSamples)])
				r.Next(out)
			}
		})
	}
}
