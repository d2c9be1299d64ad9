package hlstest_test

import (
	"net/http"
	"testing"

	"longwave/packager/hls/hlstest"
)

// response returns what a good origin answers, changed by pairs of header names and
// values; an empty value takes the header away.
func response(kind hlstest.Resource, changes ...string) hlstest.Response {
	r := hlstest.Response{Resource: kind, Status: 200, AcceptsGzip: true, Header: http.Header{}}
	cache := map[hlstest.Resource]string{
		hlstest.MultivariantPlaylist: "public, max-age=10, stale-while-revalidate=30, stale-if-error=3600",
		hlstest.MediaPlaylist:        "public, max-age=1, stale-if-error=4",
		hlstest.BlockedPlaylist:      "public, max-age=1",
		hlstest.InitSegment:          "public, max-age=31536000, immutable",
		hlstest.MediaSegment:         "public, max-age=31536000, immutable",
		hlstest.PartialSegment:       "public, max-age=3600, immutable",
		hlstest.Failure:              "no-store",
	}
	r.Header.Set("Cache-Control", cache[kind])
	r.Header.Set("Access-Control-Allow-Origin", "*")
	r.Header.Set("Content-Length", "100")
	r.Header.Set("Content-Type", "audio/mp4")
	if kind <= hlstest.BlockedPlaylist {
		r.Header.Set("Content-Type", "application/vnd.apple.mpegurl")
		r.Header.Set("Content-Encoding", "gzip")
	}
	for i := 0; i < len(changes); i += 2 {
		r.Header.Set(changes[i], changes[i+1])
		if changes[i+1] == "" {
			r.Header.Del(changes[i])
		}
	}
	return r
}

func status(r hlstest.Response, code int) hlstest.Response {
	r.Status = code
	return r
}

// brokenHTTP breaks one rule about responses each.
var brokenHTTP = map[string][]hlstest.Response{
	"http-status": {status(response(hlstest.MediaSegment), 404), status(response(hlstest.MediaPlaylist), 503)},
	"http-redirect": {
		status(response(hlstest.MediaSegment, "Location", "https://b.example/"), 302),
	},
	"http-content-type": {
		response(hlstest.MediaPlaylist, "Content-Type", "text/plain"), response(hlstest.PartialSegment, "Content-Type", ""),
		response(hlstest.InitSegment, "Content-Type", "video/mp4"),
	},
	"http-gzip":          {response(hlstest.BlockedPlaylist, "Content-Encoding", "")},
	"http-length":        {response(hlstest.PartialSegment, "Content-Length", "")},
	"http-cache-missing": {response(hlstest.MediaPlaylist, "Cache-Control", "")},
	"http-cache-age": {
		response(hlstest.MediaPlaylist, "Cache-Control", "max-age=2"), response(hlstest.BlockedPlaylist, "Cache-Control", "max-age=0"),
		response(hlstest.MediaSegment, "Cache-Control", "no-store, max-age=100"), response(hlstest.MultivariantPlaylist, "Cache-Control", "private"),
		response(hlstest.MediaPlaylist, "Cache-Control", "max-age=1, s-maxage=30"),
	},
	"http-cache-error": {status(response(hlstest.Failure, "Cache-Control", ""), 404), status(response(hlstest.Failure, "Cache-Control", "max-age=5"), 400)},
	"http-cors":        {response(hlstest.MediaSegment, "Access-Control-Allow-Origin", ""), status(response(hlstest.Failure, "Access-Control-Allow-Origin", ""), 404)},
	"http-cookie":      {response(hlstest.MediaPlaylist, "Set-Cookie", "id=1")},
}

func TestBrokenHTTP(t *testing.T) {
	for name, responses := range brokenHTTP {
		t.Run(name, func(t *testing.T) {
			for _, r := range responses {
				breaks(t, name, hlstest.CheckResponse(r))
			}
		})
	}
}

func TestGoodHTTP(t *testing.T) {
	for kind := hlstest.MultivariantPlaylist; kind < hlstest.Failure; kind++ {
		clean(t, hlstest.CheckResponse(response(kind)))
		clean(t, hlstest.CheckResponse(status(response(kind), 206)))
		clean(t, hlstest.CheckResponse(status(response(kind), 304)))
	}
	clean(t, hlstest.CheckResponse(status(response(hlstest.Failure, "Content-Type", "text/plain"), 404)))
	plain := response(hlstest.MediaPlaylist, "Content-Encoding", "")
	plain.AcceptsGzip = false
	clean(t, hlstest.CheckResponse(plain))
}
