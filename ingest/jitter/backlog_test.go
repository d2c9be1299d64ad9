package jitter_test

import (
	"testing"
	"testing/synctest"
	"time"

	"longwave/ingest/jitter"
	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
)

// TestBacklog: who kept the time, stood still and then sends all that piled up, faster
// than time, is not late for ever; what a frame that is late itself finds there is no
// backlog, and a file that was never on time is played whole.
func TestBacklog(t *testing.T) {
	const still, until, total = 30 * time.Second, 50 * time.Second, 3 * time.Minute
	piled := func(i int) time.Duration {
		if at := time.Duration(i) * pcm.FrameDuration; at > still && at < until {
			return until - at
		}
		return 0
	}
	for name, tt := range map[string]struct {
		late    time.Duration
		skipped [2]float64 // seconds
	}{
		"in time":         {0, [2]float64{15, 22}},
		"we are the late": {2 * time.Second, [2]float64{0, 0.1}}, // a frame may go, not the 20 s
	} {
		synctest.Test(t, func(t *testing.T) {
			var late time.Duration
			s := jitter.NewStream(jitter.Options{Target: 400 * time.Millisecond, Trim: true, Late: func() time.Duration { return late }})
			start, most := time.Now(), pcm.Pos(0)
			play(t, s, pcmtest.Tone{Hz: 1000, Amp: 0.5}, paced(0, pcm.FrameSamples, total, piled), func([]float32) {
				now := time.Since(start)
				if now > until {
					late = tt.late
				}
				if now > until+time.Minute && now < total {
					most = max(most, s.State().Level)
				}
			})
			st := s.State()
			skipped := float64(st.Skipped) / pcm.Rate
			if skipped < tt.skipped[0] || skipped > tt.skipped[1] {
				t.Errorf("%s: %.1f s skipped, want %v", name, skipped, tt.skipped)
			}
			if tt.late == 0 && most > 3*pcm.Rate {
				t.Errorf("%s: %d samples ahead a minute later", name, most)
			}
		})
	}
}
