package turnstile

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestFailures: the first wrong tokens of an address are answered at once, the
// next ever later; others do not notice, and it is forgotten.
func TestFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f Failures
		took := func(remote string) time.Duration {
			start := time.Now()
			if !f.Wait(t.Context(), remote) {
				t.Errorf("%s is not answered", remote)
			}
			return time.Since(start)
		}
		var got []time.Duration
		for i := range 8 {
			got = append(got, took(fmt.Sprintf("[2001:db8::%x]:80", i))) // one subscriber
		}
		s := time.Second
		if diff := cmp.Diff([]time.Duration{0, 0, 0, s, 2 * s, 4 * s, 8 * s, 8 * s}, got); diff != "" {
			t.Errorf("delays (-want +got):\n%s", diff)
		}
		if d := took("192.0.2.1:80"); d != 0 {
			t.Errorf("another address waits %v", d)
		}
		time.Sleep(forgetAfter + time.Second)
		if d := took("[2001:db8::1]:80"); d != 0 {
			t.Errorf("after %v it still waits %v", forgetAfter, d)
		}
	})
}

// TestFailuresBounded: few answers wait at once for one address, and one that
// waits leaves when its client does.
func TestFailuresBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f Failures
		for range freeFailures {
			f.Wait(t.Context(), "192.0.2.1:80")
		}
		ctx, cancel := context.WithCancel(t.Context())
		left := make(chan bool, maxWaiting)
		for range maxWaiting {
			go func() { left <- f.Wait(ctx, "192.0.2.1:80") }()
		}
		synctest.Wait()
		if f.Wait(ctx, "192.0.2.1:80") {
			t.Error("one more answer waits")
		}
		cancel()
		for range maxWaiting {
			if <-left {
				t.Error("an answer waited on although its client left")
			}
		}
		for i := range maxAddresses + 5 {
			f.Wait(t.Context(), fmt.Sprintf("10.%d.%d.%d:80", i>>16, i>>8&255, i&255))
		}
		if len(f.of) > maxAddresses {
			t.Errorf("%d addresses are remembered, more than %d", len(f.of), maxAddresses)
		}
	})
}
