package relay

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"longwave/packager"
	"longwave/packager/hls"
)

const (
	// deskWait is after how long a list is tried again: renditions that it names may not
	// be there yet.
	deskWait = 250 * time.Millisecond
	// deskRepeat is how often lists are put again though they have not changed: an
	// origin may have lost them without anybody noticing.
	deskRepeat = 30 * time.Second
)

// A desk carries what belongs to a station as a whole: multivariant playlists, and
// states. Only the newest version counts.
type desk struct {
	relay *Relay
	wake  chan struct{} // buffered: there is something to send

	mu    sync.Mutex
	lists map[packager.Key]*list
	puts  int // counted
}

// A list is an object of a desk.
type list struct {
	data    []byte
	version int // from 1
	sent    int // the version that the other side has
}

func newDesk(r *Relay) *desk {
	return &desk{relay: r, wake: make(chan struct{}, 1), lists: map[packager.Key]*list{}}
}

func (d *desk) put(o packager.Object) {
	d.mu.Lock()
	l := d.lists[o.Key]
	if l == nil {
		l = &list{}
		d.lists[o.Key] = l
	}
	l.data = o.Data
	l.version++
	d.puts++
	d.mu.Unlock()
	signal(d.wake)
}

// changes counts what was put.
func (d *desk) changes() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.puts
}

// multivariants returns the playlists of each station.
func (d *desk) multivariants() map[string][]*hls.Multivariant {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := map[string][]*hls.Multivariant{}
	for k, l := range d.lists {
		if k.Kind != packager.Multivariant {
			continue
		}
		if m, err := hls.ParseMultivariant(l.data); err == nil { // else it is said when it is sent
			all[k.Station] = append(all[k.Station], m)
		}
	}
	return all
}

// again has everything sent once more.
func (d *desk) again() {
	d.mu.Lock()
	for _, l := range d.lists {
		l.version++ // also of one that is on its way just now
	}
	d.mu.Unlock()
	signal(d.wake)
}

// run sends until ctx ends.
func (d *desk) run(ctx context.Context) {
	repeat := time.NewTicker(deskRepeat)
	defer repeat.Stop()
	retry := time.NewTimer(0)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-repeat.C:
			d.again()
		case <-d.wake:
		case <-retry.C:
		}
		if !d.round(ctx) {
			retry.Reset(deskWait)
		}
	}
}

// round sends what is new; it is false when something is left.
func (d *desk) round(ctx context.Context) bool {
	d.mu.Lock()
	keys := slices.SortedFunc(maps.Keys(d.lists), func(a, b packager.Key) int { return strings.Compare(a.String(), b.String()) })
	d.mu.Unlock()
	done := true
	for _, k := range keys {
		d.mu.Lock()
		l := *d.lists[k]
		d.mu.Unlock()
		if l.sent == l.version {
			continue
		}
		if err := d.send(ctx, k, l.data); err != nil {
			done = false
			var no *refusal
			if ctx.Err() == nil && (!errors.As(err, &no) || no.Reason != reasonMissing) {
				d.relay.health.failed(ctx, err)
			}
			continue
		}
		d.mu.Lock()
		d.lists[k].sent = l.version
		d.mu.Unlock()
	}
	return done
}

func (d *desk) send(ctx context.Context, k packager.Key, data []byte) error {
	if k.Kind == packager.Multivariant {
		var err error
		if data, err = d.relay.strip(k.Station, data); err != nil {
			return err
		}
	}
	return d.relay.send(ctx, request{key: k, data: data})
}

// strip leaves out of a multivariant playlist the renditions that are shed, and those
// that are not back yet.
func (r *Relay) strip(station string, data []byte) ([]byte, error) {
	m, err := hls.ParseMultivariant(data)
	if err != nil {
		return nil, fmt.Errorf("read a list of %s: %w", station, err)
	}
	away := func(v hls.Variant) bool {
		w := r.known(station, packager.RenditionOf(v.URI))
		return w != nil && w.standing.Load() != listed
	}
	if !slices.ContainsFunc(m.Variants, away) {
		return data, nil
	}
	m.Variants = slices.DeleteFunc(m.Variants, away)
	return m.Append(nil), nil
}
