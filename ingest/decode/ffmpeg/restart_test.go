package ffmpeg

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRestarts(t *testing.T) {
	var r restarts
	now := time.Unix(1000, 0)
	var got []time.Duration
	for range 5 {
		d, ok := r.next(now)
		if !ok {
			t.Fatal("refused too early")
		}
		got = append(got, d)
		now = now.Add(time.Second)
	}
	ms := time.Millisecond
	if diff := cmp.Diff([]time.Duration{200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms}, got); diff != "" {
		t.Errorf("delays (-want +got):\n%s", diff)
	}
	if _, ok := r.next(now); ok {
		t.Error("a sixth restart within a minute")
	}
	if d, ok := r.next(now.Add(time.Minute)); !ok || d != 200*ms {
		t.Errorf("a minute later: %v, %v, want 200ms", d, ok)
	}
}

func TestWatch(t *testing.T) {
	t0 := time.Unix(1000, 0)
	at := func(s float64) time.Time { return t0.Add(time.Duration(s * float64(time.Second))) }
	for _, c := range []struct {
		name string
		do   func(w *watch)
		at   float64
		want bool
	}{
		{"nothing was fed", func(*watch) {}, 100, false},
		{"little was fed", func(w *watch) { w.feed(100, at(0)) }, 100, false},
		{"starting", func(w *watch) { w.feed(9000, at(0)) }, 9, false},
		{"does not start", func(w *watch) { w.feed(9000, at(0)) }, 10, true},
		{"fed for two seconds", func(w *watch) { w.got(); w.waiting(at(1)); w.feed(9000, at(2)); w.feed(9000, at(3)) }, 4, true},
		{"fed for less", func(w *watch) { w.got(); w.waiting(at(1)); w.feed(9000, at(2)); w.feed(9000, at(3)) }, 3.9, false},
		{"not fed", func(w *watch) { w.feed(9000, at(0)); w.got(); w.waiting(at(1)) }, 100, false},
		{"nobody takes the output", func(w *watch) { w.feed(9000, at(0)); w.got(); w.feed(9000, at(0)) }, 100, false},
		{"fed while nobody took, then waiting", func(w *watch) { w.got(); w.feed(9000, at(0)); w.waiting(at(50)) }, 51, false},
		{"the same for two seconds", func(w *watch) { w.got(); w.feed(9000, at(0)); w.waiting(at(50)) }, 52, true},
		{"draining", func(w *watch) { w.got(); w.waiting(at(1)); w.close(at(1)) }, 3, true},
		{"drains", func(w *watch) { w.got(); w.waiting(at(1)); w.close(at(1)); w.got(); w.waiting(at(2)) }, 3, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var w watch
			c.do(&w)
			if got := w.stalled(at(c.at)); got != c.want {
				t.Errorf("stalled = %v, want %v", got, c.want)
			}
		})
	}
}
