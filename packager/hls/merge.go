package hls

import (
	"errors"
	"fmt"
	"slices"
)

// ErrMerge is wrapped by the error of [Merge]: the client must load the full
// playlist.
var ErrMerge = errors.New("delta update does not follow the playlist")

// Merge returns the full playlist of which delta is an update for clients that have
// old (section 6.3.7). It changes neither; the result shares their slices. A delta
// that is a full playlist is returned as it is. The error wraps [ErrMerge]: old is
// itself a delta update, or lacks a segment that delta leaves out.
//
// Of the segments that delta leaves out the parts are forgotten: the skip boundary
// lies beyond the place where parts leave a playlist.
func Merge(old, delta *Media) (*Media, error) {
	n := delta.Skip.Segments
	if n == 0 {
		return delta, nil
	}
	from := delta.MediaSequence - old.FirstMSN()
	if old.Skip.Segments > 0 || from < 0 || from+int64(n) > int64(len(old.Segments)) {
		return nil, fmt.Errorf("segments %d to %d are wanted, there are %d to %d: %w",
			delta.MediaSequence, delta.FirstMSN()-1, old.FirstMSN(), old.OpenMSN()-1, ErrMerge)
	}
	m := *delta
	m.Skip = Skip{}
	m.Version = old.Version
	m.Segments = make([]Segment, 0, n+len(delta.Segments))
	m.Segments = append(m.Segments, old.Segments[from:from+int64(n)]...)
	for i := range m.Segments {
		m.Segments[i].Parts = nil
	}
	current := m.Segments[n-1].Map
	for _, s := range delta.Segments {
		current = orMap(s.Map, current)
		s.Map = current
		m.Segments = append(m.Segments, s)
	}
	if delta.Open.started() {
		m.Open.Map = orMap(delta.Open.Map, current)
	}
	if delta.Skip.RemovedDateRanges != nil {
		m.DateRanges = mergeDateRanges(old.DateRanges, delta)
	}
	return &m, nil
}

func orMap(m, otherwise Map) Map {
	if m == (Map{}) {
		return otherwise
	}
	return m
}

// started reports whether anything is known of a segment under way.
func (s *Segment) started() bool {
	return len(s.Parts) > 0 || !s.PDT.IsZero() || s.Gap || s.Discontinuity || s.Map != Map{}
}

// mergeDateRanges keeps the old ranges that delta does not remove, before its own.
func mergeDateRanges(old []DateRange, delta *Media) []DateRange {
	var all []DateRange
	for _, d := range old {
		again := func(n DateRange) bool { return n.ID == d.ID }
		if !slices.Contains(delta.Skip.RemovedDateRanges, d.ID) && !slices.ContainsFunc(delta.DateRanges, again) {
			all = append(all, d)
		}
	}
	return append(all, delta.DateRanges...)
}
