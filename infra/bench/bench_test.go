package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"longwave/packager"
	"longwave/packager/hls"
)

func TestParseWrk(t *testing.T) {
	const good = `Running 3s test @ http://127.0.0.1:1/x
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     0.91ms    1.02ms  15.10ms   88.10%
  83421 requests in 3.00s, 360.11MB read
Requests/sec:  27805.11
Transfer/sec:    120.02MB
`
	got, err := parseWrk(good)
	if want := (pull{requests: 83421, perSecond: 27805.11}); err != nil || got != want {
		t.Errorf("parseWrk = %+v, %v, want %+v", got, err, want)
	}
	got, err = parseWrk(strings.Replace(good, "Requests/sec", "  Socket errors: connect 1, read 2, write 0, timeout 3\n  Non-2xx or 3xx responses: 40\nRequests/sec", 1))
	if err != nil || got.bad != 46 {
		t.Errorf("%d bad answers, %v, want 46", got.bad, err)
	}
	for _, bad := range []string{"", "unable to connect to 127.0.0.1:1", strings.Replace(good, "83421", "0", 1)} {
		if _, err := parseWrk(bad); err == nil {
			t.Errorf("parseWrk(%q) found no fault", bad)
		}
	}
}

func TestLoad(t *testing.T) {
	const before = "cpu  1000 0 500 90000 10 5 5 100 0 0\ncpu0 1 2 3\n"
	const after = "cpu  1300 20 580 90000 10 15 25 150 0 0\ncpu0 1 2 3\n"
	var a, b moment
	if err := a.parse(before); err != nil {
		t.Fatal(err)
	}
	if err := b.parse(after); err != nil {
		t.Fatal(err)
	}
	b.at, b.tree = a.at.Add(10*time.Second), time.Second
	// User 3 s, nice 0.2 s, system 0.8 s, of which 1 s ours; interrupts are nobody's.
	if got, want := b.since(a), (load{Others: 30, Stolen: 5}); got != want {
		t.Errorf("load %+v, want %+v", got, want)
	}
	for _, bad := range []string{"", "cpu  1 2 3\n", "intr 1 2 3 4 5 6 7 8 9\n", "cpu a b c d e f g h i\n"} {
		if err := a.parse(bad); err == nil {
			t.Errorf("parse(%q) found no fault", bad)
		}
	}
}

func TestParseStat(t *testing.T) {
	got, err := parseStat("42 (a) b ) S 7 42 42 0 -1 4194304 100 200 0 0 150 50 30 20 20 0 1 0 100 0 0")
	if want := (process{parent: 7, used: 2500 * time.Millisecond}); err != nil || got != want {
		t.Errorf("parseStat = %+v, %v, want %+v", got, err, want)
	}
	for _, bad := range []string{"", "42 (a) S 7", "42 a S 7 42 42 0 -1 4194304 100 200 0 0 150 50 30 20 20 0"} {
		if _, err := parseStat(bad); err == nil {
			t.Errorf("parseStat(%q) found no fault", bad)
		}
	}
}

func TestFamily(t *testing.T) {
	all := map[int]process{1: {}, 10: {parent: 1}, 11: {parent: 10}, 12: {parent: 11}, 20: {parent: 1}}
	got := family(all, 10)
	if diff := cmp.Diff([]int{10, 11, 12}, got, cmpopts.SortSlices(func(a, b int) bool { return a < b })); diff != "" {
		t.Error(diff)
	}
}

func TestVerdict(t *testing.T) {
	for _, tt := range []struct {
		f    figure
		want string
	}{
		{figure{Value: 5}, ""},
		{figure{Value: 5, Target: new(5.0)}, "reached"},
		{figure{Value: 5.01, Target: new(5.0)}, "MISSED"},
		{figure{Value: 6, Target: new(5.0), load: load{Others: 30}}, "missed, busy"},
		{figure{Value: 6, Target: new(5.0), Steady: true, load: load{Others: 30}}, "MISSED"},
		{figure{Value: 4, Target: new(5.0), load: load{Others: 30}}, "reached"},
	} {
		if got := tt.f.verdict(); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.f, got, tt.want)
		}
	}
}

func TestPercentile(t *testing.T) {
	values := []float64{5, 1, 4, 2, 3}
	for p, want := range map[float64]float64{0: 1, 20: 1, 50: 3, 99: 5, 100: 5} {
		if got := percentile(values, p); got != want {
			t.Errorf("%v %%: %v, want %v", p, got, want)
		}
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.044: "0.04", 1.45: "1.45", 14: "14", 14.24: "14.2", 511.6: "512", -3.218: "-3.22"} {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %q, want %q", v, got, want)
		}
	}
}

// TestPartNumbers: a part's number in a listener's count names the part whose end
// the clock says.
func TestPartNumbers(t *testing.T) {
	p, err := packager.ParseProfile(waitingProfile)
	if err != nil {
		t.Fatal(err)
	}
	c := &crowd{profile: p}
	at := time.Date(2026, 11, 20, 20, 42, 0, 123456789, time.UTC)
	n := partNumber(at, p)
	if end := c.end(n); !end.After(at) || end.Sub(at) > 960*time.Millisecond {
		t.Errorf("part %d ends at %s, not within 0.96 s after %s", n, end, at)
	}
	if d := c.end(n + 1).Sub(c.end(n)); d != 960*time.Millisecond {
		t.Errorf("the next part ends %s later", d)
	}
}

func TestAnswerLength(t *testing.T) {
	c := &crowd{}
	n, err := c.length([]byte("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nab"))
	if err != nil || n != len("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nabcde") || c.audience.Bad != 0 {
		t.Errorf("length %d, %v, %d bad", n, err, c.audience.Bad)
	}
	if _, err := c.length([]byte("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")); err != nil || c.audience.Bad != 1 {
		t.Errorf("a 404: %v, %d bad", err, c.audience.Bad)
	}
	if _, err := c.length([]byte("HTTP/1.1 200 OK\r\n\r\n")); err == nil {
		t.Error("an answer without a length was taken")
	}
}

func TestSummarize(t *testing.T) {
	end := time.Unix(1_800_000_000, 0)
	var arrivals []time.Time
	for i := 100; i > 0; i-- {
		arrivals = append(arrivals, end.Add(time.Duration(i)*time.Millisecond))
	}
	want := wave{First: time.Millisecond, Last: 100 * time.Millisecond, Median: 50 * time.Millisecond, P99: 99 * time.Millisecond, Answers: 100}
	if got := describe(arrivals, end); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := describe(nil, end); got != (wave{}) {
		t.Errorf("nothing: %+v", got)
	}
}

func TestChoose(t *testing.T) {
	all, err := choose("")
	if err != nil || len(all) != len(groups) {
		t.Errorf("%d groups, %v", len(all), err)
	}
	some, err := choose("waiting,start")
	if err != nil || len(some) != 2 || some[0].name != "waiting" || some[1].name != "start" {
		t.Errorf("%v, %v", some, err)
	}
	if _, err := choose("start,nothing"); err == nil || !strings.Contains(err.Error(), `"nothing"`) {
		t.Errorf("an unknown group: %v", err)
	}
}

func TestParseBenchmarks(t *testing.T) {
	const text = `goos: linux
pkg: longwave/ingest/mix
cpu: AMD EPYC
BenchmarkMix/8_lanes-2         	   12345	     98765 ns/op	      16 B/op	       1 allocs/op
BenchmarkOwn 	 10	 0.5 ns/op	 2.17 B/published-B
PASS
ok  	longwave/ingest/mix	1.2s
`
	want := []benchmark{
		{"ingest/mix Mix/8 lanes", map[string]float64{"ns/op": 98765, "B/op": 16, "allocs/op": 1}},
		{"ingest/mix Own", map[string]float64{"ns/op": 0.5, "B/published-B": 2.17}},
	}
	if diff := cmp.Diff(want, parseBenchmarks(text), cmp.AllowUnexported(benchmark{})); diff != "" {
		t.Error(diff)
	}
}

func TestFFmpegArguments(t *testing.T) {
	got := strings.Join(ffmpegArguments(packager.DefaultLadder()[2:4], "in.wav", "fast"), " ")
	for _, want := range []string{
		"-re -stream_loop -1 -i in.wav",
		"-map 0:a -ac:a:0 2 -b:a:0 96000 -c:a:0 libopus",
		"-map 0:a -ac:a:1 1 -b:a:1 48000 -c:a:1 aac -aac_coder:a:1 fast",
		"-var_stream_map a:0 a:1 ",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
}

func TestNewestEnd(t *testing.T) {
	start := time.Date(2026, 11, 20, 20, 0, 0, 0, time.UTC)
	part := hls.Part{Duration: 320*time.Millisecond - 10*time.Microsecond}
	whole := hls.Segment{PDT: start, Duration: 1920*time.Millisecond - 10*time.Microsecond}
	open := hls.Segment{PDT: start.Add(1920 * time.Millisecond), Parts: []hls.Part{part, part}}
	for name, tt := range map[string]struct {
		m    hls.Media
		want time.Duration
	}{
		"parts of an open segment": {hls.Media{Segments: []hls.Segment{whole}, Open: open}, 2560 * time.Millisecond},
		"a whole segment":          {hls.Media{Segments: []hls.Segment{whole}}, 1920 * time.Millisecond},
	} {
		if got := newestEnd(&tt.m).Sub(start); got != tt.want {
			t.Errorf("%s: ends after %s, want %s", name, got, tt.want)
		}
	}
}

// TestReport: what is not a figure must not look like one, and it all fits JSON.
func TestReport(t *testing.T) {
	b := &bench{group: "a group"}
	b.reportEdge("low", []edge{{"opus-24", []float64{5, 6, 7}}, {"aac-48", []float64{60, 62, 142.67}}}, load{Others: 10})
	want := []figure{
		{Group: "a group", Value: 19.3, Unit: "ms", Target: new(30.0), load: load{Others: 10}},
		{Group: "a group", Value: 100, Unit: "ms", Target: new(100.0), load: load{Others: 10}},
	}
	if diff := cmp.Diff(want, b.report.Figures, cmp.AllowUnexported(figure{}), cmpopts.IgnoreFields(figure{}, "Name", "Notes")); diff != "" {
		t.Error(diff)
	}
	dir := t.TempDir()
	path, err := b.report.save(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, filepath.Join(dir, "latest.json")} {
		text, err := os.ReadFile(name)
		if err != nil || !bytes.Contains(text, []byte(`"others_percent": 10`)) {
			t.Errorf("%s, %v:\n%s", name, err, text)
		}
	}
	b.report.Failures = []string{"low: no browser"}
	var table strings.Builder
	b.report.table(&table)
	for _, want := range []string{"19.3 ms", "<= 30", "reached", "2 targets reached, 0 missed", "not measured: low: no browser"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, table.String())
		}
	}
}
