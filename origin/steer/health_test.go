package steer

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"longwave/packager"
)

var evening = time.Date(2026, 11, 20, 20, 0, 0, 0, time.UTC)

// TestHealth enters one probe a second, x bad, . good, and looks when the judgement
// changes: ! it is left here, + it is taken again here, after the probe.
func TestHealth(t *testing.T) {
	while := "........................................" // 40 good ones
	for name, w := range map[string]string{
		"one hiccup":                   "..x......",
		"two bad ones":                 "xx......................",
		"three in a row":               "..xxx!....",
		"three in ten seconds":         ".x....x...x!...",
		"three in eleven seconds":      "x....x.....x....",
		"a slow trickle moves nobody":  "x.....x.....x.....x.....x.....x",
		"forty seconds bring it back":  "xxx!" + while[1:] + ".+...",
		"a bad one begins it again":    "xxx!" + while[1:] + "x" + while[1:] + ".+",
		"and then three are needed":    "xxx!" + while + "+xx...x!",
		"bad all the time is one fact": "xxx!xxxxxxxxxxxxxxxxxxxxxxxxx",
	} {
		t.Run(name, func(t *testing.T) {
			var h health
			at, got := evening, ""
			for _, c := range w {
				if c == '!' || c == '+' {
					continue
				}
				at = at.Add(time.Second)
				p := Probe{At: at}
				if c == 'x' {
					p.Fault = Silent
				}
				got += string(c)
				if h.note(p) {
					got += map[bool]string{true: "!", false: "+"}[h.sick]
				}
			}
			if diff := cmp.Diff(w, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestLookingAway: a machine that slept for an hour has not seen an hour of good probes.
func TestLookingAway(t *testing.T) {
	var h health
	for i := range 3 {
		h.note(Probe{At: evening.Add(time.Duration(i) * time.Second), Fault: Refused})
	}
	for i := range goodProbes - 1 {
		if h.note(Probe{At: evening.Add(time.Hour + time.Duration(i)*time.Second)}) {
			t.Fatalf("good again after %d good probes", i+1)
		}
	}
	if !h.note(Probe{At: evening.Add(time.Hour + time.Minute)}) {
		t.Error("not good again")
	}
}

func TestChoose(t *testing.T) {
	state := func(id string, good bool, h Hand) State {
		return State{Pathway: Pathway{Pathway: packager.Pathway{ID: id}}, Good: good, Hand: h}
	}
	for name, w := range map[string]struct {
		states []State
		want   []string
	}{
		"all good":                {[]State{state("a", true, Auto), state("b", true, Auto)}, []string{"a", "b"}},
		"the first is bad":        {[]State{state("a", false, Auto), state("b", true, Auto)}, []string{"b"}},
		"all are bad":             {[]State{state("a", false, Auto), state("b", false, Auto)}, []string{"before"}},
		"the second is preferred": {[]State{state("a", true, Auto), state("b", true, Prefer)}, []string{"b", "a"}},
		"a bad one is preferred":  {[]State{state("a", true, Auto), state("b", false, Prefer)}, []string{"b", "a"}},
		"the first is avoided":    {[]State{state("a", true, Avoid), state("b", true, Auto)}, []string{"b"}},
		"avoided and bad":         {[]State{state("a", true, Avoid), state("b", false, Auto)}, []string{"before"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(w.want, choose(w.states, []string{"before"})); diff != "" {
				t.Error(diff)
			}
		})
	}
}
