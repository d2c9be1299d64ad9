package jitter_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"longwave/ingest/jitter"
	"longwave/ingest/pcm"
)

// A line is a sender and a playout that a [jitter.Drift] steers, stepped without
// any clock. All times are in seconds.
type line struct {
	drift  jitter.Drift
	ppm    float64
	page   float64           // of sound per arrival
	late   func(int) float64 // after it was due
	played float64
	next   float64 // arrival
	n      int     // arrivals so far
}

const startLevel = 1.5

func (l *line) arrival(n int) float64 {
	at := float64(n) * l.page / (1 + l.ppm/1e6)
	if l.late != nil {
		at += l.late(n)
	}
	return at
}

// step plays the frame that begins at now and returns the ratio.
func (l *line) step(now float64) float64 {
	const frame = 0.02
	ratio := l.drift.Step()
	for l.next < now+frame {
		margin := startLevel + float64(l.n)*l.page - l.played - (l.next - now)
		l.drift.Observe(pcm.Pos(math.Round(margin * pcm.Rate)))
		l.n++
		l.next = max(l.next, l.arrival(l.n+1))
	}
	l.played += frame * ratio
	return ratio
}

func TestDriftHoldsTheMargin(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	within := func(ms float64) func(int) float64 {
		return func(int) float64 { return rng.Float64() * ms / 1000 }
	}
	spikes := func(n int) float64 {
		if n%40 == 7 {
			return 0.3
		}
		return rng.Float64() * 0.04
	}
	for _, tt := range []struct {
		name   string
		page   float64
		late   func(int) float64
		within float64 // seconds around where it settled, from a minute on
		ratio  float64 // ppm around the sender's, from a minute on
	}{
		{"20 ms", 0.02, nil, 0.005, 100},
		{"20 ms, 5 ms late", 0.02, within(5), 0.005, 150},
		{"pages of 0.2 s, 20 ms late", 0.2, within(20), 0.008, 200},
		{"pages of 1 s", 1, nil, 0.005, 150},
		{"pages of 1 s, 40 ms late, some 300", 1, spikes, 0.040, 650},
		{"pages of 1.9 s, 40 ms late, some 300", 1.9, spikes, 0.065, 650},
	} {
		for _, ppm := range []float64{0, 100, 500, -500} {
			t.Run(fmt.Sprintf("%s, %v ppm", tt.name, ppm), func(t *testing.T) {
				l := &line{ppm: ppm, page: tt.page, late: tt.late}
				l.n, l.next = 0, l.arrival(1)
				var settled, worst, worstRatio float64
				for i := range 30 * 60 * 50 {
					now := float64(i) * 0.02
					ratio := (l.step(now) - 1) * 1e6
					margin := startLevel + now*(1+ppm/1e6) - l.played
					if i == 5*50 {
						settled = margin
					}
					if i > 60*50 {
						worst = max(worst, math.Abs(margin-settled))
						worstRatio = max(worstRatio, math.Abs(ratio-ppm))
					}
				}
				t.Logf("margin within %.2f ms, ratio within %.0f ppm", worst*1e3, worstRatio)
				if worst > tt.within || worstRatio > tt.ratio {
					t.Errorf("want within %.1f ms and %.0f ppm", tt.within*1e3, tt.ratio)
				}
			})
		}
	}
}

func TestDriftIsCalmAtTheStart(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	l := &line{page: 1, late: func(int) float64 { return rng.Float64() * 0.05 }}
	l.next = l.arrival(1)
	for i := range 500 {
		if r := l.step(float64(i) * 0.02); r != 1 {
			t.Fatalf("frame %d: ratio %v in the first ten seconds", i, r)
		}
	}
}

func TestDriftDoesNotChaseAJump(t *testing.T) {
	var d jitter.Drift
	margin := pcm.Pos(72_000)
	for i := range 10_000 {
		if i == 3000 {
			margin += pcm.Rate // a sender who stalled and sent it all
		}
		d.Observe(margin)
		if r := math.Abs(d.Step() - 1); r > 0.0015 {
			t.Fatalf("frame %d: ratio off by %.0f ppm", i, r*1e6)
		} else if i > 5000 && r > 50e-6 {
			t.Fatalf("frame %d: still off by %.0f ppm", i, r*1e6)
		}
	}
}

func TestDriftRests(t *testing.T) {
	l := &line{ppm: 400, page: 0.02}
	l.next = l.arrival(1)
	for i := range 3000 {
		l.step(float64(i) * 0.02)
	}
	if r := l.drift.Step(); math.Abs(r-1.0004) > 50e-6 {
		t.Fatalf("ratio %v, want about 1.0004", r)
	}
	last := l.drift.Step()
	for range 500 {
		r := l.drift.Rest()
		if math.Abs(r-last) > 4.01e-6 {
			t.Fatalf("the ratio leaps from %v to %v", last, r)
		}
		last = r
	}
	if last != 1 {
		t.Errorf("ratio %v after ten seconds of rest, want exactly 1", last)
	}
}
