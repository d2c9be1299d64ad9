package relaytest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"syscall"
	"time"
)

// A Link is an [http.RoundTripper] to a handler in this process, over a way that can be
// narrow, slow or broken. Safe for concurrent use.
type Link struct {
	mu      sync.Mutex
	handler http.Handler // nil: nobody listens
	rate    float64      // bytes/s; 0 is any
	delay   time.Duration
	hangs   bool
	sent    int64 // bytes of bodies and headers

	wire chan struct{} // a place for who has bytes on the way
}

// headerBytes is what a request needs beside its body, by HTTP/2.
const headerBytes = 60

// NewLink returns a link to h.
func NewLink(h http.Handler) *Link { return &Link{handler: h, wire: make(chan struct{}, 1)} }

// Serve has h answer from now on; nil: connections are refused.
func (l *Link) Serve(h http.Handler) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.handler = h
}

// Narrow bounds the way to so many bits a second; 0 is no bound.
func (l *Link) Narrow(bitrate float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rate = bitrate / 8
}

// Hang has the other side accept and never answer.
func (l *Link) Hang(hangs bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hangs = hangs
}

// Slow has every answer come so much later.
func (l *Link) Slow(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.delay = d
}

// Sent returns how many bytes went.
func (l *Link) Sent() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sent
}

// errRefused is what a client gets when nobody listens.
var errRefused = fmt.Errorf("dial: %w", syscall.ECONNREFUSED)

// RoundTrip implements [http.RoundTripper].
func (l *Link) RoundTrip(r *http.Request) (*http.Response, error) {
	l.mu.Lock()
	h, rate, delay, hangs := l.handler, l.rate, l.delay, l.hangs
	l.mu.Unlock()
	if hangs {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	if err := l.carry(r.Context(), rate, r.ContentLength); err != nil {
		return nil, err
	}
	if h == nil {
		return nil, errRefused
	}
	if err := sleep(r.Context(), delay); err != nil {
		return nil, err
	}
	return answer(h, r)
}

// carry takes as long as so many bytes take: one request after the other, a piece at a
// time, so that several share the way.
func (l *Link) carry(ctx context.Context, rate float64, size int64) error {
	const piece = 1200
	for left := size + headerBytes; left > 0; left -= piece {
		n := min(left, piece)
		l.mu.Lock()
		l.sent += n
		l.mu.Unlock()
		if rate == 0 {
			continue
		}
		l.wire <- struct{}{}
		err := sleep(ctx, time.Duration(float64(n)/rate*float64(time.Second)))
		<-l.wire
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

func sleep(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return ctx.Err()
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// answer has h answer r.
func answer(h http.Handler, r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	in.RequestURI = r.URL.RequestURI()
	if in.Body == nil {
		in.Body = http.NoBody
	}
	w := newRecorder()
	h.ServeHTTP(w, in)
	return &http.Response{
		StatusCode: w.status, Header: w.header, Body: io.NopCloser(&w.body), Request: r,
		Proto: "HTTP/2.0", ProtoMajor: 2,
	}, nil
}
