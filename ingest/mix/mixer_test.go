package mix_test

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"

	"longwave/ingest/mix"
	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
)

const start = pcm.Pos(1_700_000_000) * pcm.Rate

// A speaker is a tone that is switched on and off.
type speaker struct {
	tone pcmtest.Tone
	at   pcm.Pos
	off  bool
}

func (s *speaker) Pull(dst []float32) pcm.Fill {
	defer func() { s.at += pcm.Pos(len(dst) / 2) }()
	if s.off {
		clear(dst)
		return pcm.Silent
	}
	s.tone.Fill(dst, s.at)
	return pcm.Heard
}

// A steady hold is a tone by position.
type steady struct{ pcmtest.Tone }

func (s steady) ReadAt(dst []float32, pos pcm.Pos) { s.Fill(dst, pos) }

// A desk runs a mixer frame by frame and keeps what comes out.
type desk struct {
	*mix.Mixer
	pos pcm.Pos
	out []float32
}

func newDesk(o mix.Options) *desk { return &desk{Mixer: mix.NewMixer(o), pos: start} }

func (d *desk) run(frames int) mix.Report {
	var r mix.Report
	for range frames {
		f := make([]float32, pcm.FrameLen)
		r = d.Mix(f, d.pos)
		d.pos += pcm.FrameSamples
		d.out = append(d.out, f...)
	}
	return r
}

// last returns the last n frames that came out.
func (d *desk) last(n int) []float32 { return d.out[len(d.out)-n*pcm.FrameLen:] }

func wantAmp(t *testing.T, x []float32, hz, want float64) {
	t.Helper()
	if got := pcmtest.Goertzel(x, 0, hz); math.Abs(got-want) > 0.01*want+2e-4 {
		t.Errorf("%v Hz: amplitude %.4f, want %.4f", hz, got, want)
	}
}

func wantNoClick(t *testing.T, x []float32, most float64) {
	t.Helper()
	if got := pcmtest.Step(x); got > most {
		t.Errorf("a step of %.4f, want at most %.4f", got, most)
	}
}

func TestLanesAreSummed(t *testing.T) {
	d := newDesk(mix.Options{})
	d.Add("a", &speaker{tone: pcmtest.Tone{Hz: 500, Amp: 0.2}}, mix.LaneOptions{})
	d.Add("b", &speaker{tone: pcmtest.Tone{Hz: 1500, Amp: 0.3}}, mix.LaneOptions{GainDB: -6})
	d.Add("c", &speaker{tone: pcmtest.Tone{Hz: 2500, Amp: 0.3}}, mix.LaneOptions{Muted: true})
	r := d.run(50)
	x := d.last(25)
	wantAmp(t, x, 500, 0.2)
	wantAmp(t, x, 1500, 0.3*0.5012)
	wantAmp(t, x, 2500, 0)
	if want := (mix.Report{OnAir: pcm.OnAirLive, Since: start + mix.Latency}); r != want {
		t.Errorf("report %+v, want %+v", r, want)
	}
	d.SetGain("b", 0)
	d.SetMute("c", false)
	d.SetMute("a", true)
	d.run(50)
	x = d.last(25)
	wantAmp(t, x, 500, 0)
	wantAmp(t, x, 1500, 0.3)
	wantAmp(t, x, 2500, 0.3)
	if !d.Remove("b") || d.Remove("b") || d.SetGain("b", 0) || d.SetMute("zz", true) {
		t.Error("the id of a lane that is gone, or never was, is taken for one")
	}
	d.run(50)
	wantAmp(t, d.last(25), 1500, 0)
	// The tones themselves make steps of 0.013, 0.059 and 0.098.
	wantNoClick(t, d.out, 0.172)
}

func TestLatency(t *testing.T) {
	d := newDesk(mix.Options{})
	tone := pcmtest.Tone{Hz: 400, Amp: 0.5}
	d.Add("a", &speaker{tone: tone}, mix.LaneOptions{})
	d.run(20)
	want := tone.Make(20 * pcm.FrameSamples)
	off := int(mix.Latency) * pcm.Channels
	for i := 2 * pcm.FrameLen; i < len(d.out)-off; i++ {
		if math.Abs(float64(d.out[off+i]-want[i])) > 1.01*pcm.DitherPeak {
			t.Fatalf("value %d: %v, want %v", i, d.out[off+i], want[i])
		}
	}
	if d.Latency() != mix.Latency {
		t.Errorf("Latency() %d, want %d", d.Latency(), mix.Latency)
	}
}

func TestTakeOver(t *testing.T) {
	d := newDesk(mix.Options{})
	d.Add("host", &speaker{tone: pcmtest.Tone{Hz: 500, Amp: 0.3}}, mix.LaneOptions{})
	d.run(50)
	d.Add("host", &speaker{tone: pcmtest.Tone{Hz: 700, Amp: 0.3}}, mix.LaneOptions{})
	d.run(50)
	wantAmp(t, d.last(25), 500, 0)
	wantAmp(t, d.last(25), 700, 0.3)
	wantNoClick(t, d.out, 0.05)
	if s := d.Snapshot(); s.Lanes != 1 {
		t.Errorf("%d lanes, want 1", s.Lanes)
	}
}

func TestHoldComesAndGoes(t *testing.T) {
	hold := steady{pcmtest.Tone{Hz: 300, Amp: 0.2}}
	d := newDesk(mix.Options{Hold: hold})
	voice := &speaker{tone: pcmtest.Tone{Hz: 1000, Amp: 0.3}}
	if r := d.run(50); r.OnAir != pcm.OnAirHold {
		t.Errorf("nobody there: %+v", r)
	}
	// What is heard at a position is the hold's own sample of that position.
	want := make([]float32, 20*pcm.FrameLen)
	hold.Fill(want, start+30*pcm.FrameSamples)
	for i, v := range d.last(20) {
		if math.Abs(float64(v-want[i])) > 1.01*pcm.DitherPeak {
			t.Fatalf("value %d of the hold: %v, want %v", i, v, want[i])
		}
	}
	d.Add("a", voice, mix.LaneOptions{})
	went := d.pos
	if r := d.run(50); r.OnAir != pcm.OnAirLive || r.Since != went+mix.Latency {
		t.Errorf("a voice since %d: %+v", went, r)
	}
	wantAmp(t, d.last(30), 300, 0)
	wantAmp(t, d.last(30), 1000, 0.3)
	voice.off = true
	came := d.pos
	if r := d.run(60); r.OnAir != pcm.OnAirHold || r.Since != came+25*pcm.FrameSamples+mix.Latency {
		t.Errorf("silence since %d: %+v", came, r)
	}
	wantAmp(t, d.last(20), 300, 0.2)
	voice.off = false
	d.run(10)
	d.Remove("a")
	d.run(60)
	wantAmp(t, d.last(20), 300, 0.2)
	// The voice's own step, and what its source does at its end: that is not ours.
	d.out = d.out[:100*pcm.FrameLen]
	wantNoClick(t, d.out, 0.05)
}

func TestHoldUnderVoices(t *testing.T) {
	d := newDesk(mix.Options{Hold: steady{pcmtest.Tone{Hz: 300, Amp: 0.2}}, HoldUnder: true})
	voice := &speaker{tone: pcmtest.Tone{Hz: 1000, Amp: 0.3}}
	d.run(20)
	d.Add("a", voice, mix.LaneOptions{})
	d.run(50)
	wantAmp(t, d.last(30), 300, 0.2*0.2512)
	voice.off = true
	d.run(25 + 60)
	wantAmp(t, d.last(20), 300, 0.2)
}

func TestSilentMicrophone(t *testing.T) {
	d := newDesk(mix.Options{Hold: steady{pcmtest.Tone{Hz: 300, Amp: 0.2}}})
	mic := &speaker{tone: pcmtest.Tone{Hz: 1000, Amp: 0.001}}
	d.Add("a", mic, mix.LaneOptions{})
	d.run(1500)
	if r := d.run(1); r.DeadAir != mix.Replaced || r.OnAir != pcm.OnAirHold {
		t.Errorf("after 30 s: %+v", r)
	}
	d.run(50)
	wantAmp(t, d.last(20), 300, 0.2)
	mic.tone.Amp = 0.3
	if r := d.run(14); r.OnAir != pcm.OnAirHold {
		t.Errorf("after 280 ms of sound: %+v", r)
	}
	wantAmp(t, d.last(5), 300, 0.2*0.2512) // already ducked
	if r := d.run(1); r.OnAir != pcm.OnAirLive || r.DeadAir != mix.Sounding {
		t.Errorf("after 300 ms of sound: %+v", r)
	}
	d.run(50)
	wantAmp(t, d.last(20), 300, 0)
}

func TestNeverDigitalSilence(t *testing.T) {
	d := newDesk(mix.Options{})
	d.Add("a", &speaker{off: true}, mix.LaneOptions{})
	d.run(20)
	want := make([]float32, len(d.out))
	pcm.Dither(want, start)
	if !slices.Equal(d.out, want) {
		t.Error("where there is no sound there is not the near-silence of the position")
	}
}

// A broken source gives what no sound is.
type broken struct{ v float32 }

func (b broken) Pull(dst []float32) pcm.Fill {
	for i := range dst {
		dst[i] = b.v
	}
	return pcm.Heard
}

func TestGarbageStaysInItsLane(t *testing.T) {
	nan := float32(math.NaN())
	for _, v := range []float32{nan, float32(math.Inf(1)), 1e30, -1e9} {
		d := newDesk(mix.Options{})
		d.Add("bad", broken{v}, mix.LaneOptions{})
		d.Add("good", &speaker{tone: pcmtest.Tone{Hz: 500, Amp: 0.2}}, mix.LaneOptions{})
		d.run(50)
		wantAmp(t, d.last(25), 500, 0.2)
		got := d.Levels(nil)
		if len(got) != 2 || got[0].ID != "bad" || got[0].Faults != 50 || got[1].Faults != 0 {
			t.Errorf("%v: levels %+v", v, got)
		}
	}
}

func TestSnapshot(t *testing.T) {
	d := newDesk(mix.Options{})
	d.Add("a", &speaker{tone: pcmtest.Tone{Hz: 1000, Amp: 0.1}}, mix.LaneOptions{})
	d.run(300)
	s := d.Snapshot()
	for what, got := range map[string]float64{"M": s.Loudness.Momentary, "S": s.Loudness.ShortTerm, "I": s.Loudness.Integrated, "true peak": s.Loudness.TruePeak} {
		if math.Abs(got+20) > 0.1 {
			t.Errorf("%s %.2f, want -20", what, got)
		}
	}
	if s.LimiterDB != 0 || s.Lanes != 1 || s.OnAir != pcm.OnAirLive {
		t.Errorf("%+v", s)
	}
	if l := d.Levels(nil)[0]; math.Abs(l.RMSDBFS+23.01) > 0.1 || math.Abs(l.PeakDBFS+20) > 0.1 || l.Fill != pcm.Heard {
		t.Errorf("%+v", l)
	}
	d.SetGain("a", 26)
	d.run(50)
	if s := d.Snapshot(); s.LimiterDB > -6 || s.Loudness.TruePeak > -1 {
		t.Errorf("26 dB louder: %+v", s)
	}
	d.SetGain("a", 0)
	d.run(100)
	d.ResetLoudness()
	d.run(50)
	if s := d.Snapshot(); math.Abs(s.Loudness.TruePeak+20) > 0.1 || math.Abs(s.Loudness.Integrated+20) > 0.1 {
		t.Errorf("after a reset: %+v", s)
	}
}

// TestTwins starts two mixers at different times, gives them lanes in different
// order, and wants the same samples once the same is on air.
func TestTwins(t *testing.T) {
	voices := func(d *desk, names ...string) {
		for _, n := range names {
			d.Add(n, &speaker{tone: pcmtest.Tone{Hz: 300 + 100*float64(n[0]-'a'), Amp: 0.45}, at: d.pos}, mix.LaneOptions{GainDB: -1.7})
		}
	}
	hold := steady{pcmtest.Tone{Hz: 220, Amp: 0.2}}
	one, two := newDesk(mix.Options{Hold: hold}), newDesk(mix.Options{Hold: hold})
	one.run(317)
	two.pos = one.pos
	one.run(50)
	two.run(50)
	if !slices.Equal(one.last(20), two.last(20)) {
		t.Error("the hold differs")
	}
	voices(one, "a", "b", "c")
	voices(two, "c", "a", "b")
	one.run(100)
	two.run(100)
	if pcmtest.Peak(one.last(50)) < 0.82 {
		t.Error("the sound is too low to need the limiter")
	}
	if !slices.Equal(one.last(50), two.last(50)) {
		t.Error("the sum of three voices differs")
	}
}

func TestOthersMayCall(t *testing.T) {
	d := newDesk(mix.Options{})
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			id := fmt.Sprint(i)
			for k := range 200 {
				d.Add(id, &speaker{tone: pcmtest.Tone{Hz: 500, Amp: 0.01}}, mix.LaneOptions{})
				d.SetGain(id, float64(-k%20))
				d.SetMute(id, k%2 == 0)
				d.Levels(nil)
				d.Snapshot()
				if k%3 == 0 {
					d.Remove(id)
				}
				d.ResetLoudness()
			}
			d.Remove(id)
		})
	}
	d.run(100)
	wg.Wait()
	d.run(2)
	if s := d.Snapshot(); s.Lanes != 0 {
		t.Errorf("%d lanes are left", s.Lanes)
	}
}

func TestMixDoesNotAllocate(t *testing.T) {
	d := newDesk(mix.Options{Hold: steady{pcmtest.Tone{Hz: 220, Amp: 0.2}}, HoldUnder: true})
	for i := range 8 {
		d.Add(fmt.Sprint("feed", i), &speaker{tone: pcmtest.Tone{Hz: 500, Amp: 0.3}}, mix.LaneOptions{})
	}
	table(t, d.Mixer, 8, 8)
	f := make([]float32, pcm.FrameLen)
	if n := testing.AllocsPerRun(1000, func() {
		d.Mix(f, d.pos)
		d.pos += pcm.FrameSamples
	}); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}
