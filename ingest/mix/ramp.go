package mix

import "longwave/ingest/pcm"

const rampLen = pcm.Rate / 100 // 10 ms: of faders, mutes, joins and routes

// A ramp is a gain that moves to where it shall be in rampLen samples.
type ramp struct {
	value, target, step float32
	left                int // samples to go
}

func (r *ramp) jump(v float32) { *r = ramp{value: v, target: v} }

func (r *ramp) to(v float32) {
	if v == r.target {
		return
	}
	r.target, r.left = v, rampLen
	r.step = (v - r.value) / rampLen
}

func (r *ramp) still() bool { return r.left == 0 }

func (r *ramp) next() float32 {
	if r.left == 0 {
		return r.value
	}
	if r.left--; r.left == 0 {
		r.value = r.target
	} else {
		r.value += r.step
	}
	return r.value
}

// addTo adds x to dst with the gain of r.
func (r *ramp) addTo(dst, x []float32) {
	dst = dst[:len(x)]
	switch {
	case !r.still():
		for i := 0; i+1 < len(x); i += pcm.Channels {
			g := r.next()
			dst[i] += g * x[i]
			dst[i+1] += g * x[i+1]
		}
	case r.value == 1:
		for i, v := range x {
			dst[i] += v
		}
	case r.value != 0:
		g := r.value
		for i, v := range x {
			dst[i] += g * v
		}
	}
}

// glide multiplies x by a gain that goes from one value to another.
func glide(x []float32, from, to float32) {
	if from == to {
		if to != 1 {
			for i := range x {
				x[i] *= to
			}
		}
		return
	}
	g, step := from, (to-from)/float32(len(x)/pcm.Channels)
	for i := 0; i+1 < len(x); i += pcm.Channels {
		g += step
		x[i] *= g
		x[i+1] *= g
	}
}
