package store

import (
	"errors"
	"fmt"
	"strings"
)

// A Report is what a store's probe found: it is shown before going on air.
type Report struct {
	Store    string // what was looked at: a folder, a bucket
	Findings []Finding
}

// A Finding is the result of one check.
type Finding struct {
	Check string // what was looked for, in a few words
	Level Level
	Text  string // what was found, and what to do unless all is well
}

// A Level says how much a finding matters.
type Level uint8

const (
	// Good: as it should be.
	Good Level = iota + 1
	// Warning: it works, and somebody should know.
	Warning
	// Away: it cannot be looked at now, which may pass by itself. Who begins waits for
	// it; who was on air with it goes on.
	Away
	// Fatal: do not go on air with it.
	Fatal
)

// String returns a word of four letters.
func (l Level) String() string {
	switch l {
	case Good:
		return "good"
	case Warning:
		return "warn"
	case Away:
		return "away"
	case Fatal:
		return "stop"
	}
	return fmt.Sprintf("Level(%d)", uint8(l))
}

// Add adds a finding.
func (r *Report) Add(check string, l Level, format string, args ...any) {
	r.Findings = append(r.Findings, Finding{check, l, fmt.Sprintf(format, args...)})
}

// Away reports that nothing is known to be wrong but that the store cannot be reached.
func (r Report) Away() bool {
	away := false
	for _, f := range r.Findings {
		if f.Level == Fatal {
			return false
		}
		away = away || f.Level == Away
	}
	return away
}

// Err returns nil, or all that is fatal or away in one line.
func (r Report) Err() error {
	var texts []string
	for _, f := range r.Findings {
		if f.Level >= Away {
			texts = append(texts, f.Check+": "+f.Text)
		}
	}
	if len(texts) == 0 {
		return nil
	}
	return errors.New(r.Store + ": " + strings.Join(texts, "; "))
}

// String returns the report, a finding a line.
func (r Report) String() string {
	var b strings.Builder
	b.WriteString(r.Store)
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "\n  %s  %s: %s", f.Level, f.Check, f.Text)
	}
	return b.String()
}
