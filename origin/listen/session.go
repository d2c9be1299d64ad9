package listen

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// A session is one time of listening.
type session struct {
	opt           Options
	start         time.Time
	fetch         *fetcher
	ledger        *ledger
	group         *errgroup.Group
	kind          string
	families      []*family
	renditions    []*rendition
	segments      atomic.Int64
	parts         atomic.Int64
	firstPlaylist atomic.Int64 // nanoseconds after start; 0: not yet
	firstMedia    atomic.Int64
	own           sketch // how late this machine woke us up
}

// Run listens until the time is over, the stream ends or ctx does, and reports what
// it heard until then. The error says why nothing could be heard at all; then the
// report has what is known of that. Errors of the options wrap [ErrOptions].
func (l *Listener) Run(ctx context.Context) (Report, error) {
	transport := l.opt.Transport
	if transport == nil {
		own := newTransport()
		defer own.CloseIdleConnections()
		transport = own
	}
	s := &session{opt: l.opt, start: time.Now(), fetch: newFetcher(transport)}
	s.ledger = newLedger(s.start)
	all := ctx
	if l.opt.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, l.opt.For)
		defer cancel()
	}
	err := s.find(ctx, l.url)
	if err == nil {
		err = s.pick(l.opt.Renditions)
	}
	switch {
	case all.Err() != nil:
		return s.failed(fmt.Errorf("%s: interrupted before anything was read", l.url.Redacted()))
	case err != nil && ctx.Err() != nil:
		return s.failed(fmt.Errorf("%s: no answer within %v", l.url.Redacted(), l.opt.For))
	case err != nil:
		return s.failed(err)
	}
	s.listen(ctx)
	stopped := time.Now()
	s.lastLook(all)
	if s.firstPlaylist.Load() == 0 && all.Err() == nil {
		return s.failed(fmt.Errorf("%s: no media playlist could be read", l.url.Redacted()))
	}
	return s.report(stopped), nil
}

// failed reports that nothing could be heard.
func (s *session) failed(err error) (Report, error) {
	r := s.report(time.Now())
	r.Reason, r.Passed = err.Error(), false
	return r, err
}

// listen follows all renditions until ctx or the stream ends.
func (s *session) listen(ctx context.Context) {
	s.group = new(errgroup.Group)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	var open atomic.Int64
	open.Store(int64(len(s.renditions)))
	for _, r := range s.renditions {
		s.group.Go(func() error { r.readPlaylist(ctx); return nil })
		s.group.Go(func() error { r.feed.run(ctx); return nil })
		s.group.Go(func() error {
			r.reel.run(ctx)
			if open.Add(-1) == 0 {
				close(done)
			}
			return nil
		})
	}
	s.group.Go(func() error { s.audit(ctx); return nil })
	s.group.Go(func() error { s.tell(ctx); return nil })
	s.group.Go(func() error { s.watch(ctx); return nil })
	<-done // every rendition has ended, by itself or with ctx
	cancel()
	_ = s.group.Wait() // nothing in it fails
}

// tell reports progress every second.
func (s *session) tell(ctx context.Context) {
	if s.opt.Progress == nil {
		return
	}
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			s.opt.Progress(s.progress())
		}
	}
}

// watch measures how late this machine wakes up who asked for it.
func (s *session) watch(ctx context.Context) {
	const nap = 20 * time.Millisecond
	for ctx.Err() == nil {
		begin := time.Now()
		pause(ctx, nap)
		if late := time.Since(begin) - nap; ctx.Err() == nil {
			s.own.add(late)
		}
	}
}

// first notes when something was there for the first time.
func (s *session) first(of *atomic.Int64, at time.Time) {
	of.CompareAndSwap(0, max(1, int64(at.Sub(s.start))))
}

// lastLook reads the multivariant playlists again: what they declare of the last
// segments. It is quick also when the listener was told to leave.
func (s *session) lastLook(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	s.refresh(ctx)
}
