package main

import (
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

func (p *project) path(dir string) string { return filepath.Join(p.root, filepath.FromSlash(dir)) }

// foldersWith returns the folders that hold a file of this name, sorted.
func (p *project) foldersWith(name string) ([]string, error) {
	files, err := p.files(func(path string) bool { return filepath.Base(path) == name })
	for i, f := range files {
		files[i] = filepath.ToSlash(filepath.Dir(f))
	}
	slices.Sort(files)
	return files, err
}

// files returns the files that want holds for, by path below the root. Folders
// of other people's or of built files are not entered.
func (p *project) files(want func(path string) bool) ([]string, error) {
	var found []string
	err := filepath.WalkDir(p.root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(p.root, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if slices.Contains([]string{"node_modules", ".git", "bin", "data"}, d.Name()) || strings.HasPrefix(d.Name(), "_") {
				return fs.SkipDir
			}
			return nil
		}
		if want(rel) {
			found = append(found, rel)
		}
		return nil
	})
	return found, err
}
