package receive

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"longwave/packager"
)

// The largest bodies, uncompressed. A segment of the highest rendition has 24 kB, one
// of a foreign encoder with 10 s of picture some MB.
const (
	maxMedia = 16 << 20
	maxText  = 256 << 10
)

// A target is what a request is about.
type target struct {
	station string
	key     packager.Key // zero for a file that only a foreign encoder has
	path    string
}

// parseTarget takes the path of a request apart.
func parseTarget(r *http.Request) (target, error) {
	path := strings.TrimPrefix(r.URL.Path, Prefix)
	if r.URL.RawPath != "" { // nothing of ours needs an escape
		return target{}, refuse(http.StatusBadRequest, reasonKey, "not a key: it has escapes")
	}
	if k, err := packager.ParseKey(path); err == nil {
		return target{station: k.Station, key: k, path: path}, nil
	}
	if foreignPath(path) {
		station, _, _ := strings.Cut(path, "/")
		return target{station: station, path: path}, nil
	}
	return target{}, refuse(http.StatusBadRequest, reasonKey, "not a key")
}

// limit is the size of the largest body.
func (t target) limit() int64 {
	if strings.HasSuffix(t.path, ".m3u8") || t.key.Kind == packager.State {
		return maxText
	}
	return maxMedia
}

// A foreign encoder sends a segment while it makes it, so a body may take long, but
// not be silent for long.
const (
	readPause = 15 * time.Second
	readTime  = 2 * time.Minute
)

// read returns the body of a request, unpacked.
func (s *Server) read(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	select {
	case s.reading <- struct{}{}:
		defer func() { <-s.reading }()
	default:
		return nil, refuse(http.StatusServiceUnavailable, reasonBusy, "too many requests at one time")
	}
	if r.ContentLength > limit {
		return nil, tooLarge()
	}
	body := io.Reader(&pacer{from: r.Body, control: http.NewResponseController(w), end: time.Now().Add(readTime)})
	switch r.Header.Get("Content-Encoding") {
	case "", "identity":
	case "gzip":
		z, err := gzip.NewReader(io.LimitReader(body, limit))
		if err != nil {
			return nil, refuse(http.StatusBadRequest, reasonBody, "the body is not gzip")
		}
		body = z
	default:
		return nil, refuse(http.StatusUnsupportedMediaType, reasonBody, "use gzip or nothing as Content-Encoding")
	}
	var b bytes.Buffer
	if r.ContentLength > 0 {
		b.Grow(int(r.ContentLength) + bytes.MinRead)
	}
	_, err := b.ReadFrom(io.LimitReader(body, limit+1))
	switch {
	case err != nil:
		return nil, refuse(http.StatusBadRequest, reasonBody, "the body did not come whole")
	case int64(b.Len()) > limit:
		return nil, tooLarge()
	}
	return b.Bytes(), nil
}

func tooLarge() error {
	return refuse(http.StatusRequestEntityTooLarge, reasonLarge, "the body is too large")
}

// A pacer ends a body that does not go on.
type pacer struct {
	from    io.Reader
	control *http.ResponseController
	end     time.Time
}

func (p *pacer) Read(b []byte) (int, error) {
	deadline := time.Now().Add(readPause)
	if deadline.After(p.end) {
		deadline = p.end
	}
	// The answer has time from the end of the body on, however long that takes.
	err := errors.Join(p.control.SetReadDeadline(deadline), p.control.SetWriteDeadline(deadline.Add(readPause)))
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return p.from.Read(b)
}
