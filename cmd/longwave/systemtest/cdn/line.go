package cdn

import (
	"context"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A Line is what a listener has at home: what comes from all its CDNs goes through it. It
// is for browsers; who else asks has a line of their own.
type Line struct {
	perByte time.Duration
	trip    time.Duration

	mu   sync.Mutex
	free time.Time // when it has sent what it was given
}

// NewLine returns a line of some bits per second and round trip.
func NewLine(bits int, trip time.Duration) *Line {
	return &Line{perByte: 8 * time.Second / time.Duration(bits), trip: trip}
}

// take waits until so many bytes have gone.
func (l *Line) take(bytes int) {
	l.mu.Lock()
	if now := time.Now(); l.free.Before(now) {
		l.free = now
	}
	l.free = l.free.Add(time.Duration(bytes) * l.perByte)
	until := time.Until(l.free)
	l.mu.Unlock()
	time.Sleep(until)
}

// Behind puts the listeners of the CDN behind a line.
func (c *CDN) Behind(l *Line) { c.line.Store(l) }

// Asked returns how often browsers asked for each address of media and, held back, of playlists.
func (c *CDN) Asked() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.asked)
}

// A slowConn sends through a line once it is known to be a browser's.
type slowConn struct {
	net.Conn
	line atomic.Pointer[Line]
}

func (s *slowConn) Write(b []byte) (n int, err error) {
	const packet, header = 1400, 60
	l := s.line.Load()
	if l == nil {
		return s.Conn.Write(b)
	}
	for n < len(b) && err == nil {
		chunk := b[n:min(len(b), n+packet)]
		l.take(len(chunk) + header)
		var sent int
		sent, err = s.Conn.Write(chunk)
		n += sent
	}
	return n, err
}

type slowListener struct{ net.Listener }

func (s slowListener) Accept() (net.Conn, error) {
	conn, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &slowConn{Conn: conn}, nil
}

type connKey struct{}

func withConn(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, conn)
}

// arrive notes what a browser asks for, and lets the time pass that its request takes.
func (c *CDN) arrive(r *http.Request) {
	if !strings.HasPrefix(r.UserAgent(), "Mozilla/") {
		return
	}
	if strings.HasSuffix(r.URL.Path, ".m4s") || r.URL.Query().Has("_HLS_msn") {
		c.mu.Lock()
		c.asked[r.URL.RequestURI()]++
		c.mu.Unlock()
	}
	l := c.line.Load()
	conn, ok := r.Context().Value(connKey{}).(*slowConn)
	if l == nil || !ok {
		return
	}
	if conn.line.Swap(l) == nil {
		time.Sleep(l.trip) // it was opened
	}
	time.Sleep(l.trip)
}
