package origin

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"time"

	"longwave/packager"
)

// Headers that are the same in every answer.
var (
	anyOrigin    = []string{"*"}
	exposed      = []string{"Age, Date, Content-Length, Content-Range"}
	varyEncoding = []string{"Accept-Encoding"}
	gzipped      = []string{"gzip"}
	neverCached  = []string{packager.CacheNever}
	acceptRanges = []string{"bytes"}
)

// write answers with f.
func (s *Server) write(w http.ResponseWriter, r *http.Request, kind int, f *file) {
	h := w.Header()
	h["Content-Type"] = f.contentType
	h["Cache-Control"] = f.cacheControl
	h["Access-Control-Allow-Origin"] = anyOrigin
	h["Access-Control-Expose-Headers"] = exposed
	body, length := f.data, f.length
	if f.gz != nil {
		h["Vary"] = varyEncoding
		if acceptsGzip(r.Header) {
			h["Content-Encoding"] = gzipped
			body, length = f.gz, f.gzLen
		}
	} else {
		h["Accept-Ranges"] = acceptRanges
		if r.Header["Range"] != nil {
			s.writeRange(w, r, kind, f)
			return
		}
	}
	h["Content-Length"] = length
	if r.Method == http.MethodHead {
		body = nil
	}
	n, _ := w.Write(body) // an error means that the listener has gone
	s.metrics.count(kind, http.StatusOK, n)
}

// writeRange answers a request for a part of a file (RFC 9110 section 14).
func (s *Server) writeRange(w http.ResponseWriter, r *http.Request, kind int, f *file) {
	rec := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	http.ServeContent(rec, r, "", time.Time{}, bytes.NewReader(f.data))
	s.metrics.count(kind, rec.status, rec.bytes)
}

// refuse answers with an error, which no cache may keep: one that did would serve
// it to the whole audience.
func (s *Server) refuse(w http.ResponseWriter, kind, status int, text string) {
	h := w.Header()
	h["Cache-Control"] = neverCached
	h["Access-Control-Allow-Origin"] = anyOrigin
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(text)+1))
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	n, _ := w.Write([]byte(text + "\n"))
	s.metrics.count(kind, status, n)
}

// preflight answers a browser that asks whether it may (Fetch standard, CORS).
func preflight(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h["Access-Control-Allow-Origin"] = anyOrigin
	h.Set("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS")
	h.Set("Access-Control-Allow-Headers", "*")
	h.Set("Access-Control-Max-Age", "86400")
	w.WriteHeader(http.StatusNoContent)
}

// acceptsGzip reports whether an answer may be gzipped: the header names gzip, and
// not with a quality of zero (RFC 9110 section 12.5.3).
func acceptsGzip(h http.Header) bool {
	for _, v := range h["Accept-Encoding"] {
		_, after, found := strings.Cut(v, "gzip")
		if !found {
			continue
		}
		params, _, _ := strings.Cut(after, ",")
		_, q, weighed := strings.Cut(params, "q=")
		return !weighed || strings.Trim(q, " 0.") != ""
	}
	return false
}

// A statusWriter notes what was answered.
type statusWriter struct {
	http.ResponseWriter
	status, bytes int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	n, err := w.ResponseWriter.Write(b)
	w.bytes += n
	return n, err
}
