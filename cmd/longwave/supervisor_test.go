package main

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestSupervisor: ready comes with the first moment that all is well, signs of life as
// long as it is, the end with stop.
func TestSupervisor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const watch = 10 * time.Second
		var mu sync.Mutex
		var said []string
		var well atomic.Bool
		s := supervisor{watch: watch, say: func(state string) {
			mu.Lock()
			defer mu.Unlock()
			said = append(said, state)
		}}
		stop := make(chan struct{})
		go s.tell(t.Context(), stop, well.Load)
		// during lets time pass and returns what was said in it.
		during := func(d time.Duration) []string {
			time.Sleep(d)
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			got := said
			said = nil
			return got
		}
		if got := during(time.Minute); len(got) > 0 {
			t.Errorf("said %q before all was well", got)
		}
		well.Store(true)
		if got, want := during(time.Second), []string{"READY=1", "WATCHDOG=1"}; !slices.Equal(got, want) {
			t.Errorf("said %q, want %q", got, want)
		}
		got := during(10 * watch)
		if len(got) < 20 || slices.ContainsFunc(got, func(s string) bool { return s != "WATCHDOG=1" }) {
			t.Errorf("said %q within ten times the watchdog's patience", got)
		}
		well.Store(false)
		if got := during(10 * watch); len(got) > 0 {
			t.Errorf("said %q when nothing was well", got)
		}
		close(stop)
		if got, want := during(time.Second), []string{"STOPPING=1"}; !slices.Equal(got, want) {
			t.Errorf("said %q, want %q", got, want)
		}
	})
}

// TestSupervisorWithoutWatchdog: nothing but ready; and it leaves with its context.
func TestSupervisorWithoutWatchdog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var said []string
		go supervisor{say: func(state string) { said = append(said, state) }}.tell(ctx, nil, func() bool { return true })
		time.Sleep(time.Hour)
		cancel()
		synctest.Wait()
		if want := []string{"READY=1"}; !slices.Equal(said, want) {
			t.Errorf("said %q, want %q", said, want)
		}
	})
}
