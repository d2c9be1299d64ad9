package mix

import (
	"longwave/ingest/pcm"
)

// A Return takes what somebody remote hears.
type Return interface {
	// Put is given one frame every 20 ms; it must not block nor keep the frame.
	Put(frame []float32)
}

// A sender makes the sound of one return: the sum of some lanes after their faders.
type sender struct {
	to    Return
	lanes map[string]bool // by id; replaced, never changed
	buf   [pcm.FrameLen]float32
}

// returns are the senders by id, guarded by the mixer's mutex.
type returns map[string]*sender

// AddReturn begins a return: to is given a frame with every frame of the programme. It
// is silent until [Mixer.Route] says what is heard in it. A return of the same id ends
// in its favour.
func (m *Mixer) AddReturn(id string, to Return) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.returns[id] = &sender{to: to}
}

// RemoveReturn ends a return, and reports whether there was one.
func (m *Mixer) RemoveReturn(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.returns[id]
	delete(m.returns, id)
	return ok
}

// Route says which lanes are heard in a return, on air or not: all but the listener's
// own. Lanes that do not exist are not heard. It reports whether there is such a return.
func (m *Mixer) Route(id string, lanes []string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.returns[id]
	if s == nil {
		return false
	}
	s.lanes = make(map[string]bool, len(lanes))
	for _, l := range lanes {
		s.lanes[l] = true
	}
	return true
}

// send gives every return its frame.
func (m *Mixer) send() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.returns {
		clear(s.buf[:])
		for _, l := range m.active {
			if !s.lanes[l.id] || l.last == pcm.Silent {
				continue
			}
			for i, v := range l.out {
				s.buf[i] += v
			}
		}
		s.to.Put(s.buf[:])
	}
}
