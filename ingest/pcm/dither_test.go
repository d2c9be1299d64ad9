package pcm_test

import (
	"math"
	"slices"
	"testing"

	"longwave/ingest/pcm"
)

func TestDitherIsThePositionsOwn(t *testing.T) {
	const start = pcm.Pos(1_700_000_000) * pcm.Rate
	whole := make([]float32, 2*pcm.DitherPeriod*pcm.Channels)
	pcm.Dither(whole, start)
	half := pcm.DitherPeriod * pcm.Channels
	if !slices.Equal(whole[:half], whole[half:]) {
		t.Error("the noise does not repeat after DitherPeriod")
	}
	for _, off := range []pcm.Pos{0, 1, 959, 92_159, 92_160, 100_000} {
		got := make([]float32, pcm.FrameLen)
		pcm.Dither(got, start+off)
		at := int(off) * pcm.Channels
		want := whole[at%half:][:min(pcm.FrameLen, half)]
		if !slices.Equal(got, want) {
			t.Errorf("frame at start+%d differs from the same place of a longer run", off)
		}
	}
	before := make([]float32, pcm.FrameLen)
	pcm.Dither(before, -pcm.FrameSamples)
	after := make([]float32, pcm.FrameLen)
	pcm.Dither(after, pcm.DitherPeriod-pcm.FrameSamples)
	if !slices.Equal(before, after) {
		t.Error("a position before the epoch has other noise")
	}
}

func TestDitherLevel(t *testing.T) {
	x := make([]float32, pcm.DitherPeriod*pcm.Channels)
	pcm.Dither(x, 0)
	var energy, cross, peak, sum [2]float64
	for i := 0; i < len(x); i += 2 {
		for c := range 2 {
			v := float64(x[i+c])
			energy[c] += v * v
			sum[c] += v
			cross[c] += v * float64(x[(i+2+1-c)%len(x)])
			peak[c] = max(peak[c], math.Abs(v))
		}
	}
	for c := range 2 {
		rms := math.Sqrt(energy[c] / pcm.DitherPeriod)
		if db := 20 * math.Log10(rms); math.Abs(db+98.09) > 0.1 {
			t.Errorf("channel %d: RMS %.2f dBFS, want -98.09", c, db)
		}
		if peak[c] > pcm.DitherPeak || peak[c] < 0.98*pcm.DitherPeak {
			t.Errorf("channel %d: peak %g, want just under %g", c, peak[c], pcm.DitherPeak)
		}
		if r := cross[c] / energy[c]; math.Abs(r) > 0.015 {
			t.Errorf("channel %d: correlation with its neighbour %.3f", c, r)
		}
		if mean := sum[c] / pcm.DitherPeriod / rms; math.Abs(mean) > 0.015 {
			t.Errorf("channel %d: mean %.3f of the RMS", c, mean)
		}
	}
}

func TestAddDither(t *testing.T) {
	noise := make([]float32, pcm.FrameLen)
	pcm.Dither(noise, 12_345)
	got := make([]float32, pcm.FrameLen)
	for i := range got {
		got[i] = 0.25
	}
	pcm.AddDither(got, 12_345)
	for i := range got {
		if got[i] != 0.25+noise[i] {
			t.Fatalf("value %d: %g, want %g", i, got[i], 0.25+noise[i])
		}
	}
}

func BenchmarkDither(b *testing.B) {
	x := make([]float32, pcm.FrameLen)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		pcm.Dither(x, pcm.Pos(i)*pcm.FrameSamples)
	}
}
