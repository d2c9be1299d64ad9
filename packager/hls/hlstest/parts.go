package hlstest

import (
	"regexp"
	"slices"
	"time"

	"longwave/packager/hls"
)

// aFrame is how far durations and dates may be off: a frame of AAC at 48 kHz is
// 21.3 ms long, and what is written is rounded.
const aFrame = 25 * time.Millisecond

// allParts applies rules about parts.
func (l *list) allParts() {
	if len(l.parts) > 0 && l.PartTarget == 0 {
		l.add("part-inf-missing", l.parts[0], "no EXT-X-PART-INF")
		return
	}
	at := 0 // index of the next part in the playlist
	first := true
	for i := range l.Segments {
		s := &l.Segments[i]
		if len(s.Parts) == 0 {
			continue
		}
		l.segmentParts(s, at, true)
		l.sum(s, l.uris[i], first)
		at, first = at+len(s.Parts), false
	}
	l.segmentParts(&l.Open, at, false)
	l.oldParts()
}

// segmentParts checks the parts of s, of which the first is the playlist's part at.
func (l *list) segmentParts(s *hls.Segment, at int, complete bool) {
	for k, p := range s.Parts {
		line := l.parts[at+k]
		isLast := k == len(s.Parts)-1
		switch {
		case p.Duration > l.PartTarget:
			l.add("part-target", line, "%v, the target is %v", p.Duration, l.PartTarget)
		case p.Independent || p.Gap:
		case isLast && complete, !isLast && s.Parts[k+1].Gap:
			l.add("part-independent", line, "no INDEPENDENT=YES")
		case p.Duration*100 < l.PartTarget*85:
			l.add("part-short", line, "%v, the target is %v", p.Duration, l.PartTarget)
		default:
			l.add("part-independent", line, "no INDEPENDENT=YES")
		}
		if s.Gap && !p.Gap {
			l.add("part-gap", line, "no GAP=YES")
		}
	}
}

// sum compares the parts of a complete segment with it. From the oldest segment that
// lists parts some may have been removed.
func (l *list) sum(s *hls.Segment, line int, oldest bool) {
	var sum time.Duration
	for _, p := range s.Parts {
		sum += p.Duration
	}
	if off := sum - s.Duration; off > aFrame || off < -aFrame && !oldest {
		l.add("part-sum", line, "%v of parts in a segment of %v", sum, s.Duration)
	}
}

// oldParts finds parts that end more than three target durations before the end.
func (l *list) oldParts() {
	var fromEnd time.Duration
	for _, p := range l.Open.Parts {
		fromEnd += p.Duration
	}
	at := len(l.parts) - len(l.Open.Parts)
	for _, s := range slices.Backward(l.Segments) {
		end := fromEnd
		for _, p := range slices.Backward(s.Parts) {
			at--
			if end > 3*l.TargetDuration {
				l.add("part-old", l.parts[at], "%v before the end", end)
				return
			}
			end += p.Duration
		}
		fromEnd += s.Duration
	}
}

var rePrecise = regexp.MustCompile(`\.\d{3,}(Z|[+-]\d\d(:?\d\d)?)$`)

// dates applies rules about EXT-X-PROGRAM-DATE-TIME.
func (l *list) dates() {
	l.all("EXT-X-PROGRAM-DATE-TIME", func(e *entry) {
		if !rePrecise.MatchString(e.value) {
			l.add("pdt-precision", e.line, "%s", e.value)
		}
	})
	lines := l.lines("EXT-X-PROGRAM-DATE-TIME")
	if len(lines) == 0 {
		if l.lowLatency() {
			l.add("pdt-missing", 0, "no EXT-X-PROGRAM-DATE-TIME")
		}
		return
	}
	var due time.Time // the end of the segment before, when its date is known
	dated := 0
	step := func(s *hls.Segment) {
		if !s.PDT.IsZero() {
			off := s.PDT.Sub(due)
			switch {
			case due.IsZero() || s.Discontinuity:
			case off <= -time.Second:
				l.add("pdt-ambiguous", lines[dated], "%v before the end of the segment before", -off)
			case off > aFrame || off < -aFrame:
				l.add("pdt-continuity", lines[dated], "%v away from the end of the segment before", off)
			}
			due = s.PDT
			dated++
		}
		if !due.IsZero() {
			due = due.Add(s.Duration)
		}
	}
	for i := range l.Segments {
		step(&l.Segments[i])
	}
	step(&l.Open)
}
