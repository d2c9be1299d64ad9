package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"slices"
	"testing"

	"longwave/ingest/mix"
	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
	"longwave/origin"
	"longwave/packager"
)

// programmeStart is a segment's position on an evening in November 2026.
const programmeStart = pcm.Pos(931_120_000) * packager.SegmentSamples

// A voice is a speaker in memory.
type voice struct {
	samples []float32
	at      int
}

func newVoice(seed uint64) *voice {
	v := &voice{samples: make([]float32, 100*pcm.FrameLen)}
	pcmtest.Noise(v.samples, 0.1, seed)
	return v
}

func (v *voice) Pull(dst []float32) pcm.Fill {
	v.at += copy(dst, v.samples[v.at:])
	v.at %= len(v.samples)
	return pcm.Heard
}

// A programme mixes two voices, a frame whenever it is asked for one, and ends after
// so many. hook is called before each frame.
type programme struct {
	mixer *mix.Mixer
	frame []float32
	pos   pcm.Pos
	left  int
	hook  func()
}

func newProgramme(frames int, hook func()) *programme {
	p := &programme{mixer: mix.NewMixer(mix.Options{}), frame: make([]float32, pcm.FrameLen), pos: programmeStart, left: frames, hook: hook}
	for i := range 2 {
		p.mixer.Add(fmt.Sprint(i), newVoice(uint64(i)+1), mix.LaneOptions{})
	}
	return p
}

func (p *programme) Next(context.Context) (pcm.Frame, error) {
	p.hook()
	if p.left == 0 {
		return pcm.Frame{}, io.EOF
	}
	p.left--
	p.mixer.Mix(p.frame, p.pos)
	f := pcm.Frame{Pos: p.pos, Samples: p.frame}
	p.pos += pcm.FrameSamples
	return f, nil
}

// A discard counts what is published, and keeps nothing.
type discard struct {
	media, lists int // objects
	bytes        int // of both
}

func (d *discard) Put(_ context.Context, o packager.Object) error {
	if o.Key.Kind == packager.Part || o.Key.Kind == packager.Segment {
		d.media++
	} else {
		d.lists++
	}
	d.bytes += len(o.Data)
	return nil
}

func newPackager(tb testing.TB, live packager.Sink, ladder []packager.Rung) *packager.Packager {
	tb.Helper()
	profile, err := packager.ParseProfile("low")
	if err != nil {
		tb.Fatal(err)
	}
	p, err := packager.New(packager.Options{
		Station: station, Profile: profile, Ladder: ladder, Start: programmeStart, Live: live, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// BenchmarkFrame is 20 ms of the programme, from two voices to objects, with the
// default ladder: in real time there are 50 a second.
func BenchmarkFrame(b *testing.B) {
	for _, bb := range []struct {
		name   string
		live   packager.Sink
		ladder []packager.Rung
	}{
		{"default ladder", &discard{}, packager.DefaultLadder()},
		{"default ladder, into the live window", origin.NewLive(), packager.DefaultLadder()},
		{"aac-48 alone", &discard{}, packager.DefaultLadder()[3:4]},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			first := true
			src := newProgramme(b.N, nil)
			src.hook = func() {
				if first {
					b.ResetTimer()
				}
				if first = false; src.left == 0 {
					b.StopTimer()
				}
			}
			if err := newPackager(b, bb.live, bb.ladder).Run(b.Context(), src); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// Allocations of a frame, by what it did.
type allocations struct {
	quiet, loud   []float64 // objects; loud: of frames that finished a part
	loudBytes     float64   // of those frames, in all
	published     float64   // bytes that they gave out
	publishedObjs float64
}

// countedSegments are packaged by countAllocations, after one in which buffers grow.
const countedSegments = 2

// countAllocations counts three times and takes the least of each frame: the runtime
// allocates now and then too, but not in the same frame each time.
func countAllocations(tb testing.TB) allocations {
	tb.Helper()
	a := countOnce(tb)
	for range 2 {
		b := countOnce(tb)
		for i := range min(len(a.quiet), len(b.quiet)) {
			a.quiet[i] = min(a.quiet[i], b.quiet[i])
		}
	}
	return a
}

// countOnce reads the allocator between frames.
func countOnce(tb testing.TB) allocations {
	tb.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var a allocations
	sink := &discard{}
	var before, after runtime.MemStats
	var putsBefore, bytesBefore, frames int
	src := newProgramme((1+countedSegments)*96, nil)
	src.hook = func() {
		runtime.ReadMemStats(&after)
		objects, bytes := float64(after.Mallocs-before.Mallocs), float64(after.TotalAlloc-before.TotalAlloc)
		switch puts := sink.media + sink.lists; {
		case frames < 96:
		case puts == putsBefore:
			a.quiet = append(a.quiet, objects)
		default:
			a.loud = append(a.loud, objects)
			a.loudBytes += bytes
			a.publishedObjs += float64(puts - putsBefore)
			a.published += float64(sink.bytes - bytesBefore)
		}
		frames++
		putsBefore, bytesBefore = sink.media+sink.lists, sink.bytes
		runtime.ReadMemStats(&before)
	}
	if err := newPackager(tb, sink, packager.DefaultLadder()).Run(tb.Context(), src); err != nil {
		tb.Fatal(err)
	}
	return a
}

// TestFrameAllocations: a frame that finishes no part allocates nothing, from the
// voices to the access units of every rendition.
func TestFrameAllocations(t *testing.T) {
	a := countAllocations(t)
	if len(a.quiet) == 0 || len(a.loud) == 0 {
		t.Fatalf("%d frames without a part, %d with one", len(a.quiet), len(a.loud))
	}
	if most := slices.Max(a.quiet); most > 0 {
		t.Errorf("a frame that finishes no part allocates up to %v objects, want 0", most)
	}
}

// BenchmarkAllocations reports what is allocated on the 20 ms path. It takes no time.
func BenchmarkAllocations(b *testing.B) {
	a := countAllocations(b)
	for b.Loop() {
	}
	var loud float64
	for _, n := range a.loud {
		loud += n
	}
	b.ReportMetric(slices.Max(a.quiet), "allocs/quiet-frame")
	b.ReportMetric(loud/a.publishedObjs, "allocs/object")
	b.ReportMetric(a.loudBytes/a.published, "B/published-B")
}
