// Package push carries objects to a store in the background.
//
//	Send ──> queue ──> workers ──> Sink (a store)
//	          │ newest version only    │
//	          │ of what is mutable     └──> Acks: kept, or given up
//
// What holds:
//
//   - Send never blocks: a store that is slow or dead delays neither the programme
//     nor another store.
//   - What changes (playlists) is sent one version at a time and never an old one
//     after a newer. What does not change (media) goes side by side.
//   - An object is tried until it is kept, its time is over, or the store says that
//     it will never take it.
//   - Every object that was sent is acknowledged once.
//
// This package does not decide what is sent or in which order it may be named: the
// packager does, from the acknowledgements.
package push

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"longwave/packager"
)

// ErrSuperseded is the error of an object that a newer version took the place of
// before it was sent.
var ErrSuperseded = errors.New("a newer version was sent")

// Options say how a [Queue] treats its store.
type Options struct {
	Name    string // of the store, for log and metrics
	Local   bool   // see [packager.Outlet]
	Workers int    // puts at one time; default 8
	// Timeout bounds one put; default 10 s.
	Timeout time.Duration
	// MaxAge is how long an object is tried; default 10 minutes.
	MaxAge time.Duration
	// MaxQueued bounds the objects that wait; beyond it the oldest media is given
	// up. Default 2,000: about 20 minutes of a ladder of five, or 60 MB.
	MaxQueued int
	// Permanent reports errors that trying again does not help. Default: none.
	Permanent func(error) bool
	Log       *slog.Logger
	Registry  prometheus.Registerer // nil: nothing is counted in public
}

func (o *Options) setDefaults() {
	if o.Workers == 0 {
		o.Workers = 8
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	if o.MaxAge == 0 {
		o.MaxAge = 10 * time.Minute
	}
	if o.MaxQueued == 0 {
		o.MaxQueued = 2_000
	}
	if o.Permanent == nil {
		o.Permanent = func(error) bool { return false }
	}
}

// A Queue is a [packager.Outlet] to one store.
type Queue struct {
	sink    packager.Sink
	opt     Options
	metrics *metrics
	acks    chan packager.Ack

	mu      sync.Mutex
	work    []*job        // waiting, oldest first
	wake    chan struct{} // buffered: there may be work
	busy    map[packager.Key]bool
	failing bool // the last put failed
}

// A job is an object on its way.
type job struct {
	object packager.Object
	queued time.Time
	tries  int
	notYet time.Time // do not try before
}

// New returns a queue to sink; [Queue.Run] empties it.
func New(sink packager.Sink, opt Options) *Queue {
	opt.setDefaults()
	q := &Queue{
		sink: sink, opt: opt,
		acks: make(chan packager.Ack, 2*opt.MaxQueued),
		wake: make(chan struct{}, 1),
		busy: map[packager.Key]bool{},
	}
	q.metrics = newMetrics(opt.Registry, opt.Name, q)
	return q
}

// Local implements [packager.Outlet].
func (q *Queue) Local() bool { return q.opt.Local }

// Acks implements [packager.Outlet].
func (q *Queue) Acks() <-chan packager.Ack { return q.acks }

// Send implements [packager.Outlet].
func (q *Queue) Send(o packager.Object) {
	q.mu.Lock()
	dropped, err := q.insert(&job{object: o, queued: time.Now()})
	q.mu.Unlock()
	if dropped != nil {
		q.acknowledge(dropped, err)
	}
	q.signal()
}

// insert enters j and returns the job that had to go for it, if any.
func (q *Queue) insert(j *job) (*job, error) {
	if !j.object.Key.Immutable() {
		for i, old := range q.work {
			if old.object.Key == j.object.Key {
				q.work[i] = j
				return old, ErrSuperseded
			}
		}
	}
	q.work = append(q.work, j)
	if len(q.work) <= q.opt.MaxQueued {
		return nil, nil
	}
	for i, old := range q.work {
		if old.object.Key.Kind == packager.Segment {
			q.work = append(q.work[:i], q.work[i+1:]...)
			return old, fmt.Errorf("%d objects wait already", q.opt.MaxQueued)
		}
	}
	return nil, nil
}

func (q *Queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// Run sends until ctx ends. What waits then is lost to this store: give ctx the
// time to drain, see [Queue.Waiting].
func (q *Queue) Run(ctx context.Context) error {
	var workers sync.WaitGroup
	defer workers.Wait()
	slots := make(chan struct{}, q.opt.Workers)
	for {
		j, wait := q.next()
		if j == nil {
			if !q.idle(ctx, wait) {
				return nil
			}
			continue
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		workers.Go(func() {
			defer func() { <-slots }()
			q.try(ctx, j)
		})
	}
}

// idle waits for work; it is false when ctx has ended.
func (q *Queue) idle(ctx context.Context, wait time.Duration) bool {
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-q.wake:
	case <-t.C:
	}
	return true
}

// next takes the oldest job that may be tried now, fillers last, or says how long
// there is none.
func (q *Queue) next() (*job, time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now, wait, found := time.Now(), time.Hour, -1
	for i, j := range q.work {
		if q.busy[j.object.Key] {
			continue
		}
		if d := j.notYet.Sub(now); d > 0 {
			wait = min(wait, d)
			continue
		}
		if found < 0 || !j.object.Filler {
			found = i
		}
		if !j.object.Filler {
			break
		}
	}
	if found < 0 {
		return nil, wait
	}
	j := q.work[found]
	q.work = slices.Delete(q.work, found, found+1)
	q.busy[j.object.Key] = true
	return j, 0
}

// try puts j once.
func (q *Queue) try(ctx context.Context, j *job) {
	putCtx, cancel := context.WithTimeout(ctx, q.opt.Timeout)
	err := q.sink.Put(putCtx, j.object)
	cancel()
	j.tries++
	again := err != nil && ctx.Err() == nil && !q.opt.Permanent(err) && time.Since(j.queued) < q.opt.MaxAge
	q.report(ctx, j, err)
	q.mu.Lock()
	delete(q.busy, j.object.Key)
	if again {
		j.notYet = time.Now().Add(backOff(j.tries))
		again = q.requeue(j)
		if !again {
			err = ErrSuperseded
		}
	}
	q.mu.Unlock()
	if !again {
		q.acknowledge(j, err)
	}
	q.signal()
}

// requeue puts j back in its place; it is false when a newer version waits.
func (q *Queue) requeue(j *job) bool {
	at := 0
	for i, other := range q.work {
		if other.object.Key == j.object.Key {
			return false
		}
		if !other.queued.After(j.queued) {
			at = i + 1
		}
	}
	q.work = append(q.work, nil)
	copy(q.work[at+1:], q.work[at:])
	q.work[at] = j
	return true
}

// backOff is how long to wait after the n-th failure: 0.2 s, doubling, at most 5 s.
func backOff(n int) time.Duration {
	return min(200*time.Millisecond<<min(n-1, 5), 5*time.Second)
}

// report logs when a store begins to fail and when it is well again, not each time.
func (q *Queue) report(ctx context.Context, j *job, err error) {
	if ctx.Err() != nil {
		return
	}
	q.mu.Lock()
	turned := q.failing != (err != nil)
	q.failing = err != nil
	q.mu.Unlock()
	switch {
	case err != nil:
		q.metrics.failures.Inc()
		if turned {
			q.opt.Log.ErrorContext(ctx, "store fails: the live stream goes on, nothing more is kept there until it recovers", "store", q.opt.Name, "key", j.object.Key.String(), "err", err)
		}
	case turned:
		q.opt.Log.InfoContext(ctx, "store works again", "store", q.opt.Name)
	}
}

func (q *Queue) acknowledge(j *job, err error) {
	if err != nil && !errors.Is(err, ErrSuperseded) {
		q.metrics.lost.Inc()
	}
	select {
	case q.acks <- packager.Ack{Key: j.object.Key, Err: err, Filler: j.object.Filler}:
	default: // nobody listens: the packager has ended
	}
}

// Waiting returns the number of objects that are not kept yet.
func (q *Queue) Waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.work) + len(q.busy)
}

// age returns how long the oldest object has been waiting.
func (q *Queue) age() time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.work) == 0 {
		return 0
	}
	return time.Since(q.work[0].queued)
}
