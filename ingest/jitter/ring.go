package jitter

import (
	"math"

	"longwave/ingest/pcm"
	"longwave/ingest/resample"
)

// A ring is a queue of stereo samples of fixed size. It does no locking.
type ring struct {
	buf   []float32 // interleaved
	head  int       // of the oldest sample, in samples per channel
	level int       // samples per channel in the queue
}

func newRing(samples int) ring { return ring{buf: make([]float32, samples*pcm.Channels)} }

func (r *ring) size() int { return len(r.buf) / pcm.Channels }

// put appends as much of x as there is room for and returns how many samples it was.
func (r *ring) put(x []float32) int {
	n := min(len(x)/pcm.Channels, r.size()-r.level)
	tail := (r.head + r.level) % r.size()
	k := copy(r.buf[tail*pcm.Channels:], x[:n*pcm.Channels])
	copy(r.buf, x[k:n*pcm.Channels])
	r.level += n
	return n
}

// feed moves the n oldest samples into a resampler.
func (r *ring) feed(to *resample.Resampler, n int) {
	first := min(n, r.size()-r.head)
	to.Feed(r.buf[r.head*pcm.Channels : (r.head+first)*pcm.Channels])
	to.Feed(r.buf[:(n-first)*pcm.Channels])
	r.drop(n)
}

func (r *ring) drop(n int) {
	r.head = (r.head + n) % r.size()
	r.level -= n
}

// at returns the place in buf of the i-th oldest sample.
func (r *ring) at(i int) int { return (r.head + i) % r.size() * pcm.Channels }

// rms returns the level of n samples from the i-th oldest on.
func (r *ring) rms(i, n int) float64 {
	var sum float64
	for k := range n {
		p := r.at(i + k)
		left, right := float64(r.buf[p]), float64(r.buf[p+1])
		sum += left*left + right*right
	}
	return math.Sqrt(sum / float64(n*pcm.Channels))
}

// skip takes the n oldest samples away and fades from what they began with into
// what follows them. The queue must hold n + fadeLen samples.
func (r *ring) skip(n int) {
	for i := range fadeLen {
		from, to := r.at(i), r.at(n+i)
		g := fade[i]
		r.buf[to] = g*r.buf[to] + (1-g)*r.buf[from]
		r.buf[to+1] = g*r.buf[to+1] + (1-g)*r.buf[from+1]
	}
	r.drop(n)
}

// fadeLen is the length of all fades here: 10 ms.
const fadeLen = pcm.Rate / 100

// fade rises from just above 0 to just below 1, as a raised cosine.
var fade = func() (g [fadeLen]float32) {
	for i := range g {
		g[i] = float32(0.5 - 0.5*math.Cos(math.Pi*(float64(i)+0.5)/fadeLen))
	}
	return g
}()
