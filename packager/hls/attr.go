package hls

import "strings"

// An attr is a pair of an attribute-list (section 4.2).
type attr struct {
	name, value string // the value without its quotes
	quoted      bool
}

// maxAttrs bounds the attributes of one tag.
const maxAttrs = 64

// An attrList is a parsed attribute-list.
type attrList []attr

// parseAttrs parses an attribute-list into list, which it reuses. Blanks after a
// comma are passed over: encoders write them, though section 4.2 does not allow it.
// A name that stands twice is refused, as section 4.2 tells clients to. The reason
// for a refusal is returned; it is empty when there is none.
func parseAttrs(s string, list attrList) (attrList, string) {
	list = list[:0]
	for s = strings.TrimLeft(s, " \t"); s != ""; {
		name, rest, ok := strings.Cut(s, "=")
		if !ok || name == "" || strings.ContainsAny(name, "\",") {
			return list, "not a list of NAME=value"
		}
		a := attr{name: strings.TrimSpace(name)}
		if a.quoted = strings.HasPrefix(rest, `"`); a.quoted {
			if a.value, rest, ok = strings.Cut(rest[1:], `"`); !ok {
				return list, a.name + " has no closing quote"
			}
			rest = strings.TrimLeft(rest, " \t")
			if rest != "" && rest[0] != ',' {
				return list, a.name + " has text behind its closing quote"
			}
			rest = strings.TrimPrefix(rest, ",")
		} else {
			a.value, rest, _ = strings.Cut(rest, ",")
			a.value = strings.TrimSpace(a.value)
		}
		if _, twice := list.get(a.name); twice {
			return list, a.name + " stands twice"
		}
		if len(list) == maxAttrs {
			return list, "too many attributes"
		}
		list = append(list, a)
		s = strings.TrimLeft(rest, " \t")
	}
	return list, ""
}

func (l attrList) get(name string) (attr, bool) {
	for _, a := range l {
		if a.name == name {
			return a, true
		}
	}
	return attr{}, false
}

// required reports whether l holds an attribute that a client must understand to
// use the tag (section 6.3.1). This parser knows none.
func (l attrList) required() bool {
	for _, a := range l {
		if strings.HasPrefix(a.name, "REQ-") {
			return true
		}
	}
	return false
}
