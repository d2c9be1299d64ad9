package mix_test

import (
	"fmt"
	"math"
	"testing"

	"longwave/ingest/mix"
	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
)

// An ear keeps what a return is given.
type ear struct{ x []float32 }

func (e *ear) Put(frame []float32) { e.x = append(e.x, frame...) }

func (e *ear) last(frames int) []float32 { return e.x[len(e.x)-frames*pcm.FrameLen:] }

// TestOwnVoice: of eight voices through the whole chain, each return holds the seven
// others and nothing of its own.
func TestOwnVoice(t *testing.T) {
	d := newDesk(mix.Options{Hold: steady{pcmtest.Tone{Hz: 220, Amp: 0.2}}})
	var ids []string
	pitch := func(i int) float64 { return 500 + 250*float64(i) } // whole turns in a frame
	for i := range 8 {
		ids = append(ids, fmt.Sprint(i))
		d.Add(ids[i], &speaker{tone: pcmtest.Tone{Hz: pitch(i), Amp: 0.05}}, mix.LaneOptions{Voice: true, OffAir: i == 7})
	}
	ears := make([]*ear, 8)
	for i := range ears {
		ears[i] = &ear{}
		d.AddReturn(ids[i], ears[i])
		var others []string
		for k, id := range ids {
			if k != i {
				others = append(others, id)
			}
		}
		d.Route(ids[i], append(others, "nobody", others[0]))
	}
	d.run(100)
	d.SetOpen(false) // that is the audience's business
	d.run(50)
	for i, e := range ears {
		if len(e.x) != 150*pcm.FrameLen {
			t.Fatalf("return %d was given %d values", i, len(e.x))
		}
		for k := range 8 {
			got := pcmtest.Goertzel(e.last(25), 0, pitch(k))
			if k == i {
				if db := pcmtest.DB(got / 0.05); db > -100 {
					t.Errorf("return %d: own voice at %.0f dB", i, db)
				}
			} else if math.Abs(got-0.05) > 1e-3 {
				t.Errorf("return %d: voice %d at %.4f, want 0.05", i, k, got)
			}
		}
		if got := pcmtest.Goertzel(e.last(25), 0, 220); got > 1e-4 {
			t.Errorf("return %d: the hold is in it at %.5f", i, got)
		}
	}
}

// TestReturnsAreLevelled: what others hear of a voice is levelled, and does not depend
// on the programme's own gain.
func TestReturnsAreLevelled(t *testing.T) {
	k := newTalk(t, 25, [2]float64{-36, -20})
	var loud []float64
	for _, target := range []float64{-16, -23} {
		d := newDesk(mix.Options{TargetLUFS: target})
		e := &ear{}
		d.Add("a", &record{x: k.tracks[0]}, mix.LaneOptions{Voice: true, OffAir: true})
		d.Add("b", &record{x: k.tracks[1]}, aVoice)
		d.AddReturn("r", e)
		d.Route("r", []string{"a"})
		d.run(len(k.tracks[0]) / pcm.FrameLen)
		loud = append(loud, integrated(k.said(e.x, 0, 8*pcm.Rate)))
	}
	if loud[0] != loud[1] || math.Abs(loud[0]-mix.VoiceLUFS) > 1 {
		t.Errorf("%.2f LUFS in the returns, want %v", loud, mix.VoiceLUFS)
	}
}

func TestRoutes(t *testing.T) {
	d := newDesk(mix.Options{})
	e := &ear{}
	d.Add("a", &speaker{tone: pcmtest.Tone{Hz: 500, Amp: 0.1}}, mix.LaneOptions{})
	d.Add("b", &speaker{tone: pcmtest.Tone{Hz: 1000, Amp: 0.1}}, mix.LaneOptions{OffAir: true})
	d.AddReturn("r", e)
	want := func(what string, a, b float64) {
		t.Helper()
		d.run(50)
		wantAmp(t, e.last(25), 500, a)
		wantAmp(t, e.last(25), 1000, b)
		if t.Failed() {
			t.Fatal(what)
		}
	}
	want("no route", 0, 0)
	d.Route("r", []string{"a"})
	want("one", 0.1, 0)
	d.Route("r", []string{"b", "a"})
	want("both", 0.1, 0.1)
	d.Route("r", []string{"b", "a"}, "b")
	want("b talks to r", 0.05, 0.1)
	d.Route("r", []string{"b", "a"}, "c")
	want("who is not there talks", 0.1, 0.1)
	d.SetGain("a", -20)
	d.SetMute("b", true)
	want("faders", 0.01, 0)
	d.SetMute("b", false)
	d.Remove("a")
	want("a is gone", 0, 0.1)
	d.Add("a", &speaker{tone: pcmtest.Tone{Hz: 500, Amp: 0.1}, at: 24}, mix.LaneOptions{})
	want("and back", 0.1, 0.1)
	d.Route("r", nil)
	want("nobody", 0, 0)
	// The tones make steps of 0.0066 and 0.0131.
	wantNoClick(t, e.x, 0.021)
	if !d.RemoveReturn("r") || d.RemoveReturn("r") || d.Route("r", nil) {
		t.Error("a return that is gone is taken for one")
	}
	n := len(e.x)
	d.run(2)
	if len(e.x) != n {
		t.Error("a return that is gone is given frames")
	}
}

// TestReturnNeverClips: eight loud lanes are bent, one is left as it is.
func TestReturnNeverClips(t *testing.T) {
	d := newDesk(mix.Options{})
	one, all := &ear{}, &ear{}
	d.AddReturn("one", one)
	d.AddReturn("all", all)
	var ids []string
	for i := range 8 {
		ids = append(ids, fmt.Sprint(i))
		d.Add(ids[i], &speaker{tone: pcmtest.Tone{Hz: 500, Amp: 0.6}}, mix.LaneOptions{})
	}
	d.Route("one", ids[:1])
	d.Route("all", ids)
	d.run(20)
	if snr := pcmtest.SNR(one.last(10), 0, 500); snr < 100 {
		t.Errorf("one lane alone is changed: %.0f dB", snr)
	}
	if peak := pcmtest.Peak(all.x); peak >= 1 || peak < 0.95 {
		t.Errorf("eight lanes have a peak of %.3f", peak)
	}
	wantNoClick(t, all.x, 0.33) // of the sum of 4.8 at its steepest
}

// A meddler is a return that works at the desk while it is given its frame. Were a lock
// held, it would wait for itself.
type meddler struct {
	ear
	d *desk
}

func (m *meddler) Put(frame []float32) {
	m.ear.Put(frame)
	m.d.SetGain("a", -1)
	m.d.Route("m", []string{"a"})
	m.d.Add("b", &speaker{}, mix.LaneOptions{})
	m.d.Levels(nil)
	m.d.Snapshot()
	m.d.Remove("b")
}

func TestNoLockIsHeld(t *testing.T) {
	d := newDesk(mix.Options{})
	m := &meddler{d: d}
	d.Add("a", &speaker{tone: pcmtest.Tone{Hz: 500, Amp: 0.1}}, mix.LaneOptions{})
	d.AddReturn("m", m)
	d.run(50)
	wantAmp(t, m.last(25), 500, 0.0891)
}
