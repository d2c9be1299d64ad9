package ingest

import (
	"fmt"

	"longwave/ingest/feed"
	"longwave/ingest/mix"
	"longwave/ingest/token"
)

// A group is one lane of the mixer that several feeds of the same sound share: the best
// healthy one is heard (see package feed). Each feed has its own seat; on air, muted and
// the fader are the group's.
type group struct {
	lane  string // of the mixer
	feed  *feed.Group
	seats map[string]string // by lane
}

// join puts l on the mixer, as a lane of its own or as a feed of its group. The desk's
// mutex is held.
func (d *Desk) join(l *Lane, s *seat) {
	o := mix.LaneOptions{GainDB: s.gainDB, Muted: s.muted, OffAir: !s.onAir, Voice: voice(l.claim.Transport, s.token), AutoDB: s.autoDB}
	name := s.token.Group
	if name == "" {
		d.mixer.Add(l.id, l.sound, o)
		return
	}
	g := d.groups[name]
	if g == nil {
		d.count++
		g = &group{lane: fmt.Sprintf("group %s#%d", name, d.count), feed: feed.New(d.feeds), seats: map[string]string{}}
		d.groups[name] = g
	}
	g.seats[l.id] = s.id
	g.feed.Add(l.id, l.sound, s.token.Priority)
	if len(g.seats) == 1 {
		d.mixer.Add(g.lane, g.feed, o)
	}
	l.group = name
}

// leave takes l off the mixer again, and remembers how it was levelled.
func (d *Desk) leave(l *Lane) {
	if s := d.seats[l.seat]; s != nil {
		d.remember(s, l)
	}
	g := d.groups[l.group]
	if g == nil {
		d.mixer.Remove(l.id)
		return
	}
	g.feed.Remove(l.id)
	delete(g.seats, l.id)
	if len(g.seats) == 0 {
		d.mixer.Remove(g.lane)
		delete(d.groups, l.group)
	}
}

// remember keeps by how much a voice was levelled, for when it comes back.
func (d *Desk) remember(s *seat, l *Lane) {
	if level, ok := d.mixer.Level(l.id); ok {
		s.autoDB = level.AutoDB
	}
}

// lane returns the mixer's lane of a seat that is connected.
func (d *Desk) lane(s *seat) string {
	if g := d.groups[s.lane.group]; g != nil {
		return g.lane
	}
	return s.lane.id
}

// peers returns s and all who share its group.
func (d *Desk) peers(s *seat) []*seat {
	if s.token.Group == "" {
		return []*seat{s}
	}
	var all []*seat
	for _, o := range d.seats {
		if o.token.Group == s.token.Group {
			all = append(all, o)
		}
	}
	return all
}

// inherit gives a new seat what its group has, and reports whether there is one.
func (d *Desk) inherit(s *seat, t token.Token) bool {
	for _, o := range d.seats {
		if t.Group != "" && o != s && o.decided && o.token.Group == t.Group {
			s.onAir, s.muted, s.gainDB = o.onAir, o.muted, o.gainDB
			return true
		}
	}
	return false
}

// heard reports whether s is what is heard of its group.
func (d *Desk) heard(s *seat) bool {
	g := d.groups[s.lane.group]
	return g == nil || g.feed.Current() == s.lane.id
}

// switched tells which groups changed to another feed.
func (d *Desk) switched() {
	for name, g := range d.groups {
		for _, x := range g.feed.Switches(nil) {
			from, to := d.nameOf(g, x.From), d.nameOf(g, x.To)
			d.log.Info("feed switched", "group", name, "from", from, "to", to, "reason", x.Reason.String())
			d.event(EventFeed, g.seats[x.To], fmt.Sprintf("%s: %s → %s (%s)", name, from, to, x.Reason))
		}
	}
}

// nameOf returns who sends a feed of g: a name, or "-" for nobody.
func (d *Desk) nameOf(g *group, lane string) string {
	if s := d.seats[g.seats[lane]]; s != nil {
		return s.name
	}
	return "-"
}
