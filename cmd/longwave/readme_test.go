package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"longwave/cmd/longwave/config"
)

// TestReadmeConfig: the file in the README says what holds without it, and names
// every key.
func TestReadmeConfig(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(readme), "```yaml\n")
	text, _, closed := strings.Cut(text, "```\n")
	if !found || !closed {
		t.Fatal("the README has no yaml")
	}
	file := filepath.Join(t.TempDir(), "longwave.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	want := config.Default()
	for _, c := range []*config.Config{&got, &want} {
		if err := c.Check(); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(renditionNames(t, want), renditionNames(t, got)); diff != "" {
		t.Errorf("renditions (-default +README):\n%s", diff)
	}
	got.Stations[0].Renditions = want.Stations[0].Renditions // told and left out are the same
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-default +README):\n%s", diff)
	}
	for _, key := range config.Keys() {
		if !strings.Contains(text, key+":") {
			t.Errorf("the README does not name %q", key)
		}
	}
}

func renditionNames(t *testing.T, c config.Config) []string {
	t.Helper()
	rungs, err := c.Stations[0].Ladder()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range rungs {
		names = append(names, r.Name)
	}
	return names
}
