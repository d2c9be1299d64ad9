package hlstest

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// A span is a Date Range with all that its tags say (section 4.4.5.1).
type span struct {
	id    string
	line  int
	attrs map[string]string
	start time.Time
	end   time.Time // zero when it is not known
}

// spans consolidates the EXT-X-DATERANGE tags, in the order of first appearance.
// conflict is called for a tag that contradicts an earlier one.
func (t *text) spans(conflict func(e *entry, name string)) []*span {
	var all []*span
	byID := map[string]*span{}
	t.all("EXT-X-DATERANGE", func(e *entry) {
		id, ok := e.attr("ID")
		if !ok {
			return
		}
		s := byID[id]
		if s == nil {
			s = &span{id: id, line: e.line, attrs: map[string]string{}}
			byID[id] = s
			all = append(all, s)
		}
		for _, a := range e.attrs {
			if old, ok := s.attrs[a.name]; ok && old != a.value {
				conflict(e, a.name)
			}
			s.attrs[a.name] = a.value
		}
	})
	for _, s := range all {
		s.start, s.end = date(s.attrs["START-DATE"]), date(s.attrs["END-DATE"])
		if d, err := time.ParseDuration(s.attrs["DURATION"] + "s"); err == nil && s.end.IsZero() && !s.start.IsZero() {
			s.end = s.start.Add(d)
		}
	}
	return all
}

// dateRanges applies the rules of section 4.4.5.1.
func (t *text) dateRanges() {
	spans := t.spans(func(e *entry, name string) {
		t.add("daterange-conflict", e.line, "another %s before", name)
	})
	if len(spans) > 0 && t.first("EXT-X-PROGRAM-DATE-TIME") == nil {
		t.add("daterange-pdt", spans[0].line, "no EXT-X-PROGRAM-DATE-TIME")
	}
	onNext := map[string]bool{} // classes
	for _, s := range spans {
		t.span(s)
		if s.attrs["END-ON-NEXT"] != "" {
			onNext[s.attrs["CLASS"]] = true
		}
	}
	for class := range onNext {
		t.overlaps(class, spans)
	}
}

func (t *text) span(s *span) {
	_, hasEnd := s.attrs["END-DATE"]
	duration, hasDuration := s.attrs["DURATION"]
	d, err := time.ParseDuration(duration + "s")
	switch {
	case s.attrs["START-DATE"] == "" && t.first("EXT-X-SKIP") == nil:
		t.add("daterange-start", s.line, "%s has no START-DATE", s.id)
	case s.start.IsZero():
	case hasEnd && s.end.Before(s.start):
		t.add("daterange-end", s.line, "%s ends %v before it starts", s.id, s.start.Sub(s.end))
	case hasEnd && hasDuration && err == nil && !s.end.IsZero():
		if off := s.end.Sub(s.start.Add(d)); off.Abs() >= time.Millisecond {
			t.add("daterange-duration", s.line, "%s: END-DATE is %v off", s.id, off)
		}
	}
	if s.attrs["END-ON-NEXT"] != "" && (s.attrs["CLASS"] == "" || hasEnd || hasDuration) {
		t.add("daterange-end-on-next", s.line, "%s", s.id)
	}
	if cue := strings.Split(s.attrs["CUE"], ","); slices.Contains(cue, "PRE") && slices.Contains(cue, "POST") {
		t.add("daterange-cue", s.line, "%s", s.attrs["CUE"])
	}
}

// overlaps checks the spans of a class of which one ends on the next.
func (t *text) overlaps(class string, spans []*span) {
	var own []*span
	for _, s := range spans {
		if s.attrs["CLASS"] == class && !s.start.IsZero() {
			own = append(own, s)
		}
	}
	slices.SortStableFunc(own, func(a, b *span) int {
		return cmp.Or(a.start.Compare(b.start), cmp.Compare(a.line, b.line))
	})
	for i := 1; i < len(own); i++ {
		before, s := own[i-1], own[i]
		if before.end.After(s.start) || before.start.Equal(s.start) {
			t.add("daterange-overlap", s.line, "%s overlaps %s", s.id, before.id)
		}
	}
}

// date parses an ISO 8601 date; zero when it is none.
func date(s string) time.Time {
	for _, layout := range []string{"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}
