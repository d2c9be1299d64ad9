package web

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"longwave/packager"
)

var talk = Station{Name: "Talk", Title: "On <time> & \"on air\"", Description: "A conversation.", Language: "en"}

func TestPageEscapesAndNamesRelativeFilesOnly(t *testing.T) {
	page, err := Page(talk)
	if err != nil {
		t.Fatal(err)
	}
	text := string(page)
	if strings.Contains(text, "<time>") || !strings.Contains(text, "On &lt;time&gt; &amp; &#34;on air&#34;") {
		t.Errorf("the title is not escaped:\n%s", text)
	}
	known := map[string]bool{indexPlaylist: true}
	for _, a := range Assets() {
		known[Folder+a.Name] = true
	}
	for _, m := range regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(text, -1) {
		if !known[m[1]] {
			t.Errorf("the page names %q, which is neither a playlist nor an asset", m[1])
		}
	}
	inline := regexp.MustCompile(`(?i)<style|<script(?:>| type="module">)|\sstyle=|\son[a-z]+=`)
	if bad := inline.FindString(text); bad != "" {
		t.Errorf("the page has something inline: %q", bad)
	}
}

func TestPageDefaults(t *testing.T) {
	page, err := Page(Station{Name: "Talk"})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`<html lang="en">`, "<title>Talk</title>", "<h1>Talk</h1>"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if _, err := Page(Station{}); err == nil {
		t.Error("a station without a name has a page")
	}
}

func TestPageLanguage(t *testing.T) {
	for tag, want := range map[string]string{
		"de": words["de"]["volume"], "de-AT": words["de"]["volume"], "DE": words["de"]["volume"],
		"en-GB": words["en"]["volume"], "fr": words["en"]["volume"],
	} {
		page, err := Page(Station{Name: "Talk", Language: tag})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(page), `data-word="volume">`+want+`<`) {
			t.Errorf("language %q: the volume is not called %q", tag, want)
		}
	}
}

// Every sentence is there in every language, with the same places to fill in.
func TestStringsAreComplete(t *testing.T) {
	places := func(s string) []string {
		return slices.Sorted(slices.Values(regexp.MustCompile(`\{\w+\}`).FindAllString(s, -1)))
	}
	for language, strings := range words {
		for key, english := range words["en"] {
			got, ok := strings[key]
			if !ok || got == "" {
				t.Errorf("%s.json lacks %q", language, key)
			}
			if diff := cmp.Diff(places(english), places(got)); diff != "" {
				t.Errorf("%s.json, %q: other places than in en.json (-en +%s):\n%s", language, key, language, diff)
			}
		}
		for key := range strings {
			if _, ok := words["en"][key]; !ok {
				t.Errorf("%s.json has %q, en.json does not", language, key)
			}
		}
	}
	files, err := filepath.Glob("strings/*.json")
	if err != nil || len(files) != len(words) {
		t.Errorf("strings/ has %d files (%v), %d languages are read", len(files), err, len(words))
	}
	page, err := os.ReadFile("page.html.tmpl")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`data-word="(\w+)"|\.Words\.(\w+)`).FindAllStringSubmatch(string(page), -1) {
		if _, ok := words["en"][m[1]+m[2]]; !ok {
			t.Errorf("the page asks for the words %q, which en.json lacks", m[1]+m[2])
		}
	}
}

func TestAssets(t *testing.T) {
	name := regexp.MustCompile(`^[a-z]+-[0-9A-Z]{8}\.(js|css|svg|txt)$`)
	total := 0
	for _, a := range Assets() {
		if !name.MatchString(a.Name) {
			t.Errorf("%s: the name has no hash", a.Name)
		}
		if a.ContentType == "application/octet-stream" {
			t.Errorf("%s: no media type", a.Name)
		}
		if a.Gzip == nil {
			continue
		}
		r, err := gzip.NewReader(bytes.NewReader(a.Gzip))
		if err != nil {
			t.Fatal(err)
		}
		if back, err := io.ReadAll(r); err != nil || !bytes.Equal(back, a.Data) {
			t.Errorf("%s: gzip gives other bytes (%v)", a.Name, err)
		}
		if !strings.HasSuffix(a.Name, ".txt") {
			total += len(a.Gzip)
		}
	}
	if limit := 150_000; total > limit {
		t.Errorf("a listener's first visit takes %d bytes, at most %d are allowed", total, limit)
	}
}

func TestHandler(t *testing.T) {
	h, err := Handler(talk)
	if err != nil {
		t.Fatal(err)
	}
	script := "/" + assetPath("page.js")
	tests := []struct {
		name, method, path, accept string
		status                     int
		want                       map[string]string
	}{
		{"page", "GET", "/", "", 200, map[string]string{"Content-Type": PageType, "Cache-Control": CachePage, "Content-Encoding": ""}},
		{"page, compressed", "GET", "/", "br, gzip", 200, map[string]string{"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}},
		{"asset", "GET", script, "gzip;q=0.5", 200, map[string]string{"Content-Type": "text/javascript; charset=utf-8", "Cache-Control": packager.CacheForever, "Content-Encoding": "gzip"}},
		{"asset, gzip refused", "GET", script, "gzip;q=0", 200, map[string]string{"Content-Encoding": ""}},
		{"head", "HEAD", "/", "", 200, map[string]string{"Content-Type": PageType}},
		{"unknown asset", "GET", "/a/page-00000000.js", "", 404, map[string]string{"Cache-Control": packager.CacheNever}},
		{"folder", "GET", "/a/", "", 404, nil},
		{"escape", "GET", "/a/../web.go", "", 404, nil},
		{"method", "POST", "/", "", 405, map[string]string{"Allow": "GET, HEAD", "Cache-Control": packager.CacheNever}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), tt.method, "/", http.NoBody)
			r.URL.Path = tt.path
			r.Header.Set("Accept-Encoding", tt.accept)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != tt.status {
				t.Fatalf("status %d, want %d", w.Code, tt.status)
			}
			for k, v := range tt.want {
				if got := w.Header().Get(k); got != v {
					t.Errorf("%s: %q, want %q", k, got, v)
				}
			}
			for _, k := range []string{"Content-Security-Policy", "Referrer-Policy", "X-Content-Type-Options"} {
				if w.Header().Get(k) == "" {
					t.Errorf("no %s", k)
				}
			}
			if n := w.Header().Get("Content-Length"); tt.status == 200 && tt.method == "GET" && n != fmt.Sprint(w.Body.Len()) {
				t.Errorf("Content-Length %s, body %d", n, w.Body.Len())
			}
			if c := w.Header().Get("Set-Cookie"); c != "" {
				t.Errorf("a cookie: %q", c)
			}
		})
	}
}
