package steer

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"longwave/packager"
)

// A web sends requests to the CDN of their host.
type web map[string]*cdn

func (n web) RoundTrip(r *http.Request) (*http.Response, error) {
	return n[strings.TrimSuffix(r.URL.Host, ".example")].RoundTrip(r)
}

// A shelf keeps what is put and saved.
type shelf struct {
	mu    sync.Mutex
	lists map[string][]string // the manifests, by where they were put
	saved []byte
	away  bool
}

func (s *shelf) put(where string) func(packager.Object) {
	return func(o packager.Object) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.lists[where] = append(s.lists[where], strings.TrimSpace(string(o.Data)))
		if o.Key.String() != "talk/steering.json" {
			panic(o.Key.String())
		}
	}
}

func (s *shelf) Load(context.Context) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away {
		return nil, errors.New("away")
	}
	return s.saved, nil
}

func (s *shelf) Save(_ context.Context, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away {
		return errors.New("away")
	}
	s.saved = data
	return nil
}

func (s *shelf) set(away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = away
}

func way(id string, plain bool) Pathway {
	return Pathway{Own: true, Pathway: packager.Pathway{ID: id, URL: "https://" + id + ".example", Plain: plain}}
}

func newSteerer(n web, s *shelf, ways ...Pathway) *Steerer {
	if s.lists == nil {
		s.lists = map[string][]string{}
	}
	return New(Options{
		Station: station, Renditions: []string{"aac-48"}, Pathways: ways, Sent: newCDN(), Transport: n, Keeper: s,
		Live: s.put("live"), Stores: s.put("stores"), Log: slog.New(slog.DiscardHandler),
	})
}

// run lets the steerer work beside the test until the test ends.
func run(t *testing.T, s *Steerer) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func list(ids string) string {
	return `{"VERSION":1,"TTL":5,"PATHWAY-PRIORITY":[` + ids + `]}`
}

// TestAnEvening: a CDN freezes and comes back, then both are away, and each kind has a
// list of its own.
func TestAnEvening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(evening.Add(time.Minute)))
		a, b, c, d := newCDN(), newCDN(), newCDN(), newCDN()
		var kept shelf
		s := newSteerer(web{"a": a, "b": b, "c": c, "d": d}, &kept, way("a", false), way("c", true), way("b", false), way("d", true))
		run(t, s)
		time.Sleep(20 * time.Second)
		a.set(func(c *cdn) { c.frozen = time.Now() })
		time.Sleep(8 * time.Second)
		if st := s.States()[0]; st.Good || st.Listed || st.Fault != Stale {
			t.Errorf("8 s after a froze: %+v", st)
		}
		a.set(func(c *cdn) { c.frozen = time.Time{} })
		time.Sleep(38 * time.Second)
		if s.States()[0].Good {
			t.Error("a is good again too soon")
		}
		time.Sleep(10 * time.Second)
		a.set(func(c *cdn) { c.fault = always(503, "no") })
		b.set(func(c *cdn) { c.fault = always(404, "no") })
		time.Sleep(30 * time.Second)
		synctest.Wait()
		kept.mu.Lock()
		defer kept.mu.Unlock()
		both, onlyB := list(`"a","b"`), list(`"b"`)
		lists := kept.lists["live"]
		if diff := cmp.Diff([]string{both, onlyB, both}, lists[:min(3, len(lists))]); diff != "" {
			t.Error(diff)
		}
		for _, l := range lists {
			if l == list("") || !json.Valid([]byte(l)) {
				t.Errorf("list %s", l)
			}
		}
		if diff := cmp.Diff([]string{list(`"c","d"`)}, kept.lists["stores"]); diff != "" {
			t.Error(diff)
		}
		var what []string
		for _, c := range s.History() {
			what = append(what, c.Pathway+" "+c.What+" "+string(c.Fault))
		}
		if diff := cmp.Diff([]string{"a bad stale", "a good "}, what[:2]); diff != "" || len(what) != 4 {
			t.Errorf("history %q", what)
		}
	})
}

// TestHand: the operator decides, and a restart does not forget it.
func TestHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(evening.Add(time.Minute)))
		n := web{"a": newCDN(), "b": newCDN()}
		kept := &shelf{}
		s := newSteerer(n, kept, way("a", false), way("b", false))
		run(t, s)
		time.Sleep(time.Second)
		if err := s.SetHand("b", Prefer); err != nil {
			t.Fatal(err)
		}
		if err := s.SetHand("x", Prefer); !errors.Is(err, ErrUnknown) {
			t.Errorf("a pathway that there is not: %v", err)
		}
		time.Sleep(10 * time.Second)
		again := newSteerer(n, kept, way("a", false), way("b", false))
		run(t, again)
		time.Sleep(time.Second)
		kept.mu.Lock()
		defer kept.mu.Unlock()
		if diff := cmp.Diff([]string{list(`"a","b"`), list(`"b","a"`), list(`"b","a"`)}, kept.lists["live"]); diff != "" {
			t.Error(diff)
		}
		if h := again.History(); len(h) != 1 || h[0].What != "prefer" {
			t.Errorf("history after a restart: %v", h)
		}
	})
}

// TestOneWay: who has no choice gets no manifest, and is watched all the same.
func TestOneWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(evening.Add(time.Minute)))
		a := newCDN()
		kept := &shelf{}
		s := newSteerer(web{"a": a}, kept, way("a", false))
		run(t, s)
		a.set(func(c *cdn) { c.fault = always(500, "no") })
		time.Sleep(10 * time.Second)
		if st := s.States()[0]; st.Good || !st.Listed {
			t.Errorf("%+v", st)
		}
		if len(kept.lists) > 0 {
			t.Errorf("manifests %v", kept.lists)
		}
	})
}

// TestKeeperAway: a store that is away at the start, and when something changes, costs
// neither the manifest nor what it has of the operator's hand.
func TestKeeperAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(evening.Add(time.Minute)))
		kept := &shelf{saved: []byte(`{"hands":{"a":"avoid","b":"prefer"},"history":[{"pathway":"a","what":"avoid"}]}`), away: true}
		a, b, c := newCDN(), newCDN(), newCDN()
		s := newSteerer(web{"a": a, "b": b, "c": c}, kept, way("a", false), way("b", false), way("c", false))
		ctx, end := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		time.Sleep(2 * time.Second)
		kept.mu.Lock()
		first := len(kept.lists["live"])
		kept.mu.Unlock()
		if first == 0 {
			t.Error("there is no manifest while the store is away")
		}
		if err := s.SetHand("b", Avoid); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		kept.set(false)
		time.Sleep(10 * time.Second)
		if got := s.States(); got[0].Hand != Avoid || got[1].Hand != Avoid || got[2].Hand != Auto {
			t.Errorf("hands %s, %s, %s: want what was saved, and what was laid since", got[0].Hand, got[1].Hand, got[2].Hand)
		}
		kept.set(true)
		if err := s.SetHand("c", Prefer); err != nil {
			t.Fatal(err)
		}
		time.Sleep(7 * time.Second)
		kept.set(false)
		time.Sleep(7 * time.Second)
		if err := s.SetHand("a", Auto); err != nil { // and then the node ends
			t.Fatal(err)
		}
		end()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		want := `"hands":{"a":"auto","b":"avoid","c":"prefer"}`
		if !strings.Contains(string(kept.saved), want) || strings.Count(string(kept.saved), `"what"`) != 4 {
			t.Errorf("saved %s, want %s and all four changes", kept.saved, want)
		}
	})
}
