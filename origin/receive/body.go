package receive

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
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

// enter takes a place among those who send; leave gives it back. No station has them all.
func (s *Server) enter(st *station) (leave func(), err error) {
	if st.sending.Add(1) <= maxSending {
		select {
		case s.reading <- struct{}{}:
			return func() { st.sending.Add(-1); <-s.reading }, nil
		default:
		}
	}
	st.sending.Add(-1)
	return nil, refuse(http.StatusServiceUnavailable, reasonBusy, "too many requests at one time")
}

// read returns the body of a request, unpacked.
func (s *Server) read(w http.ResponseWriter, r *http.Request, st *station, limit int64) ([]byte, error) {
	leave, err := s.enter(st)
	if err != nil {
		return nil, err
	}
	defer leave()
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
	if r.ContentLength > 0 { // as far as a word is to be trusted
		b.Grow(int(min(r.ContentLength, 64<<10)) + bytes.MinRead)
	}
	m := meter{from: io.LimitReader(body, limit+1), total: &st.sent, most: s.opt.MaxBytes}
	defer func() { st.sent.Add(-m.read) }()
	_, err = b.ReadFrom(&m)
	switch {
	case errors.Is(err, errMuch):
		return nil, refuse(http.StatusInsufficientStorage, reasonFull, "too much is under way for the station")
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

// errMuch ends a body that there is no room for.
var errMuch = errors.New("too much under way")

// A meter adds what is read of a body to what is under way for its station, and ends it
// when that is too much.
type meter struct {
	from  io.Reader
	total *atomic.Int64
	most  int64
	read  int64
}

func (m *meter) Read(b []byte) (int, error) {
	n, err := m.from.Read(b)
	m.read += int64(n)
	if m.total.Add(int64(n)) > m.most {
		return n, errMuch
	}
	return n, err
}
