package ingest_test

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"longwave/ingest"
	"longwave/ingest/pcm"
)

// TestLateness: a machine that stands still is told of once, and when it has kept time
// for a minute; what is no more than a hiccup is not.
func TestLateness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told strings.Builder
		log := slog.New(slog.NewTextHandler(&told, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}}))
		clock := pcm.NewClock(time.Now())
		p := ingest.NewProgramme(ingest.ProgrammeOptions{Station: "talk", Clock: clock, Start: clock.Now().Ceil(92_160), Log: log})
		run := func(d time.Duration) {
			for until := time.Now().Add(d); time.Now().Before(until); {
				if _, err := p.Next(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		run(5 * time.Second)
		time.Sleep(450 * time.Millisecond)
		run(5 * time.Second)
		time.Sleep(700 * time.Millisecond)
		run(30 * time.Second)
		time.Sleep(2 * time.Second)
		run(3 * time.Second)
		if late := p.Late(); late < time.Second || late > 2*time.Second {
			t.Errorf("%v late when it was 2 s", late)
		}
		run(47 * time.Second)
		if late := p.Late(); late > 50*time.Millisecond {
			t.Errorf("still %v late", late)
		}
		time.Sleep(200 * time.Millisecond) // the minute begins again
		run(50 * time.Second)
		if n := strings.Count(told.String(), "minute"); n > 0 {
			t.Error("in time too soon")
		}
		run(20 * time.Second)
		want := []string{
			`level=INFO msg="on air" state=hold`,
			`level=WARN msg="the programme is late: this machine is too busy or stood still" late=680ms`,
			`level=INFO msg="the programme has been in time for a minute" worst=1.98s`,
		}
		if diff := cmp.Diff(want, strings.Split(strings.TrimSpace(told.String()), "\n")); diff != "" {
			t.Error(diff)
		}
	})
}
