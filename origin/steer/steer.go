package steer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"longwave/packager"
)

// ErrUnknown is returned for a pathway that there is not.
var ErrUnknown = errors.New("no such pathway")

// Options are what a [Steerer] works with.
type Options struct {
	Station    string
	Renditions []string  // the lowest first
	Pathways   []Pathway // the preferred first
	Sent       Sent
	// Live takes the manifest of the pathways with parts, Stores that of the plain ones.
	// They must not block.
	Live, Stores func(packager.Object)
	Keeper       Keeper            // nil: a restart forgets
	Transport    http.RoundTripper // of the probes; nil: the usual one for each pathway
	Every        time.Duration     // between two probes of a pathway; default 1 s
	Limit        time.Duration     // for an answer; default 1.5 s
	Log          *slog.Logger
	Registry     prometheus.Registerer // nil: nothing is counted in public
}

// A Steerer watches the pathways of a station. It is safe for concurrent use.
type Steerer struct {
	opt     Options
	metrics *metrics
	kept    chan struct{} // buffered: there is something to be kept

	mu      sync.Mutex
	health  map[string]*health // by pathway, as are the next three
	hands   map[string]Hand
	laid    map[string]bool // in this run
	last    map[string]Probe
	lists   map[bool][]string // the list of each kind, by Plain
	history []Change          // oldest first
}

// historyKept is how many changes are remembered.
const historyKept = 500

// New returns a steerer; [Steerer.Run] makes it look.
func New(opt Options) *Steerer {
	if opt.Every == 0 {
		opt.Every = time.Second
	}
	if opt.Limit == 0 {
		opt.Limit = 1500 * time.Millisecond
	}
	s := &Steerer{
		opt: opt, metrics: newMetrics(opt.Registry, opt.Station, opt.Pathways), kept: make(chan struct{}, 1),
		health: map[string]*health{}, hands: map[string]Hand{}, laid: map[string]bool{}, last: map[string]Probe{}, lists: map[bool][]string{},
	}
	begin := time.Now()
	for _, w := range opt.Pathways {
		s.health[w.ID], s.hands[w.ID] = &health{since: begin}, Auto
		s.lists[w.Plain] = append(s.lists[w.Plain], w.ID)
	}
	return s
}

// Run publishes the manifests and watches the pathways until ctx ends.
func (s *Steerer) Run(ctx context.Context) error {
	recalled := s.recall(ctx) // listeners wait for the manifest, and not for a store that is away
	s.publish(false)
	s.publish(true)
	var g errgroup.Group
	for _, w := range s.opt.Pathways {
		g.Go(func() error {
			s.watch(ctx, newProber(s.opt, w))
			return nil
		})
	}
	g.Go(func() error {
		s.keep(ctx, recalled)
		return nil
	})
	return g.Wait()
}

// watch probes one pathway again and again. It begins when there is something to hear.
func (s *Steerer) watch(ctx context.Context, p *prober) {
	t := time.NewTicker(s.opt.Every)
	defer t.Stop()
	defer p.client.CloseIdleConnections()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if m, _ := s.opt.Sent.Playlist(s.opt.Station, s.opt.Renditions[0]); m == nil {
			continue
		}
		if look := p.probe(ctx); ctx.Err() == nil {
			s.note(p.way, look)
		}
	}
}

// note enters a probe.
func (s *Steerer) note(w Pathway, p Probe) {
	s.metrics.note(w.ID, p)
	s.mu.Lock()
	s.last[w.ID] = p
	h := s.health[w.ID]
	if !h.note(p) {
		s.mu.Unlock()
		return
	}
	c := Change{At: p.At, Pathway: w.ID, What: "good"}
	if h.sick {
		c.What, c.Fault, c.Text = "bad", p.Fault, p.Text
	}
	s.remember(c)
	s.mu.Unlock()
	if c.What == "bad" {
		s.opt.Log.Error("a pathway is bad: listeners are sent to the others", "pathway", w.ID, "fault", string(p.Fault), "text", p.Text)
	} else {
		s.opt.Log.Info("a pathway is good again", "pathway", w.ID)
	}
	s.publish(w.Plain)
}

// remember adds to the history. The mutex is held.
func (s *Steerer) remember(c Change) {
	s.history = append(s.history, c)
	s.history = s.history[max(0, len(s.history)-historyKept):]
	s.changed()
}

// publish works out the list of a kind and puts the manifest.
func (s *Steerer) publish(plain bool) {
	s.mu.Lock()
	defer s.mu.Unlock() // so that an older list never comes after a newer one
	var states []State
	for _, st := range s.states() {
		if st.Plain == plain {
			states = append(states, st)
		}
	}
	list := choose(states, s.lists[plain])
	s.lists[plain] = list
	for _, st := range states {
		s.metrics.judge(st.ID, st.Good, slices.Contains(list, st.ID))
	}
	if len(states) < 2 { // there is nothing to choose, and no playlist names the manifest
		return
	}
	put := s.opt.Live
	if plain {
		put = s.opt.Stores
	}
	put(object(s.opt.Station, list))
}

// SetHand lays the operator's hand on a pathway.
func (s *Steerer) SetHand(id string, h Hand) error {
	i := slices.IndexFunc(s.opt.Pathways, func(w Pathway) bool { return w.ID == id })
	if i < 0 {
		return fmt.Errorf("pathway %q: %w", id, ErrUnknown)
	}
	s.mu.Lock()
	if s.hands[id] == h {
		s.mu.Unlock()
		return nil
	}
	s.hands[id] = h
	s.laid[id] = true
	s.remember(Change{At: time.Now(), Pathway: id, What: string(h)})
	s.mu.Unlock()
	s.opt.Log.Info("the operator decides on a pathway", "pathway", id, "hand", string(h))
	s.publish(s.opt.Pathways[i].Plain)
	return nil
}

// List returns the pathways of a kind that players are steered to, the best first. The
// caller must not change it.
func (s *Steerer) List(plain bool) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lists[plain]
}

// States returns how things stand, in the order of the configuration.
func (s *Steerer) States() []State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.states()
}

func (s *Steerer) states() []State {
	states := make([]State, 0, len(s.opt.Pathways))
	for _, w := range s.opt.Pathways {
		h := s.health[w.ID]
		st := State{Pathway: w, Good: !h.sick, Since: h.since, Hand: s.hands[w.ID], Last: s.last[w.ID]}
		st.Listed = slices.Contains(s.lists[w.Plain], w.ID)
		if h.sick {
			st.Fault, st.Text = h.why.Fault, h.why.Text
		}
		states = append(states, st)
	}
	return states
}

// History returns what changed, oldest first.
func (s *Steerer) History() []Change {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.history)
}
