package hold

import (
	"math"
	"sync"

	"longwave/ingest/pcm"
)

// BundledLen is the length of the bundled loop: 38.4 s, twenty segments of the
// programme's grid. So its segments repeat, too, and so do their bytes.
const BundledLen = 20 * 92_160

const (
	chordLen = BundledLen / 8 // 4.8 s
	attack   = 2.6            // seconds, of a pad
	release  = 3.0
	level    = 0.0232 // makes [LUFS] of it; a test holds it there

	// primeLen is how long the room is filled before the first sample is kept:
	// the loop begins in the reverberation of its own end.
	primeLen = 5 * pcm.Rate
	sliceLen = 4800
)

// chords are the piece: five notes each, as MIDI numbers, low to high. D major
// seven, B minor eleven, G major seven, E minor nine, F sharp minor seven, G major
// nine, A nine without its third, and D over E, which leads back to the beginning.
var chords = [8][]int{
	{38, 45, 54, 57, 61},
	{35, 50, 54, 57, 64},
	{43, 50, 59, 62, 66},
	{40, 47, 55, 62, 66},
	{42, 49, 57, 61, 64},
	{43, 47, 57, 59, 66},
	{45, 52, 55, 59, 64},
	{40, 52, 57, 62, 66},
}

// bells are single notes over it, at times that make no beat.
var bells = [...]struct {
	at   float64 // seconds
	note int
	pan  float64 // 0 left to 1 right
	amp  float64
}{
	{1.37, 78, 0.30, 0.8},
	{3.91, 76, 0.72, 0.5},
	{7.02, 74, 0.55, 0.7},
	{11.48, 81, 0.25, 0.6},
	{13.26, 78, 0.66, 0.5},
	{16.83, 71, 0.40, 0.8},
	{20.71, 76, 0.75, 0.6},
	{22.18, 73, 0.33, 0.5},
	{26.35, 74, 0.60, 0.7},
	{29.94, 79, 0.28, 0.5},
	{31.17, 76, 0.50, 0.6},
	{35.29, 69, 0.68, 0.7},
}

// Bundled returns the bundled loop. The first call makes it, in about a tenth of
// a second.
func Bundled() *Loop { return bundled() }

var bundled = sync.OnceValue(render)

func render() *Loop {
	l := &Loop{samples: make([]int16, BundledLen*pcm.Channels)}
	notes := score()
	var r room
	var buf [sliceLen * pcm.Channels]float32
	for at := -primeLen; at < BundledLen; at += sliceLen {
		clear(buf[:])
		for i := range notes {
			notes[i].addTo(buf[:], (at+BundledLen)%BundledLen)
		}
		r.process(buf[:])
		if at < 0 {
			continue
		}
		for i, v := range buf {
			l.samples[at*pcm.Channels+i] = quantise(level * float64(v))
		}
	}
	return l
}

// A note is a sound of the piece, which may reach over the end into the beginning.
type note struct {
	start, length int // samples
	table         *[tableLen + 1]float32
	// hz are two voices a little apart, and amp how loud each is on the left and
	// on the right. The first is much louder, so that in mono nothing cancels.
	hz      [2]float64
	amp     [2][2]float32
	attack  float64 // seconds
	release float64 // seconds, the end of length; 0 is a bell that dies away
	decay   float64 // seconds in which a bell loses 1/e
}

func score() []note {
	var all []note
	for c, chord := range chords {
		for v, midi := range chord {
			hz := pitch(midi)
			detune := 0.0004 + 0.0001*float64(v)
			if (c+v)%2 == 1 {
				detune = -detune
			}
			pan := 0.5 + 0.12*float64(v-2)*float64(1-2*(c%2))
			amp := []float64{1.15, 0.9, 0.8, 0.7, 0.6}[v]
			all = append(all, note{
				start: c * chordLen, length: chordLen + int(release*pcm.Rate), table: &padTable,
				hz:     [2]float64{whole(hz), whole(hz * (1 + 2*detune))},
				amp:    spread(amp, pan),
				attack: attack, release: release,
			})
		}
	}
	for _, b := range bells {
		hz := pitch(b.note)
		for p, part := range []struct{ ratio, amp, decay float64 }{{1, 0.9, 1.5}, {2.005, 0.22, 0.8}, {3.01, 0.08, 0.4}} {
			amp := b.amp * part.amp
			all = append(all, note{
				start: int(b.at*pcm.Rate) + 7*p, length: int(6 * part.decay * pcm.Rate), table: &sineTable,
				hz:     [2]float64{whole(hz * part.ratio), whole(hz * part.ratio * 1.0004)},
				amp:    spread(amp, b.pan),
				attack: 0.03, decay: part.decay,
			})
		}
	}
	return all
}

// spread pans the first voice (0 left to 1 right) and the second to the other side.
func spread(amp, pan float64) [2][2]float32 {
	const second = 0.35
	sin, cos := math.Sincos(pan * math.Pi / 2)
	return [2][2]float32{
		{float32(amp * cos), float32(amp * sin)},
		{float32(amp * second * sin), float32(amp * second * cos)},
	}
}

func pitch(midi int) float64 { return 440 * math.Pow(2, float64(midi-69)/12) }

// whole returns the nearest frequency that has whole turns in the loop, at most
// 0.013 Hz away.
func whole(hz float64) float64 {
	const seconds = float64(BundledLen) / pcm.Rate
	return math.Round(hz*seconds) / seconds
}

// envelope returns the note's level at t seconds: it begins and ends at nothing.
func (n *note) envelope(t float64) float64 {
	e := 1.0
	if t < n.attack {
		e = 0.5 - 0.5*math.Cos(math.Pi*t/n.attack)
	}
	left := float64(n.length)/pcm.Rate - t
	if left <= 0 {
		return 0
	}
	if n.release == 0 {
		return e * math.Exp(-t/n.decay) * min(1, left/0.1)
	}
	if left < n.release {
		e *= 0.5 - 0.5*math.Cos(math.Pi*left/n.release)
	}
	return e * (1 + 0.12*math.Sin(2*math.Pi*(0.23*t+n.hz[0]/97))) // it breathes
}

// addTo adds the part of the note that lies in the slice from at on.
func (n *note) addTo(buf []float32, at int) {
	const step = 96 // samples between two points of the envelope
	into := (at - n.start + BundledLen) % BundledLen
	from := 0
	if into >= n.length {
		if from = BundledLen - into; from >= len(buf)/pcm.Channels {
			return
		}
		into = 0
	}
	e := n.envelope(float64(into) / pcm.Rate)
	for i := from; i < len(buf)/pcm.Channels && into < n.length; i += step {
		k := min(step, len(buf)/pcm.Channels-i)
		next := n.envelope(float64(into+k) / pcm.Rate)
		n.addPiece(buf[i*pcm.Channels:(i+k)*pcm.Channels], at+i, float32(e), float32(next))
		e = next
		into += k
	}
}

// addPiece adds the samples of the loop from at on, as loud as e to next. The
// phase is that of the place in the loop, so that a note which two chords share
// sounds on, instead of beating with itself where they overlap.
//
//go:norace
func (n *note) addPiece(buf []float32, at int, e, next float32) {
	slope := (next - e) / float32(len(buf)/pcm.Channels)
	al, ar, bl, br := n.amp[0][0], n.amp[0][1], n.amp[1][0], n.amp[1][1]
	a, da := turn(n.hz[0], at), turn(n.hz[0], 1)
	b, db := turn(n.hz[1], at), turn(n.hz[1], 1)
	for i := 0; i+1 < len(buf); i += pcm.Channels {
		va, vb := e*look(n.table, a), e*look(n.table, b)
		buf[i] += al*va + bl*vb
		buf[i+1] += ar*va + br*vb
		a += da
		b += db
		e += slope
	}
}

// turn returns the phase after n samples, 2^32 being a turn.
func turn(hz float64, n int) uint32 {
	_, part := math.Modf(hz * float64(n) / pcm.Rate)
	return uint32(uint64(part * (1 << 32)))
}

const (
	tableBits = 11
	tableLen  = 1 << tableBits
	restBits  = 32 - tableBits
)

func look(t *[tableLen + 1]float32, phase uint32) float32 {
	i := phase >> restBits
	f := float32(phase&(1<<restBits-1)) * (1.0 / (1 << restBits))
	return t[i] + f*(t[i+1]-t[i])
}

// The waves: a warm one, whose overtones fall by 12 dB an octave, and a sine.
var (
	padTable  = wave(1, 0.42, 0.25, 0.1, 0.07, 0.03)
	sineTable = wave(1)
)

func wave(overtones ...float64) (t [tableLen + 1]float32) {
	for i := range t {
		var v float64
		for h, amp := range overtones {
			v += amp * math.Sin(2*math.Pi*float64(h+1)*float64(i)/tableLen)
		}
		t[i] = float32(v)
	}
	return t
}
