package hlstest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Resource says what a response is of.
type Resource uint8

// The resources of a stream.
const (
	MultivariantPlaylist Resource = iota + 1
	MediaPlaylist                 // asked for without delivery directives
	BlockedPlaylist               // a media playlist asked for with _HLS_msn
	InitSegment
	MediaSegment
	PartialSegment
	Failure // an answer that is meant to be an error
)

func (r Resource) playlist() bool { return r <= BlockedPlaylist }

// A Response is an HTTP response as a client got it. Its body does not matter here.
type Response struct {
	Resource Resource
	Status   int
	Header   http.Header
	// AcceptsGzip says that the request had Accept-Encoding: gzip.
	AcceptsGzip bool
	// TargetDuration of the stream; zero stands for 2 s.
	TargetDuration time.Duration
}

// CheckResponse judges the status and the header of a response (section 4 and
// appendix B.1; for pages in browsers the Fetch standard).
func CheckResponse(resp Response) []Violation {
	var r report
	h := resp.Header
	if h.Get("Set-Cookie") != "" {
		r.add("http-cookie", 0, "%s", h.Get("Set-Cookie"))
	}
	if h.Get("Access-Control-Allow-Origin") != "*" {
		r.add("http-cors", 0, "Access-Control-Allow-Origin is %q", h.Get("Access-Control-Allow-Origin"))
	}
	if resp.Resource == Failure {
		if !slices.Contains(cacheControl(h), "no-store") {
			r.add("http-cache-error", 0, "Cache-Control is %q", h.Get("Cache-Control"))
		}
		return r.sorted()
	}
	switch {
	case resp.Status == http.StatusNotModified:
		return r.sorted()
	case resp.Status >= 300 && resp.Status < 400:
		r.add("http-redirect", 0, "%d to %s", resp.Status, h.Get("Location"))
		return r.sorted()
	case resp.Status != http.StatusOK && resp.Status != http.StatusPartialContent:
		r.add("http-status", 0, "%d", resp.Status)
		return r.sorted()
	}
	resp.content(&r)
	resp.caching(&r)
	return r.sorted()
}

// content checks what says how to read the body.
func (resp Response) content(r *report) {
	kind, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	want := []string{"audio/mp4"}
	if resp.Resource.playlist() {
		want = []string{"application/vnd.apple.mpegurl", "audio/mpegurl"}
	}
	if !slices.Contains(want, kind) {
		r.add("http-content-type", 0, "%q, want %s", kind, want[0])
	}
	if resp.Resource.playlist() && resp.AcceptsGzip && resp.Header.Get("Content-Encoding") != "gzip" {
		r.add("http-gzip", 0, "Content-Encoding is %q", resp.Header.Get("Content-Encoding"))
	}
	if _, err := strconv.ParseUint(resp.Header.Get("Content-Length"), 10, 63); err != nil {
		r.add("http-length", 0, "Content-Length is %q", resp.Header.Get("Content-Length"))
	}
}

// caching checks Cache-Control against the times of appendix B.1. A multivariant
// playlist may be cached for as long as one likes. A blocked one has to be cached for a
// moment, so that a cache asks once for all who wait; the six target durations that are
// recommended there silence players that ask again for what they have (Video.js).
func (resp Response) caching(r *report) {
	all := cacheControl(resp.Header)
	if len(all) == 0 {
		r.add("http-cache-missing", 0, "no Cache-Control")
		return
	}
	td := resp.TargetDuration
	if td == 0 {
		td = 2 * time.Second
	}
	age, ok := maxAge(all)
	switch resp.Resource {
	case MultivariantPlaylist, BlockedPlaylist:
		if ok && age > 0 {
			return
		}
	case MediaPlaylist:
		if ok && age <= td/2 {
			return
		}
	default:
		if ok && age >= 6*td {
			return
		}
	}
	r.add("http-cache-age", 0, "Cache-Control is %q", resp.Header.Get("Cache-Control"))
}

// cacheControl returns the directives of Cache-Control, in lower case.
func cacheControl(h http.Header) []string {
	var all []string
	for _, line := range h.Values("Cache-Control") {
		for d := range strings.SplitSeq(strings.ToLower(line), ",") {
			if d = strings.TrimSpace(d); d != "" {
				all = append(all, d)
			}
		}
	}
	return all
}

// maxAge returns for how long a shared cache may keep a response.
func maxAge(directives []string) (time.Duration, bool) {
	for _, name := range []string{"s-maxage=", "max-age="} {
		for _, d := range directives {
			seconds, err := strconv.ParseUint(strings.TrimPrefix(d, name), 10, 32)
			if strings.HasPrefix(d, name) && err == nil {
				return time.Duration(seconds) * time.Second, !slices.Contains(directives, "no-store")
			}
		}
	}
	return 0, false
}
