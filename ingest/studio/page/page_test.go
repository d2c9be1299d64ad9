package page

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHandler(t *testing.T) {
	h, err := Handler(Station{Name: "talk", Title: `On <time> & "on air"`})
	if err != nil {
		t.Fatal(err)
	}
	script := "/studio/talk/a/" + built.Files["page.js"]
	tests := []struct {
		name, method, path, accept string
		status                     int
		want                       map[string]string
	}{
		{"page", "GET", "/studio/talk", "", 200, map[string]string{"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-cache", "Content-Encoding": ""}},
		{"page, compressed", "GET", "/studio/talk", "br, gzip", 200, map[string]string{"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}},
		{"page, slash", "GET", "/studio/talk/", "", 308, map[string]string{"Location": "/studio/talk"}},
		{"asset", "GET", script, "gzip;q=0.5", 200, map[string]string{"Content-Type": "text/javascript; charset=utf-8", "Cache-Control": cacheAssets, "Content-Encoding": "gzip"}},
		{"asset, gzip refused", "GET", script, "gzip;q=0", 200, map[string]string{"Content-Encoding": ""}},
		{"head", "HEAD", "/studio/talk", "", 200, nil},
		{"unknown asset", "GET", "/studio/talk/a/page-00000000.js", "", 404, map[string]string{"Cache-Control": cacheNever}},
		{"manifest", "GET", "/studio/talk/a/manifest.json", "", 404, nil},
		{"folder", "GET", "/studio/talk/a/", "", 404, nil},
		{"escape", "GET", "/studio/talk/a/../page.go", "", 404, nil},
		{"other station", "GET", "/studio/other", "", 404, nil},
		{"method", "POST", "/studio/talk", "", 405, map[string]string{"Allow": "GET, HEAD", "Cache-Control": cacheNever}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), tt.method, "/", nil)
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
			for _, k := range []string{"Content-Security-Policy", "Referrer-Policy", "X-Content-Type-Options", "Permissions-Policy"} {
				if w.Header().Get(k) == "" {
					t.Errorf("no %s", k)
				}
			}
			if n := w.Header().Get("Content-Length"); tt.status == 200 && tt.method == "GET" && n != fmt.Sprint(w.Body.Len()) {
				t.Errorf("Content-Length %s, body %d", n, w.Body.Len())
			}
		})
	}
}

func TestPage(t *testing.T) {
	h, err := Handler(Station{Name: "talk", Title: `On <time> & "on air"`})
	if err != nil {
		t.Fatal(err)
	}
	text := string(h.(*handler).files["/studio/talk"].data)
	if strings.Contains(text, "<time>") || !strings.Contains(text, "On &lt;time&gt; &amp; &#34;on air&#34;") {
		t.Errorf("the title is not escaped:\n%s", text)
	}
	for _, m := range regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(text, -1) {
		if _, ok := h.(*handler).files["/studio/"+m[1]]; !ok {
			t.Errorf("the page names %q, which is not served", m[1])
		}
	}
	inline := regexp.MustCompile(`(?i)<style|<script(?:>| type="module">)|\sstyle=|\son[a-z]+=`)
	if bad := inline.FindString(text); bad != "" {
		t.Errorf("the page has something inline: %q", bad)
	}
	if _, err := Handler(Station{}); err == nil {
		t.Error("a station without a name has a page")
	}
}

func TestAssets(t *testing.T) {
	h, err := Handler(Station{Name: "talk"})
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`^[a-z]+-[0-9A-Z]{8}\.(js|css|svg)$`)
	for _, file := range built.Files {
		if !name.MatchString(file) {
			t.Errorf("%s: the name has no hash", file)
		}
	}
	total := 0
	for path, f := range h.(*handler).files {
		if f.contentType == "application/octet-stream" {
			t.Errorf("%s: no media type", path)
		}
		if f.gzip == nil {
			continue
		}
		total += len(f.gzip)
		r, err := gzip.NewReader(bytes.NewReader(f.gzip))
		if err != nil {
			t.Fatal(err)
		}
		if back, err := io.ReadAll(r); err != nil || !bytes.Equal(back, f.data) {
			t.Errorf("%s: gzip gives other bytes (%v)", path, err)
		}
	}
	if limit := 60_000; total > limit {
		t.Errorf("a first visit takes %d bytes, at most %d are allowed", total, limit)
	}
}

// Every sentence is there in every language, with the same places to fill in.
func TestStringsAreComplete(t *testing.T) {
	read := func(language string) (m map[string]string) {
		data, err := os.ReadFile("strings/" + language + ".json")
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	places := func(s string) []string {
		return slices.Sorted(slices.Values(regexp.MustCompile(`\{\w+\}`).FindAllString(s, -1)))
	}
	en, de := read("en"), read("de")
	for key, english := range en {
		if de[key] == "" {
			t.Errorf("de.json lacks %q", key)
		}
		if diff := cmp.Diff(places(english), places(de[key])); diff != "" {
			t.Errorf("de.json, %q: other places than in en.json:\n%s", key, diff)
		}
	}
	for key := range de {
		if en[key] == "" {
			t.Errorf("de.json has %q, en.json does not", key)
		}
	}
}
