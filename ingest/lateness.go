package ingest

import (
	"log/slog"
	"sync/atomic"
	"time"

	"longwave/ingest/pcm"
)

const (
	// lateLoud is from when on the log is told that frames are late: of the second that
	// listeners have in hand that is too much.
	lateLoud = 500 * time.Millisecond
	lateCalm = int(time.Minute / pcm.FrameDuration) // frames in time until all is well
	lateFair = 100 * time.Millisecond
	// wakeTime is how long the mixer lets others go first when it has just woken so late:
	// what came meanwhile is in sockets, and the frames that are due need it.
	wakeTime = pcm.FrameDuration
	lateFade = 500 // of the worst one part a frame is forgotten
)

// A lateness tells the log when the programme cannot keep time, once and not for every
// frame, and when it can again. Nothing of ours waits: it is the machine that is busy, or
// stood still.
type lateness struct {
	worst  time.Duration // since it is late; 0: it is not
	calm   int           // frames in time, one after the other
	last   time.Duration // of the frame before
	recent atomic.Int64  // nanoseconds; the worst, which is forgotten in some 20 s
}

// woke reports that the machine has just stood still: this frame is much later than the
// one before.
func (l *lateness) woke(late time.Duration) bool {
	before := l.last
	l.last = late
	return late-before > lateFair
}

// see takes in how late a frame is.
func (l *lateness) see(late time.Duration, log *slog.Logger) {
	recent := l.recent.Load()
	l.recent.Store(max(int64(late), recent-recent/lateFade))
	switch {
	case late > lateLoud && l.worst == 0:
		log.Warn("the programme is late: this machine is too busy or stood still", "late", late.Round(time.Millisecond))
		l.worst, l.calm = late, 0
	case l.worst == 0:
	case late > lateFair:
		l.worst, l.calm = max(l.worst, late), 0
	default:
		if l.calm++; l.calm >= lateCalm {
			log.Info("the programme has been in time for a minute", "worst", l.worst.Round(time.Millisecond))
			l.worst = 0
		}
	}
}
