package ingest

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"longwave/ingest/token"
)

const (
	// drainTime bounds how long lanes are played out after the programme was closed.
	drainTime = 3 * time.Second
	// awayTime is for how long the desk keeps the place of somebody who is gone.
	awayTime = time.Hour
	// mostAway bounds how many places it keeps.
	mostAway = 256
)

// A seat is somebody's place at the desk. A token owns it; the connection that uses it
// may change or be away.
type seat struct {
	id      string
	token   token.Token // zero ID and role for the operator's own inputs
	name    string
	lane    *Lane // nil while away
	order   int   // of the first arrival
	left    time.Time
	onAir   bool
	decided bool // whether they are on air; who has only listened so far is not
	muted   bool
	gainDB  float64
	autoDB  float64     // see [mix.LaneOptions]
	returns int         // how many are open
	taken   []time.Time // from a connection that was sounding, the last ones
	stamps  Stamps
}

// place gives l its seat and returns the lane that had it, if there was one. The desk's
// mutex is held.
func (d *Desk) place(l *Lane, t token.Token, most int) (s *seat, before *Lane, err error) {
	if !d.closed.IsZero() {
		return nil, nil, fmt.Errorf("the programme ends: %w", ErrClosed)
	}
	if err := d.full(l.seat, most); err != nil {
		return nil, nil, err
	}
	s = d.seats[l.seat]
	d.count++
	if s == nil {
		s = d.newSeat(l.seat, t)
	}
	if before = s.lane; before != nil {
		d.remember(s, before)
	}
	l.id = fmt.Sprintf("%s#%d", l.seat, d.count)
	d.decide(s, t)
	s.token, s.name, s.lane, s.left = t, l.claim.Name, l, time.Time{}
	return s, before, nil
}

// full says whether there is no place for the owner of a seat.
func (d *Desk) full(id string, most int) error {
	if s := d.seats[id]; (s == nil || s.lane == nil) && d.connected() >= most {
		return fmt.Errorf("%d speakers are connected: %w", most, ErrBusy)
	}
	return nil
}

// room is full for those who do not have the desk's mutex.
func (d *Desk) room(id string, most int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.full(id, most)
}

// newSeat makes the seat of a newcomer.
func (d *Desk) newSeat(id string, t token.Token) *seat {
	d.count++
	s := &seat{id: id, token: t, name: t.Name, order: d.count, stamps: Stamps{RemovedAt: d.removed[id]}}
	d.seats[id] = s
	return s
}

// decide says whether the owner of a seat is on air at once, the first time that they have
// a voice: before that nobody knows who else will have come.
func (d *Desk) decide(s *seat, t token.Token) {
	if s.decided {
		return
	}
	s.decided = true
	if !d.inherit(s, t) {
		s.onAir = d.admits(t)
	}
}

// admits says whether a newcomer is on air at once: the operator's own inputs are, and
// where nobody hosts the first voice is. A host is for a broadcast, and waits for "go
// live" in auto mode. All others wait in the green room.
func (d *Desk) admits(t token.Token) bool {
	switch {
	case t.ID == "":
		return true
	case t.Role == token.Host:
		return !d.auto
	}
	return d.auto && !d.hosted() && !d.voices()
}

// hosted reports that a host is here.
func (d *Desk) hosted() bool {
	for _, s := range d.seats {
		if s.token.Role == token.Host && (s.lane != nil || s.returns > 0) {
			return true
		}
	}
	return false
}

// voices reports that somebody is on air who came by a token.
func (d *Desk) voices() bool {
	for _, s := range d.seats {
		if s.onAir && s.lane != nil && s.token.ID != "" {
			return true
		}
	}
	return false
}

func (d *Desk) connected() int {
	n := 0
	for _, s := range d.seats {
		if s.lane != nil {
			n++
		}
	}
	return n
}

// absence is how long a speaker may be gone and still be in the middle of a talk: their
// line broke, or their page loads again.
const absence = time.Minute

// Here reports that a speaker is connected, or was a minute ago. The clock cuts nobody
// off: a token that expires meanwhile goes on to open what it opened.
func (d *Desk) Here(id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.seats[id]
	return s != nil && (s.lane != nil || !s.left.IsZero() && time.Since(s.left) < absence)
}

// sweep takes lanes off of which nothing is left to be heard, and reports that the
// programme is over.
func (d *Desk) sweep() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.switched() // while those who left still have their names
	for id, s := range d.seats {
		switch {
		case s.lane != nil && s.lane.played():
			d.remove(s.lane)
			s.lane, s.left = nil, time.Now()
			d.event(EventLeft, id, s.name)
			if s.token.ID == "" {
				d.drop(id)
			}
		case s.lane == nil && s.returns == 0 && time.Since(s.left) > awayTime:
			d.drop(id)
		}
	}
	d.old = slices.DeleteFunc(d.old, func(l *Lane) bool {
		if l.played() {
			d.remove(l)
			return true
		}
		return false
	})
	d.forget()
	d.promote()
	return !d.closed.IsZero() && (d.connected()+len(d.old) == 0 || time.Since(d.closed) > drainTime)
}

// forget keeps the places of those who are gone within bounds.
func (d *Desk) forget() {
	var away []string
	for id, s := range d.seats {
		if s.lane == nil && s.returns == 0 {
			away = append(away, id)
		}
	}
	if len(away) <= mostAway {
		return
	}
	slices.SortFunc(away, func(a, b string) int { return d.seats[a].left.Compare(d.seats[b].left) })
	for _, id := range away[:len(away)-mostAway] {
		d.drop(id)
	}
}

// drop forgets a seat, and whom a host with it listened and spoke to.
func (d *Desk) drop(id string) {
	delete(d.seats, id)
	delete(d.cues, id)
	delete(d.talks, id)
}

// promote puts whoever waits longest on air where nobody hosts and nobody is.
func (d *Desk) promote() {
	if !d.auto || d.hosted() || d.voices() {
		return
	}
	var next *seat
	for _, s := range d.seats {
		if s.lane != nil && !s.onAir && (next == nil || s.order < next.order) {
			next = s
		}
	}
	if next != nil {
		d.log.Info("nobody hosts and nobody is on air: who waits longest is now", "speaker", next.name)
		d.setOnAir(next, true)
	}
}

// title returns the title of sound that has just come to be heard.
func (d *Desk) title() (text string, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.seats {
		if s.lane == nil {
			continue
		}
		if t, due := s.lane.due(); due && s.onAir {
			text, ok = t, true
		}
	}
	return text, ok
}

// close ends every lane and lets nobody in any more.
func (d *Desk) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed.IsZero() {
		return
	}
	d.closed = time.Now()
	d.dropHandovers("", ErrClosed)
	for _, s := range d.seats {
		if s.lane != nil {
			s.lane.end(ErrClosed)
		}
	}
}

// sorted returns the seats' ids in the order in which they came.
func (d *Desk) sorted() []string {
	ids := make([]string, 0, len(d.seats))
	for id := range d.seats {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b string) int { return cmp.Compare(d.seats[a].order, d.seats[b].order) })
	return ids
}
