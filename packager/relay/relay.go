package relay

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"longwave/packager"
)

// Options say where a [Relay] pushes and how.
type Options struct {
	// Name of the other origin, for log and metrics.
	Name string
	// URL is its address, without a slash at the end: objects go to {URL}/push/{key}.
	URL string
	// Token returns the token for a station; nil: none is sent.
	Token func(station string) (string, error)
	// Stations are those that are pushed; nil: all.
	Stations []string
	// Foreign is for any other server that takes HLS by PUT: objects go to {URL}/{key},
	// segments are sent whole beside their parts, and answers are read by their status.
	Foreign bool
	// Plain sends no parts, and playlists without them.
	Plain bool
	// Past reads what was kept on this machine: segments of the run before this one,
	// which the playlists still name. nil: there are none.
	Past packager.Reader
	// Client sends; default: [NewClient].
	Client   *http.Client
	Log      *slog.Logger
	Registry prometheus.Registerer // nil: nothing is counted in public
}

// A Relay is a way to another origin. It implements [packager.Sink].
type Relay struct {
	opt     Options
	metrics *metrics
	health  health
	desk    *desk
	started chan struct{} // buffered: there may be a new way
	narrow  atomic.Bool   // something was shed lately

	mu     sync.Mutex
	ways   map[string]*way  // by "station/rendition"
	floors map[string]int64 // by station: the first MSN that its playlists may name there
}

// New returns a relay; [Relay.Run] sends.
func New(opt Options) *Relay {
	if opt.Client == nil {
		opt.Client = NewClient(nil)
	}
	r := &Relay{opt: opt, ways: map[string]*way{}, floors: map[string]int64{}, started: make(chan struct{}, 1)}
	r.metrics = newMetrics(opt.Registry, opt.Name, r)
	r.health = health{log: opt.Log, name: opt.Name, lastDown: time.Now()}
	r.desk = newDesk(r)
	return r
}

// Put implements [packager.Sink]. It takes o over and returns nil at once.
func (r *Relay) Put(_ context.Context, o packager.Object) error {
	switch {
	case r.opt.Stations != nil && !slices.Contains(r.opt.Stations, o.Key.Station):
	case o.Key.Kind == packager.Multivariant || o.Key.Kind == packager.State:
		r.desk.put(o)
	case o.Key.Kind == packager.Part && r.opt.Plain:
	default:
		r.way(o.Key).put(o)
	}
	return nil
}

// way returns the way of a rendition.
func (r *Relay) way(k packager.Key) *way {
	name := k.Station + "/" + k.Rendition
	r.mu.Lock()
	defer r.mu.Unlock()
	w := r.ways[name]
	if w == nil {
		w = newWay(r, k.Station, k.Rendition)
		r.ways[name] = w
		signal(r.started)
	}
	return w
}

// signal wakes who waits for c, which has room for one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Run sends until ctx ends.
func (r *Relay) Run(ctx context.Context) error {
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { r.desk.run(ctx) })
	all.Go(func() { r.control(ctx) })
	running := map[*way]bool{}
	for {
		for _, w := range r.all() {
			if !running[w] {
				running[w] = true
				all.Go(func() { w.run(ctx) })
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-r.started:
		}
	}
}

// all returns the ways, sorted by station and rendition.
func (r *Relay) all() []*way {
	r.mu.Lock()
	defer r.mu.Unlock()
	names := slices.Sorted(maps.Keys(r.ways))
	ways := make([]*way, len(names))
	for i, n := range names {
		ways[i] = r.ways[n]
	}
	return ways
}

// floor is the first MSN that the other side's playlists of a station may name: all
// renditions begin together (rfc8216bis section 6.2.4).
func (r *Relay) floor(station string) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.floors[station]
}

// raise enters that a rendition begins with the MSN from there, while it does with
// first here.
func (r *Relay) raise(station string, from, first int64) {
	if from <= first { // that is soon past
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.floors[station] = max(r.floors[station], from)
}

// known returns the way of a rendition, nil when there is none yet.
func (r *Relay) known(station, rendition string) *way {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ways[station+"/"+rendition]
}
