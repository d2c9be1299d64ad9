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

// A bed brings the hold in and out and ducks it.
type bed struct {
	hold Hold
	buf  [pcm.FrameLen]float32
	in   int     // place in cross
	duck float32 // 1 to duckGain
}

// addTo adds the hold to bus: playing or not, ducked or not. The changes go on
// over as many frames as they take.
func (b *bed) addTo(bus []float32, pos pcm.Pos, playing, ducked bool) {
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
