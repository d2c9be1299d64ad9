package listen

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// WriteText writes the report for people.
func (r *Report) WriteText(w io.Writer, strict bool) error {
	var b strings.Builder
	r.writeHead(&b)
	if len(r.Renditions) > 0 {
		r.writeRenditions(&b)
	}
	if len(r.Requests) > 0 {
		r.writeRequests(&b)
	}
	for _, list := range [][]Finding{r.Must, r.Should} {
		for _, f := range list {
			where := f.Rendition
			if where == "" {
				where = "stream"
			}
			fmt.Fprintf(&b, "%-6s %s, %s, %dx from %s: %s\n       section %s: %s\n", f.Severity, f.Rule, where, f.Count, clock(f.First), f.Found, f.Section, f.Says)
		}
	}
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "note   %s\n", n)
	}
	fmt.Fprintln(&b, r.verdict(strict))
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Report) writeHead(b *strings.Builder) {
	if r.Kind == "" {
		return
	}
	fmt.Fprintf(b, "%s: a %s, heard for %s\n", r.URL, r.Kind, clock(r.Listened))
	if r.Times.FirstPlaylist > 0 {
		fmt.Fprintf(b, "first playlist after %.0f ms, first sound after %.0f ms; live edge %s ms behind (p50/p99/max), this machine %s ms late itself\n\n",
			r.Times.FirstPlaylist.ms(), r.Times.FirstMedia.ms(), r.Delay, r.Times.Own)
	}
}

func (r *Report) writeRenditions(b *strings.Builder) {
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	sound := false
	for _, h := range r.Renditions {
		sound = sound || h.Sound != nil
	}
	fmt.Fprint(t, "rendition\tmode\tsegments\tparts\tkbit/s\tpeak\tdeclared\tdelay ms\tstalls\tmissing\tlate")
	if sound {
		fmt.Fprint(t, "\tlevel dBFS\tsilence")
	}
	fmt.Fprintln(t)
	for _, h := range r.Renditions {
		g := h.Gaps
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%s\t%d\t%d\t%d", h.Name, h.Mode, h.Segments, h.Parts,
			h.Rates.Average/1000, h.Rates.Peak/1000, h.Rates.Declared/1000, h.Delay, h.Stalls.Count,
			g.MissingSegments+g.MissingParts+g.Holes+g.Tagged, g.Late)
		if s := h.Sound; s != nil {
			fmt.Fprintf(t, "\t%.1f\t%s", s.Median, clock(s.Silence))
		}
		fmt.Fprintln(t)
	}
	_ = t.Flush() // a strings.Builder does not fail
	fmt.Fprintln(b)
}

func (r *Report) writeRequests(b *strings.Builder) {
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "requests\tcount\tfailed\tkB\tfirst byte after ms")
	for _, q := range r.Requests {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%s\n", q.Kind, q.Count, q.Failed, q.Bytes/1000, q.TTFB)
	}
	_ = t.Flush()
	fmt.Fprintln(b)
}

// String returns median, 99th percentile and maximum in milliseconds.
func (s Spread) String() string {
	if s.Samples == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f/%.0f/%.0f", s.P50.ms(), s.P99.ms(), s.Max.ms())
}

// clock writes a time for people.
func clock(m Millis) string {
	d := time.Duration(m)
	if d < time.Minute {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}

func (r *Report) verdict(strict bool) string {
	if !r.Failed(strict) {
		if len(r.Should) > 0 {
			return fmt.Sprintf("passed, with %s", plural(len(r.Should), "warning"))
		}
		return "passed: nothing is wrong"
	}
	var why []string
	if r.Reason != "" {
		why = append(why, r.Reason)
	}
	if n := len(r.Must); n > 0 {
		why = append(why, plural(n, "rule")+" broken")
	}
	if r.Stalls.Count > 0 {
		why = append(why, plural(r.Stalls.Count, "stall"))
	}
	if r.Gaps != (Gaps{}) {
		why = append(why, "gaps")
	}
	if n := len(r.Should); strict && n > 0 {
		why = append(why, plural(n, "warning"))
	}
	return "FAILED: " + strings.Join(why, ", ")
}

// plural returns "1 thing" or "2 things".
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
