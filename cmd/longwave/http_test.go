package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// piped is a listener in memory.
type piped struct {
	conns chan net.Conn
	done  chan struct{}
}

func (p piped) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p piped) Close() error   { return nil }
func (p piped) Addr() net.Addr { return &net.TCPAddr{} }

// TestSlowBody: a body that nobody reads, and that never ends, does not keep its
// connection: net/http would wait for it before the next request.
func TestSlowBody(t *testing.T) {
	for _, body := range []string{"Content-Length: 1000\r\n\r\n", "Content-Length: 1000\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"} {
		synctest.Test(t, func(t *testing.T) {
			l := piped{make(chan net.Conn), make(chan struct{})}
			server := newServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }), nil)
			go func() { _ = server.Serve(l) }()
			client, conn := net.Pipe()
			l.conns <- conn
			begin := time.Now()
			if _, err := fmt.Fprintf(client, "PUT /push/talk/status.json HTTP/1.1\r\nHost: b.example\r\n%s", body); err != nil {
				t.Fatal(err)
			}
			_ = client.SetReadDeadline(time.Now().Add(time.Hour))
			if _, err := io.Copy(io.Discard, bufio.NewReader(client)); err != nil {
				t.Errorf("after %v the connection is still there: %v", time.Since(begin), err)
			}
			if d := time.Since(begin); d > time.Minute {
				t.Errorf("the connection was there for %v", d)
			}
			close(l.done)
			_ = server.Close()
			_ = client.Close()
		})
	}
}

// TestQuickBody: a request without a body may be answered late, as blocked playlists are.
func TestQuickBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := piped{make(chan net.Conn), make(chan struct{})}
		server := newServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(25 * time.Second):
				w.WriteHeader(http.StatusNoContent)
			case <-r.Context().Done():
			}
		}), nil)
		go func() { _ = server.Serve(l) }()
		client, conn := net.Pipe()
		l.conns <- conn
		if _, err := io.WriteString(client, "GET /talk/ HTTP/1.1\r\nHost: b.example\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(client), nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body.Close(); resp.StatusCode != http.StatusNoContent {
			t.Errorf("status %d", resp.StatusCode)
		}
		close(l.done)
		_ = server.Close()
		_ = client.Close()
	})
}
