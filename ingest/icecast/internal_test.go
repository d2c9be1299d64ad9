package icecast

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
		var f failures
		took := func(remote string) time.Duration {
			start := time.Now()
			if !f.wait(t.Context(), remote) {
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
		var f failures
		for range freeFailures {
			f.wait(t.Context(), "192.0.2.1:80")
		}
		ctx, cancel := context.WithCancel(t.Context())
		left := make(chan bool, maxWaiting)
		for range maxWaiting {
			go func() { left <- f.wait(ctx, "192.0.2.1:80") }()
		}
		synctest.Wait()
		if f.wait(ctx, "192.0.2.1:80") {
			t.Error("one more answer waits")
		}
		cancel()
		for range maxWaiting {
			if <-left {
				t.Error("an answer waited on although its client left")
			}
		}
		for i := range maxAddresses + 5 {
			f.wait(t.Context(), fmt.Sprintf("10.%d.%d.%d:80", i>>16, i>>8&255, i&255))
		}
		if len(f.of) > maxAddresses {
			t.Errorf("%d addresses are remembered, more than %d", len(f.of), maxAddresses)
		}
	})
}

func TestJoined(t *testing.T) {
	for in, want := range map[string]string{
		"Ada - Sound": "Ada - Sound", "- Sound": "Sound", " - Sound": "Sound", "Ada - ": "Ada", "Ada -": "Ada",
		" - ": "", "-": "", "": "", "Sound": "Sound", "-1 - Minus": "-1 - Minus", "Ada - Sound-": "Ada - Sound-",
	} {
		if got := joined(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestText(t *testing.T) {
	for _, c := range []struct{ in, charset, want string }{
		{"Grüße", "", "Grüße"},
		{"Gr\xfc\xdfe", "", "Grüße"},
		{"Gr\xfc\xdfe", "Latin1", "Grüße"},
		{"Grüße", "utf-8", "Grüße"},
		{"Gr\xc3\xbc", "ISO-8859-1", "GrÃ¼"},
		{" a\r\nb ", "", "a  b"},
	} {
		if got := text(c.in, c.charset); got != c.want {
			t.Errorf("text(%q, %q) = %q, want %q", c.in, c.charset, got, c.want)
		}
	}
}
