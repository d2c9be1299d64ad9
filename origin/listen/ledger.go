package listen

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"longwave/packager/hls/hlstest"
)

// A Finding is a rule that was broken, however often, by one rendition.
type Finding struct {
	Rule      string `json:"rule"`
	Severity  string `json:"severity"` // MUST or SHOULD
	Section   string `json:"section"`
	Says      string `json:"says"`
	Rendition string `json:"rendition,omitempty"` // empty: the stream as a whole
	Found     string `json:"found"`               // what was found the first time
	Count     int    `json:"count"`
	First     Millis `json:"first_ms"` // since the listener began
	Last      Millis `json:"last_ms"`
}

// A ledger gathers what was found. Many goroutines use it.
type ledger struct {
	start time.Time

	mu    sync.Mutex
	all   map[string]*Finding // by rule and rendition; guarded by mu
	notes []string            // guarded by mu
}

// maxNotes bounds what is remembered besides rules; their number is bounded anyhow.
const maxNotes = 20

func newLedger(start time.Time) *ledger { return &ledger{start: start, all: map[string]*Finding{}} }

// add notes what was found in a rendition; an empty name is the whole stream.
func (l *ledger) add(rendition string, found ...hlstest.Violation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := Millis(time.Since(l.start))
	for _, v := range found {
		key := v.Rule.Name + " " + rendition
		f := l.all[key]
		if f == nil {
			f = &Finding{
				Rule: v.Rule.Name, Severity: v.Rule.Severity.String(), Section: v.Rule.Section, Says: v.Rule.Says,
				Rendition: rendition, Found: shorten(v.Found), First: now,
			}
			l.all[key] = f
		}
		f.Count++
		f.Last = now
	}
}

// note remembers something that is no rule, once.
func (l *ledger) note(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.notes) < maxNotes && !slices.Contains(l.notes, text) {
		l.notes = append(l.notes, text)
	}
}

// noted returns the notes.
func (l *ledger) noted() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string{}, l.notes...)
}

// count returns how often a rule was broken by a rendition.
func (l *ledger) count(rule, rendition string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f := l.all[rule+" "+rendition]; f != nil {
		return f.Count
	}
	return 0
}

// findings returns all of a severity, in the order in which they came.
func (l *ledger) findings(s hlstest.Severity) []Finding {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := []Finding{} // an empty list in JSON, not null
	for _, f := range l.all {
		if f.Severity == s.String() {
			all = append(all, *f)
		}
	}
	slices.SortFunc(all, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Rendition, b.Rendition))
	})
	return all
}

// shorten keeps a foreign server's texts from filling the report.
func shorten(s string) string {
	const most = 300
	if len(s) <= most {
		return s
	}
	end := most
	for end > 0 && s[end]&0xC0 == 0x80 { // in the middle of a rune
		end--
	}
	return s[:end] + "…"
}
