package listen_test

import (
	"bytes"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
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

// A fault is what is broken, and what must be found.
type fault struct {
	station station
	opt     listen.Options
	rules   string // that must be among those broken
	only    bool   // and no others
	failed  bool   // not only when strict
	check   func(*testing.T, listen.Report)
}

// Each class of fault is found, by its rule, and for what it is.
func faults() map[string]fault {
	all := maps.Clone(answerFaults)
	maps.Copy(all, programmeFaults)
	return all
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
	for name, f := range faults() {
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
	for _, f := range faults() {
		all.WriteString(" " + f.rules + " ")
	}
	elsewhere := " reload-held format-unknown silence undecodable clock " // tests of their own
	for _, r := range listen.Rules() {
		if name := " " + r.Name + " "; !strings.Contains(all.String()+elsewhere, name) {
			t.Errorf("nothing breaks %s", r.Name)
		}
	}
}
