package main_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The sizes beyond which code is split, or says why not: a comment with the words
// "more than 15 fields" or "more than 500 lines" and a reason. Functions, parameters
// and interfaces are golangci-lint's business.
const (
	maxFields = 15
	maxLines  = 500
)

// saysNothing are names under which anything could be put.
var saysNothing = regexp.MustCompile(`^(util|utils|common|helper|helpers|type|types|model|models|def|defs|core|base|manager|service|misc|shared|pkg|internal)$`)

func TestPackageNames(t *testing.T) {
	for _, file := range projectFiles(t, ".go", ".ts", ".mjs") {
		for folder := range strings.SplitSeq(filepath.ToSlash(filepath.Dir(file)), "/") {
			if saysNothing.MatchString(folder) {
				t.Errorf("%s: a folder named %q says nothing about what is in it", file, folder)
			}
		}
	}
}

func TestFileSizes(t *testing.T) {
	for _, file := range projectFiles(t, ".go", ".ts", ".mjs", ".sh") {
		b := read(t, file)
		if strings.HasSuffix(file, "_test.go") || bytes.Contains(b, []byte("more than 500 lines")) {
			continue
		}
		if n := bytes.Count(b, []byte("\n")); n > maxLines {
			t.Errorf("%s has %d lines, more than %d", file, n, maxLines)
		}
	}
}

func TestStructSizes(t *testing.T) {
	for _, file := range projectFiles(t, ".go") {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, read(t, file), parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for name, n := range largeStructs(parsed) {
			t.Errorf("%s: %s has %d fields, more than %d", file, name, n, maxFields)
		}
	}
}

// largeStructs returns the declared structs that have too many fields and no word
// about it, with their numbers.
func largeStructs(file *ast.File) map[string]int {
	large := map[string]int{}
	for _, decl := range file.Decls {
		gen, ok := decl.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range gen.Specs {
			typ, ok := spec.(*ast.TypeSpec)
			if !ok {
				continue
			}
			body, ok := typ.Type.(*ast.StructType)
			if !ok || strings.Contains(gen.Doc.Text()+typ.Doc.Text(), "more than 15 fields") {
				continue
			}
			if n := body.Fields.NumFields(); n > maxFields {
				large[typ.Name.Name] = n
			}
		}
	}
	return large
}

func TestLargeStructs(t *testing.T) {
	src := `package p
type sixteen struct { a, b, c, d, e, f, g, h int; i, j, k, l, m, n, o string; P }
type fifteen struct { a, b, c, d, e, f, g, h int; i, j, k, l, m, n, o string }
// A why has more than 15 fields because the wire has.
type why struct { a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p int }
`
	parsed, err := parser.ParseFile(token.NewFileSet(), "p.go", src, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	if got := largeStructs(parsed); len(got) != 1 || got["sixteen"] != 16 {
		t.Errorf("largeStructs = %v, want only sixteen: 16", got)
	}
}

// elsewhere matches what is true on one machine only: paths of whoever wrote a file,
// and the hosts that a package manager happened to ask. The brackets keep it from
// matching itself.
var elsewhere = regexp.MustCompile(`(^|[^\w./~*-])/(wor[k]|roo[t]|home/\w+|Users/\w+)/|registr[y]\.npm|npmmirro[r]|prox[y]\.golang|sum[.]golang|deb[.]debian|archive[.]ubuntu|"resolve[d]":|pypi[.]org`)

func TestNothingOfOneMachine(t *testing.T) {
	for _, file := range projectFiles(t) {
		b := read(t, file)
		if bytes.IndexByte(b, 0) >= 0 || filepath.Base(file) == "go.sum" {
			continue
		}
		for i, line := range bytes.Split(b, []byte("\n")) {
			if found := elsewhere.Find(line); found != nil {
				t.Errorf("%s:%d: %q is true on one machine only", file, i+1, found)
			}
		}
	}
}

func TestElsewhere(t *testing.T) {
	for line, want := range map[string]bool{
		"cd /wor" + "k/main":                               true,
		"/roo" + "t/go/bin":                                true,
		`open("/home/` + `jo/x")`:                          true,
		`"resolve` + `d": "https://example.org/a.tgz"`:     true,
		"https://registr" + "y.npmjs.org/":                 true,
		"https://example.org/wor" + "k/":                   false,
		"the roo" + "t/branch":                             false,
		"frame" + "work/x, ./wor" + "k/y, home/index.html": false,
	} {
		if got := elsewhere.MatchString(line); got != want {
			t.Errorf("%q: %v, want %v", line, got, want)
		}
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
