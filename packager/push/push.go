// Package push carries objects to a store in the background.
//
//	Send ──> line (bytes) ──────────────┐
//	          │ 12 s, and the journal   ├──> workers ──> Sink (a store)
//	          │ has it                  │
//	          └──> backlog (names only) ┘──> Acks: kept, spooled, or given up
//	Spool ─────────^        ^
//	Owe ────────────────────┘
//
// What holds:
//
//   - Send never blocks: a store that is slow or dead delays neither the programme
//     nor another store.
//   - What changes (playlists) is sent one version at a time and never an old one
//     after a newer. What does not change (media) goes side by side, and a second
//     time when the first takes long.
//   - First what is small and what is new, of the renditions that are never shed before
//     the others; then the backlog, and fillers last.
//   - With a journal an object is tried until the store has it or the journal no
//     longer does; without one, until its time is over. Memory is bounded in either
//     case: of what waits for long only the name is kept.
//   - A store that is away is asked by a put now and then.
//   - Every object that was sent is acknowledged once. [ErrSpooled] says that the
//     store gets it, but too late for a live playlist.
//
// This package does not decide what is sent or in which order it may be named: the
// packager does, from the acknowledgements. It keeps nothing on disk: the journal is
// another store, which deletes what is too old.
package push

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"longwave/packager"
)

var (
	// ErrSuperseded is the error of an object that a newer version took the place of
	// before it was sent.
	ErrSuperseded = errors.New("a newer version was sent")
	// ErrSpooled is the error of an object that the store does not have yet and gets
	// from the journal later.
	ErrSpooled = errors.New("spooled")
	errFull    = errors.New("too many objects wait already")
)

// fresh is how long an object is for the live playlists; then it is backlog. Six
// segments: a player that reads a store stands four to five behind.
const fresh = 12 * time.Second

// Options say how a [Queue] treats its store.
type Options struct {
	Name    string // of the store, for log and metrics
	Local   bool   // see [packager.Outlet]
	Workers int    // puts at one time; default 8
	// Timeout bounds one put: so long, and a second more for each 8 kB; four times that
	// while nothing gets through. Default 2 s, 10 s for a local store.
	Timeout time.Duration
	// Hedge is when a put of what never changes is sent a second time. Default 300 ms;
	// negative: never. A local store is not hedged.
	Hedge time.Duration
	// Journal reads what is kept on this machine: what it has needs no memory here.
	// Nil: there is none.
	Journal packager.Reader
	// MaxAge is how long media that the journal does not have is tried; default 10
	// minutes. Of what changes the newest version is tried for ever.
	MaxAge time.Duration
	// MaxBytes bounds what waits in memory; beyond it the oldest media is given up.
	// Default 32 MB: ten minutes of a ladder of five.
	MaxBytes int64
	// Permanent reports errors that trying again does not help. Default: none.
	Permanent func(error) bool
	// Refused reports errors that stay until somebody acts, as wrong credentials do.
	// Default: none.
	Refused func(error) bool
	// Delete takes an object away, for [Queue.Withdraw]. Nil: it stays.
	Delete   func(context.Context, packager.Key) error
	Log      *slog.Logger
	Registry prometheus.Registerer // nil: nothing is counted in public
}

func (o *Options) setDefaults() {
	if o.Workers == 0 {
		o.Workers = 8
	}
	if o.Timeout == 0 {
		o.Timeout = 2 * time.Second
		if o.Local {
			o.Timeout = 10 * time.Second
		}
	}
	if o.Hedge == 0 {
		o.Hedge = 300 * time.Millisecond
	}
	if o.Local {
		o.Hedge = -1
	}
	if o.MaxAge == 0 {
		o.MaxAge = 10 * time.Minute
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 32_000_000
	}
	never := func(error) bool { return false }
	if o.Permanent == nil {
		o.Permanent = never
	}
	if o.Refused == nil {
		o.Refused = never
	}
}

// A Queue is a [packager.Outlet] and a [packager.Shedder] to one store.
type Queue struct {
	sink    packager.Sink
	opt     Options
	metrics *metrics
	acks    chan packager.Ack
	wake    chan struct{} // buffered: there may be work
	strays  sync.WaitGroup

	mu      sync.Mutex
	line    line
	backlog backlog
	busy    map[packager.Key]*job
	spiller spiller
	health  health
	load    load
	hedges  budget
}

// maxAcks bounds the acknowledgements that nobody took in yet: far more than there
// are objects of twelve seconds.
const maxAcks = 8_192

// New returns a queue to sink; [Queue.Run] empties it.
func New(sink packager.Sink, opt Options) *Queue {
	opt.setDefaults()
	q := &Queue{
		sink: sink, opt: opt,
		acks: make(chan packager.Ack, maxAcks),
		wake: make(chan struct{}, 1),
		busy: map[packager.Key]*job{},
	}
	q.hedges.tokens = hedgeBurst
	q.metrics = newMetrics(opt.Registry, opt.Name, q)
	return q
}

// Local implements [packager.Outlet].
func (q *Queue) Local() bool { return q.opt.Local }

// Acks implements [packager.Outlet].
func (q *Queue) Acks() <-chan packager.Ack { return q.acks }

// Send implements [packager.Outlet].
func (q *Queue) Send(o packager.Object) { q.enter(&job{object: o, queued: time.Now()}) }

// Spool implements [packager.Shedder].
func (q *Queue) Spool(o packager.Object) {
	q.enter(&job{object: o, queued: time.Now(), silent: true, late: true})
}

// Withdraw implements [packager.Shedder].
func (q *Queue) Withdraw(k packager.Key) {
	if q.opt.Delete != nil {
		q.enter(&job{object: packager.Object{Key: k}, queued: time.Now(), silent: true, gone: true})
	}
}

// Owe has the queue send an object that the journal has and the store lacks, when
// there is nothing newer to do. It is not acknowledged. Without a journal there is
// nothing to send.
func (q *Queue) Owe(k packager.Key) {
	if q.opt.Journal == nil {
		return
	}
	q.mu.Lock()
	q.backlog.add(k)
	q.mu.Unlock()
	q.signal()
}

// Owes reports whether the store is still to get the object.
func (q *Queue) Owes(k packager.Key) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.busy[k] != nil || q.backlog.has(k) || q.line.has(k)
}

func (q *Queue) enter(j *job) {
	q.mu.Lock()
	out, err := q.line.insert(j, q.opt.MaxBytes)
	q.mu.Unlock()
	if out != nil {
		q.acknowledge(out, err)
	}
	q.signal()
}

func (q *Queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// Run sends until ctx ends. What waits then the store gets in another run, by
// [Queue.Owe], or, without a journal, never: give ctx the time to drain, see
// [Queue.Waiting].
func (q *Queue) Run(ctx context.Context) error {
	defer q.strays.Wait()
	var workers sync.WaitGroup
	defer workers.Wait()
	for ctx.Err() == nil {
		q.spill(ctx, &workers)
		j, wait := q.next()
		if j == nil {
			q.idle(ctx, wait)
			continue
		}
		workers.Go(func() { q.work(ctx, j) })
	}
	return nil
}

// idle waits for work.
func (q *Queue) idle(ctx context.Context, wait time.Duration) {
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-q.wake:
	case <-t.C:
	}
}

// next takes the job that is to be done now, or says for how long there is none.
func (q *Queue) next() (*job, time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	if wait := q.health.wait(now, len(q.busy)); wait > 0 {
		return nil, q.look(wait)
	}
	behind := q.load.behind(q.lag(now))
	width := q.width(now)
	if len(q.busy) >= width {
		return nil, q.look(time.Hour) // until one of them is done
	}
	j, wait := q.line.first(now, q.busy)
	if j != nil && j.class() > classBasic && len(q.busy) >= q.share(width, behind) {
		return nil, q.look(wait) // the rest is for what is never shed
	}
	if j == nil || j.class() >= classLate {
		if !q.mayCatchUp(behind) {
			return nil, q.look(wait)
		}
		if j == nil || j.class() == classFiller {
			if d := q.backlog.notYet.Sub(now); d > 0 {
				wait = min(wait, d)
			} else if k, ok := q.backlog.take(); ok {
				j = &job{object: packager.Object{Key: k}, queued: now, silent: true, late: true, owed: true}
			}
		}
	}
	if j == nil {
		return nil, q.look(wait)
	}
	q.line.remove(j)
	j.begun = now
	q.health.start(now)
	q.busy[j.object.Key] = j
	return j, 0
}

// share is how many of them may be under way when another one starts that is not of the
// lowest renditions: few, so that these find the line free when it suddenly is slow;
// more when puts are quick and there are just many.
func (q *Queue) share(width int, behind bool) int {
	if behind && q.load.less == 0 {
		return max(width/2, 1)
	}
	return max(width/4, 1)
}

// width is how many puts there may be now. The caller holds q.mu.
func (q *Queue) width(now time.Time) int {
	n := q.load.of(q.opt.Workers)
	for _, j := range q.busy {
		if now.Sub(j.begun) > slowPut {
			return max(n/2, 1)
		}
	}
	return n
}

// mayCatchUp bounds what is sent beside the live stream, more so on a slow line.
func (q *Queue) mayCatchUp(behind bool) bool {
	if behind || q.load.shed > 0 {
		return len(q.busy) == 0
	}
	n := 0
	for _, j := range q.busy {
		if j.class() >= classLate {
			n++
		}
	}
	return n < min(q.backlog.pace(), max(q.width(time.Now())/2, 1))
}

func (q *Queue) acknowledge(j *job, err error) {
	switch {
	case errors.Is(err, ErrSpooled):
		q.metrics.spooled.Inc()
	case err != nil && !errors.Is(err, ErrSuperseded):
		q.metrics.lost.Inc()
	}
	if j.silent {
		return
	}
	select {
	case q.acks <- packager.Ack{Key: j.object.Key, Err: err, Filler: j.object.Filler}:
	default: // nobody listens: the packager has ended
	}
}

// Waiting returns the number of objects that are not kept yet, the backlog included.
func (q *Queue) Waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.line.jobs) + len(q.busy) + q.backlog.count
}

// lag is how long the oldest new segment has been waiting or under way, from when the
// store took anything at all. The caller holds q.mu.
func (q *Queue) lag(now time.Time) time.Duration {
	oldest := now
	live := func(j *job) {
		if c := j.class(); (c == classBasic || c == classFresh) && j.object.Key.Immutable() && j.queued.Before(oldest) {
			oldest = j.queued
		}
	}
	for _, j := range q.line.jobs {
		live(j)
	}
	for _, j := range q.busy {
		live(j)
	}
	if oldest.Before(q.health.aliveSince) {
		oldest = q.health.aliveSince
	}
	return now.Sub(oldest)
}
