package push_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"longwave/packager"
	"longwave/packager/push"
)

var errDown = errors.New("down")

// A sink keeps what it is given, slowly, or fails as long as down says.
type sink struct {
	mu    sync.Mutex
	took  time.Duration
	down  func(packager.Key) error
	order []string
	now   map[string]string // newest version by key
	busy  map[packager.Key]bool
	t     *testing.T
}

func (s *sink) Put(ctx context.Context, o packager.Object) error {
	s.mu.Lock()
	if s.busy[o.Key] && !o.Key.Immutable() {
		s.t.Errorf("%s is put twice at one time", o.Key)
	}
	s.busy[o.Key] = true
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.busy, o.Key)
		s.mu.Unlock()
	}()
	select {
	case <-time.After(s.took):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down != nil {
		if err := s.down(o.Key); err != nil {
			return err
		}
	}
	s.order = append(s.order, o.Key.String())
	s.now[o.Key.String()] = string(o.Data)
	return nil
}

func segment(msn int64) packager.Object {
	return packager.Object{Key: packager.Key{Station: "talk", Rendition: "opus-48", Kind: packager.Segment, MSN: msn}, Data: fmt.Append(nil, msn)}
}

func playlist(version int) packager.Object {
	return packager.Object{Key: packager.Key{Station: "talk", Rendition: "opus-48", Kind: packager.Media}, Data: fmt.Append(nil, version)}
}

// start runs a queue to s in the bubble.
func start(t *testing.T, s *sink, opt push.Options) *push.Queue {
	t.Helper()
	s.t, s.now, s.busy = t, map[string]string{}, map[packager.Key]bool{}
	opt.Name, opt.Log = "test", slog.New(slog.DiscardHandler)
	q := push.New(s, opt)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- q.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return q
}

// acks waits for n acknowledgements and returns the errors by key.
func acks(t *testing.T, q *push.Queue, n int) map[string]error {
	t.Helper()
	got := map[string]error{}
	for range n {
		select {
		case a := <-q.Acks():
			got[a.Key.String()] = a.Err
		case <-time.After(time.Hour):
			t.Fatalf("%d of %d acknowledgements came", len(got), n)
		}
	}
	return got
}

func TestEverythingArrives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{took: 50 * time.Millisecond}
		q := start(t, s, push.Options{})
		for i := range int64(40) {
			q.Send(segment(i))
		}
		for key, err := range acks(t, q, 40) {
			if err != nil {
				t.Errorf("%s: %v", key, err)
			}
		}
		if q.Waiting() != 0 || len(s.now) != 40 {
			t.Errorf("%d wait, %d are kept", q.Waiting(), len(s.now))
		}
	})
}

// TestNewestPlaylistWins: of a playlist only the newest version need arrive, never an
// old one after it.
func TestNewestPlaylistWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{took: time.Second}
		q := start(t, s, push.Options{})
		for v := range 20 {
			q.Send(playlist(v))
			time.Sleep(100 * time.Millisecond)
		}
		acks(t, q, 20)
		if got := s.now[playlist(0).Key.String()]; got != "19" || len(s.order) > 4 {
			t.Errorf("version %s is kept after %d puts", got, len(s.order))
		}
	})
}

// TestRecovers: a store that is down for minutes gets everything afterwards.
func TestRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		back := time.Now().Add(5 * time.Minute)
		s := &sink{down: func(packager.Key) error {
			if time.Now().Before(back) {
				return errDown
			}
			return nil
		}}
		q := start(t, s, push.Options{})
		for i := range int64(150) {
			q.Send(segment(i))
			q.Send(playlist(int(i)))
			time.Sleep(2 * time.Second)
		}
		began := time.Now()
		acks(t, q, 300)
		if d := time.Since(began); d > 10*time.Second {
			t.Errorf("caught up %v after the store was back", d)
		}
		if len(s.now) != 151 {
			t.Errorf("%d objects are kept, want 151", len(s.now))
		}
	})
}

// TestGivesUp: what is too old, what the store will never take, and what does not fit
// is given up and said so; the newest goes on.
func TestGivesUp(t *testing.T) {
	never := errors.New("never")
	synctest.Test(t, func(t *testing.T) {
		s := &sink{down: func(k packager.Key) error {
			switch k.MSN {
			case 1:
				return errDown
			case 2:
				return never
			}
			return nil
		}}
		q := start(t, s, push.Options{MaxAge: time.Minute, Permanent: func(err error) bool { return errors.Is(err, never) }})
		began := time.Now()
		for i := range int64(4) {
			q.Send(segment(i))
		}
		got := acks(t, q, 4)
		if !errors.Is(got["talk/opus-48/1.m4s"], errDown) || !errors.Is(got["talk/opus-48/2.m4s"], never) || got["talk/opus-48/3.m4s"] != nil {
			t.Errorf("%v", got)
		}
		if d := time.Since(began); d < time.Minute || d > 70*time.Second {
			t.Errorf("given up after %v", d)
		}
	})
}

// TestFull: a queue is bounded: the oldest segment goes.
func TestFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{down: func(packager.Key) error { return errDown }}
		q := start(t, s, push.Options{MaxBytes: 20})
		for i := range int64(30) {
			q.Send(segment(i))
		}
		synctest.Wait()
		if n := q.Waiting(); n > 10+8 {
			t.Errorf("%d objects wait", n)
		}
		if a := <-q.Acks(); a.Err == nil {
			t.Errorf("%s was not given up", a.Key)
		}
	})
}

// TestHanging: a store that never answers holds up a put for its time and no more.
func TestHanging(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{took: time.Hour}
		q := start(t, s, push.Options{Timeout: time.Second, MaxAge: 20 * time.Second})
		q.Send(segment(1))
		if err := acks(t, q, 1)["talk/opus-48/1.m4s"]; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}
