package broadcast

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var epoch = time.Date(2026, 3, 1, 20, 0, 0, 0, time.UTC)

// deedOf makes a deed of two bytes.
func deedOf(kind, arg byte, at time.Time, n int) Deed {
	id := fmt.Sprint(int(arg) % 4)
	in := at.Add(time.Duration(arg) * 7 * time.Minute)
	doors := time.Duration(arg%5) * 20 * time.Minute
	switch kind % 10 {
	case 0, 1:
		return Announce{Broadcast{ID: id, Title: "T", Start: in, Doors: doors}}
	case 2:
		return Change{ID: id, Start: &in}
	case 3:
		return Change{ID: id, Doors: &doors}
	case 4:
		return Cancel{ID: id}
	case 5:
		return GoLive{New: fmt.Sprint("n", n)}
	case 6:
		return GoLive{New: fmt.Sprint("n", n), Broadcast: id}
	case 7:
		return End{}
	case 8:
		return SetHold{On: arg%2 == 0}
	}
	return Issue{Link{ID: id, Name: "A", Expires: in}}
}

// FuzzLife: whatever is done and whenever, a record keeps its promises. Each four bytes
// are a deed, how much time passes before it, and whether somebody is there.
func FuzzLife(f *testing.F) {
	f.Add([]byte{0, 20, 3, 1, 5, 0, 200, 0, 7, 0, 10, 1, 0, 9, 255, 0})
	f.Add([]byte{0, 8, 0, 0, 1, 9, 1, 0, 2, 30, 90, 1, 4, 1, 3, 0, 6, 0, 0, 1})
	f.Add([]byte{0, 12, 0, 0, 8, 0, 60, 0, 4, 0, 0, 1, 8, 2, 100, 0, 5, 0, 250, 0})
	f.Fuzz(func(t *testing.T, life []byte) {
		var r Record
		at := epoch
		for n := 0; len(life) >= 4 && n < 200; n++ {
			kind, arg, wait, alone := life[0], life[1], life[2], life[3]%2 == 0
			life = life[4:]
			r = passes(t, r, at, at.Add(time.Duration(wait)*11*time.Minute), alone)
			at = at.Add(time.Duration(wait) * 11 * time.Minute)
			after, _, err := r.Apply(deedOf(kind, arg, at, n), at)
			if err == nil {
				r = after
			}
			promises(t, r, at)
		}
	})
}

// passes lets time pass as a show does: from one due time to the next. Before it is due
// nothing happens, and when it is, something does.
func passes(t *testing.T, r Record, from, to time.Time, alone bool) Record {
	t.Helper()
	for {
		due := r.Due()
		waits := r.Phase == Ended && !alone // for somebody to leave: the clock alone does not help
		if due.IsZero() || due.After(to) {
			return tick(t, r, to, alone)
		}
		if due.After(from) {
			if before := tick(t, r, due.Add(-1), alone); before.Phase != r.Phase || before.Told != r.Told {
				t.Fatalf("%s became %s before it was due at %v", r.Phase, before.Phase, due)
			}
		}
		after := tick(t, r, due, alone)
		if after.Phase == r.Phase && after.Told == r.Told && after.Current == r.Current {
			if !waits && due.After(from) {
				t.Fatalf("nothing came of what was due at %v: %+v", due, r)
			}
			return tick(t, after, to, alone)
		}
		r = after
	}
}

func tick(t *testing.T, r Record, at time.Time, alone bool) Record {
	t.Helper()
	after, _, err := r.Apply(Tick{Alone: alone}, at)
	if err != nil {
		t.Fatal(err)
	}
	return after
}

// promises are what holds of every record.
func promises(t *testing.T, r Record, at time.Time) {
	t.Helper()
	live := 0
	for _, b := range r.Broadcasts {
		if r.State(b) == Live {
			live++
		}
	}
	b, ok := r.Broadcast(r.Current)
	ahead := r.Ahead()
	switch {
	case (live == 1) != (r.Phase == Live) || live > 1:
		t.Fatalf("%d are live in %s", live, r.Phase)
	case r.Phase == Live && (!ok || r.State(b) != Live), r.Phase == Doors && (!ok || r.State(b) != Doors):
		t.Fatalf("the current one in %s is %+v", r.Phase, b)
	case (r.Phase == Auto || r.Phase == Scheduled) && r.Current != "":
		t.Fatalf("%s has a current one", r.Phase)
	case (r.Phase == Auto) != (len(ahead) == 0) && (r.Phase == Auto || r.Phase == Scheduled):
		t.Fatalf("%s with %d ahead", r.Phase, len(ahead))
	case r.Unattended() && len(ahead) > 0 && !at.Before(ahead[0].DoorsAt()):
		t.Fatalf("doors are due in %s", r.Phase)
	case r.Phase != Live && !r.Unattended() && r.Open():
		t.Fatalf("the fader is up in %s", r.Phase)
	}
	again, err := r.encoded()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, again, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("kept and read again (-was +is):\n%s", diff)
	}
}

// encoded returns r as it is read again.
func (r Record) encoded() (Record, error) {
	data, err := json.Marshal(r)
	if err != nil {
		return r, err
	}
	return decode(data)
}

// FuzzDecode: whatever is in the store, it is refused or it is a record that everything
// can be done to.
func FuzzDecode(f *testing.F) {
	r := Record{}
	for i, d := range []Deed{deedOf(0, 20, epoch, 0), deedOf(9, 1, epoch, 1), GoLive{New: "n"}} {
		r, _, _ = r.Apply(d, epoch.Add(time.Duration(i)))
		data, err := json.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, byte(i))
	}
	f.Add([]byte(`{"phase":"doors","current":"x"}`), byte(0))
	f.Add([]byte(`{"phase":"live","current":"x","broadcasts":[{"id":"x","live_at":"2026-03-01T20:00:00Z","ended_at":"2026-03-01T20:00:00Z"}]}`), byte(7))
	f.Add([]byte(`{"phase":"later","broadcasts":[{"id":"x"},{"id":"x","live_at":"2026-03-01T20:00:00Z"},{"id":"y","live_at":"2026-03-01T20:00:00Z"}]}`), byte(5))
	f.Add([]byte(`null`), byte(1))
	f.Fuzz(func(t *testing.T, data []byte, kind byte) {
		r, err := decode(data)
		if err != nil {
			return
		}
		r = tick(t, r, epoch, true)
		promises(t, r, epoch)
		for i := range byte(10) {
			if after, _, err := r.Apply(deedOf(kind+i, i, epoch, int(i)), epoch); err == nil {
				r = after
			}
			promises(t, r, epoch)
		}
	})
}
