package rtmp

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// mostBefore is what a client may send before it has shown a token.
const mostBefore = 64 << 10

var (
	errStopped = errors.New("server shuts down")
	errTooMuch = errors.New("too much before the token")
	errCrowded = errors.New("too many connections, and this one has shown no token yet")
)

// A wire is a client's connection as the library sees it. What is written goes out
// when something is to be read next, or with flush: so the library's "publish start"
// can be taken back when the token is wrong.
type wire struct {
	conn    net.Conn
	guard   guard
	out     bytes.Buffer
	trusted bool // a token was shown
	read    int  // bytes before that
	failed  error
	trust   func()                // called with the token; nil: nobody wants to know
	why     atomic.Pointer[error] // it was stopped
}

// Read implements io.Reader. Its first error is kept: what the library says after it
// is only what came of it.
func (w *wire) Read(b []byte) (int, error) {
	if w.failed != nil {
		return 0, w.failed
	}
	n, err := w.get(b)
	if err != nil {
		w.failed = err
		return 0, err
	}
	return n, nil
}

func (w *wire) get(b []byte) (int, error) {
	if err := w.flush(); err != nil {
		return 0, err
	}
	n, err := w.conn.Read(b)
	if why := w.why.Load(); why != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		err = *why
	}
	if n == 0 || err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	if w.read += n; !w.trusted && w.read > mostBefore {
		return 0, errTooMuch
	}
	return n, w.guard.take(b[:n])
}

// Write implements io.Writer.
func (w *wire) Write(b []byte) (int, error) { return w.out.Write(b) }

// shown says that the client has shown its token.
func (w *wire) shown() {
	w.trusted = true
	if w.trust != nil {
		w.trust()
	}
}

// flush sends what was written.
func (w *wire) flush() error {
	if w.out.Len() == 0 {
		return nil
	}
	if err := w.conn.SetWriteDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	_, err := w.out.WriteTo(w.conn)
	return err
}

// within ends a Read that has not succeeded until a while from now.
func (w *wire) within(d time.Duration) error {
	err := w.conn.SetReadDeadline(time.Now().Add(d))
	if why := w.why.Load(); why != nil { // after the deadline was set, which stop overtakes
		return *why
	}
	return err
}

// stop ends a Read, now or later.
func (w *wire) stop(why error) {
	w.why.CompareAndSwap(nil, &why)
	_ = w.conn.SetReadDeadline(time.Unix(1, 0))
}

// part sends what was written and closes. It reads a while what still comes, since
// closing with unread bytes would make the kernel throw our words away.
func (w *wire) part() {
	defer func() { _ = w.conn.Close() }()
	if w.out.Len() == 0 || w.flush() != nil {
		return
	}
	half, ok := w.conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil || w.conn.SetReadDeadline(time.Now().Add(time.Second)) != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, w.conn, 1<<20)
}
