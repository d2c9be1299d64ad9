package mix_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"longwave/ingest/mix"
	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
)

// A round plays the same sound for ever.
type round struct {
	x  []float32
	at int
}

func (r *round) Pull(dst []float32) pcm.Fill {
	if r.at += copy(dst, r.x[r.at:]); r.at == len(r.x) {
		r.at = 0
	}
	return pcm.Heard
}

// A tape plays the same frame for ever.
type tape []float32

func (x tape) Pull(dst []float32) pcm.Fill {
	copy(dst, x)
	return pcm.Heard
}

// A sink is a return that nobody reads.
type sink struct{}

func (sink) Put([]float32) {}

// table seats voices and opens a return for each, in which it hears the others.
func table(tb testing.TB, m *mix.Mixer, voices, returns int) {
	tb.Helper()
	k := newTalk(tb, 20, [2]float64{-20, -30})
	var ids []string
	for i := range voices {
		ids = append(ids, fmt.Sprint(i))
		x := k.tracks[i%2]
		m.Add(ids[i], &round{x: x, at: len(x) / pcm.FrameLen * i / voices * pcm.FrameLen}, mix.LaneOptions{Voice: true})
	}
	for i := range returns {
		m.AddReturn(ids[i], sink{})
		var others []string
		for k := range ids {
			if k != i {
				others = append(others, ids[k])
			}
		}
		m.Route(ids[i], others)
	}
}

func BenchmarkMix(b *testing.B) {
	for _, lanes := range []int{0, 1, 8} {
		b.Run(fmt.Sprintf("%d lanes", lanes), func(b *testing.B) {
			m := mix.NewMixer(mix.Options{})
			noise := make([]float32, pcm.FrameLen)
			pcmtest.Noise(noise, 0.1, 1)
			for i := range lanes {
				m.Add(fmt.Sprint(i), tape(noise), mix.LaneOptions{})
			}
			bench(b, m)
		})
	}
	for _, returns := range []int{0, 8} {
		b.Run(fmt.Sprintf("8 voices %d returns", returns), func(b *testing.B) {
			m := mix.NewMixer(mix.Options{})
			table(b, m, 8, returns)
			bench(b, m)
		})
	}
}

// bench reports the part of a core that a programme takes, too: by the time of the
// processor, so that a busy machine does not show in it.
func bench(b *testing.B, m *mix.Mixer) {
	b.Helper()
	f := make([]float32, pcm.FrameLen)
	b.ReportAllocs()
	i, before := 0, used(b)
	for b.Loop() {
		m.Mix(f, start+pcm.Pos(i)*pcm.FrameSamples)
		i++
	}
	b.ReportMetric(100*(used(b)-before).Seconds()/(float64(i)*pcm.FrameDuration.Seconds()), "%core")
}

// used is how long this process had a processor.
func used(tb testing.TB) time.Duration {
	tb.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
