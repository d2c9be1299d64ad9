package turnstile_test

import (
	"errors"
	"testing"

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
