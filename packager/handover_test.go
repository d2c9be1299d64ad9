package packager_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
	"longwave/packager"
	"longwave/packager/hls"
	"longwave/packager/hls/hlstest"
)

// A leaving source ends because another run goes on.
type leaving struct{ *tapeSource }

func (l leaving) Next(ctx context.Context) (pcm.Frame, error) {
	f, err := l.tapeSource.Next(ctx)
	if err != nil {
		return f, packager.ErrHandOver
	}
	return f, nil
}

// handOver packages n samples from a position on and hands over, and returns which
// segments the run said that it begins.
func handOver(t *testing.T, sink *sinkLog, pos pcm.Pos, samples []float32, stores stores) (begun []int64) {
	t.Helper()
	profile, err := packager.ParseProfile("low")
	if err != nil {
		t.Fatal(err)
	}
	pk, err := packager.New(packager.Options{
		Station: "talk", Profile: profile, Start: pos.Floor(packager.SegmentSamples), First: pos, Live: sink, Past: stores.past,
		Begun:   func(msn int64) { begun = append(begun, msn) },
		Outlets: []packager.Outlet{stores.outlet}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := pk.Run(t.Context(), leaving{&tapeSource{pos: pos, samples: samples}}); err != nil {
		t.Fatal(err)
	}
	return begun
}

// TestHandOver: a run that hands over in mid-segment brings it to its end and says nothing
// of an end; the one after it goes on with the next number, within that segment if it comes
// late. What was heard stays as it was, in the store too.
func TestHandOver(t *testing.T) {
	const half = packager.SegmentSamples / 2
	sink := newSinkLog(t)
	o := &outlet{sink: sink, local: true}
	first := packager.MSN(start)
	begun := handOver(t, sink, start, tone(5)[:2*(4*packager.SegmentSamples+half)], stores{outlet: o})
	if want := []int64{first + 1, first + 2, first + 3, first + 4}; !slices.Equal(begun, want) {
		t.Errorf("begun %d, want %d: nothing after the segment in which it ends", begun, want)
	}
	for name, text := range map[string][]byte{
		"live":   sink.objects["talk/aac-96/live.m3u8"],
		"stored": o.kept["talk/aac-96/live.m3u8"],
	} {
		m := listed(t, text)
		if m.EndList || m.OpenMSN() != first+5 {
			t.Errorf("%s: ENDLIST %v, the last is %d, want none and %d", name, m.EndList, m.OpenMSN()-1, first+4)
		}
	}
	if hint := listed(t, sink.objects["talk/aac-96/live.m3u8"]).Hint(); hint != fmt.Sprintf("%d.0.m4s", first+5) {
		t.Errorf("the hint is %q", hint)
	}
	// A second and a half later somebody goes on.
	again := start + 5*packager.SegmentSamples + 24_000
	handOver(t, sink, again, tone(3), stores{outlet: o, past: past{o.kept}})
	for _, r := range packager.DefaultLadder() {
		checkRendition(t, sink, r.Name)
		m := listed(t, sink.objects["talk/"+r.Name+"/live.m3u8"])
		for i := range m.Segments {
			if s := &m.Segments[i]; s.Discontinuity || s.Gap {
				t.Errorf("%s: an interruption at %s", r.Name, s.URI)
			}
		}
	}
	got := decode(t, sink.file("aac-96", 6))
	at := func(pos pcm.Pos) float64 {
		return pcmtest.DB(pcmtest.RMS(got[2*pos : 2*(pos+4_800)]))
	}
	if heard := at(4*packager.SegmentSamples + half - 9_600); heard < -30 {
		t.Errorf("before the hand-over there is %.0f dB", heard)
	}
	if quiet := at(4*packager.SegmentSamples + half + 9_600); quiet > -70 {
		t.Errorf("after it there is %.0f dB", quiet)
	}
	if heard := at(5*packager.SegmentSamples + 24_000 + 9_600); heard < -30 {
		t.Errorf("when the next one goes on there is %.0f dB", heard)
	}
}

// listed reads a playlist that keeps the rules.
func listed(t *testing.T, text []byte) *hls.Media {
	t.Helper()
	report(t, "playlist", hlstest.Check(text))
	m, err := hls.ParseMedia(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestEndWithoutAStore: a store elsewhere that answers nothing holds up the end for a
// moment only, and a hand-over for less; one on this machine is waited for.
func TestEndWithoutAStore(t *testing.T) {
	profile, err := packager.ParseProfile("low")
	if err != nil {
		t.Fatal(err)
	}
	silent := func(packager.Key) bool { return true }
	for name, c := range map[string]struct {
		local    bool
		handOver bool
		least    time.Duration
		most     time.Duration
	}{
		"end":                {false, false, time.Second, 5 * time.Second},
		"hand-over":          {false, true, 100 * time.Millisecond, time.Second},
		"end, local":         {true, false, time.Minute, time.Minute},
		"hand-over, to disk": {true, true, time.Minute, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				pk, err := packager.New(packager.Options{
					Station: "talk", Profile: profile, Start: start, Live: newSinkLog(t), Log: slog.New(slog.DiscardHandler),
					Outlets: []packager.Outlet{&outlet{local: c.local, wait: silent}, &outlet{wait: silent}, &outlet{wait: silent}},
				})
				if err != nil {
					t.Fatal(err)
				}
				var src packager.Source = &tapeSource{pos: start}
				if c.handOver {
					src = leaving{&tapeSource{pos: start}}
				}
				begin := time.Now()
				err = pk.Run(ctx, src)
				if took := time.Since(begin); took < c.least || took > c.most {
					t.Errorf("it took %v, want %v to %v", took, c.least, c.most)
				}
				if failed := errors.Is(err, context.DeadlineExceeded); failed != c.local || !failed && err != nil {
					t.Errorf("error %v", err)
				}
			})
		})
	}
}
