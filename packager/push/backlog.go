package push

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"time"

	"longwave/packager"
)

// A backlog is what the store lacks and the journal has: names, no bytes. Segments
// are runs of numbers, so that hours of them are as cheap as one.
type backlog struct {
	lanes  []*lane
	others []packager.Key // init segments
	count  int
	since  time.Time // the store lacks anything
	fast   int       // puts at one time, beside one

	notYet   time.Time // do not try before
	stumbles int       // failures in a row
}

// A lane is the segments of a rendition.
type lane struct {
	station, rendition string
	runs               []run // ascending, apart from each other
}

// A run is the segments from one number to before another.
type run struct{ from, to int64 }

// paceMost bounds the puts of the backlog at one time.
const paceMost = 4

// pace is how many puts of the backlog may be under way: it grows while they are
// quick.
func (b *backlog) pace() int { return 1 + b.fast }

// took notes how long a put of the backlog took. One that takes longer than quick
// fills the line by itself.
func (b *backlog) took(d time.Duration, err error) {
	const quick = 250 * time.Millisecond
	if err == nil && d < quick {
		b.fast = min(b.fast+1, paceMost-1)
	} else {
		b.fast = 0
	}
	if err == nil {
		b.stumbles = 0
		return
	}
	b.stumbles++
	b.notYet = time.Now().Add(backOff(b.stumbles))
}

// age returns for how long the store has been lacking something.
func (b *backlog) age() time.Duration {
	if b.count == 0 {
		return 0
	}
	return time.Since(b.since) + fresh
}

func (b *backlog) lane(k packager.Key) *lane {
	for _, l := range b.lanes {
		if l.station == k.Station && l.rendition == k.Rendition {
			return l
		}
	}
	return nil
}

func (b *backlog) has(k packager.Key) bool {
	if k.Kind != packager.Segment {
		return slices.Contains(b.others, k)
	}
	l := b.lane(k)
	if l == nil {
		return false
	}
	i := l.at(k.MSN)
	return i < len(l.runs) && l.runs[i].from <= k.MSN
}

// at returns the first run that ends behind msn.
func (l *lane) at(msn int64) int {
	i, _ := slices.BinarySearchFunc(l.runs, msn, func(r run, msn int64) int {
		if r.to <= msn {
			return -1
		}
		return 1
	})
	return i
}

func (b *backlog) add(k packager.Key) {
	if b.has(k) {
		return
	}
	if b.count++; b.count == 1 {
		b.since = time.Now()
	}
	if k.Kind != packager.Segment {
		b.others = append(b.others, k)
		return
	}
	l := b.lane(k)
	if l == nil {
		l = &lane{station: k.Station, rendition: k.Rendition}
		b.lanes = append(b.lanes, l)
	}
	i := l.at(k.MSN)
	before := i > 0 && l.runs[i-1].to == k.MSN
	after := i < len(l.runs) && l.runs[i].from == k.MSN+1
	switch {
	case before && after:
		l.runs[i-1].to = l.runs[i].to
		l.runs = slices.Delete(l.runs, i, i+1)
	case before:
		l.runs[i-1].to++
	case after:
		l.runs[i].from--
	default:
		l.runs = slices.Insert(l.runs, i, run{k.MSN, k.MSN + 1})
	}
}

// take removes and returns what comes first: init segments, then the oldest segment,
// which is also the one that the journal deletes first. After a failure it is the
// newest, so that one object that cannot be put does not hold up the others.
func (b *backlog) take() (packager.Key, bool) {
	if b.count == 0 {
		return packager.Key{}, false
	}
	b.count--
	if len(b.others) > 0 {
		k := b.others[0]
		b.others = b.others[1:]
		return k, true
	}
	var l *lane
	for _, other := range b.lanes {
		if len(other.runs) > 0 && (l == nil || other.runs[0].from < l.runs[0].from) {
			l = other
		}
	}
	k := packager.Key{Station: l.station, Rendition: l.rendition, Kind: packager.Segment}
	if b.stumbles > 0 {
		r := &l.runs[len(l.runs)-1]
		r.to--
		k.MSN = r.to
	} else {
		k.MSN = l.runs[0].from
		l.runs[0].from++
	}
	l.runs = slices.DeleteFunc(l.runs, func(r run) bool { return r.from == r.to })
	return k, true
}

// A spiller moves media to the backlog.
type spiller struct {
	busy   bool
	notYet time.Time // the journal did not have it: ask later
}

// look bounds a wait by when the spiller has to look again.
func (q *Queue) look(wait time.Duration) time.Duration {
	if q.opt.Journal != nil && len(q.line.jobs) > 0 {
		return min(wait, time.Second)
	}
	return wait
}

// spill starts, at most once at a time, to move what is no longer for the live
// playlists from memory to the backlog.
func (q *Queue) spill(ctx context.Context, workers *sync.WaitGroup) {
	if q.opt.Journal == nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	if q.spiller.busy || q.spiller.notYet.After(now) {
		return
	}
	old := q.stale(now)
	if len(old) == 0 {
		return
	}
	q.spiller.busy = true
	workers.Go(func() {
		all := true
		for _, j := range old {
			all = q.spillOne(ctx, j) && all
		}
		q.mu.Lock()
		q.spiller.busy = false
		if !all {
			q.spiller.notYet = time.Now().Add(time.Second)
		}
		q.mu.Unlock()
		q.signal()
	})
}

// stale returns the media that has waited for too long to be named.
func (q *Queue) stale(now time.Time) []*job {
	var old []*job
	for _, j := range q.line.jobs {
		if j.object.Key.Immutable() && j.object.Key.Kind != packager.Part && now.Sub(j.queued) >= fresh {
			old = append(old, j)
		}
	}
	return old
}

// spillOne moves j if the journal has its very bytes. Otherwise it stays in memory, as
// long as there is room.
func (q *Queue) spillOne(ctx context.Context, j *job) bool {
	data, err := q.opt.Journal.Read(ctx, j.object.Key)
	if err != nil || !bytes.Equal(data, j.object.Data) {
		return false
	}
	q.mu.Lock()
	waits := slices.Contains(q.line.jobs, j) // nobody took it meanwhile
	if waits {
		q.line.remove(j)
		q.backlog.add(j.object.Key)
	}
	q.mu.Unlock()
	if waits {
		q.acknowledge(j, ErrSpooled)
	}
	return true
}
