package hlstest

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// An entry is a line of a playlist that says something: a tag, or a URI.
type entry struct {
	line  int
	tag   string // without '#'; empty for a URI
	value string // behind the colon, or the URI
	attrs []attribute
	bad   bool // the attribute-list could not be read to its end
}

// An attribute is a pair of an attribute-list.
type attribute struct {
	name, value string
	quoted      bool
}

func (e *entry) attr(name string) (string, bool) {
	for _, a := range e.attrs {
		if a.name == name {
			return a.value, true
		}
	}
	return "", false
}

// A text is a playlist taken apart into lines, with what is known of its tags.
type text struct {
	report
	entries []entry
}

// newText takes b apart and reports what breaks the rules of section 4.1 and 4.2. It
// reports false when b is no text that further rules could be applied to.
func newText(b []byte) (*text, bool) {
	t := new(text)
	if !utf8.Valid(b) {
		t.add("utf-8", 0, "not UTF-8")
		return t, false
	}
	if bytes.HasPrefix(b, []byte("\uFEFF")) {
		t.add("byte-order-mark", 1, "a byte order mark")
		return t, false
	}
	n := 0
	for line := range strings.Lines(string(b)) {
		n++
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		if i := strings.IndexFunc(line, control); i >= 0 && !tabbed(line) {
			t.add("control-character", n, "%q", line[i])
			return t, false
		}
		if n == 1 {
			if line != "#EXTM3U" {
				t.add("extm3u", 1, "%q", line)
				return t, false
			}
			continue
		}
		t.scan(n, line)
	}
	if n == 0 {
		t.add("extm3u", 0, "an empty file")
	}
	return t, n > 0
}

func control(r rune) bool { return r < ' ' || 0x7f <= r && r < 0xa0 }

// tabbed reports the one tag in which section 4.4.5.2 wants tabs, and no other
// control character in it.
func tabbed(line string) bool {
	return strings.HasPrefix(line, "#EXT-X-SKIP:") && !strings.ContainsFunc(strings.ReplaceAll(line, "\t", ""), control)
}

func (t *text) scan(n int, line string) {
	switch {
	case strings.HasPrefix(line, "#EXT"):
		tag, value, _ := strings.Cut(line[1:], ":")
		e := entry{line: n, tag: tag, value: value}
		if s, ok := tags[tag]; ok && s.form == formAttrs {
			t.attributes(&e)
		}
		t.entries = append(t.entries, e)
	case strings.TrimSpace(line) == "" || line[0] == '#':
	default:
		t.entries = append(t.entries, entry{line: n, value: line})
	}
}

// attributes parses the attribute-list of e as far as it can be parsed.
func (t *text) attributes(e *entry) {
	e.bad = true
	for s := e.value; s != ""; {
		name, rest, ok := strings.Cut(s, "=")
		if !ok || !attributeName(name) {
			t.add("attribute-syntax", e.line, "%q is no NAME=value", s)
			return
		}
		a := attribute{name: name}
		if a.quoted = strings.HasPrefix(rest, `"`); a.quoted {
			a.value, rest, ok = strings.Cut(rest[1:], `"`)
			if !ok {
				t.add("attribute-syntax", e.line, "%s has no closing quote", name)
				return
			}
		} else {
			end := strings.IndexByte(rest, ',')
			if end < 0 {
				end = len(rest)
			}
			a.value, rest = rest[:end], rest[end:]
		}
		if _, twice := e.attr(name); twice {
			t.add("attribute-repeated", e.line, "%s stands twice", name)
			return
		}
		e.attrs = append(e.attrs, a)
		if rest == "" {
			break
		}
		if s = strings.TrimPrefix(rest, ","); s == rest || s == "" || !a.quoted && strings.ContainsAny(a.value, " \t\"") {
			t.add("attribute-syntax", e.line, "%q behind %s", rest, name)
			return
		}
	}
	e.bad = false
}

func attributeName(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return s != ""
}

// first returns the first entry of a tag, or nil.
func (t *text) first(tag string) *entry {
	for i := range t.entries {
		if t.entries[i].tag == tag {
			return &t.entries[i]
		}
	}
	return nil
}

// all calls f for every entry of a tag.
func (t *text) all(tag string, f func(e *entry)) {
	for i := range t.entries {
		if t.entries[i].tag == tag {
			f(&t.entries[i])
		}
	}
}

// lines returns the numbers of the lines of a tag ("" for URIs), in order.
func (t *text) lines(tag string) []int {
	var lines []int
	t.all(tag, func(e *entry) { lines = append(lines, e.line) })
	return lines
}
