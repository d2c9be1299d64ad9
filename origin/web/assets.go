package web

import (
	"bytes"
	"compress/gzip"
	"embed"
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"sync"
)

// An Asset is a file that the page names. Its name carries the hash of its
// bytes: they never change under a name.
type Asset struct {
	Name        string // player-1A2B3C4D.js
	ContentType string
	Data        []byte
	Gzip        []byte // Data compressed; nil where that does not make it smaller
}

//go:embed dist
var distFS embed.FS

//go:embed strings/*.json
var stringsFS embed.FS

// What the build wrote about itself, and the words: read once, at start. Both
// are embedded, so a failure is one of the build and shows in every test.
var (
	built = mustJSON[manifest](distFS, "dist/manifest.json")
	words = map[string]map[string]string{
		"de": mustJSON[map[string]string](stringsFS, "strings/de.json"),
		"en": mustJSON[map[string]string](stringsFS, "strings/en.json"),
	}
)

// manifest is dist/manifest.json.
type manifest struct {
	Files map[string]string `json:"files"` // page.js: page-1A2B3C4D.js
}

func mustJSON[T any](fs embed.FS, name string) T {
	var v T
	data, err := fs.ReadFile(name)
	if err == nil {
		err = json.Unmarshal(data, &v)
	}
	if err != nil {
		panic(fmt.Sprintf("embedded %s: %v", name, err))
	}
	return v
}

// Folder is where the assets are, below the page.
const Folder = "a/"

// assetPath returns the path of an asset relative to the page.
func assetPath(name string) string {
	file, ok := built.Files[name]
	if !ok {
		panic("web: dist has no " + name)
	}
	return Folder + file
}

// Assets returns every asset, compressed at the first call. The slice and what
// it holds are shared: do not change them.
var Assets = sync.OnceValue(func() []Asset {
	entries, err := distFS.ReadDir("dist/a")
	if err != nil {
		panic(fmt.Sprintf("embedded dist: %v", err))
	}
	assets := make([]Asset, 0, len(entries))
	for _, e := range entries {
		data, err := distFS.ReadFile("dist/a/" + e.Name())
		if err != nil {
			panic(fmt.Sprintf("embedded dist: %v", err))
		}
		assets = append(assets, Asset{
			Name:        e.Name(),
			ContentType: contentType(e.Name()),
			Data:        data,
			Gzip:        compress(data),
		})
	}
	return assets
})

// contentType does not ask the machine's MIME tables: they differ.
func contentType(name string) string {
	switch strings.ToLower(path.Ext(name)) {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".txt":
		return "text/plain; charset=utf-8"
	}
	return "application/octet-stream"
}

// compress returns data in gzip form, or nil where that is not smaller.
func compress(data []byte) []byte {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		panic(err) // the level is a constant
	}
	if _, err := w.Write(data); err != nil {
		panic(err) // a bytes.Buffer does not fail
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	if b.Len() >= len(data) {
		return nil
	}
	return b.Bytes()
}
