package jitter_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"longwave/ingest/jitter"
	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
	"longwave/ingest/resample"
)

const second = pcm.Rate * pcm.Channels

// counted returns n samples that tell their place from start on.
func counted(start, n int) []float32 {
	x := make([]float32, n*pcm.Channels)
	pcmtest.Count(x, start)
	return x
}

// pull takes n frames, 20 ms apart, and returns them joined.
func pull(s *jitter.Stream, n int) []float32 {
	var out []float32
	for range n {
		frame := make([]float32, pcm.FrameLen)
		s.Pull(frame)
		out = append(out, frame...)
		time.Sleep(pcm.FrameDuration)
	}
	return out
}

// trim takes the silence off both ends.
func trim(x []float32) []float32 {
	for len(x) > 0 && x[0] == 0 && x[1] == 0 {
		x = x[2:]
	}
	for len(x) > 0 && x[len(x)-1] == 0 && x[len(x)-2] == 0 {
		x = x[:len(x)-2]
	}
	return x
}

// inOrder fails unless x is the samples from first on, one after the other, apart
// from the fades at its ends.
func inOrder(t *testing.T, x []float32, first, n int) {
	t.Helper()
	if len(x) != n*pcm.Channels {
		t.Fatalf("%d samples came out, want %d", len(x)/2, n)
	}
	for i := 480; i < n-480; i++ {
		if got := pcmtest.Counted(x, i); got != first+i {
			t.Fatalf("sample %d is number %d, want %d", i, got, first+i)
		}
	}
}

func TestFileAtFullSpeed(t *testing.T) {
	for _, n := range []int{1, 100, 480, 960, 5000, 9599, 9600, 48_001, 30*pcm.Rate + 17} {
		synctest.Test(t, func(t *testing.T) {
			s := jitter.NewStream(jitter.Options{Target: jitter.FileTarget})
			go func() {
				for at := 0; at < n; at += 1777 {
					if err := s.Write(t.Context(), counted(at, min(1777, n-at))); err != nil {
						t.Error(err)
					}
				}
				s.End()
			}()
			synctest.Wait()
			var out []float32
			for s.State().Phase != jitter.Ended {
				if len(out) > 40*second {
					t.Fatalf("%d samples: no end: %+v", n, s.State())
				}
				out = append(out, pull(s, 1)...)
			}
			inOrder(t, trim(out), 0, n)
			if st := s.State(); st.Written != int64(n) || st.Played != int64(n) || st.Underruns != 0 || st.Ratio != 1 || st.Level != 0 {
				t.Errorf("%d samples: %+v", n, st)
			}
			if err := s.Write(t.Context(), counted(0, 1)); !errors.Is(err, jitter.ErrClosed) {
				t.Errorf("write after the end: %v", err)
			}
		})
	}
}

func TestStartsAtTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := jitter.NewStream(jitter.Options{})
		if err := s.Write(t.Context(), counted(0, 71_999)); err != nil {
			t.Fatal(err)
		}
		frame := make([]float32, pcm.FrameLen)
		if f := s.Pull(frame); f != pcm.Silent || s.State().Phase != jitter.Filling {
			t.Errorf("one sample under the target: fill %v, %v", f, s.State().Phase)
		}
		if err := s.Write(t.Context(), counted(71_999, 1)); err != nil {
			t.Fatal(err)
		}
		if f := s.Pull(frame); f != pcm.Heard || s.State().Phase != jitter.Playing {
			t.Errorf("at the target: fill %v, %v", f, s.State().Phase)
		}
		if got := s.State(); got.Level != 71_040 || got.Played != 960 {
			t.Errorf("after one frame: %+v", got)
		}
	})
}

// TestTrim: what a live sender sent before anybody listened is not kept as delay;
// what a file gave as fast as it could be read is.
func TestTrim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := jitter.NewStream(jitter.Options{Target: jitter.PipeTarget, Trim: true})
		for i := range 90 { // 1.8 s of a live sender
			if err := s.Write(t.Context(), counted(i*960, 960)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(pcm.FrameDuration)
		}
		pull(s, 1)
		if got := s.State(); got.Phase != jitter.Playing || got.Level > pcm.Samples(jitter.PipeTarget) {
			t.Errorf("%v with %d samples ahead", got.Phase, got.Level)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s := jitter.NewStream(jitter.Options{Target: jitter.PipeTarget, Trim: true})
		const n = 3 * pcm.Rate
		if err := s.Write(t.Context(), counted(0, n)); err != nil {
			t.Fatal(err)
		}
		s.End()
		inOrder(t, trim(pull(s, 200)), 0, n)
	})
	synctest.Test(t, func(t *testing.T) {
		s := jitter.NewStream(jitter.Options{Target: jitter.PipeTarget, Trim: true})
		if err := s.Write(t.Context(), counted(0, 3*pcm.Rate)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
		pull(s, 1)
		if got := s.State().Skipped; got != 0 {
			t.Errorf("%d samples of a fast sender were dropped", got)
		}
	})
}

func TestUnderrunAndReturnWithoutClick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tone := pcmtest.Tone{Hz: 440, Amp: 0.8}
		for _, n := range []int{72_000, 72_017, 72_479, 72_480, 72_500, 72_959} {
			s := jitter.NewStream(jitter.Options{})
			x := tone.Make(n)
			if err := s.Write(t.Context(), x); err != nil {
				t.Fatal(err)
			}
			out := pull(s, 200)
			if st := s.State(); st.Phase != jitter.Stalled || st.Underruns != 1 || st.Target != 96_000 {
				t.Fatalf("%d samples: %+v", n, st)
			}
			more := make([]float32, 2*second)
			tone.Fill(more, pcm.Pos(n))
			if err := s.Write(t.Context(), more); err != nil {
				t.Fatal(err)
			}
			s.End()
			out = append(out, pull(s, 200)...)
			if step, most := pcmtest.Step(out), 0.8*2*math.Pi*440/pcm.Rate+0.8*math.Pi/2/480; step > most {
				t.Errorf("%d samples: a step of %.4f, want at most %.4f", n, step, most)
			}
			if st := s.State(); st.Played != int64(n)+96_000 || st.Phase != jitter.Ended {
				t.Errorf("%d samples: %+v", n, st)
			}
			if gaps := pcmtest.Gaps(trim(out), 1e-6, 960); len(gaps) != 1 {
				t.Errorf("%d samples: gaps %v, want one", n, gaps)
			}
		}
	})
}

func TestEndingNeverClicks(t *testing.T) {
	for _, how := range []func(*jitter.Stream){(*jitter.Stream).End, (*jitter.Stream).Close} {
		for n := 72_000; n < 73_000; n += 119 {
			s := jitter.NewStream(jitter.Options{})
			if err := s.Write(t.Context(), pcmtest.Tone{Hz: 440, Amp: 0.8}.Make(n)); err != nil {
				t.Fatal(err)
			}
			var out []float32
			frame := make([]float32, pcm.FrameLen)
			for range 20 {
				s.Pull(frame)
				out = append(out, frame...)
			}
			how(s)
			for range 80 {
				s.Pull(frame)
				out = append(out, frame...)
			}
			if step, most := pcmtest.Step(out), 0.8*2*math.Pi*440/pcm.Rate+0.8*math.Pi/2/480; step > most {
				t.Fatalf("a step of %.4f, want at most %.4f", step, most)
			}
			if st := s.State(); st.Phase != jitter.Ended || st.Played+st.Dropped != int64(n) {
				t.Fatalf("%+v", st)
			}
		}
	}
}

func TestWriteIsHeldBackAndCanLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			name  string
			leave func(*jitter.Stream, context.CancelCauseFunc)
			want  error
		}{
			{"close", func(s *jitter.Stream, _ context.CancelCauseFunc) { s.Close() }, jitter.ErrClosed},
			{"cancel", func(_ *jitter.Stream, c context.CancelCauseFunc) { c(errLeft) }, errLeft},
		} {
			s := jitter.NewStream(jitter.Options{})
			ctx, cancel := context.WithCancelCause(t.Context())
			done := make(chan error, 1)
			go func() { done <- s.Write(ctx, make([]float32, 11*second)) }()
			synctest.Wait()
			if st := s.State(); st.Level != 10*pcm.Rate || !st.Held {
				t.Errorf("%s: %+v", tt.name, st)
			}
			pull(s, 25)
			if st := s.State(); st.Written != 10.5*pcm.Rate+resample.Lookahead {
				t.Errorf("%s: %d written after half a second of play", tt.name, st.Written)
			}
			tt.leave(s, cancel)
			if err := <-done; !errors.Is(err, tt.want) {
				t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
			}
			cancel(nil)
		}
	})
}

var errLeft = errors.New("left")

func TestWriteRefusesHalfSamples(t *testing.T) {
	s := jitter.NewStream(jitter.Options{})
	if err := s.Write(t.Context(), make([]float32, 3)); err == nil {
		t.Error("three values were taken for stereo")
	}
}

func counters(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, f := range families {
		all[f.GetName()] = f.GetMetric()[0].GetCounter().GetValue()
	}
	return all
}

func TestPullDoesNotAllocate(t *testing.T) {
	s := jitter.NewStream(jitter.Options{})
	x := make([]float32, 2*second)
	frame := make([]float32, pcm.FrameLen)
	if n := testing.AllocsPerRun(5, func() {
		if err := s.Write(t.Context(), x); err != nil {
			t.Fatal(err)
		}
		for range 100 {
			s.Pull(frame)
		}
	}); n != 0 {
		t.Errorf("%v allocations in 100 frames", n)
	}
}

func BenchmarkPull(b *testing.B) {
	s := jitter.NewStream(jitter.Options{})
	frame := make([]float32, pcm.FrameLen)
	x := make([]float32, 2*second)
	if err := s.Write(b.Context(), x); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Write(b.Context(), x[:pcm.FrameLen]); err != nil {
			b.Fatal(err)
		}
		s.Pull(frame)
	}
}
