// Package page holds the studio: what host and speakers see at
// /studio/{station}, embedded in the binary.
//
//	strings/*.json ─┐
//	src/*.ts, css ──┴─ esbuild ─> dist/ ─ embed ─> Handler(Station)
//	                                   /studio/{station}            the page
//	                                   /studio/{station}/a/{name}   what it needs, under a hash of its bytes
//
// The page is the same bytes for everybody. Who opens it is told by the token in
// the address's fragment (/studio/talk#TOKEN), which a browser sends to nobody; the
// script reads it there and shows it to the API, to WHIP and to WHEP as a bearer
// token. It stays in the fragment so that loading the page anew works; nothing is
// stored. The page asks nobody but its own host and the twins that it was made with,
// and its policy lets it do no more.
//
// dist/ is committed so that the module builds without node. After a change in
// src/, strings/ or package-lock.json: npm run build.
//
// This package does not answer the API, does not carry sound, and does not look at
// tokens.
package page

import (
	"bytes"
	"compress/gzip"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// Policy is the Content-Security-Policy of the page: own scripts and styles,
// nothing inline, no other host, and never in somebody else's frame. A station with
// twins may connect to them besides.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
	"connect-src 'self'; media-src 'self' blob: mediastream:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// policy is Policy with twins.
func policy(twins []string) string {
	const connectSelf = "connect-src 'self'"
	return strings.Replace(Policy, connectSelf, strings.Join(append([]string{connectSelf}, twins...), " "), 1)
}

const (
	cachePage   = "no-cache" // a new version is seen at the next visit
	cacheAssets = "public, max-age=31536000, immutable"
	cacheNever  = "no-store"
	prefix      = "/studio/"
)

// A Station is what the page says about a station.
type Station struct {
	// Name is the station's in addresses, as in /studio/talk. Required.
	Name string
	// Title is what the station is called. Empty: Name.
	Title string
	// Twins are the addresses of other nodes that the page speaks to as well, as in
	// https://b.example.org.
	Twins []string
}

//go:embed dist page.html.tmpl
var files embed.FS

// Embedded, so a failure is one of the build and shows in every test.
var (
	pageTemplate = template.Must(template.ParseFS(files, "page.html.tmpl"))
	built        = mustManifest()
)

// manifest is dist/manifest.json, which the build wrote about itself.
type manifest struct {
	Files map[string]string `json:"files"` // page.js: page-1A2B3C4D.js
}

func mustManifest() (m manifest) {
	data, err := files.ReadFile("dist/manifest.json")
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	if err != nil {
		panic(fmt.Sprintf("embedded manifest: %v", err))
	}
	return m
}

// Handler serves the studio of one station: the page at /studio/{name} and its
// assets below /studio/{name}/a/, by the whole path of the request. Everything else
// is 404; it answers GET and HEAD.
func Handler(s Station) (http.Handler, error) {
	if s.Name == "" {
		return nil, fmt.Errorf("studio page: a station needs a name")
	}
	if s.Title == "" {
		s.Title = s.Name
	}
	home := prefix + s.Name
	h := &handler{home: home, policy: policy(s.Twins), files: map[string]file{}}
	for _, name := range built.Files {
		data, err := files.ReadFile("dist/a/" + name)
		if err != nil {
			return nil, fmt.Errorf("studio page of %s: %w", s.Name, err)
		}
		h.files[home+"/a/"+name] = newFile(data, contentType(name), cacheAssets)
	}
	var b bytes.Buffer
	asset := func(name string) string { return s.Name + "/a/" + built.Files[name] }
	err := pageTemplate.Execute(&b, map[string]string{
		"Name": s.Name, "Title": s.Title, "Twins": strings.Join(s.Twins, " "),
		"Script": asset("page.js"), "Style": asset("style.css"), "Icon": asset("icon.svg"),
	})
	if err != nil {
		return nil, fmt.Errorf("studio page of %s: %w", s.Name, err)
	}
	h.files[home] = newFile(b.Bytes(), "text/html; charset=utf-8", cachePage)
	return h, nil
}

type file struct {
	data, gzip  []byte // gzip is nil where it would not be smaller
	contentType string
	cache       string
}

func newFile(data []byte, contentType, cache string) file {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level is a constant
	_, _ = w.Write(data)                                  // a bytes.Buffer does not fail
	_ = w.Close()
	f := file{data: data, contentType: contentType, cache: cache}
	if b.Len() < len(data) {
		f.gzip = b.Bytes()
	}
	return f
}

type handler struct {
	home   string
	policy string
	files  map[string]file // by path
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Content-Security-Policy", h.policy)
	head.Set("Referrer-Policy", "no-referrer")
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Permissions-Policy", "microphone=(self), camera=(), geolocation=()")
	head.Set("Cross-Origin-Opener-Policy", "same-origin")
	f, ok := h.files[r.URL.Path]
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		head.Set("Allow", "GET, HEAD")
		head.Set("Cache-Control", cacheNever)
		http.Error(w, "use GET or HEAD", http.StatusMethodNotAllowed)
	case r.URL.Path == h.home+"/": // the browser takes the fragment along
		head.Set("Cache-Control", cachePage)
		http.Redirect(w, r, h.home, http.StatusPermanentRedirect)
	case !ok:
		head.Set("Cache-Control", cacheNever)
		http.Error(w, "not found", http.StatusNotFound)
	default:
		f.serve(w, r)
	}
}

func (f file) serve(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	body := f.data
	if f.gzip != nil {
		head.Set("Vary", "Accept-Encoding")
		if acceptsGzip(r.Header.Get("Accept-Encoding")) {
			head.Set("Content-Encoding", "gzip")
			body = f.gzip
		}
	}
	head.Set("Content-Type", f.contentType)
	head.Set("Cache-Control", f.cache)
	head.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(body) // the visitor may have gone
	}
}

// contentType does not ask the machine's MIME tables: they differ.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	return "application/octet-stream"
}

// acceptsGzip reads an Accept-Encoding header (RFC 9110 section 12.5.3).
func acceptsGzip(header string) bool {
	for item := range strings.SplitSeq(header, ",") {
		coding, params, _ := strings.Cut(item, ";")
		coding = strings.ToLower(strings.TrimSpace(coding))
		if coding != "gzip" && coding != "*" {
			continue
		}
		name, value, _ := strings.Cut(strings.TrimSpace(params), "=")
		if !strings.EqualFold(strings.TrimSpace(name), "q") {
			return true
		}
		q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		return err == nil && q > 0
	}
	return false
}
