package hlstest

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
)

// A Severity says how strongly a rule is meant (RFC 2119).
type Severity uint8

// The severities.
const (
	Must Severity = iota + 1
	Should
)

func (s Severity) String() string {
	if s == Must {
		return "MUST"
	}
	return "SHOULD"
}

// A Scope says what a rule is about, and so who checks it.
type Scope uint8

// The scopes.
const (
	Any          Scope = iota + 1 // every playlist: Check and CheckMultivariant
	Media                         // one media playlist: Check
	Multivariant                  // one multivariant playlist: CheckMultivariant
	OverTime                      // successive versions: Follower
	Renditions                    // several media playlists: CheckRenditions
	Bytes                         // init segments, segments, parts: Track
	HTTP                          // responses: CheckResponse
)

var scopeNames = [...]string{"", "any playlist", "media playlist", "multivariant playlist", "over time", "renditions", "bytes", "HTTP"}

func (s Scope) String() string { return scopeNames[s] }

// A Rule is something that a stream must keep.
type Rule struct {
	// Name identifies the rule for ever.
	Name string
	// Section is where it comes from; see the package comment.
	Section  string
	Severity Severity
	Scope    Scope
	// Says is the rule in one sentence.
	Says string
}

// Rules returns all rules, in the order of their scopes.
func Rules() []Rule { return slices.Clone(rules) }

// A Violation is a rule that was broken.
type Violation struct {
	Rule Rule
	// Line is the line of the playlist, from 1; 0 when it is no matter of one line.
	Line int
	// Found is what was found.
	Found string
}

// String returns the violation in one line.
func (v Violation) String() string {
	at := ""
	if v.Line > 0 {
		at = "line " + strconv.Itoa(v.Line) + ": "
	}
	return fmt.Sprintf("%s: %s%s (%v, section %s: %s)", v.Rule.Name, at, v.Found, v.Rule.Severity, v.Rule.Section, v.Rule.Says)
}

// A report gathers violations.
type report struct {
	found []Violation
}

// add notes that the rule called name was broken. A name that no rule has is a
// mistake of this package.
func (r *report) add(name string, line int, format string, args ...any) {
	i := slices.IndexFunc(rules, func(rule Rule) bool { return rule.Name == name })
	if i < 0 {
		panic("hlstest: no rule is called " + name)
	}
	r.found = append(r.found, Violation{Rule: rules[i], Line: line, Found: fmt.Sprintf(format, args...)})
}

// sorted returns what was found in the order of lines.
func (r *report) sorted() []Violation {
	slices.SortStableFunc(r.found, func(a, b Violation) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Rule.Name, b.Rule.Name), cmp.Compare(a.Found, b.Found))
	})
	return r.found
}
