// Package resample passes stereo sound on at a slightly other speed: what takes
// the drift out of a sender's clock. It is a sinc of 32 taps under a Kaiser
// window, tabulated at 256 phases with straight lines between them. The ratio may
// change at any sample; the position in the input is continuous, so nothing is
// heard of it.
//
// At ratio 1 and as long as no other ratio was ever set, samples pass unchanged,
// bit by bit.
//
// This package does not convert between rates (44.1 to 48 kHz): its band edge
// stays at 24 kHz whatever the ratio is, which is right within some thousand ppm.
package resample

import (
	"math"

	"longwave/ingest/pcm"
)

const (
	taps   = 32
	phases = 256
	// ahead and behind are how many input samples after and before the one at
	// the output's position (or just before it) the sinc reaches.
	ahead  = taps / 2
	behind = taps/2 - 1
	// beta of the Kaiser window: images 90 dB down from 28.4 kHz on.
	beta = 9.0

	// A position is counted in units of 2^-40 samples.
	fracBits  = 40
	one       = 1 << fracBits
	phaseBits = 8
	restBits  = fracBits - phaseBits
)

// Lookahead is how many input samples after an output's position must have been
// fed before the output can be made: a delay of 0.33 ms.
const Lookahead = ahead

// A Resampler is not ready for use as its zero value; see [New]. One goroutine
// uses it.
type Resampler struct {
	buf  []float32 // interleaved; from behind samples before the position on
	frac int64     // of the position, in 2^-40 samples; its whole part is buf[behind]
	step int64     // input per output, in 2^-40 samples
	skip int       // samples of buf that lie before the window: dropped at the next Feed
}

// New returns a resampler at ratio 1, with silence before the first input.
func New() *Resampler {
	r := &Resampler{buf: make([]float32, 0, (4*pcm.FrameSamples+taps)*pcm.Channels)}
	r.Reset()
	return r
}

// Reset forgets all input and returns to ratio 1.
func (r *Resampler) Reset() {
	r.buf = r.buf[:behind*pcm.Channels]
	clear(r.buf)
	r.frac, r.step, r.skip = 0, one, 0
}

// SetRatio sets how many input samples make one output sample, from the next
// output on; it is clamped to [0.5, 2].
func (r *Resampler) SetRatio(ratio float64) {
	r.step = int64(math.Round(min(max(ratio, 0.5), 2) * one))
}

// Ratio returns how many input samples make one output sample.
func (r *Resampler) Ratio() float64 { return float64(r.step) / one }

// fed returns the number of input samples in buf, from the window's start on.
func (r *Resampler) fed() int { return len(r.buf)/pcm.Channels - r.skip }

// Held returns how many input samples were fed that lie at or after the output's
// position.
func (r *Resampler) Held() int { return max(r.fed()-behind, 0) }

// HeldAfter returns what Held will be after n more outputs, when their input has
// been fed.
func (r *Resampler) HeldAfter(n int) int {
	return max(r.fed()-behind-int((r.frac+int64(n)*r.step)>>fracBits), 0)
}

// Need returns how many input samples must still be fed before n outputs can be made.
func (r *Resampler) Need(n int) int {
	if n <= 0 {
		return 0
	}
	last := int((r.frac + int64(n-1)*r.step) >> fracBits)
	return max(last+taps-r.fed(), 0)
}

// Able returns how many outputs can be made when more samples are fed after
// those held: the inverse of [Resampler.Need].
func (r *Resampler) Able(more int) int {
	whole := int64(r.fed() + more - taps)
	if whole < 0 {
		return 0
	}
	return int((whole*one+one-1-r.frac)/r.step) + 1
}

// Left returns how many outputs lie before the end of the input when more
// samples are fed after those held: at ratio 1 it is Held()+more.
func (r *Resampler) Left(more int) int {
	n := int64(r.Held()+more)*one - r.frac
	if n <= 0 {
		return 0
	}
	return int((n + r.step - 1) / r.step)
}

// Feed appends input: interleaved stereo. It does not allocate as long as no
// more than about three frames lie unread.
func (r *Resampler) Feed(src []float32) {
	if r.skip > 0 && len(r.buf)+len(src) > cap(r.buf) {
		n := copy(r.buf, r.buf[r.skip*pcm.Channels:])
		r.buf, r.skip = r.buf[:n], 0
	}
	r.buf = append(r.buf, src...)
}

// FeedZeros feeds n samples of silence: what stands after the end.
func (r *Resampler) FeedZeros(n int) {
	var zeros [taps * pcm.Channels]float32
	for n > 0 {
		k := min(n, taps)
		r.Feed(zeros[:k*pcm.Channels])
		n -= k
	}
}

// Next fills dst, interleaved stereo, as far as the input reaches, and returns
// the number of samples per channel that it made.
func (r *Resampler) Next(dst []float32) int {
	n := len(dst) / pcm.Channels
	if r.step == one && r.frac == 0 {
		n = max(min(n, r.fed()-taps+1), 0)
		from := (r.skip + behind) * pcm.Channels
		copy(dst[:n*pcm.Channels], r.buf[from:])
		r.skip += n
		return n
	}
	for i := range n {
		if r.fed() < taps {
			return i
		}
		window := r.buf[r.skip*pcm.Channels:][:taps*pcm.Channels]
		dst[2*i], dst[2*i+1] = convolve((*[2 * taps]float32)(window), r.frac)
		r.frac += r.step
		r.skip += int(r.frac >> fracBits)
		r.frac &= one - 1
	}
	return n
}

// convolve returns the sound at frac after the window's middle.
//
//go:norace
func convolve(w *[2 * taps]float32, frac int64) (left, right float32) {
	row := &table[frac>>restBits]
	mu := float32(frac&(1<<restBits-1)) * (1.0 / (1 << restBits))
	var l0, r0, l1, r1 float32
	for k := 0; k < taps; k += 2 {
		c0 := row.c[k] + mu*row.d[k]
		c1 := row.c[k+1] + mu*row.d[k+1]
		l0 += c0 * w[2*k]
		r0 += c0 * w[2*k+1]
		l1 += c1 * w[2*k+2]
		r1 += c1 * w[2*k+3]
	}
	return l0 + l1, r0 + r1
}

// A row holds the coefficients of a phase and what to add to get to the next.
type row struct{ c, d [taps]float32 }

var table = makeTable()

func makeTable() *[phases]row {
	var t [phases]row
	at := coefficients(0)
	for p := range t {
		next := coefficients(float64(p+1) / phases)
		for k := range taps {
			t[p].c[k] = float32(at[k])
			t[p].d[k] = float32(next[k] - at[k])
		}
		at = next
	}
	return &t
}

// coefficients returns the windowed sinc for an output that lies frac after
// window sample behind, scaled so that a constant passes unchanged.
func coefficients(frac float64) [taps]float64 {
	var c [taps]float64
	var sum float64
	for k := range c {
		x := float64(k-behind) - frac
		c[k] = sinc(x) * kaiser(x/ahead)
		sum += c[k]
	}
	for k := range c {
		c[k] /= sum
	}
	return c
}

func sinc(x float64) float64 {
	switch {
	case x == 0:
		return 1
	case x == math.Trunc(x):
		return 0
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

// kaiser is the Kaiser window on [-1, 1].
func kaiser(x float64) float64 {
	if x < -1 || x > 1 {
		return 0
	}
	return bessel0(beta*math.Sqrt(1-x*x)) / bessel0(beta)
}

// bessel0 is the modified Bessel function of the first kind, order 0.
func bessel0(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > 1e-17*sum; k++ {
		term *= x / 2 / k * x / 2 / k
		sum += term
	}
	return sum
}
