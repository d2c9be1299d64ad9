package push

import (
	"context"
	"errors"
	"io/fs"
	"time"
)

// A health is how the store does.
type health struct {
	failures   int       // in a row
	retryAt    time.Time // then it is asked again
	lastOK     time.Time // a put succeeded
	aliveSince time.Time // the first success after a while without
	refused    bool      // the last failure was one that somebody has to mend
	thin       bool      // the journal no longer had something
}

const (
	// away is the number of failures in a row after which a store counts as away.
	away = 2
	// probes is how many puts there may be at one time to a store that is away: one may
	// hang, and the next one get through.
	probes = 3
	// patient is how much longer a put may take then: a store that is very slow would
	// otherwise take nothing at all.
	patient = 4
	// silence is how long a store takes nothing until it counts as dead and not slow.
	silence = 5 * time.Second
)

// wait returns how long nothing is to be sent: to a store that is away a put now and
// then.
func (h *health) wait(now time.Time, busy int) time.Duration {
	switch {
	case h.failures < away:
		return 0
	case busy >= probes:
		return time.Hour // until one is done
	}
	return h.retryAt.Sub(now)
}

// start notes that something is sent.
func (h *health) start(now time.Time) {
	if h.failures >= away {
		h.retryAt = now.Add(backOff(away + 2))
	}
}

// timeout is how long a put may take.
func (q *Queue) timeout(size int) time.Duration {
	t := q.opt.Timeout + time.Duration(size)*time.Second/slowest
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.health.failures >= away && !q.opt.Local {
		t *= patient
	}
	return t
}

// alive reports whether the store takes objects, and not only since just now, when it
// is given what waited for it.
func (h *health) alive(now time.Time) bool {
	return h.failures < away && now.Sub(h.lastOK) < tooSlow && now.Sub(h.aliveSince) > fresh
}

// note enters the end of a put; it reports whether the store just failed or just came
// back.
func (h *health) note(now time.Time, failed bool) (turned bool) {
	if failed {
		h.failures++
		h.retryAt = now.Add(backOff(h.failures))
		return h.failures == away
	}
	if now.Sub(h.lastOK) > silence {
		h.aliveSince = now
	}
	turned = h.failures >= away
	h.failures, h.lastOK = 0, now
	return turned
}

// report logs when a store begins to fail, when somebody has to act, and when it is
// well again, not each time.
func (q *Queue) report(ctx context.Context, j *job, err error, journal bool) {
	if journal {
		q.reportJournal(ctx, j, err)
		return
	}
	if ctx.Err() != nil {
		return
	}
	refused := err != nil && q.opt.Refused(err)
	answered := err == nil || q.opt.Permanent(err) // it does not fail, it says no
	q.mu.Lock()
	turned := q.health.note(time.Now(), !answered)
	if answered && turned {
		q.line.hurry()
	}
	alarm := refused && !q.health.refused
	q.health.refused = refused
	if turned && !answered {
		q.health.thin = false
	}
	q.mu.Unlock()
	log := q.opt.Log.With("store", q.opt.Name)
	switch {
	case alarm:
		log.ErrorContext(ctx, "store refuses what we send: the live stream goes on, somebody has to mend this", "key", j.object.Key.String(), "err", err)
	case answered && turned:
		log.InfoContext(ctx, "store works again", "backlog", q.owing())
	case turned:
		log.ErrorContext(ctx, "store fails: the live stream goes on, nothing more is kept there until it recovers", "key", j.object.Key.String(), "err", err)
	}
	if err != nil {
		q.metrics.failures.Inc()
	}
}

// reportJournal logs, once for each time that the store was away, that the journal
// does not have what the store lacks.
func (q *Queue) reportJournal(ctx context.Context, j *job, err error) {
	if ctx.Err() != nil {
		return
	}
	q.mu.Lock()
	first := !q.health.thin
	q.health.thin = true
	if !errors.Is(err, fs.ErrNotExist) { // the disk is ill: not so fast
		q.health.failures = max(q.health.failures, away)
		q.health.retryAt = time.Now().Add(backOff(5))
	}
	q.mu.Unlock()
	if first {
		q.opt.Log.ErrorContext(ctx, "what the store lacks cannot be read on this machine: it is given up there, keep more (store.spool, store.spool_bytes)",
			"store", q.opt.Name, "key", j.object.Key.String(), "err", err)
	}
}

func (q *Queue) owing() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.backlog.count
}
