package listen_test

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"longwave/origin/listen"
	"longwave/packager"
	"longwave/packager/hls"
)

type handler = func(http.ResponseWriter, *http.Request, http.Handler)

// altering returns a handler that changes the answers to requests that fit.
func altering(fits func(*http.Request) bool, change func(*httptest.ResponseRecorder)) handler {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if !fits(r) {
			next.ServeHTTP(w, r)
			return
		}
		rec := httptest.NewRecorder()
		next.ServeHTTP(rec, r)
		change(rec)
		maps.Copy(w.Header(), rec.Header())
		w.WriteHeader(rec.Code)
		_, _ = w.Write(rec.Body.Bytes())
	}
}

// answering returns a handler that answers requests that fit with a status.
func answering(fits func(*http.Request) bool, status int) handler {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if !fits(r) {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
	}
}

// isPart fits requests for a part of every segment, or for all with -1.
func isPart(part int) func(*http.Request) bool {
	return func(r *http.Request) bool {
		k, err := packager.ParseKey(strings.TrimPrefix(r.URL.Path, "/"))
		return err == nil && k.Kind == packager.Part && (part < 0 || k.Part == part)
	}
}

func isSegment(r *http.Request) bool {
	k, err := packager.ParseKey(strings.TrimPrefix(r.URL.Path, "/"))
	return err == nil && k.Kind == packager.Segment
}

func isPlaylist(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/live.m3u8") }

func query(text string) func(*http.Request) bool {
	return func(r *http.Request) bool { return isPlaylist(r) && strings.Contains(r.URL.RawQuery, text) }
}

func method(name string) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.Method == name }
}

// playlists returns a put that changes media playlists; f returns false to leave a
// version out.
func playlists(f func(*hls.Media) bool) func(*packager.Object) bool {
	return func(o *packager.Object) bool {
		if o.Key.Kind != packager.Media {
			return true
		}
		m, err := hls.ParseMedia(o.Data)
		if err != nil {
			panic(err)
		}
		ok := f(m)
		o.Data = m.Append(nil)
		return ok
	}
}

var reBandwidth = regexp.MustCompile(`BANDWIDTH=\d+,AVERAGE-BANDWIDTH=\d+`)

// The second at which what is broken breaks: well after a listener began.
var breaks = packager.SegmentPos(firstMSN + 6).Time()

// Each class of fault is found, by its rule, and for what it is.
var faults = map[string]struct {
	station station
	opt     listen.Options
	rules   string // that must be among those broken
	only    bool   // and no others
	failed  bool   // not only when strict
	check   func(*testing.T, listen.Report)
}{
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
	"frozen": {
		station: station{put: func(*packager.Object) bool { return time.Now().Before(breaks) }},
		opt:     listen.Options{For: 30 * time.Second},
		rules:   "http-status", failed: true,
		check: func(t *testing.T, rep listen.Report) {
			if s := rep.Stalls; s.Count != 2 || time.Duration(s.Longest) < 20*time.Second {
				t.Errorf("two players should have fallen silent once and for all: %+v", s)
			}
		},
	},
	"frozen from the start": {
		station: station{put: func(*packager.Object) bool { return time.Now().Before(breaks.Add(-6 * time.Second)) }},
		opt:     listen.Options{For: 30 * time.Second},
		rules:   "http-status", failed: true,
		check: func(t *testing.T, rep listen.Report) {
			if s := rep.Stalls; s.Count != 2 || time.Duration(s.Longest) < 25*time.Second {
				t.Errorf("%+v", s)
			}
		},
	},
	"numbers begin anew": {
		station: station{tape: plainTape, put: playlists(func(m *hls.Media) bool {
			if time.Now().After(breaks) {
				m.MediaSequence -= firstMSN - 100
			}
			return true
		})},
		opt:   listen.Options{For: 40 * time.Second, Renditions: []string{"opus-24"}},
		rules: "msn-decreased", failed: true,
		check: func(t *testing.T, rep listen.Report) {
			if h := rep.Renditions[0]; h.Segments < 15 {
				t.Errorf("it did not go on: %+v", h)
			}
		},
	},
	"frozen, not blocking": {
		station: station{put: func(*packager.Object) bool { return time.Now().Before(breaks) }, tape: plainTape},
		opt:     listen.Options{For: 30 * time.Second},
		rules:   "segment-late", only: true, failed: true,
		check: func(t *testing.T, rep listen.Report) {
			if rep.Gaps.Late != 2 || rep.Stalls.Count != 2 {
				t.Errorf("%+v, %+v", rep.Gaps, rep.Stalls)
			}
		},
	},
	"missing part": {
		station: station{serve: answering(isPart(3), http.StatusNotFound)},
		rules:   "hinted-part-missing http-status", only: true, failed: true,
		check: func(t *testing.T, rep listen.Report) {
			if rep.Gaps.MissingParts < 10 || rep.Gaps.MissingSegments != 0 {
				t.Errorf("%+v", rep.Gaps)
			}
		},
	},
	"missing segment": {
		station: station{tape: plainTape, serve: answering(func(r *http.Request) bool {
			return strings.HasSuffix(r.URL.Path, fmt.Sprintf("/%d.m4s", firstMSN+6))
		}, http.StatusNotFound)},
		opt:   listen.Options{For: 30 * time.Second},
		rules: "http-status", failed: true,
		check: func(t *testing.T, rep listen.Report) {
			if rep.Gaps.MissingSegments != 2 || rep.Stalls.Count != 2 || rep.Stalls.Total < listen.Millis(3*time.Second) {
				t.Errorf("%+v, %+v", rep.Gaps, rep.Stalls)
			}
		},
	},
	"other bytes in a part": {
		station: station{put: func(o *packager.Object) bool {
			if o.Key.Kind == packager.Part && o.Key.Part == 2 {
				o.Data = bytes.Clone(o.Data)
				o.Data[len(o.Data)-1] ^= 0xFF // sound, not structure
			}
			return true
		}},
		rules: "part-union", only: true, failed: true,
	},
	"garbage in a part": {
		station: station{put: func(o *packager.Object) bool {
			if o.Key.Kind == packager.Part && o.Key.Part == 2 {
				o.Data = []byte("<html>not found</html>")
			}
			return true
		}},
		rules: "box-syntax", only: true, failed: true,
	},
	"cut short": {
		station: station{serve: altering(isSegment, func(r *httptest.ResponseRecorder) {
			r.Header().Set("Content-Length", strconv.Itoa(r.Body.Len()+1))
		})},
		rules: "unreachable", only: true, failed: true,
	},
	"hole in the media time": {
		station: station{serve: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			r.URL.Path = strings.Replace(r.URL.Path, fmt.Sprintf("/%d.m4s", firstMSN+6), fmt.Sprintf("/%d.m4s", firstMSN+5), 1)
			next.ServeHTTP(w, r)
		}},
		rules: "tfdt-continuity", failed: true,
		check: func(t *testing.T, rep listen.Report) {
			if rep.Gaps.Holes == 0 {
				t.Errorf("%+v", rep.Gaps)
			}
		},
	},
	"gap": {
		station: station{tape: plainTape, put: playlists(func(m *hls.Media) bool {
			if i := firstMSN + 6 - m.FirstMSN(); i < int64(len(m.Segments)) {
				m.Segments[i].Gap = true
			}
			return true
		})},
		failed: true,
		check: func(t *testing.T, rep listen.Report) {
			if rep.Gaps.Tagged != 2 {
				t.Errorf("%+v", rep.Gaps)
			}
		},
	},
	"delay": {
		station: station{put: func(o *packager.Object) bool { o.Data = bytes.Clone(o.Data); return true }, tape: lateTape},
		check: func(t *testing.T, rep listen.Report) {
			if p50 := time.Duration(rep.Delay.P50); p50 < 790*time.Millisecond || p50 > 870*time.Millisecond {
				t.Errorf("the live edge is 800 ms late, and Opus has nothing to wait for: %v", p50)
			}
		},
		only: true,
	},
	"late part": {
		station: station{put: playlists(func(m *hls.Media) bool {
			// One in two versions is not published.
			return time.Now().Before(breaks) || len(m.Open.Parts)%2 == 0
		})},
		rules: "part-late", failed: true,
		check: func(t *testing.T, rep listen.Report) {
			if rep.Gaps.Late == 0 {
				t.Errorf("%+v", rep.Gaps)
			}
		},
	},
	"missed segments": {
		station: station{serve: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if now := time.Now(); isPlaylist(r) && now.After(breaks) && now.Before(breaks.Add(70*time.Second)) {
				http.Error(w, "busy", http.StatusServiceUnavailable)
				return
			}
			next.ServeHTTP(w, r)
		}},
		opt:   listen.Options{For: 79 * time.Second, Renditions: []string{"opus-24"}},
		rules: "segment-missed http-status", failed: true,
		check: func(t *testing.T, rep listen.Report) {
			if rep.Gaps.MissingSegments == 0 || rep.Stalls.Count == 0 {
				t.Errorf("%+v, %+v", rep.Gaps, rep.Stalls)
			}
		},
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
	"reports": {
		station: station{put: playlists(func(m *hls.Media) bool {
			for i := range m.Reports {
				m.Reports[i].Last.MSN++
			}
			return true
		})},
		rules: "report-wrong report-ahead", only: true, failed: true,
	},
	"numbers": {
		station: station{put: func(o *packager.Object) bool {
			return o.Key.Rendition != "opus-24" || playlists(func(m *hls.Media) bool { m.MediaSequence++; return true })(o)
		}, tape: plainTape},
		rules: "renditions-msn", only: true,
	},
	"removed early": {
		station: station{serve: func() handler {
			var oldest atomic.Int64
			return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				k, err := packager.ParseKey(strings.TrimPrefix(r.URL.Path, "/"))
				if err == nil && k.Kind == packager.Segment {
					edge := (time.Now().Unix()-946_684_800)*100/192 + 493_065_000
					oldest.Store(edge - 32)
					if k.MSN <= oldest.Load() {
						answering(isSegment, http.StatusNotFound)(w, r, next)
						return
					}
				}
				next.ServeHTTP(w, r)
			}
		}()},
		opt:   listen.Options{For: 78 * time.Second, Renditions: []string{"opus-24"}},
		rules: "removed-early", only: true, failed: true,
	},
	"bytes change": {
		station: station{serve: func() handler {
			seen := map[string]bool{}
			return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				if !isPart(5)(r) {
					next.ServeHTTP(w, r)
					return
				}
				again := seen[r.URL.Path] // nobody asks for the same one twice at the same time
				seen[r.URL.Path] = true
				altering(isPart(5), func(rec *httptest.ResponseRecorder) {
					if again {
						rec.Body.Bytes()[rec.Body.Len()-1] ^= 1
					}
				})(w, r, next)
			}
		}()},
		opt:   listen.Options{Renditions: []string{"opus-24"}, For: 30 * time.Second},
		rules: "bytes-changed", only: true, failed: true,
	},
	"bandwidth": {
		station: station{put: func(o *packager.Object) bool {
			if o.Key.Kind == packager.Multivariant {
				o.Data = reBandwidth.ReplaceAll(o.Data, []byte("BANDWIDTH=10000,AVERAGE-BANDWIDTH=10000"))
			}
			return true
		}},
		rules: "bandwidth-exceeded", only: true, failed: true,
	},
	"average": {
		station: station{put: func(o *packager.Object) bool {
			if o.Key.Kind == packager.Multivariant {
				o.Data = reBandwidth.ReplaceAll(o.Data, []byte("BANDWIDTH=99000,AVERAGE-BANDWIDTH=20000"))
			}
			return true
		}},
		opt:   listen.Options{Renditions: []string{"opus-24"}, For: 75 * time.Second},
		rules: "average-exceeded", only: true,
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

// plain takes the gzip from a recorded answer.
func plain(r *httptest.ResponseRecorder) {
	if r.Header().Get("Content-Encoding") != "gzip" {
		return
	}
	r.Body = bytes.NewBuffer(gunzip(r.Body.Bytes()))
	r.Header().Del("Content-Encoding")
}

// Markers for tapes that are made when a test runs.
var (
	plainTape = tape{{}}
	lateTape  = tape{{}, {}}
)

func TestBroken(t *testing.T) {
	low, plain := tapeOf(t, "low"), tapeOf(t, "plain")
	var late tape
	for _, r := range low {
		r.at = r.at.Add(800 * time.Millisecond)
		late = append(late, r)
	}
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			switch len(f.station.tape) {
			case 0:
				f.station.tape = low
			case 1:
				f.station.tape = plain
			default:
				f.station.tape = late
			}
			rep := f.station.hear(t, f.opt)
			show(t, rep)
			got := rules(rep)
			for want := range strings.FieldsSeq(f.rules) {
				if _, ok := got[want]; !ok {
					t.Errorf("%s was not found", want)
				}
			}
			for name := range got {
				if f.only && !strings.Contains(" "+f.rules+" ", " "+name+" ") {
					t.Errorf("%s was found too", name)
				}
			}
			if rep.Failed(false) != f.failed {
				t.Errorf("failed: %v", rep.Failed(false))
			}
			if f.check != nil {
				f.check(t, rep)
			}
		})
	}
}

// Every rule of this package is shown to be broken by something.
func TestEveryRuleCanBeBroken(t *testing.T) {
	var all strings.Builder
	for _, f := range faults {
		all.WriteString(" " + f.rules + " ")
	}
	elsewhere := " reload-held format-unknown silence undecodable clock " // tests of their own
	for _, r := range listen.Rules() {
		if name := " " + r.Name + " "; !strings.Contains(all.String()+elsewhere, name) {
			t.Errorf("nothing breaks %s", r.Name)
		}
	}
}
