package packager

// A shop is an outlet as the packager keeps account of it: what it was sent, what
// it has, and so what its playlists may name.
type shop struct {
	outlet  Outlet
	shelves []*shelf // one a rendition
	byName  map[string]int
	pending int    // objects sent and not acknowledged
	media   int    // segments among them
	has     []bool // renditions whose playlist it has
	opened  bool   // it was sent the multivariants, which name them all
}

func newShop(o Outlet, windows []*window) *shop {
	s := &shop{outlet: o, byName: map[string]int{}, has: make([]bool, len(windows))}
	for i, w := range windows {
		s.shelves = append(s.shelves, newShelf(w.first))
		s.byName[w.rend.rung.Name] = i
	}
	return s
}

func (s *shop) send(o Object) {
	s.pending++
	if o.Key.Kind == Segment && !o.Filler {
		s.media++
	}
	s.outlet.Send(o)
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
		if s.shelves[i].dirty() {
			p.sendPlaylist(s, i, p.windows[i])
		}
	case a.Key.Kind == Media && a.Err == nil:
		s.has[i] = true
		if !s.opened && allTrue(s.has) {
			s.opened = true
			p.sendMultivariants(s)
		}
	}
}

func (p *Packager) sendPlaylist(s *shop, i int, w *window) {
	shelf := s.shelves[i]
	shelf.listed = shelf.last
	if shelf.last < shelf.first {
		return
	}
	s.send(Object{Key: p.mediaKey(w), Data: p.plainPlaylist(w, shelf).Append(nil)})
}

func allTrue(b []bool) bool {
	for _, v := range b {
		if !v {
			return false
		}
	}
	return true
}
