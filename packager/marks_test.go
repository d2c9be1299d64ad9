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
	l.note(pcm.Mark{Pos: 1000, Kind: pcm.MarkState, Text: pcm.OnAirHold}, 1000)
	l.note(pcm.Mark{Pos: 2000, Kind: pcm.MarkState, Text: pcm.OnAirLive}, 2000)
	l.note(pcm.Mark{Pos: 2000, Kind: pcm.MarkState, Text: pcm.OnAirLive}, 2000) // nothing new
	l.note(pcm.Mark{Pos: 3000, Kind: pcm.MarkTitle, Text: "Leuchtturm"}, 3000)
	l.note(pcm.Mark{Pos: 4000, Kind: pcm.MarkSpeaker, ID: "a-1", Text: "Anna"}, 4000)
	l.note(pcm.Mark{Pos: 52_000, Kind: pcm.MarkSpeaker, ID: "a-1"}, 52_000)
	if got := len(l.since(1999, everything)); got != 4 {
		t.Errorf("%d marks before the change, want 4", got)
	}
	if got := len(l.since(2001, everything)); got != 3 {
		t.Errorf("%d marks after the change, want 3", got)
	}
	all := l.since(0, everything)
	if len(all) != 4 {
		t.Errorf("asking for less made the book forget: %d", len(all))
	}
	var again logbook
	again.recall(all, 100_000)
	if diff := cmp.Diff(all, again.since(0, everything)); diff != "" {
		t.Errorf("after a restart: %s", diff)
	}
	again.forget(60_000)
	if got := len(again.since(0, everything)); got != 2 { // what lasts
		t.Errorf("%d marks last, want 2", got)
	}
}

// TestMarksAtAnEdge: what was told later than a playlist's edge is not told in it, though
// it was known when that was written, and what had ended by then has not.
func TestMarksAtAnEdge(t *testing.T) {
	var l logbook
	l.note(pcm.Mark{Pos: 1000, Kind: pcm.MarkSpeaker, ID: "a", Text: "Anna"}, 3000)
	l.note(pcm.Mark{Pos: 5000, Kind: pcm.MarkSpeaker, ID: "a"}, 9000)
	for _, c := range []struct {
		edge  pcm.Pos
		ended []bool // of each that is told
	}{{3000, nil}, {3001, []bool{false}}, {9000, []bool{false}}, {9001, []bool{true}}, {everything, []bool{true}}} {
		var ended []bool
		for _, d := range l.since(0, c.edge) {
			ended = append(ended, d.HasDuration)
		}
		if diff := cmp.Diff(c.ended, ended); diff != "" {
			t.Errorf("at %d: %s", c.edge, diff)
		}
	}
	if got := len(l.since(6000, 9000)); got != 1 {
		t.Errorf("%d of what lasts at the edge, want 1", got)
	}
}

func TestRecallIgnoresWhatIsNotOurs(t *testing.T) {
	var l logbook
	l.recall([]hls.DateRange{{ID: "x", Class: "com.apple.hls.interstitial"}, {ID: "onair-x", Class: ClassOnAir}, {ID: "onair-5", Class: ClassOnAir}}, 10)
	if len(l.spans) != 0 {
		t.Errorf("%+v", l.spans)
	}
}
