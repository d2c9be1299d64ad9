package listen_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"longwave/origin/listen"
	"longwave/packager"
	"longwave/packager/hls"
)

// Faults of the programme: its playlists, its sound, its time.
var programmeFaults = map[string]fault{
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
}
