package hlstest

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"longwave/packager/hls"
)

// Check judges one media playlist, full or a delta update, by itself.
func Check(b []byte) []Violation {
	_, t := check(b)
	return t.sorted()
}

// check returns the playlist, or nil when it cannot be read, and its text with what
// was found.
func check(b []byte) (*hls.Media, *text) {
	t, ok := newText(b)
	if !ok {
		return nil, t
	}
	t.syntax(inMedia)
	t.version()
	t.order()
	t.dateRanges()
	m, err := hls.ParseMedia(b)
	if err != nil {
		if len(t.found) == 0 {
			t.add("unreadable", 0, "%v", err)
		}
		return nil, t
	}
	l := list{text: t, Media: m, uris: t.lines(""), parts: t.lines("EXT-X-PART")}
	l.header()
	l.serverControl()
	l.segments()
	l.dates()
	l.allParts()
	l.metadata()
	return m, t
}

// A list is a media playlist that could be read.
type list struct {
	*text
	*hls.Media
	uris  []int // the lines of the segments
	parts []int // the lines of the parts
}

// lowLatency reports whether the playlist has parts, or says that it has.
func (l *list) lowLatency() bool {
	return l.PartTarget > 0 || len(l.parts) > 0
}

// order applies rules about which tag follows which, for which the lines do.
func (t *text) order() {
	if e := t.first("EXT-X-TARGETDURATION"); e == nil || e.value == "0" {
		t.add("target-duration-missing", 0, "no EXT-X-TARGETDURATION of at least 1")
	}
	segments, hasInf, hasPart, discontinuity := 0, false, false, false
	var ranged, inRange string // the resource of the last byte range, and the one here
	for i := range t.entries {
		e := &t.entries[i]
		switch e.tag {
		case "":
			if !hasInf {
				t.add("extinf-missing", e.line, "%s has none", e.value)
			}
			if inRange != "" && !strings.Contains(inRange, "@") && e.value != ranged {
				t.add("byterange-start", e.line, "%s of %s", inRange, e.value)
			}
			ranged = ""
			if inRange != "" {
				ranged = e.value
			}
			segments++
			hasInf, hasPart, inRange = false, false, ""
		case "EXTINF":
			hasInf = true
		case "EXT-X-BYTERANGE":
			inRange = e.value
		case "EXT-X-PART":
			hasPart = true
		case "EXT-X-MEDIA-SEQUENCE":
			if segments > 0 || hasPart {
				t.add("media-sequence-late", e.line, "stands after a segment")
			}
		case "EXT-X-DISCONTINUITY-SEQUENCE":
			if segments > 0 || hasPart || discontinuity {
				t.add("discontinuity-sequence-late", e.line, "stands after a segment or discontinuity")
			}
		case "EXT-X-DISCONTINUITY", "EXT-X-KEY", "EXT-X-MAP", "EXT-X-PROGRAM-DATE-TIME":
			discontinuity = discontinuity || e.tag == "EXT-X-DISCONTINUITY"
			if hasPart {
				t.add("part-tag-order", e.line, "%s stands after a part of its segment", e.tag)
			}
		}
	}
}

// header applies rules about the whole playlist.
func (l *list) header() {
	if e := l.first("EXT-X-VERSION"); e != nil {
		need, _ := l.minVersion()
		if l.Control.CanSkipUntil > 0 {
			need = max(need, 9)
		}
		if l.Control.CanSkipDateRanges {
			need = max(need, 10)
		}
		if l.Version > need {
			l.add("version-high", e.line, "%d, but %d would do", l.Version, need)
		}
	}
	if l.PlaylistType == hls.TypeVOD && !l.EndList {
		l.add("endlist-missing", 0, "EXT-X-PLAYLIST-TYPE:VOD without EXT-X-ENDLIST")
	}
	if e := l.first("EXT-X-START"); e != nil && !l.EndList {
		value, _ := e.attr("TIME-OFFSET")
		fromEnd, err := strconv.ParseFloat(strings.TrimPrefix(value, "-"), 64)
		if !strings.HasPrefix(value, "-") {
			fromEnd = l.Duration().Seconds() - fromEnd
		}
		if err == nil && fromEnd < 3*l.TargetDuration.Seconds() {
			l.add("start-near-end", e.line, "%.3f s before the end", fromEnd)
		}
	}
	if l.Skip.Segments > 0 {
		l.delta()
	}
}

// delta applies rules about delta updates.
func (l *list) delta() {
	line := l.first("EXT-X-SKIP").line
	switch {
	case l.Control.CanSkipUntil == 0:
		l.add("skip-not-offered", line, "no CAN-SKIP-UNTIL")
	case l.Skip.RemovedDateRanges != nil && !l.Control.CanSkipDateRanges:
		l.add("skip-not-offered", line, "no CAN-SKIP-DATERANGES")
	case l.EndList:
		l.add("skip-ended", line, "EXT-X-SKIP with EXT-X-ENDLIST")
	case l.Duration()+l.TargetDuration+time.Second/2 < l.Control.CanSkipUntil:
		// The first segment left out began beyond the boundary, and it was no longer
		// than a target duration, rounded.
		l.add("skip-boundary", line, "%v are left, the boundary is at %v", l.Duration(), l.Control.CanSkipUntil)
	}
}

// serverControl applies the rules of section 4.4.3.8.
func (l *list) serverControl() {
	line := 0
	has := func(string) bool { return false }
	if e := l.first("EXT-X-SERVER-CONTROL"); e != nil {
		line = e.line
		has = func(name string) bool { _, ok := e.attr(name); return ok }
	}
	c, partTarget := l.Control, l.PartTarget
	if has("HOLD-BACK") && c.HoldBack < 3*l.TargetDuration {
		l.add("hold-back", line, "%v", c.HoldBack)
	}
	if has("CAN-SKIP-UNTIL") && c.CanSkipUntil < 6*l.TargetDuration {
		l.add("can-skip-until", line, "%v", c.CanSkipUntil)
	}
	if c.CanSkipDateRanges && !has("CAN-SKIP-UNTIL") {
		l.add("can-skip-dateranges", line, "no CAN-SKIP-UNTIL")
	}
	switch {
	case partTarget == 0:
	case !has("PART-HOLD-BACK"):
		l.add("part-hold-back-missing", line, "no PART-HOLD-BACK")
	case c.PartHoldBack < 2*partTarget:
		l.add("part-hold-back", line, "%v with parts of %v", c.PartHoldBack, partTarget)
	case c.PartHoldBack < 3*partTarget:
		l.add("part-hold-back-low", line, "%v with parts of %v", c.PartHoldBack, partTarget)
	}
	if l.lowLatency() && !c.CanBlockReload && !l.EndList {
		l.add("block-reload-missing", line, "no CAN-BLOCK-RELOAD")
	}
}

// segments applies rules about complete segments.
func (l *list) segments() {
	discontinuity := 0
	for i := range l.Segments {
		s := &l.Segments[i]
		if (s.Duration+time.Second/2)/time.Second*time.Second > l.TargetDuration {
			l.add("target-duration", l.uris[i], "%v", s.Duration)
		}
		if s.Map.URI == "" && l.Skip.Segments == 0 && fragmented(s.URI) {
			l.add("map-missing", l.uris[i], "%s", s.URI)
		}
		if s.Discontinuity {
			discontinuity = l.uris[i]
		}
	}
	l.all("EXTINF", func(e *entry) {
		if d, _, _ := strings.Cut(e.value, ","); !strings.Contains(d, ".") {
			l.add("extinf-integer", e.line, "%s", d)
		}
	})
	if discontinuity > 0 && l.MediaSequence > 0 && !l.EndList && l.first("EXT-X-DISCONTINUITY-SEQUENCE") == nil {
		l.add("discontinuity-sequence-missing", discontinuity, "no EXT-X-DISCONTINUITY-SEQUENCE")
	}
}

// fragmented reports whether a URI looks like that of fragmented MP4.
func fragmented(uri string) bool {
	uri, _, _ = strings.Cut(uri, "?")
	switch path.Ext(uri) {
	case ".m4s", ".mp4", ".m4a", ".m4v", ".cmfa", ".cmfv", ".cmft", ".fmp4":
		return true
	}
	return false
}

// metadata applies rules about hints and reports.
func (l *list) metadata() {
	hints := map[string]int{}
	l.all("EXT-X-PRELOAD-HINT", func(e *entry) {
		kind, _ := e.attr("TYPE")
		if first, again := hints[kind]; again {
			l.add("hint-repeated", e.line, "TYPE=%s stands in line %d too", kind, first)
		}
		hints[kind] = e.line
		if l.EndList {
			l.add("hint-ended", e.line, "a hint with EXT-X-ENDLIST")
		}
	})
	if len(l.parts) > 0 && !l.EndList && hints[hls.HintPart] == 0 {
		l.add("hint-missing", 0, "no hint at the next part")
	}
	for _, h := range l.Hints {
		if h.Type == hls.HintPart && l.lists(h) {
			l.add("hint-listed", hints[hls.HintPart], "%s is listed already", h.URI)
		}
	}
	l.all("EXT-X-RENDITION-REPORT", func(e *entry) {
		if uri, _ := e.attr("URI"); strings.Contains(uri, "://") || strings.HasPrefix(uri, "//") {
			l.add("report-relative", e.line, "%s", uri)
		}
	})
}

// lists reports whether the hinted part stands in the playlist.
func (l *list) lists(h hls.PreloadHint) bool {
	same := func(p hls.Part) bool { return p.URI == h.URI && p.ByteRange.Start == h.ByteRange.Start }
	return slices.ContainsFunc(l.Open.Parts, same) ||
		slices.ContainsFunc(l.Segments, func(s hls.Segment) bool { return slices.ContainsFunc(s.Parts, same) })
}

func integer(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
