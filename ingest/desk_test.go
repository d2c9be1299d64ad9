package ingest_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"longwave/ingest"
	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
	"longwave/ingest/token"
)

// tones are the pitches of the voices in these tests.
var tones = map[string]float64{"Anna": 1000, "Bert": 1500, "Carl": 2000}

// names says whose tone is in x.
func names(x []float32) []string {
	var in []string
	for name, hz := range tones {
		if pcmtest.Goertzel(x, 0, hz) > 0.02 {
			in = append(in, name)
		}
	}
	slices.Sort(in)
	return in
}

// ear opens the return of a speaker and collects what comes until the test ends.
func (d *desk) ear(c ingest.Claim) (heard func() []float32) {
	d.t.Helper()
	r, err := d.gate.OpenReturn(c)
	if err != nil {
		d.t.Fatal(err)
	}
	var all []float32
	done := make(chan struct{})
	go func() {
		defer close(done)
		frame := make([]float32, pcm.FrameLen)
		for r.Next(d.t.Context(), frame) == nil {
			all = append(all, frame...)
		}
	}()
	return func() []float32 {
		r.Close()
		<-done
		return all
	}
}

// TestReturns: who hears whom, in the programme and in the returns.
func TestReturns(t *testing.T) {
	everybody := []string{"Anna", "Bert", "Carl"}
	tests := []struct {
		name string
		act  func(t *testing.T, d *desk)
		// want is who is heard by the audience and by each speaker. Anna is on air, the
		// others are in the green room.
		want map[string][]string
	}{
		{"one on air, two in the green room", func(*testing.T, *desk) {}, map[string][]string{
			"": {"Anna"}, "Anna": nil, "Bert": {"Anna", "Carl"}, "Carl": {"Anna", "Bert"},
		}},
		{"two on air", func(_ *testing.T, d *desk) { d.onAir("Bert") }, map[string][]string{
			"": {"Anna", "Bert"}, "Anna": {"Bert"}, "Bert": {"Anna"}, "Carl": {"Anna", "Bert"},
		}},
		{"cue", func(t *testing.T, d *desk) {
			if err := d.programme.Desk().Cue(d.seat("Anna"), []string{d.seat("Carl")}); err != nil {
				t.Error(err)
			}
		}, map[string][]string{
			"": {"Anna"}, "Anna": {"Carl"}, "Bert": {"Anna", "Carl"}, "Carl": {"Anna", "Bert"},
		}},
		{"talkback to one", func(t *testing.T, d *desk) {
			d.onAir("Bert")
			if err := d.programme.Desk().Talk(d.seat("Anna"), []string{d.seat("Bert")}); err != nil {
				t.Error(err)
			}
		}, map[string][]string{
			"": {"Bert"}, "Anna": {"Bert"}, "Bert": {"Anna"}, "Carl": {"Bert"},
		}},
		{"muted", func(t *testing.T, d *desk) {
			if err := d.programme.Desk().SetMute(d.seat("Anna"), true); err != nil {
				t.Error(err)
			}
		}, map[string][]string{
			"": nil, "Anna": nil, "Bert": {"Carl"}, "Carl": {"Bert"},
		}},
		{"the programme's fader is down", func(_ *testing.T, d *desk) { d.programme.Desk().SetOpen(false) }, map[string][]string{
			"": nil, "Anna": nil, "Bert": {"Anna", "Carl"}, "Carl": {"Anna", "Bert"},
		}},
		{"removed", func(t *testing.T, d *desk) {
			if err := d.programme.Desk().Remove(d.seat("Bert")); err != nil {
				t.Error(err)
			}
		}, map[string][]string{
			"": {"Anna"}, "Anna": nil, "Carl": {"Anna"},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t, 0)
				d.hear(100 * time.Millisecond)
				ears := map[string]func() []float32{}
				for _, name := range everybody {
					c := d.claim(name)
					say(d.open(c), tones[name], 5*time.Second)
					ears[name] = d.ear(c)
					d.hear(20 * time.Millisecond)
				}
				tt.act(t, d)
				got := map[string][]string{"": names(d.hear(2 * time.Second)[pcm.Rate*2:])}
				for name := range tt.want {
					if name != "" {
						heard := ears[name]()
						got[name] = names(heard[len(heard)-pcm.Rate:])
					}
				}
				for who, want := range tt.want {
					if !slices.Equal(got[who], want) {
						t.Errorf("%q hears %v, want %v", who, got[who], want)
					}
				}
				d.hear(5 * time.Second)
			})
		})
	}
}

// TestPlaceIsKept: who was on air is so again when they come back with their token, as
// loud as before; who was removed waits in the green room.
func TestPlaceIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, 0)
		host := d.programme.Desk()
		host.SetAuto(false)
		d.hear(100 * time.Millisecond)
		c := d.claim("Anna")
		<-say(d.open(c), tones["Anna"], time.Second)
		seat := d.seat("Anna")
		if s := host.Speakers()[0]; s.OnAir {
			t.Errorf("somebody who just came is on air although there is a host: %+v", s)
		}
		d.onAir("Anna")
		if err := host.SetGain(seat, -20); err != nil {
			t.Fatal(err)
		}
		d.hear(3 * time.Second)
		if s := host.Speakers()[0]; s.Connected || !s.OnAir {
			t.Errorf("gone: %+v", s)
		}
		say(d.open(c), tones["Anna"], 3*time.Second)
		x := d.hear(2 * time.Second)
		if got := pcmtest.Goertzel(x[len(x)/2:], 0, tones["Anna"]); got < 0.019 || got > 0.021 {
			t.Errorf("back with amplitude %.3f, want 0.02", got)
		}
		if err := host.Remove(seat); err != nil {
			t.Fatal(err)
		}
		if err := host.Remove(seat); !errors.Is(err, ingest.ErrNoSeat) {
			t.Errorf("removed twice: %v", err)
		}
		d.hear(2 * time.Second)
		say(d.open(c), tones["Anna"], time.Second)
		if s := host.Speakers()[0]; s.OnAir || s.GainDB != 0 {
			t.Errorf("removed and back: %+v", s)
		}
		d.hear(2 * time.Second)
	})
}

// TestHandover: while a seat goes from one connection to the next, the host's hand is on
// both; the others hear it all the time and its owner never; connections that come one
// after the other do not pile up; and who is removed is silent at once.
func TestHandover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, 0)
		host := d.programme.Desk()
		listener, c := d.claim("Bert"), d.claim("Anna")
		c.Transport = "icecast" // with 1.5 s ahead, so there is a while of both
		d.hear(100 * time.Millisecond)
		first := say(d.open(c), tones["Anna"], time.Minute)
		own, other := d.ear(c), d.ear(listener)
		d.hear(3 * time.Second)
		second := say(d.open(c), tones["Anna"], time.Minute)
		d.hear(200 * time.Millisecond)
		if err := host.SetMute(d.seat("Anna"), true); err != nil {
			t.Fatal(err)
		}
		if got := names(d.hear(400 * time.Millisecond)[pcm.FrameLen*5:]); len(got) > 0 {
			t.Errorf("muted in the middle of a handover: the audience hears %v", got)
		}
		if err := host.SetMute(d.seat("Anna"), false); err != nil {
			t.Fatal(err)
		}
		d.hear(200 * time.Millisecond)
		third := say(d.open(c), tones["Anna"], time.Minute)
		d.hear(100 * time.Millisecond)
		select {
		case err := <-first:
			if !errors.Is(err, ingest.ErrTakenOver) {
				t.Errorf("the first connection got %v", err)
			}
		default:
			t.Error("the first connection goes on although two came after it")
		}
		d.hear(3 * time.Second)
		if err := <-second; !errors.Is(err, ingest.ErrTakenOver) {
			t.Errorf("the second connection got %v", err)
		}
		if err := host.Remove(d.seat("Anna")); err != nil {
			t.Fatal(err)
		}
		d.hear(60 * time.Millisecond)
		if got := names(d.hear(200 * time.Millisecond)); len(got) > 0 {
			t.Errorf("removed, the audience hears %v", got)
		}
		if err := <-third; !errors.Is(err, ingest.ErrRemoved) {
			t.Errorf("the removed connection got %v", err)
		}
		if got := names(own()); len(got) > 0 {
			t.Errorf("in their own return: %v", got)
		}
		heard := other()
		handover := heard[pcm.Rate*2*305/100 : pcm.Rate*2*315/100] // begun at 3 s, muted at 3.2
		if got := names(handover); !slices.Equal(got, []string{"Anna"}) {
			t.Errorf("in the middle of a handover another one hears %v", got)
		}
		d.hear(2 * time.Second)
	})
}

// TestRestore: after a restart everybody has the place that they had.
func TestRestore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, 0)
		c := d.claim("Anna")
		tok, err := d.gate.Check(c)
		if err != nil {
			t.Fatal(err)
		}
		places := []ingest.Place{{Seat: tok.ID, Name: "Anna", OnAir: true, Muted: true, GainDB: -6}}
		host := d.programme.Desk()
		host.SetAuto(false)
		host.Restore(places)
		if diff := cmp.Diff(places, host.Places()); diff != "" {
			t.Error(diff)
		}
		d.hear(100 * time.Millisecond)
		say(d.open(c), tones["Anna"], time.Second)
		d.hear(time.Second)
		if s := host.Speakers()[0]; !s.Connected || !s.OnAir || !s.Muted || s.GainDB != -6 || s.Role != token.Speaker {
			t.Errorf("back after a restart: %+v", s)
		}
		d.hear(2 * time.Second)
	})
}

// TestAuto: where nobody hosts, the first voice is on air, and when it goes, whoever
// waits longest.
func TestAuto(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, 0)
		d.hear(100 * time.Millisecond)
		for i, name := range []string{"Anna", "Bert", "Carl"} {
			say(d.open(d.claim(name)), tones[name], time.Duration(i+1)*2*time.Second)
			d.hear(20 * time.Millisecond)
		}
		for _, want := range []string{"Anna", "Bert", "Carl"} {
			if got := names(d.hear(time.Second)[pcm.Rate:]); !slices.Equal(got, []string{want}) {
				t.Errorf("heard %v, want %s", got, want)
			}
			d.hear(1200 * time.Millisecond)
		}
	})
}

// TestHostInAuto: a host who comes to a station where nothing is announced is not heard
// by the audience until the broadcast begins, nor is anybody put on air beside them.
func TestHostInAuto(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, 0)
		text, err := d.signer.Sign(token.Token{Station: "talk", Role: token.Host, Name: "Anna"})
		if err != nil {
			t.Fatal(err)
		}
		d.hear(100 * time.Millisecond)
		say(d.open(ingest.Claim{Station: "talk", Token: text, Transport: "stdin"}), tones["Anna"], 5*time.Second)
		say(d.open(d.claim("Bert")), tones["Bert"], 5*time.Second)
		if got := names(d.hear(2 * time.Second)[2*pcm.Rate:]); len(got) > 0 {
			t.Errorf("before it begins the audience hears %v", got)
		}
		d.programme.Desk().SetAuto(false)
		if got := names(d.hear(2 * time.Second)[2*pcm.Rate:]); !slices.Equal(got, []string{"Anna"}) {
			t.Errorf("when it begins the audience hears %v", got)
		}
		d.hear(3 * time.Second)
	})
}

// TestGroup: of the feeds of a group one is heard, whichever connections come and go;
// what the host does to one is done to the group.
func TestGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, 0)
		host := d.programme.Desk()
		feed := func(name string, priority int) ingest.Claim {
			text, err := d.signer.Sign(token.Token{Station: "talk", Role: token.Speaker, Name: name, Group: "main", Priority: priority})
			if err != nil {
				t.Fatal(err)
			}
			return ingest.Claim{Station: "talk", Token: text, Transport: "stdin"}
		}
		second := func() []string { return names(d.hear(time.Second)[pcm.Rate:]) }
		d.hear(100 * time.Millisecond)
		say(d.open(feed("Bert", 1)), tones["Bert"], 20*time.Second)
		if got := second(); !slices.Equal(got, []string{"Bert"}) {
			t.Errorf("the first feed: heard %v", got)
		}
		anna := say(d.open(feed("Anna", 0)), tones["Anna"], 12*time.Second)
		d.hear(9 * time.Second)
		if got := second(); !slices.Equal(got, []string{"Anna"}) {
			t.Errorf("the better feed: heard %v", got)
		}
		if err := host.SetMute(d.seat("Bert"), true); err != nil {
			t.Fatal(err)
		}
		if got := second(); len(got) > 0 {
			t.Errorf("muted: heard %v", got)
		}
		if err := host.SetMute(d.seat("Anna"), false); err != nil {
			t.Fatal(err)
		}
		<-anna
		d.hear(time.Second)
		if got := second(); !slices.Equal(got, []string{"Bert"}) {
			t.Errorf("the better one has gone: heard %v", got)
		}
		var told []string
		events, _ := host.Events(0)
		for _, e := range events {
			if e.Kind == ingest.EventFeed {
				told = append(told, e.Text)
			}
		}
		want := []string{"main: - → Bert (first)", "main: Bert → Anna (better)", "main: Anna → Bert (lost)"}
		if diff := cmp.Diff(want, told); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
		d.hear(20 * time.Second)
	})
}

// TestEvents: what happens at the desk is told in its order, and those who wait for it
// are woken.
func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, 0)
		host := d.programme.Desk()
		_, changed := host.Events(0)
		<-say(d.open(d.claim("Anna")), 1000, 100*time.Millisecond)
		<-changed
		d.hear(2 * time.Second)
		events, _ := host.Events(0)
		var kinds []ingest.EventKind
		for _, e := range events {
			kinds = append(kinds, e.Kind)
		}
		if want := []ingest.EventKind{ingest.EventCame, ingest.EventLeft}; !slices.Equal(kinds, want) {
			t.Errorf("told %v, want %v", kinds, want)
		}
		if rest, _ := host.Events(events[0].ID); len(rest) != 1 {
			t.Errorf("after the first: %+v", rest)
		}
	})
}
