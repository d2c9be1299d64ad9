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
	Voice  bool // a live voice, which is levelled and told of in [Speech]; false: left as it is
	// AutoDB is the levelling gain with which a voice begins, as [LaneLevel] told it before
	// the speaker's connection was lost. 0 for a newcomer.
	AutoDB float64
}

// A LaneLevel is what a lane's meter shows. RMS and peak are those of the last frame as
// it came, before everything that the mixer does.
type LaneLevel struct {
	ID       string
	RMSDBFS  float64 // -120 at the least
	PeakDBFS float64
	Fill     pcm.Fill
	Faults   uint64  // frames that were thrown away because they held no numbers
	Speaking bool    // somebody speaks, on air or not
	AutoDB   float64 // the gain that levels a voice; 0 for what is none
}

// mostLevel is the RMS (+40 dBFS) above which samples are no sound but the garbage of
// a broken decoder.
const mostLevel = 100

// A lane is a source on its way to the bus.
type lane struct {
	id  string
	src Source
	control
	meter

	// Of the goroutine that mixes.
	voice   *voice // nil: the sound is left as it is
	leaving bool
	gain    ramp    // fader and mute
	join    ramp    // after silence
	air     ramp    // 1 in the programme
	part    float32 // what air goes to with this frame
	last    pcm.Fill
	said    said
	out     [pcm.FrameLen]float32 // the last frame after the fader, for the returns
}

// A control is what others set at a lane.
type control struct {
	gainDB float64 // guarded by the mixer's mutex, as is muted
	muted  bool
	offAir atomic.Bool
	target atomic.Uint32 // the gain asked for: bits of a float32
}

// aim works out the gain that is asked for. The mixer's mutex is held.
func (c *control) aim() {
	g := float32(math.Pow(10, c.gainDB/20))
	if c.muted {
		g = 0
	}
	c.target.Store(math.Float32bits(g))
}

// A meter is what a lane tells others; levels are bits of float32s.
type meter struct {
	rms, peak, auto atomic.Uint32
	fill            atomic.Uint32
	faults          atomic.Uint64
	allFaults       *atomic.Uint64 // of all lanes
	speaking        atomic.Bool
}

func newLane(id string, src Source, o LaneOptions, faults *atomic.Uint64) *lane {
	l := &lane{id: id, src: src, meter: meter{allFaults: faults}}
	l.gainDB, l.muted = o.GainDB, o.Muted
	l.offAir.Store(o.OffAir)
	if o.Voice {
		l.voice = newVoice(o.AutoDB)
		l.auto.Store(math.Float32bits(float32(l.voice.auto.gain)))
	}
	l.aim()
	l.gain.jump(l.wanted())
	l.air.jump(l.share())
	return l
}

func (l *lane) wanted() float32 {
	if l.leaving {
		return 0
	}
	return math.Float32frombits(l.target.Load())
}

// share is the part of the lane that is in the programme: 1 or 0.
func (l *lane) share() float32 {
	if l.offAir.Load() {
		return 0
	}
	return 1
}

// pull fills buf with the lane's next frame and measures it.
func (l *lane) pull(buf []float32) pcm.Fill {
	fill := l.src.Pull(buf)
	rms := loudness.RMS(buf)
	if !(rms < mostLevel) { // true for what is not a number, too
		l.faults.Add(1)
		l.allFaults.Add(1)
		clear(buf)
		fill, rms = pcm.Silent, 0
	}
	l.rms.Store(math.Float32bits(rms))
	l.peak.Store(math.Float32bits(loudness.Top(buf)))
	l.fill.Store(uint32(fill))
	return fill
}

// step makes the lane's next frame, in out, which will be heard at pos. After it, last
// says whether there is one.
func (l *lane) step(pos pcm.Pos) {
	out := l.out[:]
	fill := l.pull(out)
	if fill != pcm.Silent && l.last == pcm.Silent {
		l.join.jump(0)
		l.join.to(1)
	}
	l.last = fill
	want := l.wanted()
	l.gain.to(want)
	l.air.to(l.part)
	if fill == pcm.Silent {
		l.gain.jump(want)
		l.air.jump(l.part)
	}
	l.level(out, pos)
	if fill != pcm.Silent {
		l.fade(out)
	}
}

// level is what is done to a voice before its fader.
func (l *lane) level(out []float32, pos pcm.Pos) {
	v := l.voice
	switch {
	case v == nil:
		return
	case l.last == pcm.Silent:
		v.rest(pos)
	default:
		v.process(out, l.last, pos)
	}
	l.speaking.Store(v.ear.speaking)
	l.auto.Store(math.Float32bits(float32(v.auto.gain)))
}

func (l *lane) fade(out []float32) {
	if l.gain.still() && l.join.still() {
		glide(out, l.gain.value, l.gain.value)
		return
	}
	for i := 0; i+1 < len(out); i += pcm.Channels {
		g := l.gain.next() * l.join.next()
		out[i] *= g
		out[i+1] *= g
	}
}

// onAir reports that the lane's sound belongs in the programme.
func (l *lane) onAir() bool { return l.gain.target != 0 && l.air.target != 0 }

// gone reports that nothing of a lane that left is left.
func (l *lane) gone() bool { return l.leaving && l.gain.target == 0 }

func (l *lane) shown() LaneLevel {
	return LaneLevel{
		ID:       l.id,
		RMSDBFS:  db(l.rms.Load()),
		PeakDBFS: db(l.peak.Load()),
		Fill:     pcm.Fill(l.fill.Load()),
		Faults:   l.faults.Load(),
		Speaking: l.speaking.Load(),
		AutoDB:   float64(math.Float32frombits(l.auto.Load())),
	}
}

func db(bits uint32) float64 {
	return max(20*math.Log10(float64(math.Float32frombits(bits))), -120)
}
