package listen_test

import (
	"testing"
	"time"

	"longwave/origin/listen"
)

// A stream of the real packager from the real origin has no fault.
func TestClean(t *testing.T) {
	for _, profile := range []string{"fast", "low", "calm", "plain"} {
		t.Run(profile, func(t *testing.T) {
			st := &station{tape: tapeOf(t, profile)}
			rep := st.hear(t, listen.Options{For: 40 * time.Second})
			show(t, rep)
			if rep.Failed(true) {
				t.Error("it should have passed")
			}
		})
	}
}
