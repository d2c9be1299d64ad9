package storetest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"longwave/origin/store"
	"longwave/origin/store/memory"
	"longwave/origin/store/storetest"
)

func TestFaulty(t *testing.T) {
	errDeadline := errors.New("deadline of the test")
	tests := []struct {
		name   string
		fault  storetest.Fault
		err    error // nil: success
		stored bool
		took   time.Duration
	}{
		{"sound", storetest.Sound, nil, true, 0},
		{"lost", storetest.Lost, storetest.ErrLost, false, 0},
		{"stored but lost", storetest.StoredButLost, storetest.ErrLost, true, 0},
		{"slow", storetest.Slow(time.Second), nil, true, time.Second},
		{"too slow", storetest.Slow(time.Minute), errDeadline, false, 5 * time.Second},
		{"hang", storetest.Hang, errDeadline, false, 5 * time.Second},
		{"full", storetest.Full, store.ErrFull, false, 0},
		{"refused", storetest.Refused, store.ErrRefused, false, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &storetest.Faulty{Store: new(memory.Store), Next: storetest.Sequence(tt.fault)}
				ctx, cancel := context.WithTimeoutCause(t.Context(), 5*time.Second, errDeadline)
				defer cancel()
				start := time.Now()
				_, err := s.PutIf(ctx, "talk/index.m3u8", []byte("x"), store.Always)
				if !errors.Is(err, tt.err) {
					t.Errorf("error %v, want %v", err, tt.err)
				}
				if took := time.Since(start); took != tt.took {
					t.Errorf("took %v, want %v", took, tt.took)
				}
				_, err = s.Get(t.Context(), "talk/index.m3u8")
				if stored := err == nil; stored != tt.stored {
					t.Errorf("stored: %v, want %v", stored, tt.stored)
				}
				if _, err := s.PutIf(t.Context(), "talk/index.m3u8", []byte("y"), store.Always); err != nil {
					t.Errorf("after the fault: %v", err)
				}
			})
		})
	}
}

// A store that is not broken passes the suite through Faulty, too.
func TestFaultySound(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store {
		return &storetest.Faulty{Store: new(memory.Store), Next: storetest.Always(storetest.Sound)}
	}, storetest.Options{})
}
