package push

import "time"

// A load is what a store is spared because it takes less than there is.
type load struct {
	width
	shed    int           // of the highest renditions
	changed time.Time     // when it was last changed
	at      time.Duration // the lag then
	good    time.Time     // since when it keeps up
	patience
}

// A patience is how long a store must keep up until it is given more: longer when it
// could not bear that the last time.
type patience struct {
	hold  time.Duration
	given time.Time
}

const (
	tooSlow   = 2500 * time.Millisecond // a segment takes so long: it never catches up
	hurried   = 1500 * time.Millisecond // it is about to
	shedEvery = 4 * time.Second         // two segments show what it helped
	shedAgain = 12 * time.Second        // it should have helped by then
	holdLeast = 45 * time.Second
	holdMost  = 6 * time.Minute
)

// A width is how many puts there may be at one time: they share the line, so on a slow
// one the more there are the later the first of them is done.
type width struct{ less int } // than there are workers

const (
	slowPut  = time.Second
	quickPut = 400 * time.Millisecond
)

func (w *width) of(workers int) int { return max(workers-w.less, 1) }

func (w *width) took(d time.Duration, workers int) {
	switch {
	case d > slowPut:
		w.less = workers - w.of(workers)/2
	case d < quickPut:
		w.less = max(w.less-1, 0)
	}
}

// behind reports whether a lag is one of a line that is full.
func (l *load) behind(lag time.Duration) bool { return lag > hurried }

// Shed implements [packager.Shedder]: the store is spared a rendition more when it
// takes objects, but too late, and one less when it kept up for a while. A store that
// takes nothing at all would not be helped.
func (q *Queue) Shed(most int) int {
	if q.opt.Local { // it is the journal of the others
		return 0
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	was := q.load.shed
	q.load.weigh(now, q.lag(now), q.health.alive(now), most)
	if q.load.shed > was {
		q.metrics.sheds.Inc()
	}
	return q.load.shed
}

func (l *load) weigh(now time.Time, lag time.Duration, alive bool, most int) {
	if l.hold == 0 {
		l.hold = holdLeast
	}
	since := now.Sub(l.changed)
	switch {
	case !alive:
		l.good = now
	case lag > tooSlow:
		l.good = now
		if l.shed < most && since >= shedEvery && (lag >= l.at || since >= shedAgain) {
			l.more(now, lag)
		}
	case l.behind(lag):
		l.good = now
	case l.shed > 0 && now.Sub(l.good) >= l.hold && since >= l.hold:
		l.shed--
		l.changed, l.given, l.at = now, now, 0
	case l.shed == 0 && now.Sub(l.good) >= holdMost:
		l.hold = holdLeast
	}
}

func (l *load) more(now time.Time, lag time.Duration) {
	if !l.given.IsZero() && now.Sub(l.given) < l.hold {
		l.hold = min(2*l.hold, holdMost)
	}
	l.given = time.Time{}
	l.shed++
	l.changed, l.at = now, lag
}
