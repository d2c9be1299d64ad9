// Package pcmtest makes test sounds and judges what became of them: tones and
// noise, the level of a frequency (Goertzel), the ratio of a tone to everything
// else, jumps of phase, gaps, and WAV files for the judges outside.
//
// All sounds are interleaved stereo at [pcm.Rate]; a channel is 0 (left) or 1.
//
// This package does not import testing: it returns figures, and the test says
// which are good. It is for tests only.
package pcmtest

import (
	"math"

	"longwave/ingest/pcm"
)

// A Tone is a sine on both channels. It is a pure function of the position, so
// that pieces made apart fit together.
type Tone struct {
	Hz  float64
	Amp float64 // 1 is full scale
	// RightHz is the right channel's frequency; 0 is the same as the left's.
	RightHz float64
}

// Fill overwrites dst with the tone from pos on.
func (t Tone) Fill(dst []float32, pos pcm.Pos) {
	for len(dst) >= pcm.Channels {
		second := pos.Floor(pcm.Rate)
		n := min(len(dst)/pcm.Channels, int(second+pcm.Rate-pos))
		t.fill(dst[:n*pcm.Channels], second/pcm.Rate, int(pos-second))
		dst, pos = dst[n*pcm.Channels:], pos+pcm.Pos(n)
	}
}

// fill stays within a second of the timeline. The phase at its start is worked
// out first, so that positions since the epoch lose no precision.
func (t Tone) fill(dst []float32, second pcm.Pos, at int) {
	left := math.Mod(t.Hz*float64(second), 1)
	right := math.Mod(t.RightHz*float64(second), 1)
	for i := 0; i+1 < len(dst); i += pcm.Channels {
		now := float64(at+i/pcm.Channels) / pcm.Rate
		dst[i] = float32(t.Amp * math.Sin(2*math.Pi*(left+t.Hz*now)))
		dst[i+1] = dst[i]
		if t.RightHz != 0 {
			dst[i+1] = float32(t.Amp * math.Sin(2*math.Pi*(right+t.RightHz*now)))
		}
	}
}

// Make returns n samples per channel of the tone from position 0 on.
func (t Tone) Make(n int) []float32 {
	dst := make([]float32, n*pcm.Channels)
	t.Fill(dst, 0)
	return dst
}

// Noise overwrites dst with white noise in [-amp, amp], the same for the same seed.
func Noise(dst []float32, amp float64, seed uint64) {
	for i := range dst {
		seed += 0x9e3779b97f4a7c15
		x := (seed ^ seed>>30) * 0xbf58476d1ce4e5b9
		x = (x ^ x>>27) * 0x94d049bb133111eb
		x ^= x >> 31
		dst[i] = float32(amp * (float64(x>>11)/(1<<52) - 1))
	}
}

// Count overwrites dst with numbers that tell each sample's place: left counts
// up from n in steps of 2^-23 and right is its negative. Read it with [Counted].
// Places from 0 to 2^23-2 can be told.
func Count(dst []float32, n int) {
	for i := 0; i+1 < len(dst); i += pcm.Channels {
		v := float32(n+i/pcm.Channels+1) / (1 << 23)
		dst[i], dst[i+1] = v, -v
	}
}

// Counted returns the place that [Count] wrote at sample i of x, or -1 where
// there is silence, and -2 where there is something that Count did not write.
func Counted(x []float32, i int) int {
	left, right := x[i*pcm.Channels], x[i*pcm.Channels+1]
	n := float64(left) * (1 << 23)
	switch {
	case left == 0 && right == 0:
		return -1
	case left != -right || n != math.Trunc(n) || n < 1:
		return -2
	}
	return int(n) - 1
}
