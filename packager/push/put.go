package push

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"time"

	"longwave/packager"
)

// work does j once and enters what came of it.
func (q *Queue) work(ctx context.Context, j *job) {
	begin := time.Now()
	read, err := q.carry(ctx, j)
	took := time.Since(begin)
	lost := j.owed && !read && errors.Is(err, fs.ErrNotExist)
	q.report(ctx, j, err, j.owed && !read)
	q.mu.Lock()
	delete(q.busy, j.object.Key)
	j.tries++
	if j.class() >= classLate {
		q.backlog.took(took, err)
	}
	if err == nil || took > slowPut {
		q.load.took(took, q.opt.Workers)
	}
	again := err != nil && !lost && !q.opt.Permanent(err)
	switch {
	case again && j.owed:
		q.backlog.add(j.object.Key)
	case again && ctx.Err() != nil && q.opt.Journal != nil:
		again, err = false, ErrSpooled // another run finds it
	case again && (ctx.Err() != nil || j.object.Key.Immutable() && time.Since(j.queued) >= q.opt.MaxAge):
		again = false
	case again:
		j.notYet = time.Now().Add(backOff(j.tries))
		if again = q.line.requeue(j); !again {
			err = ErrSuperseded
		}
	}
	q.mu.Unlock()
	if !again {
		q.acknowledge(j, err)
	}
	q.signal()
}

// carry does j; read is false when it came no further than the journal.
func (q *Queue) carry(ctx context.Context, j *job) (read bool, err error) {
	o := j.object
	if j.gone {
		ctx, cancel := context.WithTimeout(ctx, q.timeout(0))
		defer cancel()
		return true, q.opt.Delete(ctx, o.Key)
	}
	if j.owed {
		if o.Data, err = q.opt.Journal.Read(ctx, o.Key); err != nil {
			return false, err
		}
	}
	return true, q.put(ctx, o, j)
}

// slowest is the rate in byte/s below which a put is given up and tried again.
const slowest = 8_000

// put puts o and, when that takes long, once more at the same time: a second
// connection mostly gets through where the first one hangs. The first success counts,
// for both write the same bytes. What changes is never put twice: the slower one could
// bring an old version back.
func (q *Queue) put(ctx context.Context, o packager.Object, j *job) error {
	ctx, cancel := context.WithTimeout(ctx, q.timeout(len(o.Data)))
	defer cancel()
	if q.opt.Hedge < 0 || !o.Key.Immutable() || j.class() >= classLate {
		return q.sink.Put(ctx, o)
	}
	answers := make(chan error, 2)
	send := func() { answers <- q.sink.Put(ctx, o) }
	q.strays.Go(send)
	t := time.NewTimer(q.opt.Hedge)
	defer t.Stop()
	select {
	case err := <-answers:
		q.mayHedge(false)
		return err
	case <-t.C:
	}
	if !q.mayHedge(true) {
		return <-answers
	}
	q.metrics.hedged.Inc()
	q.strays.Go(send)
	err := <-answers
	if err != nil { // of two writers one may be told that the other was there first
		if other := <-answers; other == nil || q.opt.Permanent(other) {
			err = other
		}
	}
	return err
}

// A budget keeps second puts a small part of all: on a line that is slow as a whole
// they would make it slower.
type budget struct{ tokens float64 }

const (
	hedgeShare = 0.1 // of all puts
	hedgeBurst = 2
)

func (q *Queue) mayHedge(want bool) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	b := &q.hedges
	b.tokens = min(b.tokens+hedgeShare, hedgeBurst)
	if !want || b.tokens < 1 || q.load.shed > 0 || q.load.behind(q.lag(time.Now())) {
		return false
	}
	b.tokens--
	return true
}

// backOff is how long to wait after the n-th failure: about 0.2 s, doubling, at most
// about 3 s, and not the same for all who wait.
func backOff(n int) time.Duration {
	d := min(200*time.Millisecond<<min(n-1, 4), 3*time.Second)
	return d*3/4 + rand.N(d/2)
}
