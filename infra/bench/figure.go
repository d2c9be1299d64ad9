package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"
)

// A figure is one thing that was measured.
type figure struct {
	Group string  `json:"group"`
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	// Target is what Value must not exceed; nil: a figure to compare with.
	Target *float64 `json:"target,omitempty"`
	// Steady is set for counts and bytes, which are the same on a busy machine. Times
	// are not, and CPU times neither: others empty the caches.
	Steady bool   `json:"steady"`
	Notes  string `json:"notes,omitempty"`
	load
}

func (f figure) missed() bool { return f.Target != nil && !(f.Value <= *f.Target) }

// busy is the load of others, in percent of one processor, from which a time that
// is too long proves nothing.
const busy = 25

// verdict says in a word what became of the target.
func (f figure) verdict() string {
	switch {
	case f.Target == nil:
		return ""
	case !f.missed():
		return "reached"
	case !f.Steady && f.Others >= busy:
		return "missed, busy"
	}
	return "MISSED"
}

// A report is everything of one run.
type report struct {
	At       time.Time `json:"at"`
	Took     float64   `json:"took_seconds"`
	Commit   string    `json:"commit"`
	Machine  machine   `json:"machine"`
	Figures  []figure  `json:"figures"`
	Failures []string  `json:"failures,omitempty"` // what could not be measured, and why
}

// table writes the figures for people.
func (r *report) table(w io.Writer) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	group := ""
	for _, f := range r.Figures {
		if f.Group != group {
			group = f.Group
			fmt.Fprintf(tw, "\n%s\t\ttarget\t\tothers\t\n", group)
		}
		target := ""
		if f.Target != nil {
			target = "<= " + number(*f.Target)
		}
		fmt.Fprintf(tw, "  %s\t%s %s\t%s\t%s\t%.0f %%\t%s\n", f.Name, number(f.Value), f.Unit, target, f.verdict(), f.Others, f.Notes)
	}
	_ = tw.Flush() // w is standard output
	r.closing(w)
}

func (r *report) closing(w io.Writer) {
	var reached, missed, excused int
	var most float64
	for _, f := range r.Figures {
		most = max(most, f.Others)
		switch f.verdict() {
		case "reached":
			reached++
		case "missed, busy":
			excused++
		case "MISSED":
			missed++
		}
	}
	fmt.Fprintf(w, "\n%d targets reached, %d missed, %d missed while others used %d %% of a core or more, in %.0f s.\n",
		reached, missed, excused, busy, r.Took)
	fmt.Fprintf(w, "others: CPU that the rest of the machine used meanwhile, in percent of one of its %d cores; at most %.0f here.\n", r.Machine.Cores, most)
	fmt.Fprintln(w, "Beside others, times are upper bounds: milliseconds above all, and CPU times too, since others use the caches. Counts, bytes and ratios hold.")
	for _, f := range r.Failures {
		fmt.Fprintf(w, "not measured: %s\n", f)
	}
}

// number writes v with three digits that count.
func number(v float64) string {
	switch a := math.Abs(v); {
	case a >= 100 || v == math.Trunc(v):
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// save writes the report under the time of its run, and as latest.json.
func (r *report) save(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return "", err
	}
	b = append(b, '\n')
	path := filepath.Join(dir, r.At.UTC().Format("20060102T150405Z")+".json")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		return "", err
	}
	return path, os.WriteFile(filepath.Join(dir, "latest.json"), b, 0o644)
}

// percentile returns the smallest member that p percent of the values are not above.
func percentile(values []float64, p float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(values))
	i := int(math.Ceil(p/100*float64(len(s)))) - 1
	return s[min(len(s)-1, max(0, i))]
}

func median(values []float64) float64 { return percentile(values, 50) }

func round(v float64, digits int) float64 {
	p := math.Pow10(digits)
	return math.Round(v*p) / p
}

// spread writes the least and the greatest value.
func spread(values []float64) string {
	return fmt.Sprintf("%s to %s", number(slices.Min(values)), number(slices.Max(values)))
}
