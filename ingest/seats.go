package ingest

import (
	"fmt"
	"sync"
	"time"
)

// drainTime bounds how long lanes are played out after the programme was closed.
const drainTime = 3 * time.Second

// seats are the lanes of a programme. A token owns a seat; the connection that uses
// it may change.
type seats struct {
	mu     sync.Mutex
	lanes  map[string]*Lane // by seat
	old    []*Lane          // without a seat, still being played
	count  int              // lanes so far
	closed time.Time        // zero while speakers are admitted
}

// take gives l its seat and returns the lane that had it, if there was one.
func (s *seats) take(l *Lane, most int) (before *Lane, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed.IsZero() {
		return nil, fmt.Errorf("the programme ends: %w", ErrClosed)
	}
	before = s.lanes[l.seat]
	if before == nil && len(s.lanes) >= most {
		return nil, fmt.Errorf("%d speakers are connected: %w", most, ErrBusy)
	}
	if before != nil {
		s.old = append(s.old, before)
	}
	s.count++
	l.id = fmt.Sprintf("%s#%d", l.seat, s.count)
	s.lanes[l.seat] = l
	return before, nil
}

// sweep calls remove for each lane of which nothing is left to be heard, and reports
// that the programme is over.
func (s *seats) sweep(remove func(*Lane)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for seat, l := range s.lanes {
		if l.played() {
			remove(l)
			delete(s.lanes, seat)
		}
	}
	rest := s.old[:0]
	for _, l := range s.old {
		if l.played() {
			remove(l)
		} else {
			rest = append(rest, l)
		}
	}
	clear(s.old[len(rest):])
	s.old = rest
	return !s.closed.IsZero() && (len(s.lanes)+len(s.old) == 0 || time.Since(s.closed) > drainTime)
}

// title returns the title of sound that has just come to be heard.
func (s *seats) title() (text string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lanes {
		if t, due := l.due(); due {
			text, ok = t, true
		}
	}
	return text, ok
}

// close ends every lane and lets nobody in any more.
func (s *seats) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed.IsZero() {
		return
	}
	s.closed = time.Now()
	for _, l := range s.lanes {
		l.end(ErrClosed)
	}
}
