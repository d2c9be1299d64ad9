package broadcast

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// joined returns a after it took in b, and holds it to the promises.
func joined(t *testing.T, a, b Record, at time.Time) Record {
	t.Helper()
	data, err := b.encoded() // as it comes by the network
	if err != nil {
		t.Fatal(err)
	}
	after, _, err := a.Apply(Join{data}, at)
	if err != nil {
		t.Fatal(err)
	}
	promises(t, after, at)
	return after
}

// told does a deed to a record and lets refusals be.
func told(r Record, at time.Time, deeds ...Deed) Record {
	for _, d := range deeds {
		if after, _, err := r.Apply(d, at); err == nil {
			r = after
		}
	}
	return r
}

// TestJoin: what a twin missed, it knows after a join.
func TestJoin(t *testing.T) {
	after := func(d time.Duration) time.Time { return epoch.Add(d) }
	announced := told(Record{}, epoch, Announce{Broadcast{ID: "a", Title: "A", Start: after(2 * time.Hour), Doors: time.Hour}})
	later := "Later"
	for _, tt := range []struct {
		what   string
		before Record // of both
		deeds  []Deed // that one did, a second apart
		want   string // of the other: phase, current, hold, broadcasts, links
	}{
		{"nothing", Record{}, nil, `auto "" false [] []`},
		{"go live", Record{}, []Deed{GoLive{New: "n", Title: "N"}}, `live "n" false [n:N:live] []`},
		{"live and ended", Record{}, []Deed{GoLive{New: "n"}, End{}}, `ended "n" false [n::ended] []`},
		{"live again", Record{}, []Deed{GoLive{New: "n"}, End{}, GoLive{New: "m"}}, `live "m" false [n::ended m::live] []`},
		{"end", told(Record{}, epoch, GoLive{New: "n"}), []Deed{End{}}, `ended "n" false [n::ended] []`},
		{"hold", Record{}, []Deed{SetHold{true}}, `auto "" true [] []`},
		{"hold of a live one", told(Record{}, epoch, GoLive{New: "n"}), []Deed{SetHold{true}}, `live "n" true [n::live] []`},
		{"hold taken off", told(Record{}, epoch, SetHold{true}), []Deed{SetHold{false}}, `auto "" false [] []`},
		{"announced", Record{}, []Deed{Announce{Broadcast{ID: "a", Title: "A", Start: after(2 * time.Hour)}}}, `scheduled "" false [a:A:scheduled] []`},
		{"changed", announced, []Deed{Change{ID: "a", Title: &later}}, `scheduled "" false [a:Later:scheduled] []`},
		{"taken back", announced, []Deed{Cancel{"a"}}, `auto "" false [] []`},
		{"taken back while the doors are open", told(announced, after(90*time.Minute), Tick{}), []Deed{Cancel{"a"}}, `ended "" false [] []`},
		{"the announced one is live", announced, []Deed{GoLive{Broadcast: "a", Title: "B"}}, `live "a" false [a:B:live] []`},
		{"a link", Record{}, []Deed{Issue{Link{ID: "1", Name: "Anna"}}}, `auto "" false [] [1:good]`},
		{"a link revoked", told(Record{}, epoch, Issue{Link{ID: "1", Name: "Anna"}}), []Deed{Revoke{ID: "1"}}, `auto "" false [] [1:revoked]`},
	} {
		t.Run(tt.what, func(t *testing.T) {
			at := epoch
			if tt.before.Phase == Doors {
				at = after(90 * time.Minute)
			}
			one, two := tt.before, tt.before
			for _, d := range tt.deeds {
				at = at.Add(time.Second)
				one = told(one, at, d)
			}
			two = joined(t, two, one, at)
			if diff := cmp.Diff(tt.want, summary(two)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if two = joined(t, one, two, at); summary(two) != tt.want {
				t.Errorf("the one that knew is %s after a join", summary(two))
			}
		})
	}
}

func summary(r Record) string {
	bs, ls := []string{}, []string{}
	for _, b := range r.Broadcasts {
		bs = append(bs, fmt.Sprintf("%s:%s:%s", b.ID, b.Title, r.State(b)))
	}
	for _, l := range r.Links {
		state := map[bool]string{true: "good", false: "revoked"}[l.Revoked.IsZero()]
		ls = append(ls, l.ID+":"+state)
	}
	phase := r.Phase
	if phase == "" {
		phase = Auto
	}
	return fmt.Sprintf("%s %q %t %v %v", phase, r.Current, r.Hold, bs, ls)
}

// TestJoinRefusesForever: times that have not come win nothing, texts that are none are
// left out.
func TestJoinRefusesForever(t *testing.T) {
	far := epoch.Add(1e6 * time.Hour)
	odd := Record{HoldAt: far, Hold: true, Broadcasts: []Broadcast{{ID: "x", Title: "a\nb", Start: epoch.Add(time.Hour)}, {ID: "n", LiveAt: far}}, Phase: Live, Current: "n"}
	r := joined(t, Record{}, odd, epoch)
	r = told(r, epoch.Add(time.Second), SetHold{false}, End{})
	r = joined(t, r, odd, epoch.Add(2*time.Second))
	if want := `ended "n" false [n::ended] []`; summary(r) != want {
		t.Errorf("%s, want %s", summary(r), want)
	}
	links := Record{}
	for i := range mostLinks + 1 {
		links.Links = append(links.Links, Link{ID: fmt.Sprint(i)})
	}
	if _, _, err := (Record{}).Apply(Join{links}, epoch); !errors.Is(err, ErrConflict) {
		t.Errorf("too many links: %v", err)
	}
}

// FuzzJoin: two twins each miss some of the deeds; after they took in each other's records
// they know the same, and once more changes nothing.
func FuzzJoin(f *testing.F) {
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // a test's
		life := make([]byte, 80)
		for i := range life {
			life[i] = byte(random.Uint32())
		}
		f.Add(life)
	}
	f.Fuzz(func(t *testing.T, life []byte) {
		var twins [2]Record
		at := epoch
		for n := 0; len(life) >= 4 && n < 100; n++ {
			kind, arg, wait, who := life[0], life[1], life[2], life[3]
			life = life[4:]
			at = at.Add(time.Duration(wait) * time.Minute)
			for i := range twins {
				twins[i] = tick(t, twins[i], at, false)
				if who%3 == 2 || int(who%3) == i { // both, or one of them
					twins[i] = told(twins[i], at.Add(time.Duration(i)*time.Millisecond), deedOf(kind, arg, at, n))
				}
			}
			at = at.Add(time.Second)
		}
		a, b := twins[0], twins[1]
		for range 2 { // the end of a hold that only one knew of takes a second time
			b = joined(t, b, a, at)
			a = joined(t, a, b, at)
		}
		if a.Sum() != b.Sum() {
			t.Fatalf("twins differ:\n%s\n%s\n%s", summary(a), summary(b), cmp.Diff(a, b))
		}
		if again := joined(t, a, b, at); again.Sum() != a.Sum() || again.Phase != a.Phase {
			t.Fatalf("once more:\n%s\n%s", summary(a), summary(again))
		}
		if (a.Phase == Live) != (b.Phase == Live) {
			t.Fatalf("one is live:\n%s\n%s", summary(a), summary(b))
		}
	})
}
