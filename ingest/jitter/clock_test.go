package jitter_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"longwave/ingest/jitter"
	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
)

// A schedule is when a sender delivers: it calls give with the time and the
// number of samples, in order.
type schedule func(give func(at time.Duration, n int))

// play runs a sender against a stream in simulated time until the sender ends
// and all is played. It calls each, if it is not nil, after every frame.
func play(t *testing.T, s *jitter.Stream, tone pcmtest.Tone, send schedule, each func(frame []float32)) {
	start := time.Now()
	go func() {
		sent := 0
		cycle := tone.Make(12 * pcm.Rate) // whole hertz: it repeats every second
		send(func(at time.Duration, n int) {
			time.Sleep(at - time.Since(start))
			x := cycle[sent%pcm.Rate*pcm.Channels:][:n*pcm.Channels]
			sent += n
			if err := s.Write(t.Context(), x); err != nil {
				t.Error(err)
			}
		})
		s.End()
	}()
	frame := make([]float32, pcm.FrameLen)
	for i := 0; s.State().Phase != jitter.Ended; i++ {
		s.Pull(frame)
		if each != nil {
			each(frame)
		}
		time.Sleep(time.Duration(i+1)*pcm.FrameDuration - time.Since(start))
	}
}

// paced is a sender whose clock is off by ppm and who sends pieces of n samples,
// each as late as late says.
func paced(ppm float64, n int, total time.Duration, late func(i int) time.Duration) schedule {
	return func(give func(time.Duration, int)) {
		var last time.Duration
		for i := 1; ; i++ {
			at := time.Duration(float64(i*n) / pcm.Rate / (1 + ppm/1e6) * 1e9)
			if at > total {
				return
			}
			if late != nil {
				at += late(i)
			}
			last = max(last, at)
			give(last, n)
		}
	}
}

func TestFollowsTheSendersClock(t *testing.T) {
	const hz, settling = 1000, 375
	for _, ppm := range []float64{500, -500} {
		synctest.Test(t, func(t *testing.T) {
			s := jitter.NewStream(jitter.Options{})
			var settled, worst float64
			var last []float32
			frames := 0
			start := time.Now()
			play(t, s, pcmtest.Tone{Hz: hz, Amp: 0.5}, paced(ppm, 960, 150*time.Second, nil), func(frame []float32) {
				frames++
				st := s.State()
				if time.Since(start) > 150*time.Second-2*time.Second {
					return
				}
				// Where the sender is, without the steps in which he delivers.
				sent := time.Since(start).Seconds() * (1 + ppm/1e6) * pcm.Rate
				margin := (sent - float64(st.Played)) / pcm.Rate
				switch {
				case frames == settling: // the middle of what the set point is taken from
					settled = margin
				case frames > 75+60*50: // a minute after it began to play
					worst = max(worst, math.Abs(margin-settled))
				}
				if frames%500 < 20 { // 0.4 s of every ten are listened to
					last = append(last, frame...)
				} else if len(last) > 0 {
					if frames > 500 {
						for _, j := range pcmtest.Jumps(last, 0, hz, 0.06) {
							t.Errorf("frame %d: jump %+v", frames, j)
						}
					}
					last = last[:0]
				}
			})
			st := s.State()
			if st.Underruns != 0 || st.Skipped != 0 {
				t.Errorf("%+v", st)
			}
			if got := (st.Ratio - 1) * 1e6; math.Abs(got-ppm) > 60 {
				t.Errorf("ratio %.1f ppm, want %.0f", got, ppm)
			}
			t.Logf("%v ppm: the margin wanders %.2f ms from where it settled", ppm, worst*1e3)
			if worst > 0.005 {
				t.Errorf("margin %.2f ms away from where it settled", worst*1e3)
			}
		})
	}
}

func TestBurstsAreNotDrift(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, tt := range []struct {
		name string
		page int
		late func(int) time.Duration
	}{
		{"pages of 1 s", 48_000, nil},
		{"pages of 1.9 s", 91_200, nil},
		{"pages of 0.2 s, up to 40 ms late", 9600, func(int) time.Duration { return time.Duration(rng.IntN(40)) * time.Millisecond }},
		{"pages of 1 s, up to 40 ms late, some 300", 48_000, func(i int) time.Duration {
			if i%20 == 7 {
				return 300 * time.Millisecond
			}
			return time.Duration(rng.IntN(40)) * time.Millisecond
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := jitter.NewStream(jitter.Options{Target: 2 * time.Second})
				heard, worst := 0, 0.0
				play(t, s, pcmtest.Tone{Hz: 440, Amp: 0.5}, paced(0, tt.page, 2*time.Minute, tt.late), func(frame []float32) {
					if frame[0] != 0 || frame[1919] != 0 {
						heard++
					}
					worst = max(worst, math.Abs(s.State().Ratio-1)*1e6)
				})
				t.Logf("ratio at most %.0f ppm off", worst)
				if worst > 1300 {
					t.Errorf("ratio up to %.0f ppm off", worst)
				}
				st := s.State()
				if st.Underruns != 0 || st.Skipped != 0 {
					t.Errorf("%+v", st)
				}
				want := float64(st.Written) / pcm.Rate
				if got := float64(heard) * 0.02; math.Abs(got-want) > 0.05 {
					t.Errorf("%.2f s came out of %.2f", got, want)
				}
			})
		})
	}
}

func TestThirtySecondsStayThirtySeconds(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, page := range []int{960, 9600, 24_000, 48_000} {
		synctest.Test(t, func(t *testing.T) {
			s := jitter.NewStream(jitter.Options{})
			late := func(int) time.Duration { return time.Duration(rng.IntN(30)) * time.Millisecond }
			var out []float32
			play(t, s, pcmtest.Tone{Hz: 1000, Amp: 0.5}, paced(0, page, 30*time.Second+time.Millisecond, late), func(frame []float32) {
				out = append(out, frame...)
			})
			x := trim(out)
			if d := len(x)/2 - 30*pcm.Rate; d < -960 || d > 960 {
				t.Errorf("pages of %d: %d samples too many", page, d)
			}
			if j := pcmtest.Jumps(x[2*480:len(x)-4*480], 0, 1000, 0.06); !pcmtest.Has(x[:second], 0, 1000) || len(j) > 0 {
				t.Errorf("pages of %d: the tone did not come through unbroken: %v", page, j)
			}
		})
	}
}

func TestStallThenBurst(t *testing.T) {
	for _, tt := range []struct {
		stall   time.Duration
		skipped bool
	}{{4 * time.Second, false}, {6 * time.Second, true}} {
		synctest.Test(t, func(t *testing.T) {
			reg := prometheus.NewPedanticRegistry()
			s := jitter.NewStream(jitter.Options{Metrics: jitter.NewMetrics(reg)})
			send := func(give func(time.Duration, int)) {
				for i := range 3000 {
					at := time.Duration(i) * pcm.FrameDuration
					if at > 10*time.Second && at < 10*time.Second+tt.stall {
						at = 10*time.Second + tt.stall
					}
					give(at, 960)
				}
			}
			var out []float32
			play(t, s, pcmtest.Tone{Hz: 440, Amp: 0.5}, send, func(frame []float32) { out = append(out, frame...) })
			st := s.State()
			if st.Underruns != 1 || (st.Skipped > 0) != tt.skipped || st.Written != st.Played+st.Skipped {
				t.Errorf("%v: %+v", tt.stall, st)
			}
			if step, most := pcmtest.Step(out), 0.5*2*math.Pi*441/pcm.Rate+math.Pi/2/480; step > most {
				t.Errorf("%v: a step of %.4f, want at most %.4f", tt.stall, step, most)
			}
			if n := len(pcmtest.Gaps(trim(out), 1e-4, 960)); n != 1 {
				t.Errorf("%v: %d gaps, want 1", tt.stall, n)
			}
			told := counters(t, reg)
			if told["longwave_jitter_underruns_total"] != 1 || math.Abs(told["longwave_jitter_skipped_seconds_total"]-float64(st.Skipped)/pcm.Rate) > 1e-9 {
				t.Errorf("%v: counted %v", tt.stall, told)
			}
		})
	}
}
