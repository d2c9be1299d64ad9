package mix

import (
	"slices"

	"longwave/ingest/loudness"
	"longwave/ingest/pcm"
)

// A Return takes what somebody remote hears.
type Return interface {
	// Put is given one frame every 20 ms; it must not block nor keep the frame. It may
	// be called once more after the return was removed.
	Put(frame []float32)
}

const (
	// talkDuck (-6 dB) is how loud the rest is while somebody talks to the listener.
	talkDuck = 0.5
	// clipKnee (-3 dBFS) is where a return begins to be bent, so that it never clips.
	clipKnee = 0.7
)

// A route is what is wanted of a return. Guarded by the desk's mutex.
type route struct {
	id          string
	to          *sender
	lanes, talk []string // by id
}

// A send is a route of a plan.
type send struct {
	id string
	*sender
	hears []hearing
}

// A hearing is a lane in a return.
type hearing struct {
	lane *lane
	gain float32
}

// AddReturn begins a return: to is given a frame with every frame of the programme. It
// is silent until [Mixer.Route] says what is heard in it. A return of the same id ends
// in its favour.
func (m *Mixer) AddReturn(id string, to Return) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.returns[id] = &route{id: id, to: &sender{to: to}}
	m.publish()
}

// RemoveReturn ends a return, and reports whether there was one.
func (m *Mixer) RemoveReturn(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.returns[id]
	delete(m.returns, id)
	m.publish()
	return ok
}

// Route says which lanes are heard in a return, on air or not: all but the listener's
// own. Lanes that do not exist are not heard. While any of talk is among them, which
// speak to this listener alone, the others are 6 dB lower. Changes take 10 ms. It
// reports whether there is such a return.
func (m *Mixer) Route(id string, lanes []string, talk ...string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.returns[id]
	if r == nil {
		return false
	}
	if slices.Equal(r.lanes, lanes) && slices.Equal(r.talk, talk) {
		return true
	}
	r.lanes, r.talk = slices.Clone(lanes), slices.Clone(talk)
	m.publish()
	return true
}

// resolve finds the lanes of a route.
func (r *route) resolve(lanes map[string]*lane) send {
	s := send{id: r.id, sender: r.to, hears: make([]hearing, 0, len(r.lanes))}
	rest := float32(1)
	if slices.ContainsFunc(r.talk, func(id string) bool { return lanes[id] != nil && slices.Contains(r.lanes, id) }) {
		rest = talkDuck
	}
	for _, id := range r.lanes {
		l := lanes[id]
		if l == nil || slices.ContainsFunc(s.hears, func(h hearing) bool { return h.lane == l }) {
			continue
		}
		h := hearing{lane: l, gain: rest}
		if slices.Contains(r.talk, id) {
			h.gain = 1
		}
		s.hears = append(s.hears, h)
	}
	return s
}

// A sender makes the sound of one return: lanes after their faders, before the
// programme's own gain. It belongs to the goroutine that mixes.
type sender struct {
	to   Return
	taps []tap
	buf  [pcm.FrameLen]float32
}

// A tap is a lane's way into a return.
type tap struct {
	lane *lane
	gain ramp
}

// patch changes what is heard.
func (s *sender) patch(hears []hearing) {
	for i := range s.taps {
		s.taps[i].gain.to(0)
	}
	for _, h := range hears {
		i := slices.IndexFunc(s.taps, func(t tap) bool { return t.lane == h.lane })
		if i < 0 {
			i = len(s.taps)
			s.taps = append(s.taps, tap{lane: h.lane})
		}
		s.taps[i].gain.to(h.gain)
	}
	slices.SortStableFunc(s.taps, func(a, b tap) int { return byID(a.lane, b.lane) })
}

// send gives the return its frame.
func (s *sender) send() {
	clear(s.buf[:])
	over := false
	for i := range s.taps {
		t := &s.taps[i]
		if t.lane.last == pcm.Silent {
			t.gain.jump(t.gain.target)
		} else {
			t.gain.addTo(s.buf[:], t.lane.out[:])
		}
		over = over || t.gain.value == 0 && t.gain.target == 0
	}
	if over {
		s.taps = slices.DeleteFunc(s.taps, func(t tap) bool { return t.gain.value == 0 && t.gain.target == 0 })
	}
	bend(s.buf[:])
	s.to.Put(s.buf[:])
}

// bend keeps x within full scale: what is over the knee comes nearer and nearer to it.
func bend(x []float32) {
	if loudness.Top(x) <= clipKnee {
		return
	}
	const room = 1 - clipKnee
	for i, v := range x {
		switch {
		case v > clipKnee:
			over := (v - clipKnee) / room
			x[i] = clipKnee + room*over/(1+over)
		case v < -clipKnee:
			over := (-v - clipKnee) / room
			x[i] = -clipKnee - room*over/(1+over)
		}
	}
}
