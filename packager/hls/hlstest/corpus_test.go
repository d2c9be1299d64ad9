package hlstest_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"longwave/packager/hls/hlstest"
)

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.FromSlash(pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", pattern, len(files), err)
	}
	return files
}

// names returns the names of the rules that were broken, each once.
func names(found []hlstest.Violation) []string {
	var all []string
	for _, v := range found {
		all = append(all, v.Rule.Name)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func clean(t *testing.T, found []hlstest.Violation) {
	t.Helper()
	for _, v := range found {
		t.Error(v)
	}
}

// breaks checks that want is what was found, and nothing else.
func breaks(t *testing.T, want string, found []hlstest.Violation) {
	t.Helper()
	if got := names(found); len(got) != 1 || got[0] != want {
		t.Errorf("found %q, want %q alone", got, want)
		clean(t, found)
	}
}

func TestGood(t *testing.T) {
	for _, file := range append(glob(t, "testdata/good/*.m3u8"), glob(t, "../testdata/*.m3u8")...) {
		t.Run(file, func(t *testing.T) { clean(t, hlstest.Check(read(t, file))) })
	}
	for _, file := range glob(t, "testdata/good/multivariant/*.m3u8") {
		t.Run(file, func(t *testing.T) { clean(t, hlstest.CheckMultivariant(read(t, file))) })
	}
}

func TestBroken(t *testing.T) {
	for _, file := range glob(t, "testdata/broken/*.m3u8") {
		name := strings.TrimSuffix(filepath.Base(file), ".m3u8")
		t.Run(name, func(t *testing.T) {
			if scope(t, name) == hlstest.Multivariant {
				breaks(t, name, hlstest.CheckMultivariant(read(t, file)))
			} else {
				breaks(t, name, hlstest.Check(read(t, file)))
			}
		})
	}
}

func scope(t *testing.T, rule string) hlstest.Scope {
	t.Helper()
	for _, r := range hlstest.Rules() {
		if r.Name == rule {
			return r.Scope
		}
	}
	t.Fatalf("no rule is called %s", rule)
	return 0
}

// An archive holds versions of a playlist, by the second at which they come, or the
// playlists of several renditions, by their URIs.
func archive(t *testing.T, file string) []txtar.File {
	t.Helper()
	a := txtar.Parse(read(t, file))
	if len(a.Comment) == 0 || len(a.Files) < 2 {
		t.Fatalf("%s: not an archive of playlists", file)
	}
	return a.Files
}

func follow(t *testing.T, files []txtar.File) []hlstest.Violation {
	t.Helper()
	var f hlstest.Follower
	var all []hlstest.Violation
	for _, file := range files {
		after, err := time.ParseDuration(file.Name + "s")
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, f.Playlist(time.Unix(1_787_520_000, 0).Add(after), file.Data)...)
	}
	return all
}

func renditions(files []txtar.File) []hlstest.Violation {
	lists := map[string][]byte{}
	for _, file := range files {
		lists[file.Name] = file.Data
	}
	return hlstest.CheckRenditions(lists)
}

func TestBrokenTogether(t *testing.T) {
	for _, file := range glob(t, "testdata/broken/*.txtar") {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		t.Run(name, func(t *testing.T) {
			files := archive(t, file)
			if scope(t, name) == hlstest.OverTime {
				breaks(t, name, follow(t, files))
				return
			}
			breaks(t, name, renditions(files))
			for _, f := range files {
				clean(t, hlstest.Check(f.Data))
			}
		})
	}
}

func TestGoodTogether(t *testing.T) {
	clean(t, follow(t, archive(t, "testdata/good/sequence.txtar")))
	clean(t, renditions(archive(t, "testdata/good/renditions.txtar")))
}

// Whatever a server answers, the judge only judges.
func FuzzCheck(f *testing.F) {
	for _, pattern := range []string{"testdata/good/*.m3u8", "testdata/good/multivariant/*.m3u8", "testdata/broken/*.m3u8"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b, b)
		}
	}
	f.Fuzz(func(_ *testing.T, a, b []byte) {
		hlstest.Check(a)
		hlstest.CheckMultivariant(a)
		var fo hlstest.Follower
		for i, list := range [][]byte{a, b, a} {
			fo.Playlist(time.Unix(int64(i), 0), list)
		}
		hlstest.CheckRenditions(map[string][]byte{"a": a, "b/c": b})
	})
}
