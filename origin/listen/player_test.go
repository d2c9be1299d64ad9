package listen

import (
	"testing"
	"time"
)

// A player's day: at is when something came, in tenths of a second after the start,
// begin and end are its place, also in tenths.
type arrival struct{ at, begin, end int }

func TestPlayer(t *testing.T) {
	for name, c := range map[string]struct {
		edge, hold int
		arrivals   []arrival
		until      int
		want       []int // the stalls' lengths
	}{
		"in time":             {edge: 30, hold: 10, arrivals: []arrival{{0, 20, 30}, {3, 30, 33}, {6, 33, 36}, {9, 36, 39}}, until: 15},
		"just in time":        {edge: 30, hold: 10, arrivals: []arrival{{0, 20, 30}, {10, 30, 40}}, until: 15},
		"late":                {edge: 30, hold: 10, arrivals: []arrival{{0, 20, 30}, {14, 30, 40}}, until: 15, want: []int{4}},
		"late twice":          {edge: 30, hold: 10, arrivals: []arrival{{0, 20, 30}, {14, 30, 40}, {29, 40, 50}}, until: 30, want: []int{4, 5}},
		"lateness is kept":    {edge: 30, hold: 10, arrivals: []arrival{{0, 20, 30}, {14, 30, 40}, {24, 40, 50}}, until: 30, want: []int{4}},
		"nothing more":        {edge: 30, hold: 10, arrivals: []arrival{{0, 20, 30}}, until: 95, want: []int{85}},
		"begins late":         {edge: 30, hold: 10, arrivals: []arrival{{7, 20, 30}}, until: 9},
		"too short a list":    {edge: 30, hold: 10, arrivals: []arrival{{0, 25, 30}, {5, 30, 40}}, until: 9},
		"a hole":              {edge: 30, hold: 10, arrivals: []arrival{{0, 20, 30}, {5, 33, 40}}, until: 12, want: []int{3}},
		"a hole, filled":      {edge: 30, hold: 10, arrivals: []arrival{{0, 20, 30}, {5, 33, 40}, {9, 30, 33}}, until: 12},
		"a hole, filled late": {edge: 30, hold: 10, arrivals: []arrival{{0, 20, 30}, {5, 33, 40}, {11, 30, 33}}, until: 12, want: []int{3}},
		"a hole, then dry":    {edge: 30, hold: 10, arrivals: []arrival{{0, 20, 30}, {5, 33, 40}}, until: 19, want: []int{3, 2}},
		"dry, then a hole":    {edge: 30, hold: 10, arrivals: []arrival{{0, 20, 30}, {16, 33, 40}}, until: 18, want: []int{6}},
		"twice the same":      {edge: 30, hold: 10, arrivals: []arrival{{0, 20, 30}, {1, 20, 26}, {9, 30, 40}}, until: 18},
	} {
		t.Run(name, func(t *testing.T) {
			const tenth = 100 * time.Millisecond
			now := time.Unix(1_790_000_000, 0)
			var p player
			p.start(now, time.Duration(c.edge)*tenth, time.Duration(c.hold)*tenth)
			for _, a := range c.arrivals {
				p.add(now.Add(time.Duration(a.at)*tenth), time.Duration(a.begin)*tenth, time.Duration(a.end)*tenth)
			}
			var want Stalls
			for _, d := range c.want {
				want.note(time.Duration(d) * tenth)
			}
			if got := p.result(now.Add(time.Duration(c.until) * tenth)); got != want {
				t.Errorf("%+v, want %+v", got, want)
			}
		})
	}
}

// The end of a stream is no stall.
func TestPlayerEnd(t *testing.T) {
	now := time.Unix(1_790_000_000, 0)
	var p player
	p.add(now, 0, time.Second)
	p.start(now, time.Second, time.Second)
	p.add(now, time.Second, 2*time.Second)
	p.finish()
	if got := p.result(now.Add(time.Hour)); got != (Stalls{}) {
		t.Errorf("%+v", got)
	}
}

func TestSketch(t *testing.T) {
	var a, b sketch
	for ms := 1; ms <= 1000; ms++ {
		a.add(time.Duration(ms) * time.Millisecond)
	}
	b.join(&a)
	b.add(-2 * time.Second)
	for _, s := range []*sketch{&a, &b} {
		got := s.spread()
		for _, c := range []struct{ got, want Millis }{
			{got.P50, Millis(500 * time.Millisecond)}, {got.P99, Millis(990 * time.Millisecond)}, {got.Max, Millis(time.Second)},
		} {
			if off := time.Duration(c.got - c.want).Abs(); off > 8*time.Millisecond {
				t.Errorf("%v ms, want %v ms", c.got.ms(), c.want.ms())
			}
		}
	}
	if n := len(a.buckets); n > 600 {
		t.Errorf("%d buckets", n)
	}
	if empty := new(sketch).spread(); empty != (Spread{}) {
		t.Errorf("%+v", empty)
	}
}

func TestBuckets(t *testing.T) {
	for _, d := range []time.Duration{0, time.Microsecond, 255 * time.Microsecond, 256 * time.Microsecond, time.Millisecond, time.Second, 24 * time.Hour} {
		for _, d := range []time.Duration{d, -d} {
			if off := (unbucket(bucket(d)) - d).Abs(); off > d.Abs()/128 {
				t.Errorf("%v comes back as %v", d, unbucket(bucket(d)))
			}
		}
	}
}

func TestRate(t *testing.T) {
	const s = time.Second
	for name, c := range map[string]struct {
		segments []sized
		target   time.Duration
		peak     float64
	}{
		"one by one":              {[]sized{{1000, 2 * s}, {3000, 2 * s}, {1000, 2 * s}}, 2 * s, 12_000},
		"short ones go together":  {[]sized{{1000, s}, {3000, s}, {1000, s}}, 3 * s, 16_000},
		"too short by itself":     {[]sized{{4000, s}, {0, s}}, 4 * s, 16_000},
		"too long to go together": {[]sized{{4000, 4 * s}, {4000, 1 * s}}, 2 * s, 32_000},
	} {
		t.Run(name, func(t *testing.T) {
			var r rate
			for _, x := range c.segments {
				r.add(x.bytes, x.length, c.target)
			}
			if r.peak != c.peak {
				t.Errorf("%.0f, want %.0f", r.peak, c.peak)
			}
		})
	}
}
