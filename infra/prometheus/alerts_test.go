package prometheus_test

import (
	"bufio"
	"context"
	"fmt"
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
		names := figures(read(t, filepath.FromSlash(file)))
		if len(names) == 0 {
			t.Errorf("%s names no figure: the test is broken", file)
		}
		for name := range names {
			if !published[name] {
				t.Errorf("%s names %s, which is not among the %d figures of a node and its origins", file, name, len(published))
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

// TestCases has Prometheus itself say what the alerts do, and that none is left out.
func TestCases(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "promtool", "test", "rules", "alerts_cases.yaml").CombinedOutput()
	if err != nil {
		t.Errorf("promtool: %v\n%s", err, out)
	}
	rules, cases := read(t, "alerts.yaml"), read(t, "alerts_cases.yaml")
	alerts := regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(rules, -1)
	if len(alerts) == 0 {
		t.Error("there are no alerts: the test is broken")
	}
	for _, a := range alerts {
		if !regexp.MustCompile(`\b` + a[1] + `\b`).MatchString(cases) {
			t.Errorf("no case in which %s rings", a[1])
		}
	}
	// That this can fail: an alert that rings at once.
	broken := filepath.Join(t.TempDir(), "alerts.yaml")
	if err := os.WriteFile(broken, []byte(strings.Replace(rules, "longwave_relay_failing == 1", "longwave_relay_failing == 0", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	other := strings.Replace(cases, "rule_files: [alerts.yaml]", "rule_files: ["+broken+"]", 1)
	if err := os.WriteFile(broken+".cases", []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	if exec.CommandContext(t.Context(), "promtool", "test", "rules", broken+".cases").Run() == nil {
		t.Error("an alert that rings when all is well passes")
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A stage is a node on air that pushes to an origin, whose store another origin follows.
type stage struct {
	t       *testing.T
	program string
	dir     string
}

// scrape returns the names of all that the three publish while a source is on air.
func scrape(t *testing.T) map[string]bool {
	t.Helper()
	s := stage{t: t, dir: t.TempDir()}
	s.program = filepath.Join(s.dir, "longwave")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", s.program, "longwave/cmd/longwave").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	secrets := map[string]string{"key": "signs the tokens of all", "shield": "shown by the CDNs"}
	for name, text := range secrets {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	common := fmt.Sprintf("secret_file: %s/key\n", s.dir)
	pushed, pushedOps := s.start("origin", "origin", common)
	audience, operator := s.start("serve", "node", fmt.Sprintf("%spush: [{url: \"http://%s\"}]\npathways: [{id: a, url: \"http://%s\"}]\n", common, pushed, pushed))
	await(t, "http://"+operator+"/readyz", "ok")
	_, followOps := s.start("origin", "node", fmt.Sprintf("%sshield: {secret_file: %s/shield}\norigin: {follow: true}\n", common, s.dir))
	s.push(audience)
	await(t, "http://"+operator+"/metrics", `longwave_mix_live{station="talk"} 1`)
	names := map[string]bool{}
	for ops, line := range map[string]string{
		operator:  `longwave_pathway_behind_seconds{`, // after the first look that finds it well
		pushedOps: `longwave_receive_requests_total{result="taken"} `,
		followOps: `longwave_follow_playlists_total `,
	} {
		text := await(t, "http://"+ops+"/metrics", line)
		for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
			if name, ok := strings.CutPrefix(lines.Text(), "# TYPE "); ok {
				name, _, _ = strings.Cut(name, " ")
				names[name] = true
			}
		}
	}
	return names
}

// start runs the program, which ends with the test, on the data folder of that name.
func (s stage) start(command, data, config string) (audience, operator string) {
	s.t.Helper()
	audience, operator = freeAddress(s.t), freeAddress(s.t)
	file := filepath.Join(s.dir, operator+".yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.CommandContext(s.t.Context(), s.program, command, "--listen", audience, "--metrics", operator, "--config", file, "--data", filepath.Join(s.dir, data))
	cmd.Stderr = s.t.Output()
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 15 * time.Second
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = cmd.Wait() }) // t's context has ended by then
	return audience, operator
}

// push sends a tone until the test ends.
func (s stage) push(audience string) {
	s.t.Helper()
	token := exec.CommandContext(s.t.Context(), s.program, "token", "--station", "talk", "--role", "speaker")
	config := filepath.Join(s.dir, "token.yaml")
	if err := os.WriteFile(config, []byte("secret_file: "+s.dir+"/key\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	token.Args = append(token.Args, "--config", config)
	key, err := token.Output()
	if err != nil {
		s.t.Fatal(err)
	}
	push := exec.CommandContext(s.t.Context(), "ffmpeg", "-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i", "sine",
		"-c:a", "libopus", "-page_duration", "20000", "-content_type", "audio/ogg", "-f", "ogg",
		"icecast://source:"+strings.TrimSpace(string(key))+"@"+audience+"/ice/talk")
	push.Stderr = s.t.Output()
	if err := push.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = push.Wait() })
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
