package hlstest

import (
	"errors"
	"slices"
	"time"

	"longwave/packager/hls"
)

// A Follower judges the successive versions of one media playlist, as a client gets
// them: full ones and delta updates. The zero Follower is ready for use; one
// goroutine uses it.
type Follower struct {
	// Slack is added to the time within which parts and segments must come. A client
	// without blocking reload sets it to its polling interval, and everybody adds
	// what the network may take. Zero is right for playlists as they are published.
	Slack time.Duration

	m         *hls.Media // the version before, merged; nil before the first
	at        time.Time  // when it came
	segmentAt time.Time  // when a segment came last
	partAt    time.Time  // when a part came last
	late      bool       // that nothing comes was reported
	ranges    map[string]*span
	gone      map[string]bool // IDs of Date Ranges that were removed
}

// Media returns the playlist as it is now, delta updates merged; nil before the
// first one.
func (f *Follower) Media() *hls.Media { return f.m }

// Playlist takes the version that came at an instant, and returns the rules that it
// breaks by itself (see [Check]) or after those before it. A version that cannot be
// read is reported and otherwise passed over.
func (f *Follower) Playlist(at time.Time, b []byte) []Violation {
	got, t := check(b)
	if got == nil {
		return t.sorted()
	}
	m, ok := f.merge(at, got, t)
	if !ok {
		return t.sorted()
	}
	if f.m == nil {
		f.segmentAt, f.partAt = at, at
		f.ranges, f.gone = map[string]*span{}, map[string]bool{}
	} else {
		c := comparison{text: t, old: f.m, m: m}
		c.compare()
		f.arrival(at, m, t)
	}
	f.dateRanges(m, got.Skip.RemovedDateRanges != nil, t)
	f.m, f.at = m, at
	return t.sorted()
}

// Answer takes the version with which a server answered a request with delivery
// directives. It does what [Follower.Playlist] does, and applies the rules about
// answers (section 6.2.5).
func (f *Follower) Answer(d hls.Directives, at time.Time, b []byte) []Violation {
	found := f.Playlist(at, b)
	got, err := hls.ParseMedia(b)
	if err != nil {
		return found
	}
	r := report{found: found}
	if d.Blocking && !got.Contains(d.At) {
		r.add("reload-early", 0, "%v was asked for, the last is %v", d.At, got.Last())
	}
	if _, skippable := got.AppendDelta(nil); d.Skip != hls.SkipNone && skippable {
		r.add("delta-refused", 0, "a full playlist of %d segments", len(got.Segments))
	}
	return r.sorted()
}

// merge returns the full playlist, unless it cannot be known. A delta update that
// came too late to be of use makes the Follower begin anew.
func (f *Follower) merge(at time.Time, got *hls.Media, t *text) (*hls.Media, bool) {
	if got.Skip.Segments == 0 {
		return got, true
	}
	line := t.first("EXT-X-SKIP").line
	if f.m == nil {
		t.add("delta-unmergeable", line, "a delta update without a playlist before it")
		return nil, false
	}
	m, err := hls.Merge(f.m, got)
	if errors.Is(err, hls.ErrMerge) {
		if at.Sub(f.at) <= got.Control.CanSkipUntil/2 {
			t.add("delta-unmergeable", line, "%v", err)
		}
		f.m = nil
		return nil, false
	}
	return m, true
}

// arrival applies the rules about when something must come (section 6.2.1).
func (f *Follower) arrival(at time.Time, m *hls.Media, t *text) {
	if f.m.EndList || m.EndList {
		return
	}
	newSegment := m.OpenMSN() > f.m.OpenMSN()
	newPart := m.PartTarget > 0 && m.Last().Compare(f.m.Last()) > 0
	segment := at.Sub(f.segmentAt) - m.TargetDuration*3/2 - f.Slack
	part := at.Sub(f.partAt) - m.PartTarget - f.Slack
	switch {
	case f.late: // that was said
	case segment > 0:
		t.add("segment-late", 0, "%v too late", segment)
		f.late = true
	case m.PartTarget > 0 && f.m.PartTarget > 0 && part > 0:
		t.add("part-late", 0, "%v too late", part)
		f.late = true
	}
	if newSegment {
		f.segmentAt, f.late = at, false
	}
	if newPart {
		f.partAt, f.late = at, false
	}
}

// dateRanges applies the rules about Date Ranges over time. partial says that the
// version leaves old ones out.
func (f *Follower) dateRanges(m *hls.Media, partial bool, t *text) {
	now := map[string]*span{}
	for _, s := range t.spans(func(*entry, string) {}) {
		now[s.id] = s
		old := f.ranges[s.id]
		if old == nil {
			if f.gone[s.id] {
				t.add("daterange-reused", s.line, "%s was removed before", s.id)
			}
			continue
		}
		for name, value := range old.attrs {
			if got, ok := s.attrs[name]; !ok || got != value {
				t.add("daterange-changed", s.line, "%s was %q, is %q", name, value, got)
			}
		}
	}
	for id, old := range f.ranges {
		switch {
		case now[id] != nil:
		case partial:
			now[id] = old
		default:
			f.gone[id] = true
			if mapped(m, old) {
				t.add("daterange-removed", 0, "%s, of which a segment is still listed", id)
			}
		}
	}
	f.ranges = now
}

// mapped reports whether a date of s falls into a listed segment. A Date Range whose
// end is not known counts as its start.
func mapped(m *hls.Media, s *span) bool {
	end := s.end
	if end.IsZero() {
		end = s.start
	}
	return slices.ContainsFunc(m.Segments, func(seg hls.Segment) bool {
		return !seg.PDT.IsZero() && !s.start.IsZero() && s.start.Before(seg.PDT.Add(seg.Duration)) && !end.Before(seg.PDT)
	})
}
