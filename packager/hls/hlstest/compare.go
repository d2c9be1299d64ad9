package hlstest

import (
	"slices"

	"longwave/packager/hls"
)

// A comparison is of a version of a playlist with the one before, both full.
type comparison struct {
	*text
	old, m *hls.Media
}

// compare applies the rules about what may change (sections 6.2.1 and 6.2.2).
func (c *comparison) compare() {
	old, m := c.old, c.m
	if old.EndList && (!m.EndList || m.OpenMSN() != old.OpenMSN()) {
		c.add("changed-after-end", 0, "the playlist had ended before segment %d", old.OpenMSN())
		return
	}
	if m.TargetDuration != old.TargetDuration {
		c.add("target-duration-changed", c.first("EXT-X-TARGETDURATION").line, "%v, it was %v", m.TargetDuration, old.TargetDuration)
	}
	if m.PlaylistType != old.PlaylistType {
		c.add("playlist-type-changed", 0, "%q, it was %q", m.PlaylistType, old.PlaylistType)
	}
	if m.MediaSequence < old.MediaSequence {
		c.add("msn-decreased", 0, "%d, it was %d", m.MediaSequence, old.MediaSequence)
		return
	}
	if m.OpenMSN() < old.OpenMSN() {
		c.add("edge-decreased", 0, "the last segment is %d, it was %d", m.OpenMSN()-1, old.OpenMSN()-1)
		return
	}
	if m.MediaSequence > old.MediaSequence {
		c.window()
	}
	if !c.segments() {
		return
	}
	c.discontinuities()
	if c.parts() {
		c.hint()
	}
}

// window applies the rules about a playlist from which segments were removed.
func (c *comparison) window() {
	m := c.m
	if m.PlaylistType != "" && m.PlaylistType == c.old.PlaylistType {
		c.add("playlist-type-live", c.first("EXT-X-PLAYLIST-TYPE").line, "%s", m.PlaylistType)
	}
	switch {
	case m.EndList:
	case m.Duration() < 3*m.TargetDuration:
		c.add("window-short", 0, "%v", m.Duration())
	case len(m.Segments) < 6:
		c.add("window-segments", 0, "%d segments", len(m.Segments))
	}
}

// segment returns the complete segment of an MSN, or nil.
func segment(m *hls.Media, msn int64) *hls.Segment {
	if msn < m.FirstMSN() || msn >= m.OpenMSN() {
		return nil
	}
	return &m.Segments[msn-m.FirstMSN()]
}

// segments compares the segments that both versions have. It reports whether they
// are the same ones.
func (c *comparison) segments() bool {
	for msn := c.m.MediaSequence; msn < c.old.OpenMSN(); msn++ {
		a, b := segment(c.old, msn), segment(c.m, msn)
		if a.URI != b.URI || a.ByteRange != b.ByteRange {
			c.add("segment-changed", 0, "%d is %s, it was %s", msn, b.URI, a.URI)
			return false
		}
		pdt := a.PDT.IsZero() || b.PDT.IsZero() || a.PDT.Equal(b.PDT)
		if !pdt || a.Duration != b.Duration || a.Map != b.Map || a.Gap != b.Gap || a.Discontinuity != b.Discontinuity {
			c.add("segment-tags-changed", 0, "%d: a tag is not what it was", msn)
		}
	}
	return true
}

// discontinuities compares the number of the first segment that both have.
func (c *comparison) discontinuities() {
	first := c.m.MediaSequence
	if first >= c.old.OpenMSN() || len(c.m.Segments) == 0 {
		return
	}
	was, is := numbers(c.old)[first-c.old.FirstMSN()], numbers(c.m)[0]
	if was != is {
		c.add("discontinuity-sequence", 0, "segment %d has number %d, it had %d", first, is, was)
	}
}

// numbers returns the Discontinuity Sequence Numbers of the listed segments (section
// 6.2.1).
func numbers(m *hls.Media) []int64 {
	all := make([]int64, len(m.Segments))
	n := m.DiscontinuitySequence
	for i := range m.Segments {
		if m.Segments[i].Discontinuity {
			n++
		}
		all[i] = n
	}
	return all
}

// parts compares the parts of the segments that both versions have. It reports
// whether all is well.
func (c *comparison) parts() bool {
	open := c.old.OpenMSN()
	for msn := c.m.MediaSequence; msn <= open; msn++ {
		was, is := partsOf(c.old, msn), partsOf(c.m, msn)
		if !c.sameParts(msn, was, is) {
			return false
		}
	}
	return c.partOrder()
}

func partsOf(m *hls.Media, msn int64) []hls.Part {
	if msn == m.OpenMSN() {
		return m.Open.Parts
	}
	if s := segment(m, msn); s != nil {
		return s.Parts
	}
	return nil
}

// sameParts compares the parts of one segment. From a complete segment the first
// ones, or all, may have gone.
func (c *comparison) sameParts(msn int64, was, is []hls.Part) bool {
	complete := msn < c.m.OpenMSN()
	if complete && len(is) == 0 {
		return true // partOrder sees when they went too early
	}
	if len(is) > 0 {
		begin := slices.IndexFunc(was, func(p hls.Part) bool { return p.URI == is[0].URI && p.ByteRange == is[0].ByteRange })
		switch {
		case begin > 0 && !complete:
			c.add("part-removed", 0, "%v is listed no longer", hls.Position{MSN: msn})
			return false
		case begin > 0:
			was = was[begin:]
		case begin < 0 && complete && len(is) < len(was):
			return true // the ones that were there have gone
		}
	}
	for k := range was {
		p := hls.Position{MSN: msn, Part: k}
		if k >= len(is) {
			c.add("part-removed", 0, "%v is listed no longer", p)
			return false
		}
		if was[k] != is[k] {
			c.add("part-changed", 0, "%v is %s of %v, it was %s of %v", p, is[k].URI, is[k].Duration, was[k].URI, was[k].Duration)
			return false
		}
	}
	return true
}

func has(parts []hls.Part, uri string) bool {
	return slices.ContainsFunc(parts, func(p hls.Part) bool { return p.URI == uri })
}

// partOrder finds a segment that lost its parts before an older one did.
func (c *comparison) partOrder() bool {
	older := false
	for i := range c.m.Segments {
		msn := c.m.FirstMSN() + int64(i)
		switch parts := c.m.Segments[i].Parts; {
		case len(parts) > 0:
			older = true
		case older && len(partsOf(c.old, msn)) > 0:
			c.add("part-removed", 0, "the parts of %d, but not those before", msn)
			return false
		}
	}
	return true
}

// hint checks that the part at which the old version hinted is the one that came.
func (c *comparison) hint() {
	uri, next := c.old.Hint(), c.old.Next()
	if uri == "" || c.m.EndList || !c.m.Contains(next) || uri == c.m.Hint() {
		return
	}
	parts := partsOf(c.m, next.MSN)
	if next.MSN < c.m.OpenMSN() && len(parts) <= next.Part {
		// The segment ended before the hinted part, or its parts have gone.
		if len(parts) == 0 {
			return
		}
		parts = partsOf(c.m, next.MSN+1)
		next.Part = 0
	}
	if next.Part < len(parts) && !has(parts, uri) {
		c.add("hint-broken", 0, "%s came, %s was hinted at", parts[next.Part].URI, uri)
	}
}
