package relay

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"longwave/packager"
)

// A request may take sendTime, and what its bytes need on a way that is just wide enough
// for the lowest rendition. A part is worth nothing after that.
const (
	sendTime = 2500 * time.Millisecond
	slowest  = 16 << 10 // bytes/s
)

// NewClient returns a client as a relay needs it: connections that stay, HTTP/2 where
// the other side speaks it over TLS, and a dead connection is found out. cfg may be
// nil.
func NewClient(cfg *tls.Config) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: 2 * time.Second, KeepAlive: 5 * time.Second}).DialContext,
			TLSClientConfig:     cfg,
			TLSHandshakeTimeout: 3 * time.Second,
			ForceAttemptHTTP2:   true,
			MaxIdleConns:        256,
			MaxIdleConnsPerHost: 64,
			IdleConnTimeout:     90 * time.Second,
			HTTP2:               &http.HTTP2Config{SendPingTimeout: time.Second, PingTimeout: 2 * time.Second},
			Proxy:               http.ProxyFromEnvironment,
		},
		// A token is for the address that was configured, and for no other.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// A request is an object to put, or a key to delete.
type request struct {
	key    packager.Key
	data   []byte
	remove bool
}

// A refusal is an answer that is not a success.
type refusal struct {
	Status  int      `json:"status"`
	Reason  string   `json:"reason"`
	Title   string   `json:"title"`
	Missing []string `json:"missing"`
	First   int64    `json:"first"` // the MSN that the playlist there begins with
}

func (r *refusal) Error() string {
	if r.Title != "" {
		return fmt.Sprintf("status %d: %s", r.Status, r.Title)
	}
	return fmt.Sprintf("status %d", r.Status)
}

// What package origin/receive says in "reason".
const (
	reasonMissing = "missing"
	reasonOrder   = "out_of_order"
)

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 10

// send sends q and waits for the answer. That other bytes are there under an immutable
// key is a success: there is something that can be played.
func (r *Relay) send(ctx context.Context, q request) error {
	ctx, cancel := context.WithTimeout(ctx, sendTime+time.Duration(len(q.data))*time.Second/slowest)
	defer cancel()
	req, err := r.request(ctx, q)
	if err != nil {
		return err
	}
	resp, err := r.opt.Client.Do(req)
	if err != nil {
		return r.count(q, fmt.Errorf("put %s to %s: %w", q.key, r.opt.Name, bare(err)))
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	switch {
	case err != nil:
		return r.count(q, fmt.Errorf("put %s to %s: %w", q.key, r.opt.Name, err))
	case resp.StatusCode/100 == 2:
	case resp.StatusCode == http.StatusPreconditionFailed && q.key.Immutable():
		r.metrics.conflicts.Inc()
		return nil
	case q.remove && (resp.StatusCode == http.StatusNotFound || r.opt.Foreign):
	default:
		no := &refusal{}
		if json.Unmarshal(answer, no) != nil { // any other server
			*no = refusal{Title: said(resp.Header, answer)}
		}
		no.Status = resp.StatusCode
		return r.count(q, fmt.Errorf("put %s to %s: %w", q.key, r.opt.Name, no))
	}
	r.health.took()
	r.metrics.bytes.Add(float64(max(0, req.ContentLength)))
	return r.count(q, nil)
}

// said returns what a server says about an error in a line of text, if it does.
func said(h http.Header, answer []byte) string {
	const most = 200
	line, _, _ := strings.Cut(strings.TrimSpace(string(answer)), "\n")
	kind, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	if kind != "text/plain" || len(line) > most || !utf8.ValidString(line) || strings.ContainsFunc(line, unicode.IsControl) {
		return ""
	}
	return line
}

// bare takes away what net/http says around an error: the address may hold a password.
func bare(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}

// request makes the request. What is text is compressed for origins of ours.
func (r *Relay) request(ctx context.Context, q request) (*http.Request, error) {
	method, prefix := http.MethodPut, "/push/"
	if q.remove {
		method = http.MethodDelete
	}
	if r.opt.Foreign {
		prefix = "/"
	}
	body, packed := q.data, false
	if !q.key.Immutable() && !r.opt.Foreign && !q.remove {
		body, packed = compress(q.data), true
	}
	req, err := http.NewRequestWithContext(ctx, method, r.opt.URL+prefix+q.key.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("push to %s: %w", r.opt.Name, err)
	}
	if !q.remove {
		req.Header.Set("Content-Type", q.key.ContentType())
		req.Header.Set("Cache-Control", q.key.CacheControl())
	}
	if packed {
		req.Header.Set("Content-Encoding", "gzip")
	}
	if r.opt.Token != nil {
		token, err := r.opt.Token(q.key.Station)
		if err != nil {
			return nil, fmt.Errorf("token for %s: %w", r.opt.Name, err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return req, nil
}

var compressors = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

func compress(data []byte) []byte {
	var b bytes.Buffer
	w := compressors.Get().(*gzip.Writer)
	defer compressors.Put(w)
	w.Reset(&b)
	if _, err := w.Write(data); err != nil || w.Close() != nil {
		panic(err) // a bytes.Buffer does not fail
	}
	return b.Bytes()
}

// count counts what became of q and returns err.
func (r *Relay) count(q request, err error) error {
	r.metrics.requests.WithLabelValues(kindOf(q), reasonOf(err)).Inc()
	return err
}
