package packager_test

import (
	"log/slog"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"longwave/ingest/pcm"
	"longwave/packager"
	"longwave/packager/hls"
)

// TestMarksAreTheSame: renditions that end at the same part tell the same marks (rfc8216bis
// section 6.2.4), although Opus is ready some frames before AAC, and while old ones go.
func TestMarksAreTheSame(t *testing.T) {
	const segments, every = 36, 25 // frames
	marks := map[pcm.Pos][]pcm.Mark{}
	for i := range segments * packager.SegmentSamples / pcm.FrameSamples / every {
		at := start + i*every*pcm.FrameSamples
		m := pcm.Mark{Pos: at - 500, Kind: pcm.MarkSpeaker, ID: "a"}
		if i%2 == 0 {
			m.Text = "Anna"
		}
		marks[at] = []pcm.Mark{m}
	}
	profile, err := packager.ParseProfile("low")
	if err != nil {
		t.Fatal(err)
	}
	ladder := slices.DeleteFunc(packager.DefaultLadder(), func(r packager.Rung) bool { return r.Name != "opus-24" && r.Name != "aac-48" })
	sink := newSinkLog(t)
	pk, err := packager.New(packager.Options{Station: "talk", Profile: profile, Ladder: ladder, Start: start, Live: sink, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := pk.Run(t.Context(), &tapeSource{pos: start, samples: tone(segments), marks: marks}); err != nil {
		t.Fatal(err)
	}
	told := map[hls.Position][]hls.DateRange{}
	compared, most := 0, 0
	for _, rung := range ladder {
		for _, text := range sink.playlists(rung.Name) {
			m, err := hls.ParseMedia(text)
			if err != nil {
				t.Fatal(err)
			}
			if m.EndList {
				continue
			}
			other, ok := told[m.Last()]
			if !ok {
				told[m.Last()] = m.DateRanges
				continue
			}
			compared++
			most = max(most, len(other))
			if diff := cmp.Diff(other, m.DateRanges); diff != "" {
				t.Fatalf("%s at %v: %s", rung.Name, m.Last(), diff)
			}
		}
	}
	if compared < segments*6 || most < 32 {
		t.Errorf("%d playlists compared with up to %d marks", compared, most)
	}
}
