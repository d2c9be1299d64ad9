package disk

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"longwave/origin/store"
)

// TestHang: an operation on a disk that hangs ends when its context does, also
// when all slots are taken by such operations. When the disk answers, all is well.
func TestHang(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s, err := Open(Options{Dir: dir, InFlight: 2})
		if err != nil {
			t.Fatal(err)
		}
		disk := make(chan struct{}) // closed when the disk answers
		answer := errors.New("the disk answers")
		hang := func() (int, error) { <-disk; return 7, answer }
		why := errors.New("the caller left")
		ctx, cancel := context.WithCancelCause(t.Context())
		done := make(chan error)
		for range 4 {
			go func() {
				_, err := run(ctx, s, hang)
				done <- err
			}()
		}
		synctest.Wait()
		select {
		case err := <-done:
			t.Fatalf("returned before the disk and the caller: %v", err)
		default:
		}
		cancel(why)
		for range 4 {
			if err := <-done; !errors.Is(err, why) {
				t.Errorf("error %v, want %v", err, why)
			}
		}
		synctest.Wait()
		if n := len(s.slots); n != 2 {
			t.Errorf("%d operations count as running, want the 2 that hang", n)
		}
		close(disk)
		if v, err := run(t.Context(), s, hang); v != 7 || !errors.Is(err, answer) {
			t.Errorf("after the disk came back: %d, %v", v, err)
		}
		if _, err := s.PutIf(t.Context(), "talk/index.m3u8", nil, store.Always); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestLate: a write whose caller has left while the disk hung does not come late: the caller
// may have written a newer version.
func TestLate(t *testing.T) {
	s, err := Open(Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if _, err := s.PutIf(t.Context(), "talk/index.m3u8", []byte("new"), store.Always); err != nil {
		t.Fatal(err)
	}
	why := errors.New("the caller left")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	for _, w := range []write{
		{name: "talk/index.m3u8", data: []byte("old"), mode: store.Replace},
		{name: "talk/a/1.m4s", data: []byte("old"), mode: store.CreateOnce},
	} {
		if _, err := s.write(ctx, w); !errors.Is(err, why) {
			t.Errorf("%s: error %v, want %v", w.name, err, why)
		}
	}
	if o, err := s.Get(t.Context(), "talk/index.m3u8"); err != nil || string(o.Data) != "new" {
		t.Errorf("index.m3u8 is %q, %v", o.Data, err)
	}
	if _, err := s.Get(t.Context(), "talk/a/1.m4s"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("1.m4s is there: %v", err)
	}
}
