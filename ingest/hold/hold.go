// Package hold keeps what a station plays when nobody speaks: a bundled loop of
// soft chords, made by this package, or the operator's own sound.
//
// A loop is addressed by the position in the programme, modulo its length, and by
// nothing else. So every node plays the same samples at the same position, and one
// that restarts goes on where the others are.
//
// This package does not decide when the hold plays, and it does not fade: package
// mix does. It does not read files.
package hold

import (
	"errors"
	"fmt"
	"math"
	"time"

	"longwave/ingest/loudness"
	"longwave/ingest/pcm"
)

const (
	// LUFS is the integrated loudness of the bundled loop, and what an operator's
	// sound is turned down or up to: 6 LU under the programme.
	LUFS = -24.0

	// Longest is the longest sound that [New] takes; it costs 11.5 MB a minute.
	Longest = 5 * time.Minute
	// Shortest is the shortest.
	Shortest = time.Second

	joinLen  = pcm.Rate / 20 // 50 ms: the crossfade of an operator's end into his beginning
	peakMost = 0.7           // -3 dBFS
	mostGain = 10            // +20 dB: what is lower than that stays low
)

// A Loop is sound without an end. It is read-only: anybody may read it at once.
type Loop struct {
	samples []int16 // interleaved
}

// New returns a loop of samples (interleaved stereo at [pcm.Rate]). Its loudness is
// brought to [LUFS], as far as its peaks stay under -3 dBFS, and its last 50 ms
// are faded into its beginning, by which it becomes so much shorter.
func New(samples []float32) (*Loop, error) {
	n := len(samples) / pcm.Channels
	if d := pcm.Duration(pcm.Pos(n)); d < Shortest || d > Longest {
		return nil, fmt.Errorf("make hold: the sound lasts %v; it must last %v to %v", d.Round(time.Millisecond), Shortest, Longest)
	}
	var meter loudness.Meter
	for i := 0; i+pcm.FrameLen <= len(samples); i += pcm.FrameLen {
		meter.Add(samples[i : i+pcm.FrameLen])
	}
	peak := float64(loudness.Top(samples))
	if !(peak <= math.MaxFloat32) {
		return nil, errors.New("make hold: the sound has values that are not numbers")
	}
	gain := math.Pow(10, (LUFS-meter.Reading().Integrated)/20)
	gain = min(gain, mostGain)
	if peak > 0 {
		gain = min(gain, peakMost/peak)
	}
	n -= joinLen
	l := &Loop{samples: make([]int16, n*pcm.Channels)}
	for i := range l.samples {
		v := float64(samples[i])
		if i/pcm.Channels < joinLen {
			in := math.Sin(math.Pi / 2 * (float64(i/pcm.Channels) + 0.5) / joinLen)
			out := math.Sqrt(1 - in*in)
			v = in*v + out*float64(samples[n*pcm.Channels+i])
		}
		l.samples[i] = quantise(gain * v)
	}
	return l, nil
}

func quantise(v float64) int16 {
	return int16(math.Round(min(max(v*32768, -32768), 32767)))
}

// Len returns the length of the loop in samples.
func (l *Loop) Len() pcm.Pos { return pcm.Pos(len(l.samples) / pcm.Channels) }

// ReadAt fills dst, interleaved stereo, with the sound that belongs at pos.
func (l *Loop) ReadAt(dst []float32, pos pcm.Pos) {
	at := int(pos-pos.Floor(l.Len())) * pcm.Channels
	for len(dst) > 0 {
		n := min(len(dst), len(l.samples)-at)
		for i, v := range l.samples[at : at+n] {
			dst[i] = float32(v) * (1.0 / 32768)
		}
		dst, at = dst[n:], 0
	}
}

// Floor fills dst with the near-silence of pos ([pcm.Dither]), for where there
// shall be no sound at all.
func Floor(dst []float32, pos pcm.Pos) { pcm.Dither(dst, pos) }
