package feed

const (
	// soon is how many concealed frames are borne when the other member is at the same
	// place: concealment is good for so long.
	soon = 3
	// proven is for how many frames a member must have had sound before another one's
	// silence is believed to be a fault: 3 s, more than one can be behind the other.
	proven = 150
	// present is for how many frames a better member must have had sound: 1 s. One that
	// is connected and muted is not gone back to.
	present = 50
)

// choose returns who is heard from now on, and why that is somebody else.
func (g *Group) choose() (*member, Reason) {
	now := g.heard
	if now == nil {
		return g.best((*member).alive), First
	}
	if now.gone {
		return g.best((*member).alive), Left
	}
	if now.health.missing > 0 {
		if m := g.best((*member).helpful); m != nil && now.health.lost(g.patience(now, m)) {
			return m, Lost
		}
		return now, 0
	}
	if now.health.mute {
		if m := g.best((*member).sounding); m != nil {
			return m, Silent
		}
		return now, 0
	}
	if m := g.best((*member).ready); m != nil && m.priority < now.priority && g.align.settled(now, m) {
		return m, Better
	}
	return now, 0
}

// patience is for how many frames now may be concealed before m is heard.
func (g *Group) patience(now, m *member) int {
	if g.align.together(now, m) {
		return min(soon, g.limits.loss)
	}
	return g.limits.loss
}

// best returns the best member that fits and is not heard; nil: none. One that has
// had no sound for two seconds is taken only when no other fits.
func (g *Group) best(fits func(*member) bool) *member {
	var quiet *member
	for _, m := range g.active {
		switch {
		case m == g.heard || m.gone || !fits(m):
		case m.health.voiced > 0:
			return m
		case quiet == nil:
			quiet = m
		}
	}
	return quiet
}

// alive: its sound can be heard now and goes on.
func (m *member) alive() bool { return m.health.alive }

// helpful: it is better than one that has gone. A mute one is not, because the one
// that has gone may be back in a moment.
func (m *member) helpful() bool { return m.alive() && !m.health.mute }

// sounding: it is no worse than who is heard, and has had sound for a while.
func (m *member) sounding() bool {
	return m.alive() && m.health.good >= proven && m.health.voiced >= proven
}

// ready: it may be gone back to.
func (m *member) ready() bool {
	return m.alive() && m.health.good >= m.health.holdOff && m.health.voiced >= present
}
