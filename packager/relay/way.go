package relay

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"longwave/packager"
	"longwave/packager/hls"
)

const (
	// fillTime is how long an origin that is filled waits for its whole window; then it
	// begins with what it has.
	fillTime = time.Second
	// fillWidth is how many objects go at one time to an origin that is filled.
	fillWidth = 6
	// The first and the longest wait after a failure; it doubles, and is at random
	// between half and all of that.
	firstWait, longestWait = 100 * time.Millisecond, time.Second
)

// A way carries one rendition: one goroutine, one thing after the other.
type way struct {
	relay         *Relay
	station, name string
	window        *window
	wake          chan struct{} // buffered: there is something new
	paused        atomic.Bool   // lower renditions are late: let them go first
	standing      atomic.Int32  // listed, shed or returning
	filling       atomic.Bool
	reached       atomic.Pointer[hls.Position] // what the other side's playlist ends with; nil: there is none, or it is not known

	carried
}

// carried is how far a way has come. Only its goroutine uses it.
type carried struct {
	account *account
	asked   bool // the account is true
	gone    bool // of a rendition that is shed: the other side's playlist was deleted
	media   *hls.Media
	version int // the one that was read last
	sent    int // the one that was published whole
}

// The standings of a rendition on the other side.
const (
	listed    = iota
	shed      // not sent, and in no list
	returning // sent, and in no list yet
)

func (w *way) isShed() bool { return w.standing.Load() == shed }

func newWay(r *Relay, station, name string) *way {
	return &way{
		relay: r, station: station, name: name, window: newWindow(), wake: make(chan struct{}, 1),
		carried: carried{account: newAccount(!r.opt.Foreign)},
	}
}

func (w *way) put(o packager.Object) {
	w.window.put(o, !w.relay.opt.Plain)
	signal(w.wake)
}

func (w *way) key(k packager.Key) packager.Key {
	k.Station, k.Rendition = w.station, w.name
	return k
}

// run sends until ctx ends.
func (w *way) run(ctx context.Context) {
	wait := time.Duration(0)
	for w.sleep(ctx, wait) {
		err := w.round(ctx)
		switch {
		case err == nil:
			wait = 0
		case ctx.Err() != nil:
			return
		default:
			wait = min(longestWait, max(firstWait, 2*wait))
			w.reached.Store(nil) // it may be another process that answers next
			w.relay.health.failed(ctx, err)
		}
	}
}

// sleep waits for something to do, after a failure for a while. It is false when ctx
// has ended.
func (w *way) sleep(ctx context.Context, wait time.Duration) bool {
	wake := w.wake
	var timeout <-chan time.Time
	if wait > 0 {
		wake = nil
		t := time.NewTimer(wait/2 + rand.N(wait/2))
		defer t.Stop()
		timeout = t.C
	}
	select {
	case <-ctx.Done():
		return false
	case <-wake:
	case <-timeout:
	}
	return true
}

// round sends what there is to send.
func (w *way) round(ctx context.Context) error {
	if w.isShed() {
		return w.withdraw(ctx)
	}
	w.gone = false
	for !w.isShed() {
		if err := w.look(); err != nil || w.media == nil {
			return err
		}
		if !w.asked {
			if err := w.ask(ctx); err != nil {
				return err
			}
		}
		if !w.yield(ctx) {
			return context.Cause(ctx)
		}
		want := w.want()
		if len(want) > 0 {
			if err := w.sendFiles(ctx, want); err != nil {
				return err
			}
		}
		done, err := w.publish(ctx, len(want) == 0)
		if err != nil || done && len(want) == 0 {
			return err
		}
	}
	return nil
}

// look reads the newest playlist, if there is a new one.
func (w *way) look() error {
	text, version := w.window.playlist()
	if version == w.version {
		return nil
	}
	w.version = version
	m, err := hls.ParseMedia(text)
	if err != nil {
		return fmt.Errorf("read the playlist of %s/%s: %w", w.station, w.name, err)
	}
	if w.relay.opt.Plain {
		m = plain(m)
	}
	w.media = m
	return nil
}

// plain returns m without what only parts need.
func plain(m *hls.Media) *hls.Media {
	p := *m
	p.Version, p.PartTarget, p.Control, p.Open, p.Hints, p.Reports = 6, 0, hls.ServerControl{}, hls.Segment{}, nil, nil
	p.Segments = slices.Clone(m.Segments)
	for i := range p.Segments {
		p.Segments[i].Parts = nil
	}
	return &p
}

// ask finds out what the other side has, by putting the playlist: it is taken, or the
// answer tells what is missing. A server that does not know this has nothing.
func (w *way) ask(ctx context.Context) error {
	if !w.relay.opt.Foreign {
		if err := w.putPlaylist(ctx, w.media); err != nil {
			return err
		}
	}
	w.asked = true
	w.account.since = time.Now()
	return nil
}

// yield lets lower renditions go first while they are late. It is false when ctx ends.
func (w *way) yield(ctx context.Context) bool {
	for w.paused.Load() && !w.isShed() {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(20 * time.Millisecond):
		}
	}
	return true
}

// want returns what to send next.
func (w *way) want() []packager.Key {
	files := w.account.wants(w.media)
	if hint := w.media.Hint(); hint != "" && !w.account.have[hint] {
		files = append(files, hint) // the next part may be there before its playlist
	}
	var keys []packager.Key
	for _, f := range files {
		k, err := packager.ParseKey(w.station + "/" + w.name + "/" + f)
		if err != nil || k.Kind == packager.Part && w.window.get(k) == nil {
			continue
		}
		keys = append(keys, k)
	}
	width := 1 // in order, and a playlist after each
	if w.account.empty && !w.relay.narrow.Load() {
		width = fillWidth
	}
	return keys[:min(width, len(keys))]
}

// sendFiles sends files side by side.
func (w *way) sendFiles(ctx context.Context, keys []packager.Key) error {
	var group errgroup.Group
	done := make([]bool, len(keys))
	for i, k := range keys {
		group.Go(func() error {
			data, err := w.read(ctx, k)
			if data == nil {
				return err
			}
			err = w.relay.send(ctx, request{key: k, data: data})
			done[i] = err == nil
			return err
		})
	}
	err := group.Wait()
	for i, k := range keys {
		if done[i] {
			w.account.have[k.File()] = true
		}
	}
	if lost, ok := errors.AsType[unreadableError](err); ok && w.account.skip(w.media, lost.key) {
		w.relay.opt.Log.WarnContext(ctx, "what is old cannot be read here: another origin begins after it", "remote", w.relay.opt.Name, "err", err)
		return nil
	}
	return err
}

// read returns a file of the window, or of the run before this one; nil when it is too old
// meanwhile.
func (w *way) read(ctx context.Context, k packager.Key) ([]byte, error) {
	data := w.window.get(k)
	if data != nil || w.relay.opt.Past == nil {
		return data, nil
	}
	data, err := w.relay.opt.Past.Read(ctx, k)
	if err != nil {
		return nil, unreadableError{k, fmt.Errorf("read %s for %s: %w", k, w.relay.opt.Name, err)}
	}
	return data, nil
}

// An unreadableError is of a file that should be on this machine.
type unreadableError struct {
	key packager.Key
	error
}

func (e unreadableError) Unwrap() error { return e.error }

// publish puts the playlist of what the other side has, when that is more than before.
// idle says that there was nothing to send. done is false when there is more to do.
func (w *way) publish(ctx context.Context, idle bool) (done bool, err error) {
	if w.account.empty && !idle && (w.account.slowly || time.Since(w.account.since) < fillTime) {
		return false, nil
	}
	w.account.floor = max(w.account.floor, w.relay.floor(w.station))
	c := w.account.cut(w.media)
	if c == nil {
		return idle, nil
	}
	whole := c.Last() == w.media.Last() && c.EndList == w.media.EndList
	switch {
	case whole && w.sent == w.version && !w.account.empty:
		return true, nil
	case !whole && !w.account.empty && c.Last().Compare(w.account.last) <= 0:
		return idle, nil
	}
	version := w.version
	if err := w.putPlaylist(ctx, c); err != nil {
		return false, err
	}
	if w.account.empty { // it was not taken: something is missing
		return false, nil
	}
	if whole {
		w.sent = version
	}
	return true, nil
}

// putPlaylist puts c, and enters what the other side says to it.
func (w *way) putPlaylist(ctx context.Context, c *hls.Media) error {
	c = w.reports(c)
	err := w.relay.send(ctx, request{key: w.key(packager.Key{Kind: packager.Media}), data: c.Append(nil)})
	var no *refusal
	switch {
	case err == nil:
		w.account.settle(c, nil)
		w.account.forget(w.media)
	case errors.As(err, &no) && no.Reason == reasonMissing:
		w.account.settle(c, no.Missing)
		w.account.since = time.Now()
		w.filling.Store(true)
		w.reached.Store(nil) // it may have started again
		w.relay.desk.again()
		w.relay.metrics.fills.Inc()
		return nil
	case errors.As(err, &no) && no.Reason == reasonOrder && no.First > c.MediaSequence && w.account.floor < no.First:
		w.account.floor = no.First // it began later than we do: go on from there
		w.account.empty = true
		return nil
	case errors.As(err, &no) && no.Reason == reasonOrder:
		w.account.ahead(c) // somebody else pushes this station too, and is faster
		w.window.published(c.Last())
		w.reach(c)
		return nil
	default:
		return err
	}
	w.account.slowly = false
	w.filling.Store(false)
	w.relay.raise(w.station, w.account.floor, w.media.MediaSequence)
	w.reach(c)
	if w.standing.CompareAndSwap(returning, listed) {
		w.relay.desk.again()
	}
	if delay, some := w.window.published(c.Last()); some {
		w.relay.metrics.delay.Observe(delay.Seconds())
	}
	w.relay.health.worked(ctx)
	return nil
}

// reach enters that the other side's playlist ends as c does.
func (w *way) reach(c *hls.Media) {
	last := c.Last()
	w.reached.Store(&last)
}

// reports has c tell how far the other renditions have come over there, where one is behind
// by more than what is on the way just now, and leaves out those that are in no list. One
// that is listed and of which nothing is known is on its way too: each of the others must
// have a report (appendix B.1), and who asks for what it names waits for it.
func (w *way) reports(c *hls.Media) *hls.Media {
	d, changed := *c, false
	d.Reports = make([]hls.RenditionReport, 0, len(c.Reports))
	for _, r := range c.Reports {
		o := w.relay.known(w.station, packager.RenditionOf(r.URI))
		if o == nil || o.isShed() {
			changed = true
			continue
		}
		at := o.reached.Load() // another goroutine may take it away
		if at == nil && o.standing.Load() != listed {
			changed = true
			continue
		}
		if at != nil && at.MSN < r.Last.MSN-1 {
			r.Last, changed = *at, true
		}
		d.Reports = append(d.Reports, r)
	}
	if !changed {
		return c
	}
	return &d
}

// withdraw takes the rendition off the other side.
func (w *way) withdraw(ctx context.Context) error {
	w.window.clear()
	if w.gone {
		return nil
	}
	if err := w.relay.send(ctx, request{key: w.key(packager.Key{Kind: packager.Media}), remove: true}); err != nil {
		return err
	}
	w.gone, w.asked, w.sent = true, false, 0
	w.account.empty, w.account.slowly = true, true
	w.reached.Store(nil)
	return nil
}
