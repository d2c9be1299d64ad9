package mix

import (
	"math/bits"

	"longwave/ingest/loudness"
	"longwave/ingest/pcm"
)

// DefaultTargetLUFS is the programme's loudness where nothing else is wanted.
const DefaultTargetLUFS = -18.0

const (
	busBlocks = 300 // that begin every 100 ms: 30 s in which somebody speaks
	busFirst  = 100 // blocks of which the gain moves faster
	busTasted = 10  // blocks from which on it moves
	busSpoken = 5   // frames of a block in which somebody speaks

	busRange     = 6.0 // dB to either side of the step from [VoiceLUFS] to the target
	busFirstRate = 2.0 // dB a second of speech
	busRate      = 0.2 //
)

// A bus is the sum of the live voices and the slow gain that brings it to the target.
//
// The gain is worked out from the voices before their faders: a fader means what it
// says. It moves while somebody speaks, and does not learn while a voice is still being
// levelled. Lanes that are no voices do not pass through here.
type bus struct {
	buf    [pcm.FrameLen]float32
	target float64 // LUFS
	recent *loudness.Recent
	block  block
	spoken uint32 // a bit a frame, the newest is the lowest: somebody spoke
	rough  uint32 // the same: somebody who is not levelled yet
	gain   float64
	linear float32
}

func newBus(target float64) bus {
	return bus{target: target, recent: loudness.NewRecent(busBlocks), linear: 1}
}

// A tally is what a frame's lanes amount to.
type tally struct {
	heard  bool    // somebody is heard
	voices bool    // a live voice is
	feeds  bool    // something else is
	spoken bool    // one of the voices speaks
	rough  bool    // and is not levelled yet
	power  float64 // K-weighted energy of the voices before their faders
	sound  float64 // of all that is heard, behind the faders
}

// add takes in a voice that is heard, and its fader.
func (t *tally) add(v *voice, fader float32) {
	t.voices = true
	t.power += v.power()
	t.sound += v.sound() * float64(fader) * float64(fader)
	if v.ear.speaking && v.ear.voiced() {
		t.spoken = true
		t.rough = t.rough || !v.auto.settled()
	}
}

// addTo adds the voices to dst.
func (b *bus) addTo(dst []float32, t *tally, pos pcm.Pos) {
	from := b.linear
	b.learn(t, pos)
	if !t.voices {
		return
	}
	glide(b.buf[:len(dst)], from, b.linear)
	for i, v := range b.buf[:len(dst)] {
		dst[i] += v
	}
}

func (b *bus) learn(t *tally, pos pcm.Pos) {
	b.block.add(t.power)
	b.spoken = b.spoken<<1 | bit(t.spoken)
	b.rough = b.rough<<1 | bit(t.rough)
	if hop(pos) && bits.OnesCount32(b.spoken&blockBits) >= busSpoken && b.rough&blockBits == 0 {
		b.recent.Add(b.block.mean())
	}
	if !t.spoken || b.recent.Len() < busTasted {
		return
	}
	usual := b.target - VoiceLUFS
	want := min(max(b.target-b.recent.LUFS(), usual-busRange), usual+busRange)
	rate := busRate
	if b.recent.Len() < busFirst {
		rate = busFirstRate
	}
	b.gain = approach(b.gain, want, rate*frameTime, rate*frameTime)
	b.linear = linear(b.gain)
}
