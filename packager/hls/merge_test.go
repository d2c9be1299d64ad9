package hls_test

import (
	"errors"
	"testing"

	"longwave/packager/hls"
)

func TestMerge(t *testing.T) {
	old, now := live(32, 3), live(33, 0)
	now.Segments = now.Segments[1:] // the window moves on
	now.MediaSequence++
	b, ok := now.AppendDelta(nil)
	if !ok {
		t.Fatal("no delta update")
	}
	delta := parse(t, b)
	got, err := hls.Merge(old, delta)
	if err != nil {
		t.Fatal(err)
	}
	diff(t, "merged", now, got)
	diff(t, "old is as it was", live(32, 3), old)
	diff(t, "delta is as it was", parse(t, b), delta)

	if same, err := hls.Merge(old, now); err != nil || same != now {
		t.Errorf("a full playlist: %v, %v", same, err)
	}
	for name, old := range map[string]*hls.Media{
		"too old": live(20, 0), "nothing": {}, "a delta itself": delta, "too new": {MediaSequence: first + 2, Segments: now.Segments},
	} {
		if got, err := hls.Merge(old, delta); !errors.Is(err, hls.ErrMerge) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestMergeDateRanges(t *testing.T) {
	old := live(32, 0)
	old.DateRanges = []hls.DateRange{{ID: "gone"}, {ID: "kept"}, {ID: "again"}}
	delta := live(32, 1)
	delta.Skip = hls.Skip{Segments: 20, RemovedDateRanges: []string{"gone", "never seen"}}
	delta.Segments = delta.Segments[20:]
	delta.DateRanges = []hls.DateRange{{ID: "again", Class: "c"}, {ID: "new"}}
	diff(t, "as text", `#EXT-X-SKIP:SKIPPED-SEGMENTS=20,RECENTLY-REMOVED-DATERANGES="gone	never seen"`, lineWith(t, delta, "#EXT-X-SKIP"))
	got, err := hls.Merge(old, parse(t, delta.Append(nil)))
	if err != nil {
		t.Fatal(err)
	}
	diff(t, "date ranges", []hls.DateRange{{ID: "kept"}, {ID: "again", Class: "c"}, {ID: "new"}}, got.DateRanges)
}

func TestMinVersion(t *testing.T) {
	withRange := live(1, 0)
	withRange.Control.CanSkipUntil = 0
	withRange.Segments[0].Map = hls.Map{}
	withRange.Segments[0].ByteRange.Length = 1
	withMap := live(1, 0)
	withMap.Control.CanSkipUntil = 0
	onlyParts := live(0, 1)
	onlyParts.Control.CanSkipUntil = 0
	v2 := live(1, 0)
	v2.Control.CanSkipDateRanges = true
	for want, m := range map[int]*hls.Media{3: {}, 4: withRange, 6: withMap, 9: live(1, 0), 10: v2} {
		if got := m.MinVersion(); got != want {
			t.Errorf("%d, want %d", got, want)
		}
	}
	if got := onlyParts.MinVersion(); got != 6 {
		t.Errorf("only parts: %d", got)
	}
}
