package mix_test

import (
	"math"
	"slices"
	"testing"

	"longwave/ingest/mix"
	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
)

// TestOpen: the programme's fader goes over to the hold in a crossfade, at once, and
// back when it is opened; what is live is live at once.
func TestOpen(t *testing.T) {
	d := newDesk(mix.Options{Hold: steady{pcmtest.Tone{Hz: 300, Amp: 0.2}}})
	d.SetOpen(false)
	d.Add("a", &speaker{tone: pcmtest.Tone{Hz: 1000, Amp: 0.2}}, mix.LaneOptions{})
	if r := d.run(100); r.OnAir != pcm.OnAirHold {
		t.Errorf("closed: %+v", r)
	}
	wantAmp(t, d.out[10*pcm.FrameLen:], 1000, 0) // from the first frame on
	d.SetOpen(true)
	at := d.pos + mix.Latency
	if r := d.run(1); r.OnAir != pcm.OnAirLive || r.Since != at {
		t.Errorf("opened at %d: %+v", at, r)
	}
	d.run(99)
	wantAmp(t, d.last(50), 1000, 0.2)
	wantAmp(t, d.last(50), 300, 0)
	d.SetOpen(false)
	at = d.pos + mix.Latency
	if r := d.run(1); r.OnAir != pcm.OnAirHold || r.Since != at {
		t.Errorf("closed at %d: %+v", at, r)
	}
	d.run(99)
	wantAmp(t, d.last(50), 1000, 0)
	wantAmp(t, d.last(50), 300, 0.2)
	// 200 ms of equal power: halfway both are at 0.7 of what they are alone.
	cross := d.last(100)[5*pcm.FrameLen-pcm.FrameLen/2+2*int(mix.Latency):][:pcm.FrameLen]
	for _, hz := range []float64{300, 1000} {
		if got := pcmtest.Goertzel(cross, 0, hz); math.Abs(got-0.141) > 0.01 {
			t.Errorf("%v Hz: amplitude %.3f halfway, want 0.141", hz, got)
		}
	}
	wantNoClick(t, d.out, 0.2*0.131+0.2*0.0393)
}

// A busybody does something while the mixer pulls its frame.
type busybody struct {
	speaker
	do func()
}

func (b *busybody) Pull(dst []float32) pcm.Fill {
	b.do()
	return b.speaker.Pull(dst)
}

// TestClosedThenOnAir: who is taken on air after the programme was closed is not heard,
// at whatever moment of a frame that happens.
func TestClosedThenOnAir(t *testing.T) {
	d := newDesk(mix.Options{Hold: steady{pcmtest.Tone{Hz: 300, Amp: 0.2}}})
	frames := 0
	d.Add("a", &busybody{do: func() {
		if frames++; frames == 10 {
			d.SetOpen(false)
			d.SetOnAir("b", true)
		}
	}}, mix.LaneOptions{OffAir: true})
	d.Add("b", &speaker{tone: pcmtest.Tone{Hz: 1000, Amp: 0.2}}, mix.LaneOptions{OffAir: true})
	for range 20 {
		if r := d.run(1); r.OnAir != pcm.OnAirHold {
			t.Fatalf("in frame %d: %+v", frames, r)
		}
	}
	wantAmp(t, d.last(15), 1000, 0)
	d.SetOpen(true)
	if r := d.run(1); r.OnAir != pcm.OnAirLive {
		t.Errorf("opened: %+v", r)
	}
}

// TestClosedForNobody: without a hold a closed programme is near-silence.
func TestClosedForNobody(t *testing.T) {
	d := newDesk(mix.Options{})
	d.SetOpen(false)
	d.Add("a", &speaker{tone: pcmtest.Tone{Hz: 1000, Amp: 0.2}}, mix.LaneOptions{})
	d.run(20)
	want := make([]float32, len(d.out))
	pcm.Dither(want, start)
	if !slices.Equal(d.out, want) {
		t.Error("something is heard in a closed programme")
	}
}

// TestGreenRoom: who is off air is not heard, is nobody for the ladder of dead air, and
// brings the programme live when taken on air.
func TestGreenRoom(t *testing.T) {
	d := newDesk(mix.Options{Hold: steady{pcmtest.Tone{Hz: 300, Amp: 0.2}}})
	d.Add("a", &speaker{tone: pcmtest.Tone{Hz: 1000, Amp: 0.0001}}, mix.LaneOptions{OffAir: true})
	d.Add("b", &speaker{tone: pcmtest.Tone{Hz: 2000, Amp: 0.2}}, mix.LaneOptions{OffAir: true})
	if r := d.run(1000); r.OnAir != pcm.OnAirHold || r.DeadAir != mix.Sounding {
		t.Errorf("all in the green room for 20 s: %+v", r)
	}
	wantAmp(t, d.last(50), 2000, 0)
	d.SetOnAir("a", true)
	if r := d.run(350); r.OnAir != pcm.OnAirLive || r.DeadAir != mix.Warned {
		t.Errorf("a silent one on air for 7 s: %+v", r)
	}
	d.SetOpen(false)
	if r := d.run(1); r.DeadAir != mix.Sounding {
		t.Errorf("closed: %+v", r)
	}
	d.SetOpen(true)
	d.SetOnAir("b", true)
	if r := d.run(500); r.DeadAir != mix.Sounding {
		t.Errorf("somebody is heard: %+v", r)
	}
	wantAmp(t, d.last(50), 2000, 0.2)
	d.SetOnAir("a", false)
	d.SetOnAir("b", false)
	if r := d.run(60); r.OnAir != pcm.OnAirHold {
		t.Errorf("back to the green room: %+v", r)
	}
	wantAmp(t, d.last(20), 300, 0.2)
}
