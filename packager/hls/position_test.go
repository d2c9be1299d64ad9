package hls_test

import (
	"slices"
	"testing"

	"longwave/packager/hls"
)

func TestPosition(t *testing.T) {
	order := []hls.Position{{4, 0}, {4, 1}, {4, 12}, {4, hls.Whole}, {5, 0}, {5, hls.Whole}}
	for i, p := range order {
		for k, q := range order {
			if got, want := p.Compare(q), min(1, max(-1, i-k)); got != want {
				t.Errorf("%v and %v: %d, want %d", p, q, got, want)
			}
		}
	}
	shuffled := []hls.Position{order[3], order[5], order[0], order[4], order[2], order[1]}
	slices.SortFunc(shuffled, hls.Position.Compare)
	diff(t, "sorted", order, shuffled)
	if a, b := order[2].String(), order[3].String(); a != "4.12" || b != "4" {
		t.Errorf("%s, %s", a, b)
	}
}

func TestWhere(t *testing.T) {
	plain := live(4, 0)
	plain.PartTarget, plain.Hints = 0, nil
	for i := range plain.Segments {
		plain.Segments[i].Parts = nil
	}
	delta := live(4, 2)
	delta.MediaSequence -= 10
	delta.Skip.Segments = 10
	for _, c := range []struct {
		name       string
		m          *hls.Media
		last, next hls.Position
		hint       string
	}{
		{"segment under way", live(4, 2), hls.Position{first + 4, 1}, hls.Position{first + 4, 2}, "931000004.2.m4s"},
		{"segment complete", live(4, 0), hls.Position{first + 3, 5}, hls.Position{first + 4, 0}, "931000004.0.m4s"},
		{"first part", live(0, 1), hls.Position{first, 0}, hls.Position{first, 1}, "931000000.1.m4s"},
		{"nothing", live(0, 0), hls.Position{first - 1, hls.Whole}, hls.Position{first, 0}, "931000000.0.m4s"},
		{"plain", plain, hls.Position{first + 3, hls.Whole}, hls.Position{first + 4, hls.Whole}, ""},
		{"delta", delta, hls.Position{first + 4, 1}, hls.Position{first + 4, 2}, "931000004.2.m4s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			diff(t, "last", c.last, c.m.Last())
			diff(t, "next", c.next, c.m.Next())
			diff(t, "hint", c.hint, c.m.Hint())
		})
	}
}

func TestContainsAndTooFarAhead(t *testing.T) {
	plain := live(4, 0)
	plain.PartTarget = 0
	for i := range plain.Segments {
		plain.Segments[i].Parts = nil
	}
	ended := live(4, 0)
	ended.EndList = true
	calm := live(4, 0)
	calm.PartTarget *= 4
	open, whole := live(4, 2), hls.Whole
	for _, c := range []struct {
		name        string
		m           *hls.Media
		at          hls.Position
		has, tooFar bool
	}{
		{"a listed segment", open, hls.Position{first + 3, whole}, true, false},
		{"the segment under way", open, hls.Position{first + 4, whole}, false, false},
		{"its first part", open, hls.Position{first + 4, 0}, true, false},
		{"its last part", open, hls.Position{first + 4, 1}, true, false},
		{"its next part", open, hls.Position{first + 4, 2}, false, false},
		{"the last part within the limit of 9", open, hls.Position{first + 4, 10}, false, false},
		{"a part beyond the limit", open, hls.Position{first + 4, 11}, false, true},
		{"the segment after", open, hls.Position{first + 5, whole}, false, false},
		{"a part of it", open, hls.Position{first + 5, 8}, false, false},
		{"a part of it beyond the limit", open, hls.Position{first + 5, 9}, false, true},
		{"the segment three after the last", open, hls.Position{first + 6, whole}, false, true},
		{"far ahead", open, hls.Position{1<<63 - 1, 0}, false, true},
		{"a segment long gone", open, hls.Position{0, whole}, true, false},
		{"a part long gone", open, hls.Position{first - 5, 77}, true, false},
		{"part 6 of 6 is part 0 of the next, which is there", open, hls.Position{first + 3, 6}, true, false},
		{"the same of the segment before", open, hls.Position{first + 2, 6}, true, false},
		{"part 6 of 6 is part 0 of the next, which is not there", live(4, 0), hls.Position{first + 3, 6}, false, false},
		{"the last part of the last segment", live(4, 0), hls.Position{first + 3, 5}, true, false},
		{"a part that no segment has", live(4, 0), hls.Position{first + 3, 15}, false, true},
		{"no parts listed", plain, hls.Position{first + 3, 2}, true, false},
		{"no parts listed, next segment", plain, hls.Position{first + 4, whole}, false, false},
		{"no parts listed, second next", plain, hls.Position{first + 5, whole}, false, false},
		{"no parts listed, third next", plain, hls.Position{first + 6, whole}, false, true},
		{"an ended playlist answers everything", ended, hls.Position{first + 99, 99}, true, false},
		{"long parts: limit 3, hit", calm, hls.Position{first + 4, 2}, false, false},
		{"long parts: limit 3, exceeded", calm, hls.Position{first + 4, 3}, false, true},
		{"gone, with nothing after it", live(0, 0), hls.Position{first - 1, 3}, false, false},
		{"gone, with a part after it", live(0, 1), hls.Position{first - 1, 3}, true, false},
		{"gone, with no segment after it", live(0, 1), hls.Position{first - 5, whole}, false, false},
		{"gone, with a segment after it", live(1, 0), hls.Position{first - 1, whole}, true, false},
		{"the first part ever", live(0, 0), hls.Position{first, 0}, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.m.Contains(c.at); got != c.has {
				t.Errorf("Contains(%v) = %v", c.at, got)
			}
			d := hls.Directives{Blocking: true, At: c.at}
			if got := d.TooFarAhead(c.m); got != c.tooFar {
				t.Errorf("TooFarAhead(%v) = %v", c.at, got)
			}
		})
	}
	if (hls.Directives{At: hls.Position{MSN: first + 99}}).TooFarAhead(open) {
		t.Error("a request that does not block is too far ahead")
	}
}
