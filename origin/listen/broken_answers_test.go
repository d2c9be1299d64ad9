package listen_test

import (
	"bytes"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"longwave/origin/listen"
)

// Faults of the answers that carry the programme.
var answerFaults = map[string]fault{
	"header": {
		station: station{serve: altering(isPart(-1), func(r *httptest.ResponseRecorder) { r.Header().Set("Content-Type", "text/plain") })},
		rules:   "http-content-type", only: true, failed: true,
	},
	"cors": {
		station: station{serve: altering(isSegment, func(r *httptest.ResponseRecorder) { r.Header().Del("Access-Control-Allow-Origin") })},
		rules:   "http-cors", only: true,
	},
	"cookie": {
		station: station{serve: altering(isPlaylist, func(r *httptest.ResponseRecorder) { r.Header().Set("Set-Cookie", "id=1") })},
		rules:   "http-cookie", only: true,
	},
	"redirected media": {
		station: station{serve: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if isSegment(r) && r.URL.RawQuery == "" {
				w.Header().Set("Access-Control-Allow-Origin", "*")
				http.Redirect(w, r, r.URL.Path+"?elsewhere", http.StatusFound)
				return
			}
			next.ServeHTTP(w, r)
		}},
		rules: "http-redirect", only: true, failed: true,
	},
	"delta": {
		station: station{serve: altering(query("_HLS_skip"), func(r *httptest.ResponseRecorder) {
			plain(r)
			r.Body = bytes.NewBuffer(bytes.ReplaceAll(r.Body.Bytes(), []byte("EXTINF:1.91999,"), []byte("EXTINF:1.91999,news")))
			r.Header().Set("Content-Length", strconv.Itoa(r.Body.Len()))
		})},
		rules: "delta-differs", failed: true,
	},
	"no delta": {
		station: station{serve: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			r.URL.RawQuery = strings.ReplaceAll(r.URL.RawQuery, "_HLS_skip=YES", "")
			next.ServeHTTP(w, r)
		}},
		rules: "delta-refused", only: true, failed: true,
	},
	"blocking ignored": {
		station: station{serve: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			r.URL.RawQuery = ""
			next.ServeHTTP(w, r)
		}},
		rules: "reload-early reload-nonsense reload-part-alone reload-ahead", failed: true,
	},
	"hint too early": {
		station: station{serve: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			// What does not exist yet is 404, as in a store.
			rec, done := httptest.NewRecorder(), make(chan struct{})
			if !isPart(-1)(r) {
				next.ServeHTTP(w, r)
				return
			}
			go func() { defer close(done); next.ServeHTTP(rec, r) }()
			select {
			case <-done:
				maps.Copy(w.Header(), rec.Header())
				w.WriteHeader(rec.Code)
				_, _ = w.Write(rec.Body.Bytes())
			case <-time.After(10 * time.Millisecond):
				answering(isPart(-1), http.StatusNotFound)(w, r, next)
			}
		}},
		rules: "hinted-part-missing", only: true, failed: true,
		check: func(t *testing.T, rep listen.Report) {
			if rep.Gaps.MissingParts != 0 {
				t.Errorf("the parts were there when they were listed: %+v", rep.Gaps)
			}
		},
	},
	"drip": {
		station: station{serve: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if !isPart(-1)(r) {
				next.ServeHTTP(w, r)
				return
			}
			rec := httptest.NewRecorder()
			next.ServeHTTP(rec, r)
			maps.Copy(w.Header(), rec.Header())
			w.WriteHeader(rec.Code)
			b := rec.Body.Bytes()
			_, _ = w.Write(b[:len(b)/2])
			_ = http.NewResponseController(w).Flush()
			select {
			case <-time.After(300 * time.Millisecond):
			case <-r.Context().Done():
				return
			}
			_, _ = w.Write(b[len(b)/2:])
		}},
		rules: "part-drip", only: true, failed: true, // the first parts do not come in time
	},
	"gzip for everybody": {
		station: station{serve: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if isPlaylist(r) {
				r.Header.Set("Accept-Encoding", "gzip")
			}
			next.ServeHTTP(w, r)
		}},
		rules: "gzip-unasked", only: true, failed: true,
	},
	"no gzip": {
		station: station{serve: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			r.Header.Del("Accept-Encoding")
			next.ServeHTTP(w, r)
		}},
		rules: "http-gzip", only: true,
	},
	"head":    {station: station{serve: answering(method(http.MethodHead), http.StatusMethodNotAllowed)}, rules: "http-head", only: true},
	"options": {station: station{serve: answering(method(http.MethodOptions), http.StatusNotFound)}, rules: "http-preflight", only: true},
	"unknown parameter": {
		station: station{serve: answering(query("CMCD"), http.StatusForbidden)}, rules: "query-unknown", only: true,
	},
	"unknown part": {
		station: station{serve: altering(isPart(-1), func(r *httptest.ResponseRecorder) {
			if r.Code == http.StatusNotFound {
				r.Code = http.StatusServiceUnavailable
			}
		})},
		rules: "part-unknown", only: true,
	},
	"past": {
		station: station{serve: answering(query("_HLS_msn=0"), http.StatusBadRequest)}, rules: "reload-past", only: true, failed: true,
	},
	"errors that are cached": {
		station: station{serve: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			altering(func(*http.Request) bool { return true }, func(rec *httptest.ResponseRecorder) {
				if rec.Code >= 400 {
					rec.Header().Set("Cache-Control", "max-age=60")
				}
			})(w, r, next)
		}},
		rules: "http-cache-error", only: true,
	},
}
