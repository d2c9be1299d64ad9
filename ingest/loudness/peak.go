package loudness

import (
	"math"

	"longwave/ingest/pcm"
)

const (
	peakTaps = 16
	// PeakDelay is how many samples [Oversample] looks ahead: a peak between
	// two samples is known this much after the first of them.
	PeakDelay = peakTaps / 2
)

// peakFilter interpolates at a quarter, a half and three quarters between two
// samples: a sinc under a Kaiser window. The third is the first backwards.
var peakFilter = func() (f [3][peakTaps]float32) {
	const beta = 5
	for p := range f {
		var c [peakTaps]float64
		var sum float64
		for k := range c {
			x := float64(k-(peakTaps/2-1)) - float64(p+1)/4
			w := x / (peakTaps / 2)
			c[k] = math.Sin(math.Pi*x) / (math.Pi * x) * bessel0(beta*math.Sqrt(max(0, 1-w*w))) / bessel0(beta)
			sum += c[k]
		}
		for k := range c {
			f[p][k] = float32(c[k] / sum)
		}
	}
	return f
}()

func bessel0(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > 1e-17*sum; k++ {
		term *= x / 2 / k * x / 2 / k
		sum += term
	}
	return sum
}

// lowPeak (-60 dBFS) is what is too low for its true peak to matter: there the
// samples themselves are taken for it.
const lowPeak = 1e-3

// OvershootMost is how much higher than the samples around it a value between
// two samples can be as [Oversample] sees it: sound under a limit by this factor
// need not be looked at.
var OvershootMost = func() float32 {
	var most float32
	for _, f := range peakFilter {
		var sum float32
		for _, c := range f {
			sum += max(c, -c)
		}
		most = max(most, sum)
	}
	return most
}()

// Oversample returns the highest magnitude of a channel at the window's middle
// sample (index PeakDelay-1) and at the three points between it and the next
// (BS.1770-4 Annex 2). The window is 2*PeakDelay stereo samples from x[0] on; x
// starts at the channel.
//
//go:norace
func Oversample(x []float32) float32 {
	x = x[:2*peakTaps-1]
	v := x[2*(PeakDelay-1)]
	peak := max(v, -v)
	f0, f1, f2 := &peakFilter[0], &peakFilter[1], &peakFilter[2]
	var a, b, c float32
	for k := range peakTaps {
		s := x[2*k]
		a += f0[k] * s
		b += f1[k] * s
		c += f2[k] * s
	}
	return max(peak, a, -a, b, -b, c, -c)
}

// A TruePeak finds the highest true peak of a run of frames. The zero TruePeak is
// ready for use.
type TruePeak struct {
	// buf is the end of the last frame, then the frame.
	buf [(pcm.FrameSamples + peakTaps) * pcm.Channels]float32
	max float32
}

// Add looks at interleaved stereo samples, at most [pcm.FrameLen] values. It
// goes by groups and looks between the samples only where a new maximum can be.
func (t *TruePeak) Add(x []float32) {
	const tail = peakTaps * pcm.Channels
	const group = 16 * pcm.Channels
	n := copy(t.buf[tail:], x)
	window := t.buf[:tail+n]
	for from := pcm.Channels; from < n+pcm.Channels; from += group {
		to := min(from+group, n+pcm.Channels)
		top := Top(window[from : to+tail-pcm.Channels])
		if top*OvershootMost <= max(t.max, lowPeak) {
			t.max = max(t.max, top)
			continue
		}
		for i := from; i < to; i += pcm.Channels {
			t.max = max(t.max, Oversample(window[i:]), Oversample(window[i+1:]))
		}
	}
	copy(t.buf[:tail], window[n:])
}

// Top returns the highest magnitude in x.
//
//go:norace
func Top(x []float32) float32 {
	var top uint32 // without their sign, floats are ordered as their bits are
	for _, v := range x {
		top = max(top, math.Float32bits(v)&^(1<<31))
	}
	return math.Float32frombits(top)
}

// Max returns the highest true peak so far, 1 being full scale.
func (t *TruePeak) Max() float64 { return float64(t.max) }
