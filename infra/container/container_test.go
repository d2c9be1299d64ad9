package container_test

import (
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/goccy/go-yaml"
)

// A compose is what the tests look at in compose.yaml.
type compose struct {
	Services map[string]service               `yaml:"services"`
	Secrets  map[string]struct{ File string } `yaml:"secrets"`
	Networks map[string]any                   `yaml:"networks"`
	Volumes  map[string]any                   `yaml:"volumes"`
}

type service struct {
	Build       struct{ Context, Dockerfile, Target string }
	Ports       []string
	Networks    any
	Volumes     []string
	EnvFile     []string `yaml:"env_file"`
	Secrets     []string
	DependsOn   []string `yaml:"depends_on"`
	ReadOnly    bool     `yaml:"read_only"`
	CapDrop     []string `yaml:"cap_drop"`
	Healthcheck struct{ Test []string }
}

func readCompose(t *testing.T) compose {
	t.Helper()
	var c compose
	if err := yaml.Unmarshal([]byte(read(t, "compose.yaml")), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestCompose: the parts are there, and what they name exists.
func TestCompose(t *testing.T) {
	c := readCompose(t)
	if got, want := slices.Sorted(maps.Keys(c.Services)), []string{"a", "b", "bucket", "edge-a", "edge-b", "second-a", "second-b"}; !slices.Equal(got, want) {
		t.Errorf("services %v, want %v", got, want)
	}
	stages := regexp.MustCompile(`(?m)^FROM .* AS (\S+)$`).FindAllStringSubmatch(read(t, "Containerfile"), -1)
	taken := map[string]string{}
	for name, s := range c.Services {
		if !slices.ContainsFunc(stages, func(stage []string) bool { return stage[1] == s.Build.Target }) {
			t.Errorf("%s: no stage %q in the Containerfile", name, s.Build.Target)
		}
		exists(t, filepath.Join(s.Build.Context, s.Build.Dockerfile))
		if !slices.Equal(s.CapDrop, []string{"ALL"}) {
			t.Errorf("%s has the rights %v less than usual, want all", name, s.CapDrop)
		}
		for _, p := range s.Ports {
			host, port, _ := strings.Cut(p, ":")
			port, _, _ = strings.Cut(port, ":")
			if !net.ParseIP(host).IsLoopback() || taken[port] != "" {
				t.Errorf("%s publishes %s, which is not of this machine alone or is that of %q", name, p, taken[port])
			}
			taken[port] = name
		}
		named(t, name, c, s)
	}
}

// named checks what a service names of the rest of the file and of the disk.
func named(t *testing.T, name string, c compose, s service) {
	t.Helper()
	for _, n := range keys(s.Networks) {
		if _, ok := c.Networks[n]; !ok {
			t.Errorf("%s: no network %q", name, n)
		}
	}
	for _, d := range s.DependsOn {
		if _, ok := c.Services[d]; !ok {
			t.Errorf("%s: no service %q", name, d)
		}
	}
	for _, v := range s.Volumes {
		from, _, _ := strings.Cut(v, ":")
		if strings.HasPrefix(from, ".") {
			exists(t, from)
		} else if _, ok := c.Volumes[from]; !ok {
			t.Errorf("%s: no volume %q", name, from)
		}
	}
	for _, n := range s.Secrets {
		if _, ok := c.Secrets[n]; !ok {
			t.Errorf("%s: no secret %q", name, n)
		}
	}
}

// keys returns the elements of a list or the keys of a map: compose takes both.
func keys(v any) []string {
	var list []string
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			list = append(list, fmt.Sprint(e))
		}
	case map[string]any:
		list = slices.Collect(maps.Keys(v))
	}
	return list
}

func exists(t *testing.T, name string) {
	t.Helper()
	if _, err := os.Stat(name); err != nil {
		t.Error(err)
	}
}

// TestSecrets: the script makes the files that compose.yaml names, and makes them once.
func TestSecrets(t *testing.T) {
	c := readCompose(t)
	dir := t.TempDir()
	script := filepath.Join(dir, "secrets.sh")
	if err := os.WriteFile(script, []byte(read(t, "secrets.sh")), 0o600); err != nil {
		t.Fatal(err)
	}
	made := func() map[string]string {
		t.Helper()
		if out, err := exec.CommandContext(t.Context(), "bash", script).CombinedOutput(); err != nil || len(out) > 0 {
			t.Fatalf("%v: %s", err, out)
		}
		files := map[string]string{}
		for _, s := range c.Services {
			for _, f := range s.EnvFile {
				files[f] = read(t, filepath.Join(dir, f))
			}
		}
		for _, s := range c.Secrets {
			files[s.File] = read(t, filepath.Join(dir, s.File))
		}
		return files
	}
	first := made()
	if len(first) != 2 || !maps.Equal(first, made()) {
		t.Errorf("%d files, or others the second time", len(first))
	}
	for name, text := range first {
		if len(text) < 64 {
			t.Errorf("%s: %d characters", name, len(text))
		}
	}
	if git := read(t, ".gitignore"); !strings.Contains(git, "secrets/") {
		t.Error("git takes the secrets")
	}
}

// TestContainerfile: what the image is made of, and how it runs.
func TestContainerfile(t *testing.T) {
	text := read(t, "Containerfile")
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(read(t, "../../go.mod"))[1]
	for _, part := range []string{"golang:" + version + "-bookworm", "-tags=nolibopusfile", "debian:12-slim AS longwave", "GPL"} {
		if !strings.Contains(text, part) {
			t.Errorf("the Containerfile has no %q", part)
		}
	}
	last := text[strings.LastIndex(text, "\nFROM "):]
	for _, line := range []string{`USER [1-9]\d*:[1-9]\d*`, `HEALTHCHECK .*`, `ENTRYPOINT \["longwave"\]`, `VOLUME /var/lib/longwave`} {
		if !regexp.MustCompile(`(?m)^` + line).MatchString(last) {
			t.Errorf("the image has no line %s", line)
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^(?:COPY|ADD) (.*)$`).FindAllStringSubmatch(text, -1) {
		from := strings.Fields(m[1])
		for _, f := range from[:len(from)-1] {
			if strings.HasPrefix(f, "--from=") {
				break // of another stage
			}
			exists(t, filepath.Join("../..", f))
			if strings.HasPrefix(f, ".") || strings.Contains(f, "*") {
				t.Errorf("COPY %s: name what is copied", f)
			}
		}
	}
}

// TestSources: all that the program is made of is copied, and let through.
func TestSources(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", "longwave/cmd/longwave").Output()
	if err != nil {
		t.Fatal(err)
	}
	text, ignore := read(t, "Containerfile"), read(t, "../../.dockerignore")
	if !strings.Contains(ignore, "\n!infra/edge\n") {
		t.Error("the edges' table is ignored")
	}
	ours := 0
	for path := range strings.Lines(string(out)) {
		below, ok := strings.CutPrefix(strings.TrimSpace(path), "longwave/")
		if !ok {
			continue
		}
		ours++
		top, _, _ := strings.Cut(below, "/")
		if !strings.Contains(text, "\nCOPY "+top+" ./"+top+"\n") || !strings.Contains(ignore, "\n!"+top+"\n") {
			t.Errorf("%s is not copied or is ignored", below)
		}
	}
	if ours == 0 {
		t.Error("the program has no packages: the test is broken")
	}
}

// TestHealth: the same question in both files, which tells well from unwell.
func TestHealth(t *testing.T) {
	var question string
	for name, s := range readCompose(t).Services {
		if test := s.Healthcheck.Test; len(test) > 0 {
			question = test[len(test)-1]
			quoted := strings.ReplaceAll(strings.ReplaceAll(question, "\r", `\r`), "\n", `\n`)
			if !strings.Contains(read(t, "Containerfile"), `"`+quoted+`"`) {
				t.Errorf("%s asks otherwise than the image", name)
			}
		}
	}
	var status atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		w.WriteHeader(int(status.Load()))
	}))
	defer server.Close()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, answer := range []int{http.StatusOK, http.StatusServiceUnavailable} {
		status.Store(int64(answer))
		err := exec.CommandContext(t.Context(), "bash", "-c", strings.ReplaceAll(question, "9464", port)).Run()
		if (err == nil) != (answer == http.StatusOK) {
			t.Errorf("status %d: %v", answer, err)
		}
	}
	server.Close()
	if exec.CommandContext(t.Context(), "bash", "-c", strings.ReplaceAll(question, "9464", port)).Run() == nil {
		t.Error("well when nobody answers")
	}
}
