package icecast

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// An intake is the sound of one request and the way back to its client.
type intake struct {
	body     io.Reader
	silence  time.Duration
	deadline func(time.Time) error // for reading
	answer   func(status int, line string)
	stopped  atomic.Bool
}

// errStopped ends a source when the server shuts down.
var errStopped = errors.New("server shuts down")

// Read reads sound; it fails with os.ErrDeadlineExceeded when none comes.
func (t *intake) Read(b []byte) (int, error) {
	if err := t.deadline(time.Now().Add(t.silence)); err != nil {
		return 0, err
	}
	if t.stopped.Load() { // after the deadline was set, which stop overtakes
		return 0, errStopped
	}
	n, err := t.body.Read(b)
	if errors.Is(err, os.ErrDeadlineExceeded) && t.stopped.Load() {
		err = errStopped
	}
	return n, err
}

// stop ends a Read, now or later.
func (t *intake) stop() {
	t.stopped.Store(true)
	_ = t.deadline(time.Unix(1, 0))
}

// take gives access to r's sound. A body that names its length or comes in
// chunks is net/http's; any other is read raw from the connection, after the
// answer that the client waits for.
func take(w http.ResponseWriter, r *http.Request, silence time.Duration) (*intake, error) {
	rc := http.NewResponseController(w)
	if r.ContentLength != 0 {
		return &intake{
			body: r.Body, silence: silence, deadline: rc.SetReadDeadline,
			answer: func(status int, line string) {
				_ = rc.SetReadDeadline(time.Now().Add(time.Second)) // net/http reads what is left
				_ = rc.SetWriteDeadline(time.Now().Add(5 * time.Second))
				if status == http.StatusOK {
					w.WriteHeader(status)
					return
				}
				http.Error(w, line, status)
			},
		}, nil
	}
	conn, rw, err := rc.Hijack()
	if err != nil {
		return nil, fmt.Errorf("take over the connection: %w", err)
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("take over the connection: %w", err)
	}
	greeting, answered := "HTTP/1.0 200 OK\r\n\r\n", true
	if strings.EqualFold(r.Header.Get("Expect"), "100-continue") && r.ProtoAtLeast(1, 1) {
		greeting, answered = "HTTP/1.1 100 Continue\r\n\r\n", false
	}
	if err := write(conn, greeting); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("greet: %w", err)
	}
	return &intake{
		body: rw.Reader, silence: silence, deadline: conn.SetReadDeadline,
		answer: func(status int, line string) { part(conn, rw.Reader, farewell(answered, status, line)) },
	}, nil
}

// farewell is the last that a client gets: an answer, or where it has had one a
// line of text when something is wrong.
func farewell(answered bool, status int, line string) string {
	switch {
	case !answered && status == http.StatusOK:
		return "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
	case !answered:
		return fmt.Sprintf("HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n\r\n%s\n",
			status, http.StatusText(status), len(line)+1, line)
	case status == http.StatusOK:
		return ""
	}
	return line + "\r\n"
}

func write(conn net.Conn, s string) error {
	if err := conn.SetWriteDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	_, err := io.WriteString(conn, s)
	return err
}

// part says the last words and closes. It reads a while what still comes, since
// closing with unread bytes would make the kernel throw our words away.
func part(conn net.Conn, rest *bufio.Reader, words string) {
	defer func() { _ = conn.Close() }()
	if words == "" || write(conn, words) != nil {
		return
	}
	half, ok := conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil || conn.SetReadDeadline(time.Now().Add(time.Second)) != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, rest, 1<<20)
}
