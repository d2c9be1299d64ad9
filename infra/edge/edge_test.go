package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"longwave/cmd/longwave/systemtest/edges"
)

// TestCommitted: the files here are those that the program writes.
func TestCommitted(t *testing.T) {
	files, err := generate(local)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.FromSlash(name))
		if err != nil {
			t.Errorf("%v: run go run ./infra/edge", err)
			continue
		}
		if diff := cmp.Diff(string(got), string(want)); diff != "" {
			t.Errorf("%s: run go run ./infra/edge (-committed +fresh):\n%s", name, diff)
		}
	}
	for _, dir := range []string{"varnish", "ats", "nginx"} {
		err := fs.WalkDir(os.DirFS("."), dir, func(name string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && files[name] == nil {
				t.Errorf("%s: nothing writes it", name)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// TestPlace: what would end a quoted string is refused, a secret stands in what the
// origin is shown, and nothing of the second is there when there is none.
func TestPlace(t *testing.T) {
	for _, bad := range []place{
		{Origin: "localhost"},
		{Origin: "a:1", Second: "b"},
		{Origin: "a:1", Secret: `"; return (pass);`},
		{Origin: "a:1\nb", Secret: "x"},
		{Origin: "a:1", Purge: "10.0.0.0/8,everybody"},
	} {
		if _, err := generate(bad); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
	files, err := generate(place{Listen: "1", Origin: "a:1", Secret: "s3cret", Cache: "/c"})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"varnish/default.vcl", "ats/longwave.config", "nginx/longwave.conf"} {
		if !strings.Contains(string(files[name]), `"s3cret"`) && !strings.Contains(string(files[name]), "X-Longwave-Shield: s3cret") {
			t.Errorf("%s does not show the secret", name)
		}
	}
	if strings.Contains(string(files["varnish/default.vcl"]), `"PURGE"`) || strings.Contains(string(files["ats/ip_allow.yaml"]), "PURGE") {
		t.Error("somebody may take things out, and nobody was named")
	}
	for name, text := range files {
		if strings.Contains(string(text), "second") && name != "rules.json" && strings.HasPrefix(name, "varnish/") && strings.Contains(string(text), "backend second") {
			t.Errorf("%s has a second backend", name)
		}
	}
}

// TestShipped: where varnishd is started for listeners it has the parameters that are
// measured.
func TestShipped(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Join(edges.Shipped, " "); !strings.Contains(string(readme), want) {
		t.Errorf("README.md starts varnishd without %q", want)
	}
	container, err := os.ReadFile("../container/Containerfile")
	if err != nil {
		t.Fatal(err)
	}
	if want := `"` + strings.Join(edges.Shipped, `", "`) + `"`; !strings.Contains(string(container), want) {
		t.Errorf("the Containerfile starts varnishd without %s", want)
	}
}
