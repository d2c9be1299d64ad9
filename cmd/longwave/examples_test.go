package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"

	"longwave/cmd/longwave/config"
)

// examples are the configurations that we ship, and the nodes that have each; "" is one
// that needs no name.
var examples = map[string][]string{
	"examples/laptop.yaml":    {""},
	"examples/server.yaml":    {""},
	"examples/twins.yaml":     {"a", "b"},
	"examples/origin.yaml":    {"a", "b"},
	"container/longwave.yaml": {"a", "b"},
	"container/second.yaml":   {"a", "b"},
}

func TestExamples(t *testing.T) {
	dir := filepath.Join("..", "..", "infra")
	found, err := filepath.Glob(filepath.Join(dir, "examples", "*"))
	if err != nil || len(found) != len(examples)-2 {
		t.Errorf("%d files, %v: name all of them above", len(found), err)
	}
	for name, nodes := range examples {
		file := filepath.Join(dir, name)
		for _, node := range nodes {
			if _, err := (common{Config: file, Node: node}).load(); err != nil {
				t.Errorf("node %q: %v", node, err)
			}
		}
		_, err := (common{Config: file}).load()
		if (err == nil) != (nodes[0] == "") {
			t.Errorf("%s without a node's name: %v", name, err)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range unexplained(string(text)) {
			t.Errorf("%s: nothing is said of %q", name, line)
		}
	}
}

var keyLine = regexp.MustCompile(`^\s*(- )?[a-z0-9_]+:( |$)`)

// unexplained returns the lines with a key and no comment above.
func unexplained(text string) []string {
	var bare []string
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if keyLine.MatchString(line) && (i == 0 || !strings.HasPrefix(strings.TrimSpace(lines[i-1]), "# ")) {
			bare = append(bare, strings.TrimSpace(line))
		}
	}
	return bare
}

func TestUnexplained(t *testing.T) {
	got := unexplained("a: 1\n# said\nb:\n  - c: 2\n  # said\n  d: 3\n#\ne: 4\n")
	if want := []string{"a: 1", "- c: 2", "e: 4"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestTwinsExample: what twins must have in common and what not.
func TestTwinsExample(t *testing.T) {
	var twins []config.Config
	for _, node := range []string{"a", "b"} {
		c, err := common{Config: filepath.Join("..", "..", "infra", "examples", "twins.yaml"), Node: node}.load()
		if err != nil {
			t.Fatal(err)
		}
		if c.Node != node || c.Public != "https://"+node+".example.org" || c.Store.S3.Prefix != node+"/" ||
			!slices.Equal(c.TLS.Names, []string{node + ".example.org"}) || c.Push[0].URL != "https://origin-"+node+".example.org" {
			t.Errorf("node %s: %+v", node, c)
		}
		fed := 0
		for _, p := range c.Pathways {
			if p.Node == node {
				fed++
			}
		}
		if fed != 1 {
			t.Errorf("node %s feeds %d pathways", node, fed)
		}
		twins = append(twins, c)
	}
	a, b := twins[0], twins[1]
	if !slices.Equal(a.Pathways, b.Pathways) || a.SecretFile != b.SecretFile || a.Stations[0].Name != b.Stations[0].Name ||
		a.Stations[0].Profile != b.Stations[0].Profile || !slices.Equal(a.Stations[0].Renditions, b.Stations[0].Renditions) {
		t.Errorf("players could not go from one to the other:\n%+v\n%+v", a, b)
	}
}

func TestPlaceNode(t *testing.T) {
	c := config.Default()
	c.Node, c.Public = "tw{in", "http://{node}.example.org"
	if err := c.Check(); err == nil {
		t.Error("a node has any name")
	}
	c.Node = ""
	if err := c.Check(); err == nil || !strings.Contains(err.Error(), "--node") {
		t.Errorf("no name for {node}: %v, want advice", err)
	}
	c.Node = "b"
	if err := c.Check(); err != nil || c.Public != "http://b.example.org" {
		t.Errorf("%q, %v", c.Public, err)
	}
}

// TestCommandLines: what units and containers start is a command line of ours.
func TestCommandLines(t *testing.T) {
	read := func(name string) string {
		t.Helper()
		text, err := os.ReadFile(filepath.Join("..", "..", "infra", filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	lines := map[string][]string{}
	for _, unit := range []string{"longwave.service", "longwave-origin.service"} {
		_, line, _ := strings.Cut(read("systemd/"+unit), "\nExecStart=/usr/local/bin/longwave ")
		line, _, _ = strings.Cut(line, "\n")
		lines[unit] = strings.Fields(line)
	}
	file := read("container/Containerfile")
	var cmd []string
	if err := yaml.Unmarshal([]byte(file[strings.LastIndex(file, "\nCMD ")+len("\nCMD "):]), &cmd); err != nil {
		t.Fatal(err)
	}
	lines["Containerfile"] = cmd
	var compose struct {
		Services map[string]struct{ Command []string }
	}
	if err := yaml.Unmarshal([]byte(read("container/compose.yaml")), &compose); err != nil {
		t.Fatal(err)
	}
	for _, service := range []string{"a", "b", "second-a", "second-b"} {
		lines["compose.yaml "+service] = compose.Services[service].Command
	}
	for name, args := range lines {
		var c cli
		parser, err := kong.New(&c)
		if err != nil {
			t.Fatal(err)
		}
		ctx, err := parser.Parse(args)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if ctx.Command() == "serve" && !c.Serve.Quiet {
			t.Errorf("%s: the host's key would be in the log", name)
		}
	}
}
