package main_test

import (
	"testing"

	"longwave/cmd/longwave/systemtest"
)

// TestAnsweredIsKept: what the host did to a speaker and was told is done outlives a
// kill -9 the moment after.
func TestAnsweredIsKept(t *testing.T) {
	t.Parallel()
	config, _ := conversation(t, "talk")
	n := systemtest.Start(t, systemtest.Options{Config: config})
	awaitReady(n)
	d := hostDesk(n, "talk")
	d.do("POST", "/live", map[string]any{"title": "An evening"}, nil)
	anna := d.link("Anna")
	send(t, toIcecast(n, "talk", anna.Token, annaHz)...)
	n.Await("Anna to be there", func() bool { return d.seat("Anna").Connected })
	d.change("Anna", map[string]any{"gain_db": -6, "muted": true, "on_air": true})
	n.Kill()
	n.Start()
	awaitReady(n)
	if s := d.seat("Anna"); !s.OnAir || !s.Muted || s.Gain != -6 {
		t.Errorf("after kill -9: %+v, want on air, muted, -6 dB", s)
	}
	n.Stop()
}
