package pcm_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"longwave/ingest/pcm"
)

func TestPos(t *testing.T) {
	at := time.Date(2026, 11, 20, 20, 0, 0, 640e6, time.UTC)
	p := pcm.At(at)
	if !p.Time().Equal(at) {
		t.Errorf("%s became %s", at, p.Time())
	}
	if p != pcm.Pos(at.UnixMilli()*48) {
		t.Errorf("position %d, want %d", p, at.UnixMilli()*48)
	}
	for _, d := range []time.Duration{0, time.Nanosecond, 20 * time.Millisecond, 1919 * time.Millisecond, 41 * 365 * 24 * time.Hour} {
		if got := pcm.Duration(pcm.Samples(d)); got > d || d-got > 20834*time.Nanosecond {
			t.Errorf("%v became %v", d, got)
		}
	}
	if got := pcm.Pos(-1).Floor(960); got != -960 {
		t.Errorf("floor of -1: %d", got)
	}
	if got := pcm.Pos(961).Ceil(960); got != 1920 {
		t.Errorf("ceiling of 961: %d", got)
	}
	if got := pcm.Pos(960).Ceil(960); got != 960 {
		t.Errorf("ceiling of 960: %d", got)
	}
	// The last year that 62 bits of nanoseconds would reach is not a limit.
	far := time.Date(2400, 1, 1, 0, 0, 0, 0, time.UTC)
	if got := pcm.At(far).Time(); !got.Equal(far) {
		t.Errorf("%s became %s", far, got)
	}
}

func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := pcm.NewClock(time.Now())
		first := c.Now()
		if err := c.Wait(t.Context(), first+pcm.FrameSamples); err != nil {
			t.Fatal(err)
		}
		if got := c.Now() - first; got != pcm.FrameSamples {
			t.Errorf("waited %d samples, want %d", got, pcm.FrameSamples)
		}
		// Who sleeps through many frames gets each of them without a wait.
		time.Sleep(time.Second)
		before := time.Now()
		for i := range pcm.Pos(50) {
			if err := c.Wait(t.Context(), first+(i+1)*pcm.FrameSamples); err != nil {
				t.Fatal(err)
			}
		}
		if d := time.Since(before); d != 0 {
			t.Errorf("frames that were due took %v", d)
		}
		// An hour of frames drifts by nothing.
		for p := c.Now(); p < first+3600*pcm.Rate; p += pcm.FrameSamples {
			if err := c.Wait(t.Context(), p); err != nil {
				t.Fatal(err)
			}
		}
		if d := c.Drift(); d != 0 {
			t.Errorf("drift %v", d)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		left := errors.New("left")
		cancel(left)
		if err := c.Wait(ctx, c.Now()+pcm.Rate); !errors.Is(err, left) {
			t.Errorf("a waiter that leaves gets %v", err)
		}
	})
}
