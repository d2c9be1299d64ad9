package packager

import (
	"context"
	"log/slog"
	"testing"

	"longwave/ingest/pcm"
)

type nowhere struct{}

func (nowhere) Put(context.Context, Object) error { return nil }

// newBench returns a packager of the default ladder that has begun to run.
func newBench(tb testing.TB) (*Packager, []float32) {
	tb.Helper()
	profile, err := ParseProfile("low")
	if err != nil {
		tb.Fatal(err)
	}
	p, err := New(Options{Station: "talk", Profile: profile, Start: SegmentPos(931_120_000), Live: nowhere{}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		tb.Fatal(err)
	}
	if err := p.resume(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	if err := p.hush(tb.Context(), p.opt.Start+2*SegmentSamples); err != nil {
		tb.Fatal(err)
	}
	frame := make([]float32, pcm.FrameLen)
	pcm.Dither(frame, 0)
	return p, frame
}

// TestFramesAllocateNothing: a frame that finishes no part is coded in every
// rendition without an allocation.
func TestFramesAllocateNothing(t *testing.T) {
	p, frame := newBench(t)
	round := func() {
		if err := p.round(t.Context(), frame); err != nil {
			t.Fatal(err)
		}
	}
	// Five frames into a part all renditions have given out the part before.
	for range 5 {
		round()
	}
	if n := testing.AllocsPerRun(8, round); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

// BenchmarkRound is 20 ms of the default ladder, parts and playlists included.
func BenchmarkRound(b *testing.B) {
	p, frame := newBench(b)
	b.ReportAllocs()
	for b.Loop() {
		if err := p.round(b.Context(), frame); err != nil {
			b.Fatal(err)
		}
	}
}
