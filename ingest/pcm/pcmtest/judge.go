package pcmtest

import (
	"math"
	"math/cmplx"

	"longwave/ingest/pcm"
)

// DB returns 20 log10 of an amplitude; silence gives -Inf.
func DB(amp float64) float64 { return 20 * math.Log10(amp) }

// RMS returns the root mean square of both channels.
func RMS(x []float32) float64 {
	if len(x) == 0 {
		return 0
	}
	var sum float64
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum / float64(len(x)))
}

// Peak returns the greatest magnitude of any sample.
func Peak(x []float32) float64 {
	var peak float64
	for _, v := range x {
		peak = max(peak, math.Abs(float64(v)))
	}
	return peak
}

// Goertzel returns the amplitude of the frequency hz in a channel of x: 1 for a
// full-scale sine. Its resolution is 48,000 / samples hertz.
func Goertzel(x []float32, channel int, hz float64) float64 {
	return cmplx.Abs(correlate(x, channel, hz))
}

// correlate is the Goertzel recursion with its phase, scaled to amplitude.
func correlate(x []float32, channel int, hz float64) complex128 {
	n := len(x) / pcm.Channels
	if n == 0 {
		return 0
	}
	w := 2 * math.Pi * hz / pcm.Rate
	c := 2 * math.Cos(w)
	var s1, s2 float64
	for i := channel; i < len(x); i += pcm.Channels {
		s1, s2 = float64(x[i])+c*s1-s2, s1
	}
	y := complex(s1-s2*math.Cos(w), s2*math.Sin(w))
	turn := cmplx.Rect(1, -w*float64(n-1)) // back to the phase at the first sample
	return y * turn * complex(2/float64(n), 0)
}

// Has reports whether the tone hz is what a channel of x mostly consists of: at
// least nine tenths of its energy, at a level above -60 dBFS. Ask it of a second
// or less: over a longer time a tone that follows a drifting clock is no longer one.
func Has(x []float32, channel int, hz float64) bool {
	a := Goertzel(x, channel, hz)
	var energy float64
	for i := channel; i < len(x); i += pcm.Channels {
		energy += float64(x[i]) * float64(x[i])
	}
	energy /= float64(len(x) / pcm.Channels)
	return a > 0.001 && a*a/2 > 0.9*energy
}

// SNR returns the ratio in dB of the tone hz to everything else in a channel of
// x. Amplitude, phase and offset of the tone are fitted (least squares).
func SNR(x []float32, channel int, hz float64) float64 {
	var m [3][4]float64 // normal equations of sin, cos, 1
	w := 2 * math.Pi * hz / pcm.Rate
	for i := channel; i < len(x); i += pcm.Channels {
		s, c := math.Sincos(w * float64(i/pcm.Channels))
		row := [4]float64{s, c, 1, float64(x[i])}
		for a := range 3 {
			for b := range 4 {
				m[a][b] += row[a] * row[b]
			}
		}
	}
	fit := solve(m)
	var signal, rest float64
	for i := channel; i < len(x); i += pcm.Channels {
		s, c := math.Sincos(w * float64(i/pcm.Channels))
		tone := fit[0]*s + fit[1]*c
		off := float64(x[i]) - tone - fit[2]
		signal += tone * tone
		rest += off * off
	}
	return 10 * math.Log10(signal/rest)
}

// solve is Gaussian elimination with pivots.
func solve(m [3][4]float64) [3]float64 {
	for k := range 3 {
		p := k
		for r := k + 1; r < 3; r++ {
			if math.Abs(m[r][k]) > math.Abs(m[p][k]) {
				p = r
			}
		}
		m[k], m[p] = m[p], m[k]
		for r := range 3 {
			if r == k || m[k][k] == 0 {
				continue
			}
			f := m[r][k] / m[k][k]
			for c := k; c < 4; c++ {
				m[r][c] -= f * m[k][c]
			}
		}
	}
	return [3]float64{m[0][3] / m[0][0], m[1][3] / m[1][1], m[2][3] / m[2][2]}
}

// A Jump is a place where a tone does not go on as it went.
type Jump struct {
	At      int     // sample per channel, first of the block
	Radians float64 // how far the phase is from where it should be, in [-pi, pi]
	Amp     float64 // the tone's amplitude in the block
}

// Jumps looks at a channel of x, which should hold the tone hz (within some
// 0.5 %) without a break, in blocks of 10 ms, and returns the blocks whose phase
// advance differs from that of the block before by more than limit radians, or
// whose amplitude differs by more than limit times. One lost sample of a 1 kHz
// tone is a jump of 0.13.
func Jumps(x []float32, channel int, hz, limit float64) []Jump {
	const block = pcm.Rate / 100
	var jumps []Jump
	var last, lastStep complex128
	turn := cmplx.Rect(1, -2*math.Pi*hz*block/pcm.Rate)
	for n := 0; (n+1)*block*pcm.Channels <= len(x); n++ {
		y := correlate(x[n*block*pcm.Channels:(n+1)*block*pcm.Channels], channel, hz)
		step := y / last * turn
		if n > 1 {
			off := cmplx.Phase(step / lastStep)
			ratio := cmplx.Abs(y) / cmplx.Abs(last)
			if !(math.Abs(off) <= limit) || !(math.Abs(ratio-1) <= limit) {
				jumps = append(jumps, Jump{At: n * block, Radians: off, Amp: cmplx.Abs(y)})
			}
		}
		last, lastStep = y, step
	}
	return jumps
}

// A Gap is a run of samples under a level.
type Gap struct {
	At, Len int // in samples per channel
}

// Gaps returns the runs of at least least samples in which no sample of either
// channel reaches level.
func Gaps(x []float32, level float64, least int) []Gap {
	var gaps []Gap
	start := 0
	end := len(x) / pcm.Channels
	for i := 0; i <= end; i++ {
		if i < end && math.Abs(float64(x[2*i])) < level && math.Abs(float64(x[2*i+1])) < level {
			continue
		}
		if i-start >= least {
			gaps = append(gaps, Gap{At: start, Len: i - start})
		}
		start = i + 1
	}
	return gaps
}

// Step returns the greatest difference between neighbouring samples of a
// channel: a click is a step that the signal itself cannot make.
func Step(x []float32) float64 {
	var step float64
	for i := pcm.Channels; i < len(x); i++ {
		step = max(step, math.Abs(float64(x[i])-float64(x[i-pcm.Channels])))
	}
	return step
}
