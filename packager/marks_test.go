package packager

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"longwave/ingest/pcm"
	"longwave/packager/hls"
)

// TestMarksStay: a mark is told for as long as anything of its time is listed, also
// after a restart, and every reader of the book sees the same.
func TestMarksStay(t *testing.T) {
	var l logbook
	l.note(pcm.Mark{Pos: 1000, Kind: pcm.MarkState, Text: pcm.OnAirHold})
	l.note(pcm.Mark{Pos: 2000, Kind: pcm.MarkState, Text: pcm.OnAirLive})
	l.note(pcm.Mark{Pos: 2000, Kind: pcm.MarkState, Text: pcm.OnAirLive}) // nothing new
	l.note(pcm.Mark{Pos: 3000, Kind: pcm.MarkTitle, Text: "Leuchtturm"})
	l.note(pcm.Mark{Pos: 4000, Kind: pcm.MarkSpeaker, ID: "a-1", Text: "Anna"})
	l.note(pcm.Mark{Pos: 52_000, Kind: pcm.MarkSpeaker, ID: "a-1"})
	if got := len(l.since(1999)); got != 4 {
		t.Errorf("%d marks before the change, want 4", got)
	}
	if got := len(l.since(2001)); got != 3 {
		t.Errorf("%d marks after the change, want 3", got)
	}
	all := l.since(0)
	if len(all) != 4 {
		t.Errorf("asking for less made the book forget: %d", len(all))
	}
	var again logbook
	again.recall(all, 100_000)
	if diff := cmp.Diff(all, again.since(0)); diff != "" {
		t.Errorf("after a restart: %s", diff)
	}
	again.forget(60_000)
	if got := len(again.since(0)); got != 2 { // what lasts
		t.Errorf("%d marks last, want 2", got)
	}
}

func TestRecallIgnoresWhatIsNotOurs(t *testing.T) {
	var l logbook
	l.recall([]hls.DateRange{{ID: "x", Class: "com.apple.hls.interstitial"}, {ID: "onair-x", Class: ClassOnAir}, {ID: "onair-5", Class: ClassOnAir}}, 10)
	if len(l.spans) != 0 {
		t.Errorf("%+v", l.spans)
	}
}
