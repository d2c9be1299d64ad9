package jitter_test

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"longwave/ingest/jitter"
	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
)

// An ordeal is a sender with hiccups, and what is to become of the stream's target.
type ordeal struct {
	opt    jitter.Options
	ppm    float64
	page   int
	total  time.Duration
	hiccup func(at time.Duration) (until time.Duration) // nothing comes before; 0: no hiccup
}

// A course is what happened.
type course struct {
	out     []float32     // of less than ten minutes
	highest pcm.Pos       // target
	fastest float64       // ratio
	lowest  pcm.Pos       // level before a frame while sound is heard, from a second after the last underrun on
	slowly  time.Duration // from the last underrun on until the target was the configured one again
	end     jitter.State  // while the sender was still there
}

// beside keeps arrivals and pulls from falling into one instant, where either may be
// the first.
const beside = 7 * time.Millisecond

func (o ordeal) run(t *testing.T) (c course) {
	t.Helper()
	s := jitter.NewStream(o.opt)
	start := time.Now()
	late := func(i int) time.Duration {
		at := time.Duration(i*o.page) * time.Second / pcm.Rate
		return max(o.hiccup(at)-at, 0) + beside
	}
	var dry time.Duration
	before := s.State()
	play(t, s, pcmtest.Tone{Hz: 1000, Amp: 0.5}, paced(o.ppm, o.page, o.total, late), func(frame []float32) {
		now := time.Since(start)
		if o.total < 10*time.Minute {
			c.out = append(c.out, frame...)
		}
		st := s.State()
		if st.Underruns > before.Underruns {
			dry, c.slowly, c.lowest = now, 0, math.MaxInt32
		}
		if st.Target < before.Target && c.slowly == 0 && st.Target == pcm.Samples(o.opt.Target) {
			c.slowly = now - dry
		}
		if now < o.total-5*time.Second {
			c.highest, c.fastest = max(c.highest, st.Target), max(c.fastest, st.Ratio)
			if now > dry+time.Second {
				c.lowest = min(c.lowest, st.Level+pcm.FrameSamples)
			}
			c.end = st
		}
		before = st
	})
	return c
}

func once(at, until time.Duration) func(time.Duration) time.Duration {
	return func(now time.Duration) time.Duration {
		if now >= at && now < until {
			return until
		}
		return 0
	}
}

// every is a hiccup of length once a period, the first of them after one.
func every(period, length time.Duration) func(time.Duration) time.Duration {
	return func(now time.Duration) time.Duration {
		if n := now.Truncate(period); n > 0 && now < n+length {
			return n + length
		}
		return 0
	}
}

func TestTargetComesBack(t *testing.T) {
	for _, tt := range []struct {
		name   string
		o      ordeal
		grown  time.Duration
		within time.Duration // of the underrun
	}{
		{
			"pipe",
			ordeal{jitter.Options{Target: jitter.PipeTarget, Trim: true}, 200, 960, 3 * time.Minute, once(20*time.Second, 20100*time.Millisecond)},
			120 * time.Millisecond, 100 * time.Second,
		},
		{
			"pages of 0.2 s",
			ordeal{jitter.Options{Target: jitter.DefaultTarget}, -200, 9600, 7 * time.Minute, once(20*time.Second, 22*time.Second)},
			2 * time.Second, 6 * time.Minute,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := tt.o.run(t)
				if c.end.Underruns != 1 || c.highest != pcm.Samples(tt.grown) {
					t.Fatalf("%d underruns, target up to %v: no hiccup to come back from", c.end.Underruns, pcm.Duration(c.highest))
				}
				t.Logf("back after %v, ratio at most %.0f ppm, level at least %v", c.slowly, (c.fastest-1)*1e6, pcm.Duration(c.lowest))
				if c.slowly < time.Minute || c.slowly > tt.within || c.end.Target != pcm.Samples(tt.o.opt.Target) {
					t.Errorf("back at %v after %v", pcm.Duration(c.end.Target), c.slowly)
				}
				page := pcm.Pos(tt.o.page)
				if least := pcm.Samples(tt.o.opt.Target) - page - 48; c.lowest < least {
					t.Errorf("a level of %v, want at least %v", pcm.Duration(c.lowest), pcm.Duration(least))
				}
				if most := pcm.Samples(tt.o.opt.Target) + page + pcm.Rate/20; c.end.Level > most {
					t.Errorf("%v are ahead in the end, want at most %v", pcm.Duration(c.end.Level), pcm.Duration(most))
				}
				if c.fastest > 1+3000e-6 {
					t.Errorf("ratio up to %v", c.fastest)
				}
				x := trim(c.out)
				gaps := pcmtest.Gaps(x, 1e-4, 480)
				if len(gaps) != 1 {
					t.Fatalf("gaps %v, want one", gaps)
				}
				if step, most := pcmtest.Step(x), 0.5*2*math.Pi*1004/pcm.Rate+math.Pi/2/480; step > most {
					t.Errorf("a step of %.4f, want at most %.4f", step, most)
				}
			})
		})
	}
}

// TestExtraThatIsNeededStays: hiccups that come within the minute are seen, rarer ones
// are paid for twice at most before the wait is longer than what is between them.
func TestExtraThatIsNeededStays(t *testing.T) {
	for _, tt := range []struct {
		name      string
		period    time.Duration
		length    time.Duration
		underruns int64
	}{
		{"70 ms every 40 s", 40 * time.Second, 70 * time.Millisecond, 1},
		{"90 ms every 40 s", 40 * time.Second, 90 * time.Millisecond, 1},
		{"130 ms every 40 s", 40 * time.Second, 130 * time.Millisecond, 2}, // 120 ms are not enough
		{"90 ms every 150 s", 150 * time.Second, 90 * time.Millisecond, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := ordeal{jitter.Options{Target: jitter.PipeTarget, Trim: true}, 0, 960, 12 * time.Minute, every(tt.period, tt.length)}
				c := o.run(t)
				t.Logf("%d underruns, target up to %v, %v in the end", c.end.Underruns, pcm.Duration(c.highest), pcm.Duration(c.end.Target))
				if c.end.Underruns < 1 || c.end.Underruns > tt.underruns {
					t.Errorf("%d underruns in 12 minutes, want at most %d", c.end.Underruns, tt.underruns)
				}
				if c.end.Target <= pcm.Samples(jitter.PipeTarget) {
					t.Errorf("target %v in the end", pcm.Duration(c.end.Target))
				}
			})
		})
	}
}

// TestLateFrame: who pulls late pulls several frames at once, so what is there for the
// first of them is not all ahead.
func TestLateFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := 80 * time.Millisecond
		s := jitter.NewStream(jitter.Options{Target: jitter.PipeTarget, Trim: true, Late: func() time.Duration { return late }})
		frame := make([]float32, pcm.FrameLen)
		time.Sleep(time.Second)
		if err := s.Write(t.Context(), counted(0, 5*960)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
		for range 4 { // those of 80, 60, 40 and 20 ms ago
			s.Pull(frame)
			late -= pcm.FrameDuration
		}
		if st := s.State(); st.Underruns != 0 || st.Phase != jitter.Playing || st.Level != pcm.Samples(jitter.PipeTarget) {
			t.Errorf("when the late frames are done: %+v", st)
		}
	})
}

// TestLateFrameLetsTheWriterGoFirst: a frame that is late and would run dry waits for
// what is on its way, for 10 ms; any other does not.
func TestLateFrameLetsTheWriterGoFirst(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		name      string
		late      time.Duration
		idle      time.Duration // of the sender, before
		comes     time.Duration // what is missing, after the frame is asked for
		waits     time.Duration
		underruns int64
		afar      bool // the sender
	}{
		{"comes", 40 * ms, 60 * ms, 4 * ms, 4 * ms, 0, false},
		{"does not come", 40 * ms, 60 * ms, time.Second, 10 * ms, 1, false},
		{"in time", 0, 60 * ms, 4 * ms, 0, 1, false},
		{"a sender that is gone", 40 * ms, 200 * ms, 4 * ms, 0, 1, false},
		{"a sender elsewhere", 40 * ms, 60 * ms, 4 * ms, 0, 1, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var late time.Duration
				s := jitter.NewStream(jitter.Options{Target: jitter.PipeTarget, Patient: !tt.afar, Late: func() time.Duration { return late }})
				write := func(at int) {
					if err := s.Write(t.Context(), counted(at*960, 3*960)); err != nil {
						t.Error(err)
					}
				}
				write(0)
				frame := make([]float32, pcm.FrameLen)
				s.Pull(frame)
				time.Sleep(tt.idle)
				late = tt.late
				s.Pull(frame)
				start := time.Now()
				defer time.AfterFunc(tt.comes, func() { write(3) }).Stop()
				s.Pull(frame)
				if d := time.Since(start); d != tt.waits || s.State().Underruns != tt.underruns {
					t.Errorf("waited %v, %d underruns; want %v, %d", d, s.State().Underruns, tt.waits, tt.underruns)
				}
			})
		})
	}
}
