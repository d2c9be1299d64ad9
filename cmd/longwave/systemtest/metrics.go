package systemtest

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Figures are the metrics of a node, by series: name{label="value",...}.
type Figures map[string]float64

// Figures returns the node's metrics as they are now.
func (n *Node) Figures() Figures {
	n.t.Helper()
	r, err := Fetch(n.t.Context(), n.Ops+"/metrics")
	if err != nil || r.Status != http.StatusOK {
		n.t.Fatalf("metrics: %v, status %d", err, r.Status)
	}
	f := Figures{}
	for line := range strings.Lines(string(r.Body)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		i := strings.LastIndexByte(line, ' ')
		v, err := strconv.ParseFloat(line[i+1:], 64)
		if err != nil {
			n.t.Fatalf("metrics: %q: %v", line, err)
		}
		f[line[:i]] = v
	}
	return f
}

// Sum returns the sum over the series of a name whose labels have all of these:
// `status="404"`.
func (f Figures) Sum(name string, labels ...string) float64 {
	var sum float64
	for series, v := range f {
		got, rest, _ := strings.Cut(series, "{")
		if got == name && !slices.ContainsFunc(labels, func(l string) bool { return !strings.Contains(rest, l) }) {
			sum += v
		}
	}
	return sum
}

// Series returns the names of all series, sorted.
func (f Figures) Series() []string { return slices.Sorted(maps.Keys(f)) }
