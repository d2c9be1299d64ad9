package mix

import (
	"math"
	"math/bits"

	"longwave/ingest/loudness"
	"longwave/ingest/pcm"
)

// VoiceLUFS is what every voice is brought to before its fader.
const VoiceLUFS = -20.0

const (
	mostBoost = 26.0 // dB: a voice of -46 LUFS
	mostCut   = 24.0
	// noiseLUFS is what the noise behind a voice is not raised above, though the voice
	// then stays low.
	noiseLUFS = -42.0

	boostRate = 3.0  // dB a second of speech
	cutRate   = 10.0 //
	firstRate = 20.0 // both, until a newcomer has spoken for learnt blocks

	learnt  = 30 // blocks, which begin every 100 ms: the short-term loudness
	frozen  = 10 // frames without a voice after which the gain holds still
	tasted  = 2  // blocks from which on the gain moves at all
	assured = 10 // blocks from which on it may be trusted
	trusted = 1  // dB from where it shall be

	blockBits = 1<<loudness.BlockFrames - 1
	spoken    = loudness.BlockFrames / 2 // frames of a block in which there is a voice

	frameTime = float64(pcm.FrameSamples) / pcm.Rate
)

// A leveller is the gain of a voice: what its last three seconds of speech need. It
// moves while there is a voice and holds still while there is none.
//
// It remembers nothing but those seconds and the gain itself, which comes to what they
// need exactly: two of them agree once they have heard the same for a while.
type leveller struct {
	recent *loudness.Recent
	block  block
	gain   float64 // dB
	linear float32
	want   float64 // dB
}

func newLeveller(gain float64) leveller {
	if !(gain >= -mostCut && gain <= mostBoost) { // true for what is not a number, too
		gain = 0
	}
	return leveller{recent: loudness.NewRecent(learnt), gain: gain, linear: linear(gain)}
}

func linear(db float64) float32 { return float32(math.Pow(10, db/20)) }

// step takes in a frame's energy and what the ear thinks of it.
func (a *leveller) step(energy float64, ear *detector, pos pcm.Pos) {
	a.block.add(energy)
	if hop(pos) && ear.speaking && ear.whole() && bits.OnesCount32(ear.above&blockBits) >= spoken {
		a.recent.Add(a.block.mean())
	}
	if !ear.speaking || ear.calm >= frozen || a.recent.Len() < tasted {
		return
	}
	most := min(mostBoost, max(0, noiseLUFS-ear.floor.level))
	a.want = min(max(VoiceLUFS-a.recent.LUFS(), -mostCut), most)
	up, down := boostRate, cutRate
	if a.recent.Len() < learnt {
		up, down = firstRate, firstRate
	}
	a.gain = approach(a.gain, a.want, down*frameTime, up*frameTime)
	a.linear = linear(a.gain)
}

// settled reports that the gain is what the voice needs.
func (a *leveller) settled() bool {
	return a.recent.Len() >= assured && math.Abs(a.want-a.gain) < trusted
}

// approach goes from x towards want, down or up by so much at most.
func approach(x, want, down, up float64) float64 { return min(max(want, x-down), x+up) }

// hop reports that a gating block ends with the frame at pos.
func hop(pos pcm.Pos) bool {
	return pos.Floor(pcm.FrameSamples)%(loudness.HopFrames*pcm.FrameSamples) == 0
}

// A block is the energy of the frames of the last 400 ms.
type block struct {
	frames [loudness.BlockFrames]float64
	at     int
}

func (b *block) add(energy float64) {
	b.frames[b.at] = energy
	b.at = (b.at + 1) % len(b.frames)
}

// mean sums from the oldest frame on, so that it does not depend on where the ring begins.
func (b *block) mean() float64 {
	var sum float64
	for _, e := range b.frames[b.at:] {
		sum += e
	}
	for _, e := range b.frames[:b.at] {
		sum += e
	}
	return sum / float64(len(b.frames))
}
