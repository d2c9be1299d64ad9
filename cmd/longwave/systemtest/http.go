package systemtest

import (
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"strings"
	"time"

	"longwave/packager/hls/hlstest"
)

// A Reply is an answer as a listener gets it.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte // decompressed
	At     time.Time
}

// client does not unpack by itself, so that headers are seen as they were sent.
var client = &http.Client{
	Transport:     &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// Fetch asks for url. Playlists are asked for as browsers do, with gzip.
func Fetch(ctx context.Context, url string) (Reply, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return Reply{}, err
	}
	if acceptsGzip(url) {
		req.Header.Set("Accept-Encoding", "gzip")
	}
	resp, err := client.Do(req)
	if err != nil {
		return Reply{}, err
	}
	defer resp.Body.Close()
	r := Reply{Status: resp.StatusCode, Header: resp.Header, At: time.Now()}
	var body io.Reader = resp.Body
	if resp.Header.Get("Content-Encoding") == "gzip" {
		if body, err = gzip.NewReader(body); err != nil {
			return r, err
		}
	}
	r.Body, err = io.ReadAll(body)
	return r, err
}

func acceptsGzip(url string) bool { return strings.Contains(url, ".m3u8") }

// judge returns the rules of HTTP that r breaks as an answer of the kind to a
// request for url.
func (r Reply) judge(url string, kind hlstest.Resource) []hlstest.Violation {
	return hlstest.CheckResponse(hlstest.Response{
		Resource: kind, Status: r.Status, Header: r.Header, AcceptsGzip: acceptsGzip(url),
	})
}
