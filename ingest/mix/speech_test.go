package mix_test

import (
	"testing"

	"longwave/ingest/mix"
	"longwave/ingest/pcm"
)

// listen runs a mixer and returns what it says of speech.
func listen(d *desk, frames int) []mix.Speech {
	var all []mix.Speech
	for range frames {
		d.run(1)
		all = append(all, d.Speech()...)
	}
	return all
}

// TestSpeech: who speaks is told with the place where it begins and ends in the
// programme, of each voice in turn and at most once a second.
func TestSpeech(t *testing.T) {
	k := newTalk(t, 60, [2]float64{-20, -34})
	d := newDesk(mix.Options{})
	d.Add("a", &record{x: k.tracks[0]}, aVoice)
	d.Add("b", &record{x: k.tracks[1]}, aVoice)
	said := listen(d, len(k.tracks[0])/pcm.FrameLen)
	for who, id := range []string{"a", "b"} {
		var own []mix.Speech
		for _, x := range said {
			if x.Lane == id {
				own = append(own, x)
			}
		}
		judgeSpeech(t, k, who, own, d.pos)
	}
}

// judgeSpeech wants that each turn of a voice begins and ends where it does. A turn with
// a pause in it may be told in pieces.
func judgeSpeech(t *testing.T, k talk, who int, own []mix.Speech, until pcm.Pos) {
	t.Helper()
	const late, early = pcm.Rate / 4, pcm.Rate / 50
	for _, s := range k.turns {
		from, to := start+mix.Latency+pcm.Pos(s.from), start+mix.Latency+pcm.Pos(s.to)
		if s.who != who || to+pcm.Rate > until {
			continue
		}
		last := pcm.Pos(0)
		for i := 0; last < to-late; i++ {
			if len(own) < 2 || i == 3 {
				t.Fatalf("%d of the turn from %d to %d was told in %d pieces; then %+v", who, from, to, i, own)
			}
			begin, end := own[0], own[1]
			own = own[2:]
			if !begin.Speaking || end.Speaking || begin.Pos >= end.Pos || begin.Pos < max(last, from-early) || end.Pos > to+late {
				t.Errorf("%d speaks from %d to %d: told %+v, %+v", who, from, to, begin, end)
			}
			if i == 0 && begin.Pos > from+late {
				t.Errorf("%d speaks from %d: told %+v", who, from, begin)
			}
			last = end.Pos
		}
	}
}

// TestChangesASecondApart: no matter how short the words are.
func TestChangesASecondApart(t *testing.T) {
	k := newTalk(t, 30, [2]float64{-20, -20})
	x := k.tracks[0]
	for i := range x { // 200 ms of voice, 700 ms of nothing
		if i/2%(9*pcm.Rate/10) > pcm.Rate/5 {
			x[i] = 0
		}
	}
	d := newDesk(mix.Options{})
	d.Add("a", &record{x: x}, aVoice)
	changes, last := 0, -pcm.Rate
	for i := range 1500 {
		if len(listen(d, 1)) == 0 {
			continue
		}
		if n := (i - last) * pcm.FrameSamples; n < pcm.Rate {
			t.Errorf("a change %d samples after another", n)
		}
		last = i
		changes++
	}
	if changes < 4 {
		t.Errorf("%d changes", changes)
	}
}

// TestSpeechEnds: who cannot be heard by the audience does not speak to it.
func TestSpeechEnds(t *testing.T) {
	for name, tt := range map[string]struct{ end, back func(d *desk) }{
		"muted":    {func(d *desk) { d.SetMute("a", true) }, func(d *desk) { d.SetMute("a", false) }},
		"off air":  {func(d *desk) { d.SetOnAir("a", false) }, func(d *desk) { d.SetOnAir("a", true) }},
		"closed":   {func(d *desk) { d.SetOpen(false) }, func(d *desk) { d.SetOpen(true) }},
		"gone":     {func(d *desk) { d.Remove("a") }, nil},
		"replaced": {func(d *desk) { d.Add("a", &record{}, aVoice) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			k := newTalk(t, 20, [2]float64{-20, -20})
			d := newDesk(mix.Options{})
			d.Add("a", &record{x: k.tracks[0]}, aVoice)
			d.Add("feed", &record{x: k.tracks[1]}, mix.LaneOptions{})
			if s := listen(d, 150); len(s) != 1 || !s[0].Speaking || s[0].Lane != "a" {
				t.Fatalf("3 s of a voice: %+v", s)
			}
			if n := d.Snapshot().Speaking; n != 1 {
				t.Errorf("%d lanes speak", n)
			}
			tt.end(d)
			at := d.pos + mix.Latency
			if s := listen(d, 1); len(s) != 1 || s[0].Speaking || s[0].Pos > at || s[0].Pos < at-pcm.Rate/4 {
				t.Fatalf("%+v, want an end at %d", s, at)
			}
			if n := d.Snapshot().Speaking; n != 0 {
				t.Errorf("%d lanes speak", n)
			}
			if tt.back == nil {
				return
			}
			if s := listen(d, 10); len(s) != 0 {
				t.Errorf("%+v", s)
			}
			if !d.Levels(nil)[0].Speaking {
				t.Error("the host does not see that there is a voice")
			}
			tt.back(d)
			at = d.pos + mix.Latency
			if s := listen(d, 50); len(s) == 0 || !s[0].Speaking || s[0].Pos < at {
				t.Errorf("%+v, want a begin not before %d", s, at)
			}
		})
	}
}
