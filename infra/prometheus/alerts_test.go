package prometheus_test

import (
	"bufio"
	"context"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestNames: an alert on a figure that does not exist never rings.
func TestNames(t *testing.T) {
	published := scrape(t)
	for _, file := range []string{"alerts.yaml", "../grafana/longwave.json"} {
		text, err := os.ReadFile(filepath.FromSlash(file))
		if err != nil {
			t.Fatal(err)
		}
		names := figures(string(text))
		if len(names) == 0 {
			t.Errorf("%s names no figure: the test is broken", file)
		}
		for name := range names {
			if !published[name] {
				t.Errorf("%s names %s, which is not among the %d figures of a node on air", file, name, len(published))
			}
		}
	}
}

var figure = regexp.MustCompile(`\blongwave_[a-z0-9_]+`)

// figures returns the names in a text; those of histograms without their endings.
func figures(text string) map[string]bool {
	names := map[string]bool{}
	for _, n := range figure.FindAllString(text, -1) {
		names[strings.TrimSuffix(n, "_bucket")] = true
	}
	return names
}

func TestFigures(t *testing.T) {
	got := slices.Sorted(maps.Keys(figures(`rate(longwave_a_total{x="longwave"}[1m]) > longwave_b_seconds_bucket`)))
	if want := []string{"longwave_a_total", "longwave_b_seconds"}; !slices.Equal(got, want) {
		t.Errorf("figures = %q, want %q", got, want)
	}
}

// scrape returns the names of all that a real node publishes while a source is on air.
func scrape(t *testing.T) map[string]bool {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "longwave")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "longwave/cmd/longwave").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	audience, operator := freeAddress(t), freeAddress(t)
	data := filepath.Join(dir, "data")
	serve := exec.CommandContext(t.Context(), program, "serve", "--listen", audience, "--metrics", operator, "--data", data)
	serve.Stderr = t.Output()
	serve.Cancel = func() error { return serve.Process.Signal(syscall.SIGTERM) }
	serve.WaitDelay = 15 * time.Second
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = serve.Wait() }) // t's context has ended by then
	await(t, "http://"+operator+"/readyz", "ok")
	key, err := exec.CommandContext(t.Context(), program, "token", "--data", data, "--station", "talk", "--role", "speaker").Output()
	if err != nil {
		t.Fatal(err)
	}
	push := exec.CommandContext(t.Context(), "ffmpeg", "-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i", "sine",
		"-c:a", "libopus", "-page_duration", "20000", "-content_type", "audio/ogg", "-f", "ogg",
		"icecast://source:"+strings.TrimSpace(string(key))+"@"+audience+"/ice/talk")
	push.Stderr = t.Output()
	if err := push.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = push.Wait() })
	text := await(t, "http://"+operator+"/metrics", `longwave_mix_live{station="talk"} 1`)
	names := map[string]bool{}
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		if name, ok := strings.CutPrefix(lines.Text(), "# TYPE "); ok {
			name, _, _ = strings.Cut(name, " ")
			names[name] = true
		}
	}
	return names
}

// await asks until the answer holds want, and returns it.
func await(t *testing.T, url, want string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var last string
	for ticks := time.NewTicker(100 * time.Millisecond); ; {
		if last = get(ctx, url); strings.Contains(last, want) {
			return last
		}
		select {
		case <-ticks.C:
		case <-ctx.Done():
			t.Fatalf("%s never said %q; at last:\n%s", url, want, last)
		}
	}
}

func get(ctx context.Context, url string) string {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err.Error()
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// freeAddress is one that nobody listened on a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
