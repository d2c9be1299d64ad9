package jitter

import (
	"fmt"
	"math"
	"slices"

	"github.com/hraban/opus"

	"longwave/ingest/pcm"
	"longwave/ingest/resample"
)

const (
	// grain is the step in which libopus conceals: 2.5 ms.
	grain = 120
	// fadeFrom is when what is invented begins to fade, to be gone after concealMost.
	fadeFrom = 6 * pcm.Rate / 100
	// mostPending is the longest packet behind what a frame left of the one before.
	mostPending = mostSamples + 4*pcm.FrameSamples
)

// A voice decodes what a [playout] asks for, to stereo: libopus gives mono as two
// equal channels. One goroutine uses it.
type voice struct {
	dec     *opus.Decoder
	pending [mostPending * pcm.Channels]float32 // decoded and not played
	n       int                                 // of them, samples per channel
	silent  int                                 // of them, at the end
	fill    pcm.Fill                            // how the last of them were obtained
	work    [mostSamples * pcm.Channels]float32
	tail    [fadeLen * pcm.Channels]float32 // what would have come before a join
	run     int                             // samples invented in a row
	gain    float32
	calm    bool // the last packet was quiet
	started bool // a packet was decoded
}

func newVoice() (*voice, error) {
	dec, err := opus.NewDecoder(pcm.Rate, pcm.Channels)
	if err != nil {
		return nil, fmt.Errorf("open the Opus decoder: %w", err)
	}
	return &voice{dec: dec}, nil
}

// clear forgets what is pending: the next sound fades in.
func (v *voice) clear() { v.n, v.silent, v.fill, v.gain, v.run, v.calm = 0, 0, pcm.Silent, 0, 0, false }

// left says how the samples that are pending were obtained.
func (v *voice) left() pcm.Fill {
	if v.n == 0 {
		return pcm.Silent
	}
	return v.fill
}

// decode does what o says and returns how the samples were obtained.
func (v *voice) decode(o op) pcm.Fill {
	switch o.kind {
	case opPacket, opRepair:
		v.fill = v.real(o)
	case opConceal:
		v.fill = v.invent(o)
	default:
		v.gain = 0
		v.fill = pcm.Silent
		clear(v.extend(o.n))
		v.silent += o.n
	}
	return v.fill
}

// extend returns the room of n more samples that are pending.
func (v *voice) extend(n int) []float32 {
	x := v.pending[v.n*pcm.Channels : (v.n+n)*pcm.Channels]
	v.n += n
	return x
}

func (v *voice) real(o op) pcm.Fill {
	join := o.join && v.started && v.gain > 0
	if join && v.plc(v.tail[:]) != nil {
		clear(v.tail[:])
	}
	x := v.work[: o.dur*pcm.Channels : o.dur*pcm.Channels]
	if err := v.read(o, x); err != nil {
		return v.invent(op{kind: opConceal, n: o.n})
	}
	v.started = true
	x = x[(o.dur-o.n)*pcm.Channels:]
	if o.kind == opPacket {
		v.calm = rms(x) < quiet
	}
	if join {
		for i := range min(fadeLen, o.n) {
			g := fade[i]
			x[2*i] = g*x[2*i] + (1-g)*v.gain*v.tail[2*i]
			x[2*i+1] = g*x[2*i+1] + (1-g)*v.gain*v.tail[2*i+1]
		}
		v.gain = 1
	}
	for i := 0; v.gain < 1 && i < o.n; i++ {
		v.gain = min(v.gain+1.0/fadeLen, 1)
		scale(x, i, v.gain)
	}
	copy(v.extend(o.n), x)
	v.silent, v.run = 0, 0
	return pcm.Heard
}

// read decodes into x, which is as long as o says.
func (v *voice) read(o op, x []float32) error {
	if o.kind == opRepair {
		return v.dec.DecodeFECFloat32(o.payload, x)
	}
	n, err := v.dec.DecodeFloat32(o.payload, x)
	if err == nil && n != o.dur {
		clear(x[min(n, o.dur)*pcm.Channels:])
	}
	return err
}

// plc fills x, whose length is a multiple of the grain, with what may have followed.
func (v *voice) plc(x []float32) error { return v.dec.DecodePLCFloat32(slices.Clip(x)) }

// invent makes up o.n samples.
func (v *voice) invent(o op) pcm.Fill {
	n := min((o.n+grain-1)/grain*grain, mostSamples)
	x := v.work[:n*pcm.Channels]
	if !v.started || v.plc(x) != nil {
		clear(x)
	}
	x = x[:o.n*pcm.Channels]
	for i := range o.n {
		v.gain = min(v.gain, v.fading(o, i))
		scale(x, i, v.gain)
	}
	v.run += o.n
	copy(v.extend(o.n), x)
	if v.silent = 0; v.gain == 0 && o.n >= pcm.FrameSamples {
		v.silent = o.n
	}
	return pcm.Concealed
}

// fading is the gain of the i-th sample of what o invents.
func (v *voice) fading(o op, i int) float32 {
	from, most := fadeFrom, concealMost
	switch at := v.run + i; {
	case o.last:
		return float32(o.n-1-i) / float32(o.n)
	case o.pause:
		from, most = pauseMost-fadeLen, pauseMost
		fallthrough
	default:
		return min(max(float32(most-at)/float32(most-from), 0), 1)
	}
}

// play moves the n oldest samples to what is played.
func (v *voice) play(n int, to *resample.Resampler) {
	to.Feed(v.pending[:n*pcm.Channels])
	copy(v.pending[:], v.pending[n*pcm.Channels:v.n*pcm.Channels])
	v.n -= n
	v.silent = min(v.silent, v.n)
}

func rms(x []float32) float64 {
	var sum float64
	for _, s := range x {
		sum += float64(s) * float64(s)
	}
	return math.Sqrt(sum / float64(max(len(x), 1)))
}
