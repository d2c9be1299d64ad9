package main_test

import (
	"net"
	"path/filepath"
	"testing"
	"time"

	"longwave/cmd/longwave/systemtest"
)

// TestSupervised: what a node tells systemd, at the socket where systemd listens.
func TestSupervised(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	n := systemtest.Start(t, systemtest.Options{
		Config: "stations: [{name: talk, renditions: [aac-48]}]\n",
		Args:   []string{"--quiet"},
		Env:    []string{"NOTIFY_SOCKET=" + socket, "WATCHDOG_USEC=2000000"},
	})
	expect := func(want string) {
		t.Helper()
		if err := l.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 256)
		size, err := l.Read(buf)
		if err != nil {
			t.Fatalf("waiting for %s: %v", want, err)
		}
		if got := string(buf[:size]); got != want {
			t.Fatalf("the node said %q, want %q", got, want)
		}
	}
	expect("READY=1")
	if status := get(t, n.Ops+"/readyz", ""); status != 200 {
		t.Errorf("it said that it was ready, and /readyz answers %d", status)
	}
	expect("WATCHDOG=1")
	expect("WATCHDOG=1")
	if out := n.Output(); out != "" {
		t.Errorf("it printed %q, which a supervisor would keep", out)
	}
	n.Stop()
	for range 20 { // signs of life may be on their way
		buf := make([]byte, 256)
		size, err := l.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		if string(buf[:size]) == "STOPPING=1" {
			return
		}
	}
	t.Error("it did not say that it ends")
}
