package ffmpeg

import (
	"sync"
	"time"
)

const (
	// stallAfter is how long a process may be fed, or drained, without output.
	stallAfter = 2 * time.Second
	// startWithin is the same before its first output: probing and a busy machine.
	startWithin = 10 * time.Second
	// stallBytes is what must have been fed: less may be half a frame.
	stallBytes = 4096
)

// A watch judges whether a process hangs: it was fed, or told the end, and gives
// nothing although somebody is there to take it.
type watch struct {
	mu      sync.Mutex
	fed     int       // bytes since the last output
	since   time.Time // of the first of them, of the end, or of the wait's start
	begun   bool      // there was output
	closing bool      // no more input will come
	blocked bool      // the taker of the output is busy
}

func (w *watch) feed(n int, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fed == 0 {
		w.since = now
	}
	w.fed += n
}

func (w *watch) close(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closing, w.since = true, now
}

// got says that output came and is now being handed on.
func (w *watch) got() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fed, w.begun, w.blocked = 0, true, true
}

// waiting says that the output was taken and more is waited for.
func (w *watch) waiting(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.blocked, w.since = false, now
}

func (w *watch) stalled(now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	limit := stallAfter
	if !w.begun {
		limit = startWithin
	}
	return !w.blocked && (w.closing || w.fed >= stallBytes) && now.Sub(w.since) >= limit
}
