package turnstile_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"longwave/ingest/turnstile"
)

func TestEnter(t *testing.T) {
	s := turnstile.New(5, 2)
	var leave []func()
	for _, c := range []struct {
		remote string
		want   error
	}{
		{"192.0.2.1:1", nil},
		{"192.0.2.1:2", nil},
		{"192.0.2.1:3", turnstile.ErrCrowd},
		{"[::ffff:192.0.2.1]:4", turnstile.ErrCrowd},
		{"192.0.2.2:1", nil},
		{"[2001:db8::1]:1", nil},
		{"[2001:db8::2%eth0]:1", nil}, // the same subscriber
		{"[2001:db8::3]:1", turnstile.ErrFull},
		{"nonsense", turnstile.ErrFull},
	} {
		l, err := s.Enter(c.remote)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.remote, err, c.want)
		}
		if err == nil {
			leave = append(leave, l)
		}
	}
	for _, l := range leave {
		l()
	}
	for _, remote := range []string{"nonsense", "", "192.0.2.1:1", "192.0.2.1:1"} {
		if _, err := s.Enter(remote); err != nil {
			t.Errorf("after all have left, %q: %v", remote, err)
		}
	}
	if _, err := s.Enter("more nonsense"); !errors.Is(err, turnstile.ErrCrowd) {
		t.Errorf("addresses that are none are not counted as one: %v", err)
	}
}

// TestGuests: who comes and shows no token keeps nobody out who does.
func TestGuests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := turnstile.New(3, 1)
		var ousted []int
		come := func(i int) (trust, leave func()) {
			t.Helper()
			var mu sync.Mutex
			trust, leave, err := s.Guest(fmt.Sprintf("192.0.2.%d:1", i), func() {
				mu.Lock()
				defer mu.Unlock()
				ousted = append(ousted, i)
			})
			if err != nil {
				t.Fatalf("%d: %v", i, err)
			}
			synctest.Wait()
			return trust, leave
		}
		trusted, left := come(1)
		trusted()
		_, gone := come(2)
		gone()
		come(3)
		come(4)
		come(5) // in the place of 3
		come(6) // of 4
		if want := []int{3, 4}; !slices.Equal(ousted, want) {
			t.Errorf("ousted %v, want %v", ousted, want)
		}
		come(7) // of 5: six are in now, as long as those do not leave
		if _, _, err := s.Guest("192.0.2.8:1", nil); !errors.Is(err, turnstile.ErrFull) {
			t.Errorf("the seventh: %v", err)
		}
		if _, _, err := s.Guest("192.0.2.7:2", nil); !errors.Is(err, turnstile.ErrCrowd) {
			t.Errorf("a second one of an address: %v", err)
		}
		left()
		come(8)
		if want := []int{3, 4, 5, 6}; !slices.Equal(ousted, want) {
			t.Errorf("ousted %v, want %v", ousted, want)
		}
	})
}
