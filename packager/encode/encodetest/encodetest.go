// Package encodetest checks what the packager relies on in every codec: when
// access units come, that Reset forgets everything, and that coding a frame
// allocates nothing.
package encodetest

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"

	"longwave/packager/encode"
)

// Run checks a coder of interleaved frames with the given number of channels.
func Run(t *testing.T, c encode.Coder, f encode.Format, channels int) {
	t.Helper()
	frames := signal(int(f.FrameSamples)*channels, f.PreRoll+20)
	first := units(t, c, frames)
	for i, u := range first {
		if (i < f.Delay) != (len(u) == 0) {
			t.Errorf("call %d gave %d bytes with a delay of %d", i, len(u), f.Delay)
		}
	}
	if err := c.Reset(); err != nil {
		t.Fatal(err)
	}
	again := units(t, c, frames)
	for i := range first {
		if !bytes.Equal(first[i], again[i]) {
			t.Errorf("access unit %d differs after Reset", i)
		}
	}
	i := 0
	if n := testing.AllocsPerRun(100, func() {
		if _, err := c.Encode(frames[i%len(frames)]); err != nil {
			t.Fatal(err)
		}
		i++
	}); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

// Bench measures one frame.
func Bench(b *testing.B, c encode.Coder, f encode.Format, channels int) {
	b.Helper()
	frames := signal(int(f.FrameSamples)*channels, 40)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := c.Encode(frames[i%len(frames)]); err != nil {
			b.Fatal(err)
		}
	}
}

func units(t *testing.T, c encode.Coder, frames [][]float32) [][]byte {
	t.Helper()
	var out [][]byte
	for _, f := range frames {
		u, err := c.Encode(f)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, bytes.Clone(u))
	}
	return out
}

// signal returns n frames of chords and noise, different in each frame.
func signal(frameLen, n int) [][]float32 {
	r := rand.New(rand.NewPCG(1, 2))
	frames := make([][]float32, n)
	k := 0
	for i := range frames {
		frames[i] = make([]float32, frameLen)
		for j := range frames[i] {
			x := float64(k) / 48_000
			frames[i][j] = float32(0.2*math.Sin(2*math.Pi*220*x) + 0.1*math.Sin(2*math.Pi*1375*x) + 0.02*r.NormFloat64())
			k++
		}
	}
	return frames
}
