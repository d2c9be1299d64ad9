package mix_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"longwave/ingest/hold"
	"longwave/ingest/jitter"
	"longwave/ingest/mix"
	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
)

// TestProgramme puts the parts together as the stage does: the bundled hold, a
// sender who comes, is cut off for two seconds, goes on and ends. What comes out
// has no click, no hole, and the tone where it should be.
func TestProgramme(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(mix.Options{Hold: hold.Bundled()})
		s := jitter.NewStream(jitter.Options{})
		tone := pcmtest.Tone{Hz: 1000, Amp: 0.3}
		go func() {
			time.Sleep(2 * time.Second)
			d.Add("studio", s, mix.LaneOptions{})
			second := tone.Make(pcm.Rate)
			for i := range 20 {
				if i == 10 {
					time.Sleep(3 * time.Second)
				}
				if err := s.Write(t.Context(), second); err != nil {
					t.Error(err)
				}
				time.Sleep(time.Second)
			}
			s.End()
			time.Sleep(3 * time.Second)
			d.Remove("studio")
		}()
		var states []string
		for range 35 * 50 {
			if r := d.run(1); len(states) == 0 || states[len(states)-1] != r.OnAir {
				states = append(states, r.OnAir)
			}
			time.Sleep(pcm.FrameDuration)
		}
		want := "hold live hold live hold"
		if got := strings.Join(states, " "); got != want {
			t.Errorf("on air %q, want %q", got, want)
		}
		// Of the 1 kHz tone, and a little for the hold and the fades.
		wantNoClick(t, d.out, 0.3*0.131+0.02)
		// At most half a second until the hold comes: that is not digital silence either.
		if gaps := pcmtest.Gaps(d.out, 0.5*pcm.DitherPeak, 100); len(gaps) > 0 {
			t.Errorf("digital silence: %v", gaps)
		}
		if gaps := pcmtest.Gaps(d.out, 0.001, 30_000); len(gaps) > 0 {
			t.Errorf("nothing to hear for more than 600 ms: %v", gaps)
		}
		sounding := 0
		for i := 0; i+pcm.FrameLen <= len(d.out); i += pcm.FrameLen {
			if pcmtest.Goertzel(d.out[i:i+pcm.FrameLen], 0, 1000) > 0.15 {
				sounding++
			}
		}
		if sounding < 998 || sounding > 1002 {
			t.Errorf("the tone sounds in %d frames, want 1000", sounding)
		}
	})
}
