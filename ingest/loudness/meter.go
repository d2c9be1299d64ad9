// Package loudness measures programme loudness by ITU-R BS.1770-4 and EBU R 128
// (with EBU Tech 3341: momentary, short-term, integrated), and the true peak.
//
// This package does not change the sound. It measures stereo at 48 kHz in steps
// of one frame of 20 ms; a measure is complete to the last frame.
package loudness

import (
	"math"

	"longwave/ingest/pcm"
)

const (
	// Silence is what is told where there is nothing to measure: the absolute
	// gate of BS.1770-4.
	Silence = -70.0

	momentaryFrames = 20  // 400 ms
	shortFrames     = 150 // 3 s
	hopFrames       = 5   // 100 ms: gating blocks overlap by three quarters

	binsPerLU = 10
	bins      = 100 * binsPerLU // -70 to +30 LUFS
)

// A Reading is what a [Meter] shows, in LUFS and dBTP.
type Reading struct {
	Momentary  float64 // last 400 ms
	ShortTerm  float64 // last 3 s
	Integrated float64 // since the last Reset, gated
	TruePeak   float64 // highest since the last Reset
}

// A Meter measures one programme. The zero Meter is ready for use. One goroutine
// uses it; it does not allocate.
type Meter struct {
	weight KWeight
	peak   TruePeak

	ring   [shortFrames]float64 // weighted energy of the last frames
	at     int                  // where the next frame goes
	frames int                  // in ring, at most its length
	hop    int                  // frames since the last gating block

	blocks [bins]uint64  // gating blocks by loudness
	energy [bins]float64 // their energy
}

// Reset begins a new integrated loudness and a new highest true peak.
func (m *Meter) Reset() { *m = Meter{} }

// Add measures one frame: interleaved stereo, [pcm.FrameLen] values.
func (m *Meter) Add(frame []float32) {
	m.peak.Add(frame)
	m.ring[m.at] = m.weight.Energy(frame)
	m.at = (m.at + 1) % shortFrames
	m.frames = min(m.frames+1, shortFrames)
	if m.hop++; m.hop < hopFrames {
		return
	}
	m.hop = 0
	if m.frames < momentaryFrames {
		return
	}
	e := m.mean(momentaryFrames)
	if lufs := LUFS(e); lufs > Silence {
		bin := min(int((lufs-Silence)*binsPerLU), bins-1)
		m.blocks[bin]++
		m.energy[bin] += e
	}
}

// mean returns the energy of the last n frames; before there are so many, silence
// stands for the missing ones.
func (m *Meter) mean(n int) float64 {
	var sum float64
	for i := 1; i <= min(n, m.frames); i++ {
		sum += m.ring[(m.at-i+shortFrames)%shortFrames]
	}
	return sum / float64(n)
}

// Momentary returns the loudness of the last 400 ms.
func (m *Meter) Momentary() float64 { return LUFS(m.mean(momentaryFrames)) }

// Reading returns all that is measured.
func (m *Meter) Reading() Reading {
	return Reading{
		Momentary:  m.Momentary(),
		ShortTerm:  LUFS(m.mean(shortFrames)),
		Integrated: m.integrated(),
		TruePeak:   max(20*math.Log10(m.peak.Max()), -120),
	}
}

// integrated applies the two gates of BS.1770-4 Annex 1: -70 LUFS, and 10 LU
// under the mean of what passed the first. The second is rounded to a tenth.
func (m *Meter) integrated() float64 {
	first := m.gated(0)
	if first == 0 {
		return Silence
	}
	gate := LUFS(first) - 10
	return LUFS(m.gated(max(0, int(math.Round((gate-Silence)*binsPerLU)))))
}

// gated returns the mean energy of the blocks in bin from and above.
func (m *Meter) gated(from int) float64 {
	var n uint64
	var sum float64
	for i := min(from, bins); i < bins; i++ {
		n += m.blocks[i]
		sum += m.energy[i]
	}
	if n == 0 {
		return 0
	}
	return sum / float64(n)
}

// LUFS converts weighted energy, summed over the channels, to loudness. It is
// [Silence] at the least.
func LUFS(energy float64) float64 {
	if energy <= 0 {
		return Silence
	}
	return max(-0.691+10*math.Log10(energy), Silence)
}

// A KWeight is the K-weighting filter of BS.1770-4 Annex 1 for stereo: a shelf
// for the head, then a high-pass. The zero KWeight is ready for use.
type KWeight struct{ left, right kChannel }

// Energy filters x, interleaved stereo, and returns the mean square summed over
// both channels.
//
//go:norace
func (k *KWeight) Energy(x []float32) float64 {
	if len(x) < pcm.Channels {
		return 0
	}
	var sum float64
	l, r := k.left, k.right
	for i := 0; i+1 < len(x); i += pcm.Channels {
		a := l.next(float64(x[i]))
		b := r.next(float64(x[i+1]))
		sum += a*a + b*b
	}
	l.calm()
	r.calm()
	k.left, k.right = l, r
	return sum / float64(len(x)/pcm.Channels)
}

// kChannel is two second-order filters in transposed direct form II, with the
// coefficients that BS.1770-4 gives for 48 kHz.
type kChannel struct{ a1, a2, b1, b2 float64 }

func (s *kChannel) next(x float64) float64 {
	y := 1.53512485958697*x + s.a1
	s.a1 = -2.69169618940638*x + 1.69065929318241*y + s.a2
	s.a2 = 1.19839281085285*x - 0.73248077421585*y
	z := y + s.b1
	s.b1 = -2*y + 1.99004745483398*z + s.b2
	s.b2 = y - 0.99007225036621*z
	return z
}

// calm ends the decay into denormal numbers, which are slow.
func (s *kChannel) calm() {
	if math.Abs(s.a1)+math.Abs(s.a2)+math.Abs(s.b1)+math.Abs(s.b2) < 1e-30 {
		*s = kChannel{}
	}
}

// RMS returns the root mean square of x over both channels, where 1 is full
// scale. With [Top] it is the cheap meter of a lane.
//
//go:norace
func RMS(x []float32) float32 {
	if len(x) == 0 {
		return 0
	}
	var a, b, c, d float64 // four sums wait for each other less than one for itself
	rest := x
	for ; len(rest) >= 4; rest = rest[4:] {
		a += float64(rest[0]) * float64(rest[0])
		b += float64(rest[1]) * float64(rest[1])
		c += float64(rest[2]) * float64(rest[2])
		d += float64(rest[3]) * float64(rest[3])
	}
	for _, v := range rest {
		a += float64(v) * float64(v)
	}
	return float32(math.Sqrt((a + b + c + d) / float64(len(x))))
}
