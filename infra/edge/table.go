package main

import (
	"regexp"
	"strconv"
	"time"

	"longwave/packager"
)

// A table is what the templates are filled with, and rules.json.
type table struct {
	Rules       []rule   `json:"rules"`
	Methods     []string `json:"methods"`
	Closed      []string `json:"closed"`        // first elements of paths that an edge does not give out
	WaitSeconds int      `json:"wait_seconds"`  // the longest time in which the origin answers
	ErrorMillis int      `json:"error_millis"`  // how long an error is kept, at most
	ProbeMillis int      `json:"probe_millis"`  // how often the origin's health is asked for
	StaleErrors int      `json:"stale_seconds"` // the longest of all stale-if-error
	Gone        int      `json:"gone_status"`   // of a live playlist that is older than its rule allows
}

// A rule is one kind of object. Times are in seconds.
type rule struct {
	Name     string   `json:"name"`
	Path     string   `json:"path"`
	Query    []string `json:"query,omitempty"`
	Control  string   `json:"cache_control"`
	Blocking string   `json:"cache_control_blocking,omitempty"`
	Keep     int      `json:"max_age"`
	Refresh  int      `json:"stale_while_revalidate"` // while a new one is asked for
	Stale    int      `json:"stale_if_error"`         // while nobody has a new one
}

// newTable reads the packager's.
func newTable() table {
	t := table{
		Methods: []string{"GET", "HEAD", "OPTIONS"},
		Closed:  packager.ClosedPaths(),
		// Two seconds more than the origin holds a request.
		WaitSeconds: int((packager.LongestWait + 2*time.Second) / time.Second),
		ErrorMillis: int(packager.CacheErrors / time.Millisecond),
		ProbeMillis: 500,
		Gone:        packager.CacheGone,
	}
	for _, r := range packager.CacheRules() {
		made := rule{
			Name: r.Name, Path: r.Path, Query: r.Query, Control: r.Control, Blocking: r.Blocking,
			Keep:    seconds(r.Control, "max-age"),
			Refresh: seconds(r.Control, "stale-while-revalidate"),
			Stale:   seconds(r.Control, "stale-if-error"),
		}
		t.StaleErrors = max(t.StaleErrors, made.Stale)
		t.Rules = append(t.Rules, made)
	}
	return t
}

// Live returns the rule of the playlists whose query counts.
func (t table) Live() rule {
	for _, r := range t.Rules {
		if len(r.Query) > 0 {
			return r
		}
	}
	return rule{}
}

// seconds returns a number of a Cache-Control, 0 when it has none.
func seconds(control, name string) int {
	m := regexp.MustCompile(`(?:^|[ ,])` + name + `=(\d+)`).FindStringSubmatch(control)
	if m == nil {
		return 0
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return 0
	}
	return n
}
