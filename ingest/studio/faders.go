package studio

import (
	"sync"
	"time"
)

// faderRests is how long a fader has to stay where it is before the log is told.
const faderRests = time.Second

// Faders are what hosts have moved and the log does not know yet. A fader that is drawn
// comes by in ten requests a second; the log is told where it came to rest.
type faders struct {
	mu    sync.Mutex
	moved map[string]move // by seat
}

type move struct {
	at   time.Time
	tell func()
}

// move notes that a seat's fader was moved, in place of what was noted before.
func (f *faders) move(seat string, now time.Time, tell func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.moved == nil {
		f.moved = map[string]move{}
	}
	f.moved[seat] = move{now, tell}
}

// rest tells the log of faders that have rested at now.
func (f *faders) rest(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for seat, m := range f.moved {
		if now.Sub(m.at) >= faderRests {
			m.tell()
			delete(f.moved, seat)
		}
	}
}
