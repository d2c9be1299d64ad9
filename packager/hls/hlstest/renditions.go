package hlstest

import (
	"maps"
	"net/url"
	"slices"
	"time"

	"longwave/packager/hls"
)

// CheckRenditions judges the media playlists of one multivariant playlist against
// each other. Their keys are their URIs, as the multivariant playlist has them; all
// must be full and of the same moment. What is wrong with one by itself is not
// reported, and one that cannot be read is passed over: see [Check].
func CheckRenditions(lists map[string][]byte) []Violation {
	var all []*rendition
	for _, uri := range slices.Sorted(maps.Keys(lists)) {
		if m, t := check(lists[uri]); m != nil && m.Skip.Segments == 0 {
			all = append(all, &rendition{uri: uri, m: m, text: t})
		}
	}
	var r report
	for i, x := range all {
		x.reports(all, &r)
		if i > 0 {
			p := pair{report: &r, a: all[0], b: x}
			p.header()
			p.timelines()
			p.dateRanges()
		}
	}
	return r.sorted()
}

// A rendition is one of several media playlists.
type rendition struct {
	uri  string
	m    *hls.Media
	text *text
}

// end returns the instant at which the playlist ends, parts included, or zero.
func (r *rendition) end() time.Time {
	var end time.Time
	for _, s := range r.m.Segments {
		if !s.PDT.IsZero() {
			end = s.PDT
		}
		if !end.IsZero() {
			end = end.Add(s.Duration)
		}
	}
	if !r.m.Open.PDT.IsZero() {
		end = r.m.Open.PDT
	}
	for _, p := range r.m.Open.Parts {
		if !end.IsZero() {
			end = end.Add(p.Duration)
		}
	}
	return end
}

// begin returns the instant of the first segment, or zero.
func (r *rendition) begin() time.Time {
	if len(r.m.Segments) == 0 {
		return time.Time{}
	}
	return r.m.Segments[0].PDT
}

// reports checks the rendition reports in r (section 4.4.5.4).
func (r *rendition) reports(all []*rendition, out *report) {
	if r.m.PartTarget == 0 || r.m.EndList {
		return
	}
	for _, other := range all {
		if other == r {
			continue
		}
		i := slices.IndexFunc(r.m.Reports, func(rep hls.RenditionReport) bool {
			return resolve(r.uri, rep.URI) == resolve("", other.uri)
		})
		if i < 0 {
			out.add("report-missing", 0, "%s has none for %s", r.uri, other.uri)
			continue
		}
		if last := r.reported(i); !fresh(last, other.m) {
			out.add("report-wrong", 0, "%s says that %s is at %v, it is at %v", r.uri, other.uri, last, other.m.Last())
		}
	}
}

// resolve returns what ref means in the playlist at base. Both may be relative to the
// multivariant playlist, for which any address will do.
func resolve(base, ref string) string {
	u := &url.URL{Scheme: "http", Host: "multivariant.invalid", Path: "/"}
	for _, next := range []string{base, ref} {
		n, err := u.Parse(next)
		if err != nil {
			return ""
		}
		u = n
	}
	return u.String()
}

// reported returns what report i of r says; what it leaves out is as in r itself.
func (r *rendition) reported(i int) hls.Position {
	last := r.m.Reports[i].Last
	if last.MSN < 0 {
		last.MSN = r.m.Last().MSN
	}
	if last.Part < 0 {
		last.Part = r.m.Last().Part
	}
	return last
}

// fresh reports whether p is the last position of m, or the part before it.
func fresh(p hls.Position, m *hls.Media) bool {
	last := m.Last()
	if p == last {
		return true
	}
	before := hls.Position{MSN: last.MSN, Part: last.Part - 1}
	if last.Part <= 0 {
		before = hls.Position{MSN: last.MSN - 1, Part: len(partsOf(m, last.MSN-1)) - 1}
	}
	return p == before
}

// A pair are two renditions of the same programme.
type pair struct {
	*report
	a, b *rendition
}

func (p *pair) differ(rule, format string, args ...any) {
	p.add(rule, 0, p.a.uri+" and "+p.b.uri+": "+format, args...)
}

// header compares what stands in the playlists' heads.
func (p *pair) header() {
	a, b := p.a.m, p.b.m
	if a.TargetDuration != b.TargetDuration {
		p.differ("renditions-target-duration", "%v, %v", a.TargetDuration, b.TargetDuration)
	}
	if a.Control != b.Control {
		p.differ("renditions-server-control", "%+v, %+v", a.Control, b.Control)
	}
	if a.PlaylistType != b.PlaylistType {
		p.differ("renditions-playlist-type", "%q, %q", a.PlaylistType, b.PlaylistType)
	}
}

// timelines compares the segments by their dates.
func (p *pair) timelines() {
	a, b := p.a, p.b
	if a.end().IsZero() != b.end().IsZero() {
		p.differ("renditions-pdt", "one has dates")
		return
	}
	if a.begin().IsZero() || b.begin().IsZero() {
		return
	}
	td := min(a.m.TargetDuration, b.m.TargetDuration)
	begin, end := b.begin().Sub(a.begin()).Abs(), b.end().Sub(a.end()).Abs()
	part := max(a.m.PartTarget, b.m.PartTarget)
	switch {
	case begin > td+aFrame || end > td+aFrame:
		p.differ("renditions-window", "begin %v and end %v from each other", begin, end)
	case part > 0 && !a.m.EndList && end > part+aFrame:
		p.differ("renditions-edge", "end %v from each other", end)
	}
	p.segments()
}

// segments compares the segments that both have. Of a kind of fault the first is
// reported.
func (p *pair) segments() {
	a, b := p.a.m, p.b.m
	numbersA, numbersB := numbers(a), numbers(b)
	next := 0 // the segment of a that is likely to match
	for i := range b.Segments {
		s := &b.Segments[i]
		if s.PDT.Before(p.a.begin()) || !s.PDT.Before(p.a.end()) || s.PDT.IsZero() {
			continue
		}
		matches := func(o hls.Segment) bool { return s.PDT.Sub(o.PDT).Abs() <= aFrame }
		k := next
		if k >= len(a.Segments) || !matches(a.Segments[k]) {
			k = slices.IndexFunc(a.Segments, matches)
		}
		if k < 0 {
			if i == len(b.Segments)-1 && len(a.Open.Parts) > 0 {
				return // under way in a
			}
			p.differ("renditions-pdt-mapping", "none of the first begins with %s of the second", s.URI)
			return
		}
		msnA, msnB := a.FirstMSN()+int64(k), b.FirstMSN()+int64(i)
		if msnA != msnB {
			p.differ("renditions-msn", "%d and %d are of the same time", msnA, msnB)
			return
		}
		next = k + 1
		if x, y := numbersA[k], numbersB[i]; x != y {
			p.differ("renditions-discontinuity", "segment %d has the numbers %d and %d", msnA, x, y)
			return
		}
	}
}

// dateRanges compares the Date Ranges of those that have any.
func (p *pair) dateRanges() {
	none := func(*entry, string) {}
	a, b := p.a.text.spans(none), p.b.text.spans(none)
	if len(a) == 0 || len(b) == 0 {
		return
	}
	same := slices.EqualFunc(sortedByID(a), sortedByID(b), func(x, y *span) bool { return maps.Equal(x.attrs, y.attrs) })
	if !same {
		p.differ("renditions-dateranges", "%d and %d Date Ranges, not the same", len(a), len(b))
	}
}

func sortedByID(spans []*span) []*span {
	return slices.SortedFunc(slices.Values(spans), func(x, y *span) int {
		if x.id < y.id {
			return -1
		}
		return 1
	})
}
