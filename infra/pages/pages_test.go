package pages_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// dist/ was built from the sources that are here. That a build gives the very
// bytes of dist/ is shown by `npm run check`, which needs node.
func TestDistIsUpToDate(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range []string{"origin/web", "ingest/studio/page"} {
		t.Run(page, func(t *testing.T) {
			t.Chdir(filepath.Join("../..", filepath.FromSlash(page)))
			text, err := os.ReadFile("dist/manifest.json")
			if err != nil {
				t.Fatal(err)
			}
			var built struct{ Sources string }
			if err := json.Unmarshal(text, &built); err != nil {
				t.Fatal(err)
			}
			if got := sourcesHash(t, here); got != built.Sources {
				t.Errorf("dist/ was built from other sources: run `npm run build` in %s and commit dist/", page)
			}
		})
	}
}

// sourcesHash returns the hash of all that the dist/ in the working folder is built from,
// by the tools in another.
func sourcesHash(t *testing.T, tools string) string {
	t.Helper()
	page, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	build, err := filepath.Rel(page, filepath.Join(tools, "build.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	files := []string{filepath.ToSlash(build), "package-lock.json", "tools/bundle.mjs"}
	for _, dir := range []string{"src", "strings"} {
		err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err == nil && !e.IsDir() {
				files = append(files, filepath.ToSlash(path))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(files)
	all := sha256.New()
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(all, "%x  %s\n", sha256.Sum256(data), f)
	}
	return hex.EncodeToString(all.Sum(nil))
}
