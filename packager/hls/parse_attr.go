package hls

import (
	"math"
	"strings"
	"time"
)

// attrTag reads the tags of a media playlist whose value is an attribute-list.
func (p *mediaParser) attrTag(tag, value string) error {
	var reason string
	if p.attrs, reason = parseAttrs(value, p.attrs); reason != "" {
		if tag == "EXT-X-DATERANGE" {
			return nil // section 4.4.5.1 tells clients to ignore illegal ones
		}
		return p.pos.errorf(reason)
	}
	if p.attrs.required() {
		return nil // to be ignored by those who do not know it (section 6.3.1)
	}
	r := attrReader{list: p.attrs}
	switch tag {
	case "EXT-X-MAP":
		p.mapTag(&r)
	case "EXT-X-PART":
		p.part(&r)
	case "EXT-X-SERVER-CONTROL":
		p.m.Control = ServerControl{
			CanBlockReload:    r.yes("CAN-BLOCK-RELOAD"),
			CanSkipUntil:      r.seconds("CAN-SKIP-UNTIL", false),
			CanSkipDateRanges: r.yes("CAN-SKIP-DATERANGES"),
			HoldBack:          r.seconds("HOLD-BACK", false),
			PartHoldBack:      r.seconds("PART-HOLD-BACK", false),
		}
	case "EXT-X-PART-INF":
		p.m.PartTarget = r.seconds("PART-TARGET", true)
	case "EXT-X-SKIP":
		p.skip(&r)
	case "EXT-X-KEY":
		if method, _ := r.list.get("METHOD"); method.value != "NONE" {
			r.fail("encrypted media is not supported")
		}
	case "EXT-X-PRELOAD-HINT":
		p.hint(&r)
	case "EXT-X-RENDITION-REPORT":
		p.m.Reports = append(p.m.Reports, RenditionReport{
			URI:  r.quoted("URI"),
			Last: Position{MSN: r.integer("LAST-MSN", -1), Part: int(r.integer("LAST-PART", Whole))},
		})
	case "EXT-X-DATERANGE":
		if d := parseDateRange(&r); r.reason == "" {
			p.m.DateRanges = append(p.m.DateRanges, d)
		}
		return nil
	}
	if r.reason != "" {
		return p.pos.errorf(r.reason)
	}
	return nil
}

func (p *mediaParser) mapTag(r *attrReader) {
	m := Map{URI: r.quoted("URI")}
	if a, ok := r.list.get("BYTERANGE"); ok {
		m.ByteRange = r.byteRange(a.value)
		if m.ByteRange.Start < 0 {
			r.fail("BYTERANGE without an offset")
		}
	}
	p.current, p.started = m, true
}

func (p *mediaParser) part(r *attrReader) {
	part := Part{
		URI:         r.quoted("URI"),
		Duration:    r.seconds("DURATION", true),
		Independent: r.yes("INDEPENDENT"),
		Gap:         r.yes("GAP"),
	}
	if a, ok := r.list.get("BYTERANGE"); ok {
		part.ByteRange = r.byteRange(a.value)
	}
	if !p.parts.resolve(&part.ByteRange, part.URI) {
		r.fail("BYTERANGE without an offset does not follow one of the same resource")
	}
	p.seg.Parts = append(p.seg.Parts, part)
	p.started = true
}

func (p *mediaParser) skip(r *attrReader) {
	if len(p.m.Segments) > 0 || p.started {
		r.fail("stands after the first segment")
	}
	n := r.integer("SKIPPED-SEGMENTS", -1)
	if n < 0 {
		r.fail("SKIPPED-SEGMENTS is missing")
	}
	if n > maxSkip {
		r.fail("SKIPPED-SEGMENTS is out of range")
	}
	p.m.Skip.Segments = int(n)
	if a, ok := r.list.get("RECENTLY-REMOVED-DATERANGES"); ok {
		p.m.Skip.RemovedDateRanges = []string{}
		if a.value != "" {
			p.m.Skip.RemovedDateRanges = strings.Split(a.value, "\t")
		}
	}
}

func (p *mediaParser) hint(r *attrReader) {
	t, ok := r.list.get("TYPE")
	switch {
	case !ok:
		r.fail("TYPE is missing")
	case t.value != HintPart && t.value != HintMap:
		return // an unknown enumerated value: the tag is ignored (section 6.3.1)
	}
	h := PreloadHint{Type: t.value, URI: r.quoted("URI")}
	h.ByteRange.Start = r.integer("BYTERANGE-START", 0)
	h.ByteRange.Length = r.integer("BYTERANGE-LENGTH", 0)
	p.m.Hints = append(p.m.Hints, h)
}

// An attrReader takes values out of an attribute-list and keeps the first reason
// why one of them could not be taken.
type attrReader struct {
	list   attrList
	reason string
}

func (r *attrReader) fail(reason string) {
	if r.reason == "" {
		r.reason = reason
	}
}

// quoted returns a quoted-string that must be there and must not be empty.
func (r *attrReader) quoted(name string) string {
	a, ok := r.list.get(name)
	switch {
	case !ok:
		r.fail(name + " is missing")
	case !a.quoted:
		r.fail(name + " is not quoted")
	case a.value == "":
		r.fail(name + " is empty")
	}
	return a.value
}

// optional returns a quoted-string, or "".
func (r *attrReader) optional(name string) string {
	a, ok := r.list.get(name)
	if ok && !a.quoted {
		r.fail(name + " is not quoted")
	}
	return a.value
}

// yes reports whether an enumerated-string is there and is YES.
func (r *attrReader) yes(name string) bool {
	a, _ := r.list.get(name)
	return a.value == "YES" && !a.quoted
}

// seconds returns a decimal-floating-point. One that must be there must be positive.
func (r *attrReader) seconds(name string, required bool) time.Duration {
	a, ok := r.list.get(name)
	if !ok {
		if required {
			r.fail(name + " is missing")
		}
		return 0
	}
	d, ok := parseSeconds(a.value)
	if !ok || a.quoted {
		r.fail(name + " is not a number of seconds")
	} else if required && d == 0 {
		r.fail(name + " is zero")
	}
	return d
}

// integer returns a decimal-integer, or missing when it is not there.
func (r *attrReader) integer(name string, missing int64) int64 {
	a, ok := r.list.get(name)
	if !ok {
		return missing
	}
	n, ok := parseInt(a.value)
	if !ok || a.quoted {
		r.fail(name + " is not a decimal integer")
	}
	if n > maxMSN || n > math.MaxInt {
		r.fail(name + " is out of range")
	}
	return n
}

func (r *attrReader) byteRange(s string) ByteRange {
	b, ok := parseByteRange(s)
	if !ok {
		r.fail("BYTERANGE is not a byte range")
	}
	return b
}
