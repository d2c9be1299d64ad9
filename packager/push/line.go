package push

import (
	"slices"
	"time"

	"longwave/packager"
)

// A job is an object on its way.
type job struct {
	object packager.Object
	queued time.Time
	tries  int
	begun  time.Time // the try that is under way
	notYet time.Time // do not try before
	silent bool      // nobody waits for its acknowledgement
	late   bool      // everything new goes first, as with Object.Late
	owed   bool      // of the backlog: its bytes are in the journal
	gone   bool      // the object is to be taken away
}

// A class is the place of a job in the order of sending.
type class int

const (
	classSmall  class = iota // init segments, multivariants, state: without them nothing is of use
	classBasic               // new segments of renditions that are never shed, and playlists
	classList                // playlists of the others
	classFresh               // new segments of the others
	classLate                // what was shed, or made before; the backlog
	classFiller              // near-silence of missed segments
)

func (j *job) class() class {
	switch o := j.object; {
	case o.Filler:
		return classFiller
	case j.late, o.Late:
		return classLate
	case o.Basic:
		return classBasic
	case o.Key.Kind == packager.Media:
		return classList
	case o.Key.Kind == packager.Segment || o.Key.Kind == packager.Part:
		return classFresh
	}
	return classSmall
}

// A line is the jobs that wait with their bytes, oldest first.
type line struct {
	jobs  []*job
	bytes int64
}

// insert enters j and returns the job that had to go for it, if any.
func (l *line) insert(j *job, maxBytes int64) (*job, error) {
	if !j.object.Key.Immutable() {
		for i, old := range l.jobs {
			if old.object.Key == j.object.Key {
				l.jobs[i] = j
				l.bytes += int64(len(j.object.Data) - len(old.object.Data))
				return old, ErrSuperseded
			}
		}
	}
	l.jobs = append(l.jobs, j)
	l.bytes += int64(len(j.object.Data))
	if l.bytes <= maxBytes {
		return nil, nil
	}
	for _, old := range l.jobs {
		if old.object.Key.Kind == packager.Segment {
			l.remove(old)
			return old, errFull
		}
	}
	return nil, nil
}

// first returns the job to do next, or how long there is none. Of what changes only
// one version is under way at a time.
func (l *line) first(now time.Time, busy map[packager.Key]*job) (*job, time.Duration) {
	var best *job
	wait := time.Hour
	for _, j := range l.jobs {
		if busy[j.object.Key] != nil {
			continue
		}
		if d := j.notYet.Sub(now); d > 0 {
			wait = min(wait, d)
			continue
		}
		if best == nil || j.class() < best.class() {
			best = j
		}
	}
	return best, wait
}

func (l *line) remove(j *job) {
	if i := slices.Index(l.jobs, j); i >= 0 {
		l.jobs = slices.Delete(l.jobs, i, i+1)
		l.bytes -= int64(len(j.object.Data))
	}
}

// requeue puts j back in its place; it is false when a newer version waits.
func (l *line) requeue(j *job) bool {
	at := 0
	for i, other := range l.jobs {
		if other.object.Key == j.object.Key {
			return false
		}
		if !other.queued.After(j.queued) {
			at = i + 1
		}
	}
	l.jobs = slices.Insert(l.jobs, at, j)
	l.bytes += int64(len(j.object.Data))
	return true
}

func (l *line) has(k packager.Key) bool {
	return slices.ContainsFunc(l.jobs, func(j *job) bool { return j.object.Key == k })
}

// hurry forgets that jobs were to wait: the store is back.
func (l *line) hurry() {
	for _, j := range l.jobs {
		j.notYet = time.Time{}
	}
}

// age returns how long the oldest job has been waiting.
func (l *line) age() time.Duration {
	if len(l.jobs) == 0 {
		return 0
	}
	return time.Since(l.jobs[0].queued)
}
