package feed

import (
	"math"

	"longwave/ingest/pcm"
)

const (
	// pointLen is how many samples a point of a trace stands for: 5 ms.
	pointLen       = 240
	pointsPerFrame = pcm.FrameSamples / pointLen
	// tracePoints is the length of a trace: 10.24 s.
	tracePoints = 2048
	// traceFloor is the energy under which all is equally quiet: -70 dBFS.
	traceFloor = 1e-7
)

// A trace is how loud a member's last seconds were, by which its sound is found again
// in another member's, whatever codec and level it came with.
type trace struct {
	points [tracePoints]float32 // log2 of energy
	n      int                  // points that came
	mean   float64              // energy of the last 10 s, about
}

// push adds a frame.
func (t *trace) push(frame []float32) {
	for len(frame) >= pointLen*pcm.Channels {
		var sum float64
		for _, v := range frame[:pointLen*pcm.Channels] {
			sum += float64(v) * float64(v)
		}
		sum /= pointLen * pcm.Channels
		t.mean += (sum - t.mean) / tracePoints
		t.points[t.n%tracePoints] = float32(math.Log2(sum + traceFloor))
		t.n++
		frame = frame[pointLen*pcm.Channels:]
	}
}

// read fills dst with the points that begin back points before the end.
func (t *trace) read(dst []float32, back int) {
	for i := range dst {
		dst[i] = t.points[(t.n-back+i)%tracePoints]
	}
}

// loudest returns where, between from and to points before the end, the n points begin
// that are the loudest: how many points before the end.
func (t *trace) loudest(n, from, to int) int {
	at, most := from, float32(math.Inf(-1))
	for back := from; back >= to+n; back-- {
		var sum float32
		for i := range n {
			sum += t.points[(t.n-back+i)%tracePoints]
		}
		if sum > most {
			at, most = back, sum
		}
	}
	return at
}
