package web

import (
	"net/http"
	"strconv"
	"strings"

	"longwave/packager"
)

// CachePage is the Cache-Control of the page; assets have [packager.CacheForever].
const CachePage = "public, max-age=60"

// PageType is the Content-Type of the page.
const PageType = "text/html; charset=utf-8"

// Handler serves the page of one station at "/" and its assets below "/a/": the
// caller strips /{station}. Everything else is 404. It answers GET and HEAD.
func Handler(s Station) (http.Handler, error) {
	page, err := Page(s)
	if err != nil {
		return nil, err
	}
	files := map[string]served{"/": {
		asset: Asset{ContentType: PageType, Data: page, Gzip: compress(page)},
		cache: CachePage,
	}}
	for _, a := range Assets() {
		files["/"+Folder+a.Name] = served{asset: a, cache: packager.CacheForever}
	}
	return handler(files), nil
}

type served struct {
	asset Asset
	cache string
}

type handler map[string]served

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	SetHeaders(head)
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		head.Set("Allow", "GET, HEAD")
		head.Set("Cache-Control", packager.CacheNever)
		http.Error(w, "use GET or HEAD", http.StatusMethodNotAllowed)
		return
	}
	f, ok := h[r.URL.Path]
	if !ok {
		head.Set("Cache-Control", packager.CacheNever)
		http.Error(w, "not found", http.StatusNotFound)
		return
	}
	body := f.asset.Data
	if f.asset.Gzip != nil {
		head.Set("Vary", "Accept-Encoding")
		if acceptsGzip(r.Header.Get("Accept-Encoding")) {
			head.Set("Content-Encoding", "gzip")
			body = f.asset.Gzip
		}
	}
	head.Set("Content-Type", f.asset.ContentType)
	head.Set("Cache-Control", f.cache)
	head.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(body) // the listener may have gone
	}
}

// SetHeaders sets what every answer for the page and its assets carries beside
// type and caching. The page itself carries policy and referrer rule too, for
// stores that keep no such headers.
func SetHeaders(h http.Header) {
	h.Set("Content-Security-Policy", Policy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	h.Set("Access-Control-Allow-Origin", "*")
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
