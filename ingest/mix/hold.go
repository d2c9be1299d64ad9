package mix

import (
	"math"

	"longwave/ingest/pcm"
)

// A Hold is what plays when nobody is heard.
type Hold interface {
	// ReadAt fills dst with the sound that belongs at pos. It must not block.
	ReadAt(dst []float32, pos pcm.Pos)
}

const (
	crossLen   = pcm.Rate / 5 // 200 ms
	duckGain   = 0.2511886    // -12 dB
	duckAttack = pcm.Rate / 20
	duckBack   = pcm.Rate * 6 / 10
)

// cross is the equal-power fade-in.
var cross = func() (g [crossLen + 1]float32) {
	for i := range g {
		g[i] = float32(math.Sin(math.Pi / 2 * float64(i) / crossLen))
	}
	return g
}()

// A bed brings the hold in and out, ducks it, and takes the lanes out while the
// programme's fader is down.
type bed struct {
	hold  Hold
	under bool // the hold plays on under voices
	buf   [pcm.FrameLen]float32
	in    int     // place in cross
	lanes int     // the same of the lanes
	duck  float32 // 1 to duckGain
}

// mix makes of the sum of the lanes what is on air. The changes go on over as many
// frames as they take.
func (b *bed) mix(bus []float32, pos pcm.Pos, a *air) {
	b.fade(bus, a)
	playing, ducked := !a.live || b.under, a.live && b.under || a.sounding()
	if b.hold == nil || b.in == 0 && !playing {
		b.duck = 1
		if ducked {
			b.duck = duckGain
		}
		return
	}
	buf := b.buf[:len(bus)]
	b.hold.ReadAt(buf, pos)
	for i := 0; i+1 < len(bus); i += pcm.Channels {
		b.move(playing, ducked)
		g := cross[b.in] * b.duck
		bus[i] += g * buf[i]
		bus[i+1] += g * buf[i+1]
	}
}

// fade is the programme's fader. A programme begins where it is, and with nobody there to
// fade out it closes at once: who comes on air by then is not for the audience.
func (b *bed) fade(bus []float32, a *air) {
	to, step := crossLen, 1
	if !a.open {
		to, step = 0, -1
	}
	if a.first || !a.open && a.empty {
		b.lanes = to
	}
	switch {
	case b.lanes == to && a.open:
		return
	case b.lanes == to:
		clear(bus)
		return
	}
	for i := 0; i+1 < len(bus); i += pcm.Channels {
		if b.lanes != to {
			b.lanes += step
		}
		bus[i] *= cross[b.lanes]
		bus[i+1] *= cross[b.lanes]
	}
}

func (b *bed) move(playing, ducked bool) {
	const down, up = (1 - duckGain) / duckAttack, (1 - duckGain) / duckBack
	if playing {
		b.in = min(b.in+1, crossLen)
	} else {
		b.in = max(b.in-1, 0)
	}
	if ducked {
		b.duck = max(b.duck-down, duckGain)
	} else {
		b.duck = min(b.duck+up, 1)
	}
}
