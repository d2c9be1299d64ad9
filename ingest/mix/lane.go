package mix

import (
	"math"
	"sync/atomic"

	"longwave/ingest/loudness"
	"longwave/ingest/pcm"
)

// A Source is a lane's sound as the mixer sees it.
type Source interface {
	// Pull fills dst, one frame, with the next sound and says how it was
	// obtained; Silent means zeros. It must not block. It is called every 20 ms
	// from when the lane is added until one frame after it is removed.
	Pull(dst []float32) pcm.Fill
}

// LaneOptions are how a lane begins.
type LaneOptions struct {
	GainDB float64 // 0 passes the sound as it is
	Muted  bool
	OffAir bool // not in the programme: in the green room
	Voice  bool // a live voice, which is levelled; false: left as it is
}

// A LaneLevel is what a lane's meter shows: the sound before fader and mute.
type LaneLevel struct {
	ID       string
	RMSDBFS  float64 // of the last frame; -120 at the least
	PeakDBFS float64
	Fill     pcm.Fill
	Faults   uint64 // frames that were thrown away because they held no numbers
	Speaking bool   // somebody speaks, see [Speech]
}

const (
	rampLen = pcm.Rate / 100 // 10 ms: of faders, mutes and joins

	// mostLevel is the RMS (+40 dBFS) above which samples are no sound but the
	// garbage of a broken decoder.
	mostLevel = 100
)

// A lane is a source on its way to the bus.
type lane struct {
	id  string
	src Source

	// Set by anybody.
	gainDB  float64 // guarded by the mixer's mutex, as is muted
	muted   bool
	offAir  atomic.Bool
	target  atomic.Uint32 // the gain asked for: bits of a float32
	leaving atomic.Bool

	// Told to anybody: bits of float32s.
	rms, peak atomic.Uint32
	fill      atomic.Uint32
	faults    atomic.Uint64

	// Of the goroutine that mixes.
	gain ramp
	join ramp
	air  ramp // 1 in the programme
	last pcm.Fill
	out  [pcm.FrameLen]float32 // the last frame after the fader, for the returns
}

func newLane(id string, src Source, o LaneOptions) *lane {
	l := &lane{id: id, src: src, gainDB: o.GainDB, muted: o.Muted}
	l.offAir.Store(o.OffAir)
	l.aim()
	l.gain.jump(l.wanted())
	l.air.jump(l.share())
	return l
}

// aim works out the gain that is asked for. The mixer's mutex is held.
func (l *lane) aim() {
	g := float32(math.Pow(10, l.gainDB/20))
	if l.muted {
		g = 0
	}
	l.target.Store(math.Float32bits(g))
}

func (l *lane) wanted() float32 {
	if l.leaving.Load() {
		return 0
	}
	return math.Float32frombits(l.target.Load())
}

// pull fills buf with the lane's next frame and measures it.
func (l *lane) pull(buf []float32) pcm.Fill {
	fill := l.src.Pull(buf)
	rms := loudness.RMS(buf)
	if !(rms < mostLevel) { // true for what is not a number, too
		l.faults.Add(1)
		clear(buf)
		fill, rms = pcm.Silent, 0
	}
	l.rms.Store(math.Float32bits(rms))
	l.peak.Store(math.Float32bits(loudness.Top(buf)))
	l.fill.Store(uint32(fill))
	return fill
}

// share is the part of the lane that is in the programme: 1 or 0.
func (l *lane) share() float32 {
	if l.offAir.Load() {
		return 0
	}
	return 1
}

// addTo adds the lane's next frame to bus and reports whether it can be heard there.
// What it gives to returns is in l.out.
func (l *lane) addTo(bus []float32) bool {
	out := l.out[:len(bus)]
	fill := l.pull(out)
	if fill != pcm.Silent && l.last == pcm.Silent {
		l.join.jump(0)
		l.join.to(1)
	}
	l.last = fill
	want, share := l.wanted(), l.share()
	l.gain.to(want)
	l.air.to(share)
	if fill == pcm.Silent {
		l.gain.jump(want)
		l.air.jump(share)
		return false
	}
	for i := 0; i+1 < len(out); i += pcm.Channels {
		g := l.gain.next() * l.join.next()
		out[i] *= g
		out[i+1] *= g
	}
	l.air.addTo(bus, out)
	return want != 0 && share != 0
}

func (l *lane) level() LaneLevel {
	return LaneLevel{
		ID:       l.id,
		RMSDBFS:  db(l.rms.Load()),
		PeakDBFS: db(l.peak.Load()),
		Fill:     pcm.Fill(l.fill.Load()),
		Faults:   l.faults.Load(),
	}
}

func db(bits uint32) float64 {
	return max(20*math.Log10(float64(math.Float32frombits(bits))), -120)
}

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
	if r.still() {
		if g := r.value; g != 0 {
			for i, v := range x {
				dst[i] += g * v
			}
		}
		return
	}
	for i := 0; i+1 < len(x); i += pcm.Channels {
		g := r.next()
		dst[i] += g * x[i]
		dst[i+1] += g * x[i+1]
	}
}
