package hlstest

import (
	"regexp"
	"slices"
	"strings"
)

// syntax applies the rules about tags and attributes by themselves.
func (t *text) syntax(where place) {
	seen := map[string]int{}
	for i := range t.entries {
		e := &t.entries[i]
		spec, known := tags[e.tag]
		if !known {
			continue
		}
		if first, again := seen[e.tag]; again && spec.once {
			t.add("tag-repeated", e.line, "%s stands in line %d too", e.tag, first)
		}
		seen[e.tag] = e.line
		if spec.place != anywhere && spec.place != where {
			t.add("tags-mixed", e.line, "%s", e.tag)
		}
		switch {
		case spec.form == formAttrs:
			t.checkAttributes(e, spec)
		case !spec.valid(e.value):
			t.add("tag-value", e.line, "%s:%s", e.tag, e.value)
		}
	}
	t.variables(where)
}

func (t *text) checkAttributes(e *entry, spec tagSpec) {
	for _, a := range e.attrs {
		s, known := spec.attrs[a.name]
		switch {
		case !known:
			t.extension(e, a)
		case !s.valid(a):
			t.add("attribute-type", e.line, "%s=%s", a.name, a.value)
		case s.kind == kindString && a.value == "":
			t.add("attribute-empty", e.line, "%s", a.name)
		case s.values != nil && !slices.Contains(s.values, a.value):
			t.add("enum-unknown", e.line, "%s=%s", a.name, a.value)
		}
	}
	for name, s := range spec.attrs {
		if _, ok := e.attr(name); !ok && s.required && !e.bad {
			t.add("attribute-missing", e.line, "%s has no %s", e.tag, name)
		}
	}
}

// extension checks an attribute of somebody's own (section 4.4.5.1).
func (t *text) extension(e *entry, a attribute) {
	if !strings.HasPrefix(a.name, "X-") {
		return
	}
	switch {
	case a.quoted && a.value == "":
		t.add("attribute-empty", e.line, "%s", a.name)
	case !a.quoted && !reHex.MatchString(a.value) && !reSigned.MatchString(a.value):
		t.add("attribute-type", e.line, "%s=%s", a.name, a.value)
	}
}

var reVariable = regexp.MustCompile(`\{\$([A-Za-z0-9_-]+)\}`)

// variables applies the rules about EXT-X-DEFINE (sections 4.3 and 4.4.2.3).
func (t *text) variables(where place) {
	defined := map[string]bool{}
	for i := range t.entries {
		e := &t.entries[i]
		if e.tag == "EXT-X-DEFINE" {
			name, ok := t.define(e, where)
			if ok && defined[name] {
				t.add("define-repeated", e.line, "%s is defined already", name)
			}
			defined[name] = true
			continue
		}
		spec, known := tags[e.tag]
		if e.tag != "" && (!known || spec.form != formAttrs) {
			continue
		}
		for _, m := range reVariable.FindAllStringSubmatch(e.value, -1) {
			if !defined[m[1]] {
				t.add("variable-undefined", e.line, "%s", m[0])
			}
		}
	}
}

// define returns the name that e defines.
func (t *text) define(e *entry, where place) (string, bool) {
	var names []string
	for _, a := range []string{"NAME", "IMPORT", "QUERYPARAM"} {
		if v, ok := e.attr(a); ok {
			names = append(names, v)
		}
	}
	_, byName := e.attr("NAME")
	_, value := e.attr("VALUE")
	_, imports := e.attr("IMPORT")
	switch {
	case len(names) != 1:
		t.add("define", e.line, "%d of NAME, IMPORT and QUERYPARAM", len(names))
	case byName != value:
		t.add("define", e.line, "NAME and VALUE do not stand together")
	case imports && where == inMultivariant:
		t.add("define", e.line, "IMPORT in a multivariant playlist")
	case !reVariable.MatchString("{$" + names[0] + "}"):
		t.add("define", e.line, "%q is no name", names[0])
	default:
		return names[0], true
	}
	return "", false
}

// minVersion returns the least EXT-X-VERSION that allows the tags and attributes of
// the playlist, and the tag that needs it (section 8).
func (t *text) minVersion() (version int, because string) {
	need := func(v int, tag string) {
		if v > version {
			version, because = v, tag
		}
	}
	need(1, "a playlist")
	iframes := t.first("EXT-X-I-FRAMES-ONLY") != nil
	for i := range t.entries {
		e := &t.entries[i]
		switch e.tag {
		case "EXTINF":
			if d, _, _ := strings.Cut(e.value, ","); strings.Contains(d, ".") {
				need(3, "a fraction in EXTINF")
			}
		case "EXT-X-BYTERANGE", "EXT-X-I-FRAMES-ONLY":
			need(4, e.tag)
		case "EXT-X-KEY":
			if _, ok := e.attr("KEYFORMAT"); ok {
				need(5, "KEYFORMAT")
			}
		case "EXT-X-MAP":
			if iframes {
				need(5, e.tag)
			} else {
				need(6, e.tag)
			}
		case "EXT-X-DEFINE":
			need(8, e.tag)
			if _, ok := e.attr("QUERYPARAM"); ok {
				need(11, "QUERYPARAM")
			}
		case "EXT-X-SKIP":
			need(9, e.tag)
			if _, ok := e.attr("RECENTLY-REMOVED-DATERANGES"); ok {
				need(10, "RECENTLY-REMOVED-DATERANGES")
			}
		}
		for _, a := range e.attrs {
			if strings.HasPrefix(a.name, "REQ-") {
				need(12, a.name)
			}
		}
	}
	return version, because
}

// version applies the rules about EXT-X-VERSION.
func (t *text) version() {
	has, line := 1, 0
	if e := t.first("EXT-X-VERSION"); e != nil {
		has, line = int(integer(e.value)), e.line
	}
	need, because := t.minVersion()
	if has < need {
		t.add("version-low", line, "%d, but %s needs %d", has, because, need)
	}
}
