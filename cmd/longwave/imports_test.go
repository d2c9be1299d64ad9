package main_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "longwave"

// mayImport is the table of the design: sound flows from ingest to origin, imports
// flow the other way, and only cmd sees both ends. A folder stands for all below it.
var mayImport = map[string][]string{
	"ingest":   {"ingest"},
	"packager": {"packager", "ingest/pcm"},
	"origin":   {"origin", "packager"},
	"cmd":      {"cmd", "ingest", "packager", "origin"},
	"infra":    {"infra", "cmd", "ingest", "packager", "origin"},
}

func TestImports(t *testing.T) {
	for _, file := range projectFiles(t, ".go") {
		stage, _, _ := strings.Cut(file, "/")
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, file), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if ours, ok := strings.CutPrefix(imported, module+"/"); ok && !inside(ours, mayImport[stage]) {
				t.Errorf("%s imports %s: %s may import %v of ours and nothing else", file, imported, stage, mayImport[stage])
			}
		}
	}
}

// inside says whether folder is one of these or lies below one.
func inside(folder string, of []string) bool {
	return slices.ContainsFunc(of, func(f string) bool { return folder == f || strings.HasPrefix(folder, f+"/") })
}

func TestInside(t *testing.T) {
	of := []string{"packager", "ingest/pcm"}
	for folder, want := range map[string]bool{
		"packager": true, "packager/hls": true, "ingest/pcm": true, "ingest/pcm/pcmtest": true,
		"ingest": false, "ingest/mix": false, "ingest/pcmx": false, "origin": false, "packagers": false,
	} {
		if got := inside(folder, of); got != want {
			t.Errorf("inside(%q) = %v, want %v", folder, got, want)
		}
	}
}

// TestTopLevel: the stages, and what tools look for at the top.
func TestTopLevel(t *testing.T) {
	want := []string{"CHANGELOG.md", "LICENSE", "Makefile", "README.md", "cmd", "go.mod", "go.sum", "infra", "ingest", "origin", "packager"}
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && !made[e.Name()] {
			got = append(got, e.Name())
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("top level holds\n%v, want\n%v", got, want)
	}
}

// TestStages: each says what it is, what it is not, and why it is so.
func TestStages(t *testing.T) {
	for _, stage := range []string{"ingest", "packager", "origin"} {
		if _, err := os.Stat(filepath.Join(root, stage, "DECISIONS.md")); err != nil {
			t.Error(err)
		}
		doc, err := os.ReadFile(filepath.Join(root, stage, "doc.go"))
		if err != nil {
			t.Error(err)
			continue
		}
		if !strings.Contains(string(doc), "This package does not") {
			t.Errorf("%s/doc.go has no paragraph \"This package does not\"", stage)
		}
	}
}

// root is the project's folder, seen from this package's.
var root = filepath.Join("..", "..")

// made are the folders of built things and of other people's, which no rule is for.
var made = map[string]bool{".git": true, "bin": true, "bench": true, "data": true, "node_modules": true}

// projectFiles returns the project's files whose names end in one of these, or all,
// slash-separated and below root.
func projectFiles(t *testing.T, ends ...string) []string {
	t.Helper()
	var files []string
	err := fs.WalkDir(os.DirFS(root), ".", func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && made[d.Name()] && (path.Dir(file) == "." || d.Name() == "node_modules"):
			return fs.SkipDir
		case !d.Type().IsRegular():
		case len(ends) == 0 || slices.ContainsFunc(ends, func(e string) bool { return strings.HasSuffix(file, e) }):
			files = append(files, file)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatalf("no files end in %v: the walk is broken", ends)
	}
	return files
}
