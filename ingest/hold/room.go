package hold

import "longwave/ingest/pcm"

// A room is reverberation: four delay lines that feed each other by a Hadamard
// matrix, with a low-pass in each.
type room struct {
	lines [4][lineMost]float32
	low   [4]float32
	at    int
}

const (
	lineMost = 4096
	wet      = 0.34
	feedback = 0.86 // dies away by 60 dB in about 3 s
	damping  = 0.32
)

// delays are primes, so that the echoes do not fall together.
var delays = [4]int{2203, 2731, 3251, 3907}

// process adds the room to x.
//
//go:norace
func (r *room) process(x []float32) {
	for i := 0; i+1 < len(x); i += pcm.Channels {
		var y [4]float32
		for k := range y {
			v := r.lines[k][(r.at-delays[k])&(lineMost-1)]
			r.low[k] += (1 - damping) * (v - r.low[k])
			y[k] = r.low[k]
		}
		sum, diff := y[0]+y[1], y[0]-y[1]
		sum2, diff2 := y[2]+y[3], y[2]-y[3]
		const g = feedback / 2
		now := r.at & (lineMost - 1)
		r.lines[0][now] = x[i] + g*(sum+sum2)
		r.lines[1][now] = x[i+1] + g*(diff+diff2)
		r.lines[2][now] = x[i] + g*(sum-sum2)
		r.lines[3][now] = x[i+1] + g*(diff-diff2)
		x[i] += wet * (y[0] + y[2])
		x[i+1] += wet * (y[1] + y[3])
		r.at++
	}
}
