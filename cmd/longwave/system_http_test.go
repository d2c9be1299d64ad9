package main_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"longwave/cmd/longwave/systemtest"
	"longwave/packager/hls/hlstest"
)

// small is a station that costs little.
const small = `
stations:
  - name: talk
    renditions: [opus-24, aac-48]
`

// TestOddRequests: what no player asks for is answered at once and kept by no cache,
// says nothing of the machine, and makes no series of metrics.
func TestOddRequests(t *testing.T) {
	t.Parallel()
	n := systemtest.Start(t, systemtest.Options{Build: systemtest.Racing, Config: small})
	awaitReady(n)
	live := "/talk/aac-48/live.m3u8"
	edge := edgeOf(t, n, live)
	at := func(format string, args ...any) string { return fmt.Sprintf(format, args...) }
	tests := []struct {
		path   string
		status int
	}{
		{live + "?_HLS_msn=", http.StatusBadRequest},
		{live + "?_HLS_msn", http.StatusBadRequest},
		{live + "?_HLS_msn=abc", http.StatusBadRequest},
		{live + "?_HLS_msn=-1", http.StatusBadRequest},
		{live + "?_HLS_msn=%2B1", http.StatusBadRequest},
		{live + "?_HLS_msn=+1", http.StatusBadRequest},
		{live + "?_HLS_msn=1.5", http.StatusBadRequest},
		{live + "?_HLS_msn=0x10", http.StatusBadRequest},
		{live + "?_HLS_msn=1e9", http.StatusBadRequest},
		{live + "?_HLS_msn=%00", http.StatusBadRequest},
		{live + "?_HLS_msn=%zz", http.StatusBadRequest},
		{live + "?_HLS_msn=9223372036854775807", http.StatusBadRequest},
		{live + "?_HLS_msn=9223372036854775808", http.StatusBadRequest},
		{live + "?_HLS_msn=" + strings.Repeat("9", 5000), http.StatusBadRequest},
		{live + "?_HLS_msn=1&_HLS_msn=2", http.StatusBadRequest},
		{live + "?_HLS_part=0", http.StatusBadRequest},
		{live + "?_HLS_skip=perhaps", http.StatusBadRequest},
		{live + at("?_HLS_msn=%d&_HLS_part=-1", edge), http.StatusBadRequest},
		{live + at("?_HLS_msn=%d&_HLS_part=x", edge), http.StatusBadRequest},
		{live + at("?_HLS_msn=%d&_HLS_part=99999999999", edge), http.StatusBadRequest},
		{live + at("?_HLS_msn=%d&_HLS_part=1000", edge+1), http.StatusBadRequest},
		{live + at("?_HLS_msn=%d", edge+4), http.StatusBadRequest},
		{live + at("?_HLS_msn=%d&_HLS_skip=YES", edge+1000), http.StatusBadRequest},
		{"/talk/aac-48", http.StatusNotFound},
		{"/talk/aac-96/live.m3u8", http.StatusNotFound},
		{"/talk/aac-48/other.m3u8", http.StatusNotFound},
		{"/talk/other.m3u8", http.StatusNotFound},
		{"/talk/other.json", http.StatusNotFound},
		{"/nobody/index.m3u8", http.StatusNotFound},
		{"/nobody/", http.StatusNotFound},
		{"/nobody/aac-48/live.m3u8?_HLS_msn=1", http.StatusNotFound},
		{at("/talk/aac-48/%d.m4s", edge+5), http.StatusNotFound},
		{at("/talk/aac-48/%d.0.m4s", edge+5), http.StatusNotFound},
		{at("/talk/aac-48/%d.99.m4s", edge), http.StatusNotFound},
		{"/talk/aac-48/1.m4s", http.StatusNotFound},
		{"/talk/aac-48/-1.m4s", http.StatusNotFound},
		{"/talk/aac-48/x.m4s", http.StatusNotFound},
		{"/talk/aac-48/init-00000000.mp4", http.StatusNotFound},
		{"/talk/aac-48/" + strings.Repeat("a", 8000) + ".m4s", http.StatusNotFound},
		{"/talk/aac-48/../../secret.key", http.StatusNotFound},
		{"/talk/aac-48/%2e%2e%2f%2e%2e%2fsecret.key", http.StatusNotFound},
		{"/talk/%2e%2e/lock", http.StatusNotFound},
		{"/talk/aac-48/%00", http.StatusNotFound},
		{"/_/probe.json", http.StatusNotFound},
		{"//", http.StatusNotFound},
		{"/metrics", http.StatusNotFound},
		{"/debug/pprof/", http.StatusNotFound},
	}
	for _, tt := range tests {
		// A request that waits would be answered after 6 s.
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		r, err := systemtest.Fetch(ctx, n.URL+tt.path)
		cancel()
		name := tt.path[:min(len(tt.path), 80)]
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if r.Status != tt.status {
			t.Errorf("%s: status %d, want %d", name, r.Status, tt.status)
		}
		for _, v := range hlstest.CheckResponse(hlstest.Response{Resource: hlstest.Failure, Status: r.Status, Header: r.Header}) {
			t.Errorf("%s: %v", name, v)
		}
		if b := string(r.Body); strings.Count(b, "\n") > 1 || strings.Contains(b, n.Data) {
			t.Errorf("%s: the answer is %q", name, b)
		}
	}
	oddMethods(t, n, live)
	if got := edgeOf(t, n, live+"?utm_source=x&_HLS=1&%zz&a=b=c&;"); got < edge {
		t.Errorf("parameters that are not ours: the edge is %d, it was %d", got, edge)
	}
	closedLabels(t, n)
	if _, err := systemtest.Fetch(t.Context(), n.Ops+"/healthz"); err != nil {
		t.Error(err)
	}
	n.Stop()
}

// oddMethods sends requests that are not GET and lines that are not HTTP.
func oddMethods(t *testing.T, n *systemtest.Node, path string) {
	t.Helper()
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "PROPFIND", "SOURCE"} {
		req, err := http.NewRequestWithContext(t.Context(), method, n.URL+path, strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Errorf("%s: %v", method, err)
			continue
		}
		r.Body.Close()
		if r.StatusCode != http.StatusMethodNotAllowed || r.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: status %d, Cache-Control %q; want 405 and no-store", method, r.StatusCode, r.Header.Get("Cache-Control"))
		}
	}
	for _, line := range []string{"\x00\x01\x02\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"} {
		c, err := net.Dial("tcp", n.URL[len("http://"):])
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Write([]byte(line))
		c.Close()
		if err != nil {
			t.Errorf("%q: %v", line, err)
		}
	}
}

// edgeOf returns the MSN that a playlist's open segment has.
func edgeOf(t *testing.T, n *systemtest.Node, path string) int64 {
	t.Helper()
	r, err := systemtest.Fetch(t.Context(), n.URL+path)
	if err != nil || r.Status != http.StatusOK {
		t.Fatalf("%s: %v, status %d", path, err, r.Status)
	}
	return parseMedia(t, r.Body).OpenMSN()
}

// awaitReady waits until the node says that it is ready.
func awaitReady(n *systemtest.Node) {
	n.Await("readyz", func() bool { return ready(n) })
}

func ready(n *systemtest.Node) bool {
	r, err := systemtest.Fetch(context.Background(), n.Ops+"/readyz")
	return err == nil && r.Status == http.StatusOK
}

// metricName: each metric of ours says whose it is, and what it counts, in which unit
// it measures, or of which state it is.
var metricName = regexp.MustCompile(`^longwave_[a-z0-9_]+_(total|seconds|bytes|samples|ratio|dbfs|lufs|dbtp|decibels|db|ppm|hertz|info|sources|lanes|requests|listeners|objects|renditions|segments|parts|jobs|frames|live|stage|phase|connections|sessions|streams|deeds|refused|down)$`)

// notOurs are the metrics of the Go runtime, the process and the metrics themselves.
var notOurs = regexp.MustCompile(`^(go|process|promhttp)_`)

// closedLabels checks that requests for things of ever new names make no series.
func closedLabels(t *testing.T, n *systemtest.Node) {
	t.Helper()
	before := n.Figures()
	for i := range 50 {
		name := fmt.Sprintf("odd-%d", i)
		for _, path := range []string{"/" + name, "/talk/" + name, "/talk/" + name + ".json", "/talk/" + name + "/1.m4s", "/ice/" + name, "/talk/aac-48/" + name} {
			if _, err := systemtest.Fetch(t.Context(), n.URL+path+"?"+name+"="+name); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, series := range n.Figures().Series() {
		name, _, _ := strings.Cut(series, "{")
		if _, known := before[series]; !known && !notOurs.MatchString(name) {
			t.Errorf("the series %s came into being", series)
		}
	}
}

// TestMetricNames: see metricName. Counters end in _total.
func TestMetricNames(t *testing.T) {
	t.Parallel()
	n := systemtest.Start(t, systemtest.Options{Config: small, Args: []string{"--play", toneFile(t, time.Second), "--loop"}})
	awaitReady(n)
	n.AwaitLog("on air", "state=live")
	r, err := systemtest.Fetch(t.Context(), n.Ops+"/metrics")
	if err != nil {
		t.Fatal(err)
	}
	var ours []string
	for line := range strings.Lines(string(r.Body)) {
		f := strings.Fields(line)
		if len(f) != 4 || f[1] != "TYPE" || notOurs.MatchString(f[2]) {
			continue
		}
		name, kind := f[2], f[3]
		ours = append(ours, name)
		if !metricName.MatchString(name) {
			t.Errorf("the name %s has no prefix or no unit", name)
		}
		if counter := strings.HasSuffix(name, "_total"); counter != (kind == "counter") {
			t.Errorf("%s is a %s", name, kind)
		}
		if !strings.Contains(string(r.Body), "# HELP "+name+" ") {
			t.Errorf("%s has no help", name)
		}
	}
	for _, stage := range []string{"longwave_ingest_", "longwave_packager_", "longwave_origin_", "longwave_store_", "longwave_icecast_"} {
		if !slices.ContainsFunc(ours, func(name string) bool { return strings.HasPrefix(name, stage) }) {
			t.Errorf("no metric begins with %s", stage)
		}
	}
	n.Stop()
}
