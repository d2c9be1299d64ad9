package packager

import (
	"cmp"
	"context"
	"slices"
)

// A shop is an outlet as the packager keeps account of it: what it was sent, what
// it has, and so what its playlists may name.
type shop struct {
	outlet  Outlet
	shelves []*shelf // one a rendition
	byName  map[string]int
	pending int    // objects sent and not acknowledged
	media   int    // segments among them
	has     []bool // renditions whose playlist it has
	spared  []bool // renditions that it is too slow for
	opened  bool   // it was sent the multivariants
	floor   int64  // the first MSN that its playlists name
	told    bool   // it was sent the last ones
}

func newShop(o Outlet, windows []*window) *shop {
	s := &shop{outlet: o, byName: map[string]int{}, has: make([]bool, len(windows)), spared: make([]bool, len(windows))}
	for i, w := range windows {
		s.floor = w.first
		s.shelves = append(s.shelves, newShelf(w.first))
		s.byName[w.rend.rung.Name] = i
	}
	return s
}

func (s *shop) send(o Object) {
	s.pending++
	if o.Key.Kind == Segment {
		shelf := s.shelves[s.byName[o.Key.Rendition]]
		shelf.sent = max(shelf.sent, o.Key.MSN)
		if !o.Filler {
			s.media++
		}
	}
	s.outlet.Send(o)
}

// sendSegment sends a new segment of the i-th rendition; of one that is shed the store
// gets it some day, and its playlist does not wait for that.
func (s *shop) sendSegment(i int, o Object) {
	if s.spared[i] {
		s.outlet.(Shedder).Spool(o)
		s.shelves[i].giveUp(o.Key.MSN)
		return
	}
	s.send(o)
}

// acknowledge enters what became of an object, and sends the playlist that may now
// name it: an object is put before any playlist that names it, and a playlist names
// only what was acknowledged.
func (p *Packager) acknowledge(s *shop, a Ack) {
	s.pending--
	if a.Key.Kind == Segment && !a.Filler {
		s.media--
	}
	i, ok := s.byName[a.Key.Rendition]
	if !ok {
		return
	}
	switch {
	case a.Key.Kind == Segment && a.Err != nil:
		s.shelves[i].giveUp(a.Key.MSN)
	case a.Key.Kind == Segment:
		s.shelves[i].keep(a.Key.MSN)
		p.raise(s)
		if s.ready(i) {
			p.sendPlaylist(s, i, p.windows[i])
		}
	case a.Key.Kind == Media && a.Err == nil && !s.has[i] && !s.spared[i]:
		s.has[i] = true
		p.open(s)
	}
}

// open sends the multivariants that name the playlists which the store has, once it
// has those of all renditions that it is not spared.
func (p *Packager) open(s *shop) {
	for i := range s.has {
		if !s.opened && !s.has[i] && !s.spared[i] {
			return
		}
	}
	s.opened = true
	p.sendMultivariants(s)
}

// joins reports whether a rendition stands in the store's multivariants, or is to when
// they are sent for the first time.
func (s *shop) joins(i int) bool { return !s.spared[i] && (s.has[i] || !s.opened) }

// raise has the playlists of a store begin together (rfc8216bis section 6.2.4): where the
// one that begins last does. Those that begin much earlier are written anew at once, not
// with their next segment.
func (p *Packager) raise(s *shop) {
	was := s.floor
	for i, shelf := range s.shelves {
		if s.joins(i) && shelf.last-shelf.first+1 >= leastListed {
			s.floor = max(s.floor, shelf.first)
		}
	}
	if s.floor <= was+1 { // the window moves on
		return
	}
	for i := range s.shelves {
		if s.has[i] && s.enough(i) {
			p.sendPlaylist(s, i, p.windows[i])
		}
	}
}

// enough reports whether the i-th rendition has what a playlist needs: after a hole it may
// name nothing for a while, unless the stream ends there.
func (s *shop) enough(i int) bool {
	shelf := s.shelves[i]
	return shelf.last-max(shelf.first, s.floor)+1 >= leastListed
}

// ready reports that the i-th rendition's playlist should be written again. One that was
// shed comes back when it begins where the others do: else they would have to forget what
// is before it.
func (s *shop) ready(i int) bool {
	shelf := s.shelves[i]
	return shelf.last > shelf.listed && s.enough(i) && (s.joins(i) || shelf.first <= s.floor+1)
}

func (p *Packager) sendPlaylist(s *shop, i int, w *window) {
	shelf := s.shelves[i]
	shelf.listed = shelf.last
	if shelf.last < max(shelf.first, s.floor) || s.spared[i] {
		return
	}
	s.send(Object{Key: p.mediaKey(w), Data: p.plainPlaylist(w, max(shelf.first, s.floor), shelf.last).Append(nil), Basic: p.basic(i)})
}

// sheddable returns the renditions that a slow store may be spared, the dearest first:
// all but the first of each codec, with which every list begins.
func sheddable(windows []*window) []int {
	var order []int
	seen := map[string]bool{}
	for i, w := range windows {
		if seen[w.rend.rung.Codec] {
			order = append(order, i)
		}
		seen[w.rend.rung.Codec] = true
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(windows[b].rend.rung.estimate().declared, windows[a].rend.rung.estimate().declared)
	})
	return order
}

// basic reports whether the i-th rendition is never shed.
func (p *Packager) basic(i int) bool { return !slices.Contains(p.sheddable, i) }

// spare asks the stores what they want to be spared. A rendition that is shed leaves
// the store's multivariants, and then its playlist goes: a player that stands on it
// changes to another one at once, where it would wait for a playlist that stands still.
// It is back in them when its playlist is.
func (p *Packager) spare(ctx context.Context) {
	for _, s := range p.outlets {
		shedder, ok := s.outlet.(Shedder)
		if !ok {
			continue
		}
		n := shedder.Shed(len(p.sheddable))
		for rank, i := range p.sheddable {
			if shed := rank < n; shed != s.spared[i] {
				p.spareOne(ctx, s, i, shed)
			}
		}
	}
}

func (p *Packager) spareOne(ctx context.Context, s *shop, i int, shed bool) {
	w := p.windows[i]
	s.spared[i] = shed
	log := p.opt.Log.With("rendition", w.rend.rung.Name)
	if !shed {
		log.InfoContext(ctx, "store keeps up again: it gets a rendition back")
		return
	}
	log.WarnContext(ctx, "store is too slow: a rendition is left out there and sent later")
	s.has[i] = false
	p.open(s)
	s.outlet.(Shedder).Withdraw(p.mediaKey(w))
}
