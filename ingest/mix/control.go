package mix

import (
	"cmp"
	"slices"
	"strings"
	"sync"
)

// A desk is what others work on: lanes, returns, and who hears whom. What it amounts
// to is a plan, which the goroutine that mixes takes over with its next frame; so
// nobody ever waits for it, and it for nobody.
type desk struct {
	mu      sync.Mutex
	lanes   map[string]*lane
	returns map[string]*route
}

// A plan is never changed once it is published.
type plan struct {
	lanes []*lane // by id
	sends []send  // by id of the return
}

// Add puts a lane on the mixer from the next frame on. A lane of the same id
// leaves in its favour, 10 ms out, 10 ms in, and a voice goes on with the gain it had.
func (m *Mixer) Add(id string, src Source, o LaneOptions) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if old := m.lanes[id]; old != nil && o.AutoDB == 0 {
		o.AutoDB = old.shown().AutoDB
	}
	m.lanes[id] = newLane(id, src, o, &m.faults)
	m.publish()
}

// Remove takes a lane off with the next frame, and reports whether there was one.
func (m *Mixer) Remove(id string) bool {
	return m.change(id, func(*lane) {
		delete(m.lanes, id)
		m.publish()
	})
}

// SetGain moves a lane's fader; it reports whether there is such a lane.
func (m *Mixer) SetGain(id string, db float64) bool {
	return m.change(id, func(l *lane) { l.gainDB = db; l.aim() })
}

// SetMute mutes a lane or lets it be heard; it reports whether there is such a lane.
func (m *Mixer) SetMute(id string, muted bool) bool {
	return m.change(id, func(l *lane) { l.muted = muted; l.aim() })
}

// SetOnAir takes a lane into the programme or out of it, in 10 ms; its returns are not
// changed. It reports whether there is such a lane.
func (m *Mixer) SetOnAir(id string, on bool) bool {
	return m.change(id, func(l *lane) { l.offAir.Store(!on) })
}

// SetOpen moves the fader of the whole programme in a crossfade of 200 ms: closed, the
// hold plays whoever speaks, and the returns go on. A mixer begins open.
func (m *Mixer) SetOpen(open bool) { m.closed.Store(!open) }

func (m *Mixer) change(id string, do func(*lane)) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.lanes[id]
	if l == nil {
		return false
	}
	do(l)
	return true
}

// publish makes a plan of what is wanted. The desk's mutex is held.
func (m *Mixer) publish() {
	p := &plan{lanes: make([]*lane, 0, len(m.lanes)), sends: make([]send, 0, len(m.returns))}
	for _, l := range m.lanes {
		p.lanes = append(p.lanes, l)
	}
	slices.SortFunc(p.lanes, byID)
	for _, r := range m.returns {
		p.sends = append(p.sends, r.resolve(m.lanes))
	}
	slices.SortFunc(p.sends, func(a, b send) int { return cmp.Compare(a.id, b.id) })
	m.plan.Store(p)
}

// adopt takes over a plan that is new: lanes that are not in it any more leave.
func (m *Mixer) adopt() {
	p := m.plan.Load()
	if p == m.seen {
		return
	}
	m.seen = p
	for _, l := range m.active {
		l.leaving = !slices.Contains(p.lanes, l)
	}
	for _, l := range p.lanes {
		if !slices.Contains(m.active, l) {
			m.active = append(m.active, l)
		}
	}
	slices.SortStableFunc(m.active, byID)
	for _, s := range p.sends {
		s.patch(s.hears)
	}
}

func byID(a, b *lane) int { return strings.Compare(a.id, b.id) }
