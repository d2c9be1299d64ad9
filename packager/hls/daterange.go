package hls

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// A DateRange is EXT-X-DATERANGE (section 4.4.5.1): facts about a span of time. The
// playlist that has one must have EXT-X-PROGRAM-DATE-TIME.
//
// Strings may be anybody's: Append passes them through [Text]. An attribute without
// text and one with an illegal name are left out, and so is a whole DateRange
// without ID.
type DateRange struct {
	// ID is unique in the playlist and is never used again for something else.
	ID string
	// Class says what the X- attributes mean. It may be empty.
	Class string
	// Start is START-DATE. It is zero only in a tag that adds to an earlier one.
	Start time.Time
	// End is END-DATE, or zero.
	End time.Time
	// Duration is written when HasDuration is set; zero is an instant.
	Duration    time.Duration
	HasDuration bool
	// EndOnNext: the next range of the Class ends this one.
	EndOnNext bool
	// Attrs are the other attributes, in the order of writing: X-…, SCTE35-…,
	// PLANNED-DURATION, CUE.
	Attrs []Attr
}

// An Attr is an attribute of a [DateRange].
type Attr struct {
	// Name is of A-Z, 0-9 and '-'. Own ones begin with X-.
	Name string
	// Value is a text, or with Bare a number, a hexadecimal-sequence or an
	// enumerated-string, which is written without quotes.
	Value string
	Bare  bool
}

func (d *DateRange) append(dst []byte) []byte {
	if !hasText(d.ID) {
		return dst
	}
	dst = append(dst, "#EXT-X-DATERANGE:"...)
	dst = appendQuoted(dst, "ID", d.ID)
	if hasText(d.Class) {
		dst = appendQuoted(dst, ",CLASS", d.Class)
	}
	if !d.Start.IsZero() {
		dst = appendTime(append(dst, `,START-DATE="`...), d.Start)
		dst = append(dst, '"')
	}
	if !d.End.IsZero() {
		dst = appendTime(append(dst, `,END-DATE="`...), d.End)
		dst = append(dst, '"')
	}
	if d.HasDuration {
		dst = appendSeconds(append(dst, ",DURATION="...), d.Duration)
	}
	for _, a := range d.Attrs {
		switch {
		case !legalName(a.Name):
		case !a.Bare && hasText(a.Value):
			dst = appendQuoted(append(dst, ','), a.Name, a.Value)
		case a.Bare && legalBare(a.Value):
			dst = append(append(dst, ','), a.Name...)
			dst = append(append(dst, '='), a.Value...)
		}
	}
	if d.EndOnNext {
		dst = append(dst, ",END-ON-NEXT=YES"...)
	}
	return append(dst, '\n')
}

func appendQuoted(dst []byte, name, text string) []byte {
	dst = append(append(dst, name...), '=', '"')
	return append(appendText(dst, text), '"')
}

// legalName reports whether s is an AttributeName (section 4.2) that Attrs may hold.
func legalName(s string) bool {
	switch s {
	case "", "ID", "CLASS", "START-DATE", "END-DATE", "DURATION", "END-ON-NEXT":
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'A' || c > 'Z') && !isDigit(c) && c != '-' {
			return false
		}
	}
	return !strings.HasPrefix(s, "REQ-")
}

// legalBare reports whether s can stand without quotes.
func legalBare(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '"' || c == ',' {
			return false
		}
	}
	return s != ""
}

// Text makes s fit for a quoted-string (section 4.2): double quotes become single
// ones, line breaks and other control characters become blanks, what is not UTF-8
// becomes U+FFFD, byte order marks go, and "{$", which would begin a variable
// (section 4.3), is taken apart. Text(Text(s)) is Text(s).
func Text(s string) string {
	if clean(s) {
		return s
	}
	return string(appendText(nil, s))
}

func appendText(dst []byte, s string) []byte {
	var last rune
	for _, r := range s {
		switch {
		case r == '"':
			r = '\''
		case r == '\uFEFF':
			continue
		case dirty(r):
			r = ' '
		case r == '$' && last == '{':
			dst = append(dst, ' ')
		}
		dst = utf8.AppendRune(dst, r)
		last = r
	}
	return dst
}

// dirty reports characters that may break a line for somebody, besides '"'.
func dirty(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029'
}

func clean(s string) bool {
	return utf8.ValidString(s) && !strings.Contains(s, "{$") &&
		!strings.ContainsFunc(s, func(r rune) bool { return r == '"' || r == '\uFEFF' || dirty(r) })
}

// hasText reports whether Text(s) is not empty.
func hasText(s string) bool {
	for _, r := range s {
		if r != '\uFEFF' {
			return true
		}
	}
	return false
}

func parseDateRange(r *attrReader) DateRange {
	d := DateRange{
		ID:        Text(r.quoted("ID")),
		Class:     Text(r.optional("CLASS")),
		Start:     r.time("START-DATE"),
		End:       r.time("END-DATE"),
		Duration:  r.seconds("DURATION", false),
		EndOnNext: r.yes("END-ON-NEXT"),
	}
	_, d.HasDuration = r.list.get("DURATION")
	for _, a := range r.list {
		a.value = Text(a.value)
		if legalName(a.name) && a.value != "" && (a.quoted || legalBare(a.value)) {
			d.Attrs = append(d.Attrs, Attr{Name: a.name, Value: a.value, Bare: !a.quoted})
		}
	}
	if d.ID == "" {
		r.fail("ID has no text")
	}
	return d
}

// time returns a quoted date and time, or zero when it is not there.
func (r *attrReader) time(name string) time.Time {
	a, ok := r.list.get(name)
	if !ok {
		return time.Time{}
	}
	t, ok := parseTime(a.value)
	if !ok || !a.quoted {
		r.fail(name + " is not a date and time")
	}
	return t
}
