package broadcast_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"longwave/ingest/broadcast"
)

var (
	now  = time.Date(2026, 3, 1, 20, 0, 0, 0, time.UTC)
	half = 30 * time.Minute
)

// must does deeds one after the other, each at its time.
func must(t *testing.T, r broadcast.Record, at time.Time, deeds ...broadcast.Deed) broadcast.Record {
	t.Helper()
	for _, d := range deeds {
		after, _, err := r.Apply(d, at)
		if err != nil {
			t.Fatalf("%#v in %s: %v", d, r.Phase, err)
		}
		r = after
	}
	return r
}

// announce returns the deed that announces a broadcast for a time after now.
func announce(id string, in time.Duration) broadcast.Deed {
	return broadcast.Announce{Broadcast: broadcast.Broadcast{ID: id, Title: "The " + id, Start: now.Add(in), Doors: half}}
}

// stations returns a record in each phase at now. "b" is its broadcast.
func stations(t *testing.T) map[broadcast.Phase]broadcast.Record {
	t.Helper()
	auto := must(t, broadcast.Record{}, now, broadcast.Tick{})
	doors := must(t, auto, now.Add(-time.Hour), announce("b", 10*time.Minute), broadcast.Tick{})
	doors = must(t, doors, now.Add(-20*time.Minute), broadcast.Tick{})
	live := must(t, doors, now.Add(-time.Minute), broadcast.GoLive{})
	all := map[broadcast.Phase]broadcast.Record{
		broadcast.Auto:      auto,
		broadcast.Scheduled: must(t, auto, now.Add(-time.Hour), announce("b", 2*time.Hour)),
		broadcast.Doors:     doors,
		broadcast.Live:      live,
		broadcast.Ended:     must(t, live, now, broadcast.End{}),
	}
	for p, r := range all {
		if r.Phase != p {
			t.Fatalf("the record for %s is in %s", p, r.Phase)
		}
	}
	return all
}

// outcome says in a line what became of a deed: phase, current broadcast, fader (open or
// shut, auto or not), news; or why it was refused.
func outcome(r broadcast.Record, news []broadcast.News, err error) string {
	for word, is := range map[string]error{"conflict": broadcast.ErrConflict, "invalid": broadcast.ErrInvalid, "not found": broadcast.ErrNotFound} {
		if errors.Is(err, is) {
			return word
		}
	}
	if err != nil {
		return err.Error()
	}
	words := []string{string(r.Phase)}
	if r.Current != "" {
		words = append(words, r.Current)
	}
	switch {
	case r.Open() && r.Unattended():
		words = append(words, "auto")
	case r.Open():
		words = append(words, "open")
	case r.Unattended():
		words = append(words, "shut, auto")
	default:
		words = append(words, "shut")
	}
	for _, n := range news {
		words = append(words, "+"+string(n.Kind))
	}
	return strings.Join(words, " ")
}

// TestTransitions: every phase and everything that can happen in it.
func TestTransitions(t *testing.T) {
	later := func(d time.Duration) *time.Time { x := now.Add(d); return &x }
	title := "Another title"
	tests := []struct {
		name                                string
		deed                                broadcast.Deed
		at                                  time.Duration // after now
		auto, scheduled, doors, live, ended string
	}{
		{
			"a broadcast is announced for tomorrow", announce("x", 24*time.Hour), 0,
			"scheduled auto", "scheduled auto", "doors b shut", "live b open", "ended b shut",
		}, {
			"one is announced whose doors are open", announce("x", 20*time.Minute), 0,
			"doors x shut +doors", "doors x shut +doors", "doors b shut", "live b open", "doors x shut +doors",
		}, {
			"one is announced for the past", announce("x", -time.Second), 0,
			"invalid", "invalid", "invalid", "invalid", "invalid",
		}, {
			"one is announced that there is", announce("b", time.Hour), 0,
			"scheduled auto", "conflict", "conflict", "conflict", "conflict",
		}, {
			"its title is changed",
			broadcast.Change{ID: "b", Title: &title},
			0,
			"not found", "scheduled auto", "doors b shut", "conflict", "conflict",
		}, {
			"it is put forward, into the doors' time",
			broadcast.Change{ID: "b", Start: later(5 * time.Minute)},
			0,
			"not found", "doors b shut +doors", "doors b shut", "conflict", "conflict",
		}, {
			"it is put off by hours",
			broadcast.Change{ID: "b", Start: later(5 * time.Hour)},
			0,
			"not found", "scheduled auto", "doors b shut", "conflict", "conflict",
		}, {
			"it is put off to tomorrow: whoever is there is not put on air",
			broadcast.Change{ID: "b", Start: later(24 * time.Hour)},
			0,
			"not found", "scheduled auto", "ended shut", "conflict", "conflict",
		}, {
			"it is put to the past",
			broadcast.Change{ID: "b", Start: later(-time.Minute)},
			0,
			"not found", "invalid", "invalid", "conflict", "conflict",
		}, {
			"it is taken back",
			broadcast.Cancel{ID: "b"},
			0,
			"not found", "auto auto", "ended shut", "conflict", "conflict",
		}, {
			"the host goes live",
			broadcast.GoLive{New: "n"},
			0,
			"live n open +live", "live n open +live", "live b open +live", "conflict", "live n open +live",
		}, {
			"the host goes live half an hour before the doors",
			broadcast.GoLive{New: "n"},
			time.Hour,
			"live n open +live", "live b open +live", "live b open +live", "conflict", "live n open +live",
		}, {
			"the host goes live with this one",
			broadcast.GoLive{New: "n", Broadcast: "b"},
			0,
			"not found", "live b open +live", "live b open +live", "conflict", "conflict",
		}, {
			"the host goes live with one that is not",
			broadcast.GoLive{New: "n", Broadcast: "x"},
			0,
			"not found", "not found", "not found", "conflict", "not found",
		}, {
			"the host ends",
			broadcast.End{},
			0,
			"conflict", "conflict", "conflict", "ended b shut +end", "conflict",
		}, {
			"the hold is put on",
			broadcast.SetHold{On: true},
			0,
			"auto shut, auto +hold", "scheduled shut, auto +hold", "conflict", "live b shut +hold", "conflict",
		}, {
			"the hold is taken off, and is not on",
			broadcast.SetHold{},
			0,
			"auto auto", "scheduled auto", "conflict", "live b open", "conflict",
		}, {
			"nothing",
			broadcast.Tick{Alone: true},
			0,
			"auto auto", "scheduled auto", "doors b shut", "live b open", "ended b shut",
		}, {
			"its start",
			broadcast.Tick{Alone: true},
			10*time.Minute - 1,
			"auto auto", "scheduled auto", "doors b shut", "live b open", "ended b shut",
		}, {
			"a moment after its start, and ten minutes after the end",
			broadcast.Tick{Alone: true},
			10*time.Minute + 1,
			"auto auto", "scheduled auto", "doors b shut +late", "live b open", "auto auto",
		}, {
			"the same, and somebody is still there",
			broadcast.Tick{},
			10*time.Minute + 1,
			"auto auto", "scheduled auto", "doors b shut +late", "live b open", "ended b shut",
		}, {
			"before the doors",
			broadcast.Tick{},
			90*time.Minute - 1,
			"auto auto", "scheduled auto", "doors b shut +late", "live b open", "ended b shut",
		}, {
			"the doors",
			broadcast.Tick{},
			90 * time.Minute,
			"auto auto", "doors b shut +doors", "doors b shut +late", "live b open", "ended b shut",
		}, {
			"twelve hours later it is given up",
			broadcast.Tick{},
			12*time.Hour + 10*time.Minute,
			"auto auto", "doors b shut +doors +late", "ended b shut +end", "live b open", "ended b shut",
		}, {
			"two days later everything is over",
			broadcast.Tick{Alone: true},
			48 * time.Hour,
			"auto auto", "ended b shut +doors +end", "ended b shut +end", "live b open", "auto auto",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := map[broadcast.Phase]string{
				broadcast.Auto: tt.auto, broadcast.Scheduled: tt.scheduled, broadcast.Doors: tt.doors, broadcast.Live: tt.live, broadcast.Ended: tt.ended,
			}
			for p, r := range stations(t) {
				before := fmt.Sprintf("%+v", r)
				after, news, err := r.Apply(tt.deed, now.Add(tt.at))
				if got := outcome(after, news, err); got != want[p] {
					t.Errorf("in %s: %q, want %q", p, got, want[p])
				}
				if got := fmt.Sprintf("%+v", r); got != before {
					t.Errorf("in %s: the record that it was done to has changed:\n%s\n%s", p, before, got)
				}
				if err != nil {
					if diff := cmp.Diff(r, after); diff != "" {
						t.Errorf("in %s: refused, and changed:\n%s", p, diff)
					}
				}
			}
		})
	}
}

// TestTwo: what two broadcasts do to each other. a begins in 1 h, b in 2 h, with doors
// half an hour before.
func TestTwo(t *testing.T) {
	r := must(t, broadcast.Record{}, now, announce("b", 2*time.Hour), announce("a", time.Hour))
	for _, step := range []struct {
		at   time.Duration
		deed broadcast.Deed
		want string
	}{
		{29 * time.Minute, broadcast.Tick{}, "scheduled auto"},
		{30 * time.Minute, broadcast.Tick{}, "doors a shut +doors"},
		{61 * time.Minute, broadcast.Tick{}, "doors a shut +late"},
		{90 * time.Minute, broadcast.Tick{}, "doors a shut"},
		{119 * time.Minute, broadcast.GoLive{}, "live a open +live"},
		{121 * time.Minute, broadcast.Tick{}, "live a open"},
		{122 * time.Minute, broadcast.End{}, "doors b shut +end +doors +late"},
		{123 * time.Minute, broadcast.GoLive{}, "live b open +live"},
		{124 * time.Minute, broadcast.End{}, "ended b shut +end"},
		{134*time.Minute - 1, broadcast.Tick{Alone: true}, "ended b shut"},
		{134 * time.Minute, broadcast.Tick{Alone: true}, "auto auto"},
	} {
		after, news, err := r.Apply(step.deed, now.Add(step.at))
		if got := outcome(after, news, err); got != step.want {
			t.Errorf("at %v: %q, want %q", step.at, got, step.want)
		}
		r = after
	}
	a, _ := r.Broadcast("a")
	if got := a.Late(now); got != 59*time.Minute {
		t.Errorf("a was late by %v", got)
	}

	r = must(t, broadcast.Record{}, now, announce("b", 2*time.Hour), announce("a", time.Hour))
	r = must(t, r, now.Add(2*time.Hour), broadcast.Tick{})
	if a, _ := r.Broadcast("a"); r.Current != "b" || r.State(a) != broadcast.Ended || !a.LiveAt.IsZero() {
		t.Errorf("a never began and b's time has come: %+v", r)
	}
}

// TestHoldEnds: a hold is for the phase in which it was put on; only from auto to
// scheduled and back it stays.
func TestHoldEnds(t *testing.T) {
	hold := broadcast.SetHold{On: true}
	for name, c := range map[string]struct {
		deeds []broadcast.Deed
		want  bool
	}{
		"announced":         {[]broadcast.Deed{hold, announce("x", time.Hour)}, true},
		"taken back":        {[]broadcast.Deed{announce("x", time.Hour), hold, broadcast.Cancel{ID: "x"}}, true},
		"doors":             {[]broadcast.Deed{hold, announce("x", time.Minute)}, false},
		"live":              {[]broadcast.Deed{hold, broadcast.GoLive{New: "n"}}, false},
		"ended, live again": {[]broadcast.Deed{broadcast.GoLive{New: "n"}, hold, broadcast.End{}, broadcast.GoLive{New: "m"}}, false},
	} {
		if got := must(t, broadcast.Record{}, now, c.deeds...).Hold; got != c.want {
			t.Errorf("%s: hold is %v", name, got)
		}
	}
}

// TestLinks: links are given, revoked and forgotten when they expire.
func TestLinks(t *testing.T) {
	day := now.Add(24 * time.Hour)
	r := must(t, broadcast.Record{}, now,
		broadcast.Issue{Link: broadcast.Link{ID: "1", Name: "Anna", Expires: day}},
		broadcast.Issue{Link: broadcast.Link{ID: "2", Name: "Bert", Expires: day.Add(time.Hour)}},
		broadcast.Issue{Link: broadcast.Link{ID: "3", Name: "Carl"}},
		broadcast.Revoke{ID: "2"},
		broadcast.Revoke{ID: "9", Foreign: &broadcast.Link{Name: "Dora"}},
	)
	again := must(t, r, now.Add(time.Minute), broadcast.Revoke{ID: "2"})
	if diff := cmp.Diff(r, again); diff != "" {
		t.Errorf("revoked twice:\n%s", diff)
	}
	if _, _, err := r.Apply(broadcast.Revoke{ID: "7"}, now); !errors.Is(err, broadcast.ErrNotFound) {
		t.Errorf("a link that is not: %v", err)
	}
	if _, _, err := r.Apply(broadcast.Issue{Link: broadcast.Link{ID: "3"}}, now); !errors.Is(err, broadcast.ErrConflict) {
		t.Errorf("an ID twice: %v", err)
	}
	for id, want := range map[string]bool{"1": false, "2": true, "3": false, "9": true, "7": false} {
		if got := r.Revoked(id); got != want {
			t.Errorf("%s revoked: %v", id, got)
		}
	}
	var ids []string
	for _, l := range must(t, r, day, broadcast.Tick{}).Links {
		ids = append(ids, l.ID)
	}
	if diff := cmp.Diff([]string{"2", "3", "9"}, ids); diff != "" {
		t.Errorf("after a day:\n%s", diff)
	}
}

// TestBounds: what can be asked for is bounded, and what is over is forgotten in time.
func TestBounds(t *testing.T) {
	long := strings.Repeat("ä", broadcast.MostTitle)
	b := broadcast.Broadcast{ID: "x", Title: long, Description: strings.Repeat("é\n", broadcast.MostDescription/2), Start: now.Add(broadcast.MostAhead), Doors: broadcast.MostDoors}
	must(t, broadcast.Record{}, now, broadcast.Announce{Broadcast: b})
	for name, change := range map[string]func(*broadcast.Broadcast){
		"title":       func(b *broadcast.Broadcast) { b.Title += "x" },
		"no title":    func(b *broadcast.Broadcast) { b.Title = "" },
		"lines":       func(b *broadcast.Broadcast) { b.Title = "a\nb" },
		"not text":    func(b *broadcast.Broadcast) { b.Title = "\xff" },
		"description": func(b *broadcast.Broadcast) { b.Description += "x" },
		"control":     func(b *broadcast.Broadcast) { b.Description = "\x00" },
		"start":       func(b *broadcast.Broadcast) { b.Start = b.Start.Add(1) },
		"doors":       func(b *broadcast.Broadcast) { b.Doors++ },
		"doors after": func(b *broadcast.Broadcast) { b.Doors = -1 },
		"no ID":       func(b *broadcast.Broadcast) { b.ID = "" },
	} {
		c := b
		change(&c)
		if _, _, err := (broadcast.Record{}).Apply(broadcast.Announce{Broadcast: c}, now); !errors.Is(err, broadcast.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var r broadcast.Record
	for i := range 120 {
		at := now.Add(time.Duration(i) * time.Hour)
		r = must(t, r, at, broadcast.GoLive{New: fmt.Sprint(i)}, broadcast.End{})
	}
	if n := len(r.Broadcasts); n > 51 {
		t.Errorf("%d broadcasts are remembered", n)
	}
	if _, ok := r.Broadcast("119"); !ok {
		t.Error("the last one is forgotten")
	}
	r = broadcast.Record{}
	for i := 0; ; i++ {
		after, _, err := r.Apply(broadcast.Issue{Link: broadcast.Link{ID: fmt.Sprint(i)}}, now)
		if err != nil {
			if i != 1000 || !errors.Is(err, broadcast.ErrConflict) {
				t.Errorf("after %d links: %v", i, err)
			}
			break
		}
		r = after
	}
}
