package listen

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"longwave/packager/hls"
)

// Bounds of what is read.
const (
	maxPlaylist  = 4 << 20
	maxMedia     = 32 << 20
	maxRedirects = 5
)

// A request is what to ask for.
type request struct {
	class  class
	url    *url.URL
	method string        // empty: GET
	bytes  hls.ByteRange // zero: all
	accept string        // Accept-Encoding; empty: what a player sends for this class
	header http.Header   // besides
	within time.Duration // until the last byte
}

// An answer is what came.
type answer struct {
	status int
	header http.Header
	url    *url.URL // of the last request, after redirects
	body   []byte   // decompressed
	wire   int64    // bytes of the body as they came
	moved  []answer // the redirects on the way, without bodies

	sent, first, done time.Time // request begun, header here, body here
}

// wait is the time to the first byte.
func (a *answer) wait() time.Duration { return a.first.Sub(a.sent) }

func (a *answer) ok() bool {
	return a.status == http.StatusOK || a.status == http.StatusPartialContent
}

// A fetcher makes requests and counts them.
type fetcher struct {
	client *http.Client
	counts counts
}

func newFetcher(t http.RoundTripper) *fetcher {
	return &fetcher{client: &http.Client{
		Transport:     t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// newTransport returns one that leaves compression to us, so that we see it.
func newTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DisableCompression = true
	t.MaxIdleConnsPerHost = 64
	return t
}

// get asks and follows redirects. An error is a network's, in words: whatever the
// server answers is an answer.
func (f *fetcher) get(ctx context.Context, r request) (answer, error) {
	all := ctx
	ctx, cancel := context.WithTimeoutCause(ctx, r.within, errLate)
	defer cancel()
	var moved []answer
	for {
		a, err := f.once(ctx, r)
		if all.Err() != nil { // the listener left
			return a, all.Err()
		}
		f.counts.add(r.class, &a, err)
		if err != nil {
			if errors.Is(context.Cause(ctx), errLate) {
				err = fmt.Errorf("no answer within %v", r.within)
			}
			return a, err
		}
		next, err := a.url.Parse(a.header.Get("Location"))
		if a.status < 300 || a.status >= 400 || a.status == http.StatusNotModified || err != nil || a.header.Get("Location") == "" {
			a.moved = moved
			return a, nil
		}
		if a.body = nil; len(moved) == maxRedirects {
			return a, fmt.Errorf("more than %d redirects", maxRedirects)
		}
		moved = append(moved, a)
		r.url = next
	}
}

// errLate ends a request that takes too long.
var errLate = errors.New("late")

// once makes one request.
func (f *fetcher) once(ctx context.Context, r request) (answer, error) {
	a := answer{url: r.url}
	var first atomic.Pointer[time.Time] // a request that was left may still set it
	trace := &httptrace.ClientTrace{GotFirstResponseByte: func() { now := time.Now(); first.Store(&now) }}
	method := r.method
	if method == "" {
		method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, trace), method, r.url.String(), http.NoBody)
	if err != nil {
		return a, err
	}
	r.setHeader(req.Header)
	a.sent = time.Now()
	resp, err := f.client.Do(req)
	if err != nil {
		return a, words(err)
	}
	defer resp.Body.Close()
	a.first = time.Now()
	if at := first.Load(); at != nil { // not every transport traces
		a.first = *at
	}
	a.status, a.header = resp.StatusCode, resp.Header
	if resp.ContentLength >= 0 { // net/http takes it out of the header of an answer to HEAD over HTTP/2
		a.header.Set("Content-Length", strconv.FormatInt(resp.ContentLength, 10))
	}
	err = a.read(resp.Body, r)
	a.done = time.Now()
	return a, err
}

// setHeader says what a player in a browser says.
func (r request) setHeader(h http.Header) {
	h.Set("User-Agent", "longwave-listen")
	h.Set("Origin", "https://listener.invalid") // some servers send CORS headers only then
	switch {
	case r.accept != "":
		h.Set("Accept-Encoding", r.accept)
	case r.class.text():
		h.Set("Accept-Encoding", "gzip")
	default:
		h.Set("Accept-Encoding", "identity")
	}
	if r.bytes.Length > 0 {
		h.Set("Range", fmt.Sprintf("bytes=%d-%d", r.bytes.Start, r.bytes.Start+r.bytes.Length-1))
	}
	maps.Copy(h, r.header)
}

// read takes the body in.
func (a *answer) read(body io.Reader, r request) error {
	limit := int64(maxMedia)
	if r.class.text() {
		limit = maxPlaylist
	}
	raw, err := io.ReadAll(io.LimitReader(body, limit+1))
	a.wire = int64(len(raw))
	switch {
	case err != nil:
		return fmt.Errorf("after %d bytes of the body: %w", len(raw), words(err))
	case a.wire > limit:
		return fmt.Errorf("more than %d bytes", limit)
	}
	a.body = raw
	if a.header.Get("Content-Encoding") != "gzip" || r.method == http.MethodHead {
		return nil
	}
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return fmt.Errorf("gzip: %w", err)
	}
	if a.body, err = io.ReadAll(io.LimitReader(z, limit+1)); err != nil {
		return fmt.Errorf("gzip: %w", err)
	}
	if int64(len(a.body)) > limit {
		return fmt.Errorf("more than %d bytes, unpacked", limit)
	}
	return nil
}
