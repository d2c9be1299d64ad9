package srt_test

import (
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	gosrt "github.com/datarhei/gosrt"
)

// dial calls the server with a stream ID.
func dial(st *station, streamID string) (gosrt.Conn, error) {
	c := gosrt.DefaultConfig()
	c.StreamId = streamID
	return gosrt.Dial("srt", st.host, c)
}

// A caller is a connection to the server.
type caller struct {
	gosrt.Conn
	gone chan struct{} // closed when the server has hung up
}

// call is dial that must succeed.
func call(t *testing.T, st *station, streamID string) *caller {
	t.Helper()
	conn, err := dial(st, streamID)
	if err != nil {
		t.Fatal(err)
	}
	c := &caller{conn, make(chan struct{})}
	go func() {
		defer close(c.gone)
		_, _ = conn.Read(make([]byte, 1500))
	}()
	t.Cleanup(func() { _ = conn.Close() })
	return c
}

// send sends a transport stream, 7 packets a datagram, as time passes: a datagram each
// step. It returns when all is sent or the server has hung up.
func (c *caller) send(ts []byte, step time.Duration) error {
	t := time.NewTicker(step)
	defer t.Stop()
	for len(ts) > 0 {
		n := min(7*188, len(ts))
		if _, err := c.Write(ts[:n]); err != nil {
			return err
		}
		ts = ts[n:]
		select {
		case <-c.gone:
			return errHungUp
		case <-t.C:
		}
	}
	return nil
}

var errHungUp = errors.New("the server has hung up")

// hungUp waits until the server has hung up.
func (c *caller) hungUp(t *testing.T) {
	t.Helper()
	select {
	case <-c.gone:
	case <-time.After(30 * time.Second):
		t.Error("the server has not hung up")
	}
}

// newLine returns the address of a line to a server that loses the data packets from
// the first to the last for good, each time that they are sent.
func newLine(t *testing.T, to string, first, last uint32) string {
	t.Helper()
	var begin uint32
	began := false
	return relay(t, to, func(b []byte) bool {
		if len(b) < 16 || b[0]&0x80 != 0 {
			return true // control
		}
		n := binary.BigEndian.Uint32(b)
		if !began {
			began, begin = true, n
		}
		n = (n - begin) & 0x7fffffff
		return n < first || n > last
	})
}

// relay passes datagrams between one caller and a server; pass says which of the
// caller's.
func relay(t *testing.T, to string, pass func([]byte) bool) string {
	t.Helper()
	in, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	out, err := net.Dial("udp", to)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var caller net.Addr
	var both sync.WaitGroup
	both.Go(func() {
		b := make([]byte, 2000)
		for {
			n, from, err := in.ReadFrom(b)
			if err != nil {
				return
			}
			mu.Lock()
			caller = from
			mu.Unlock()
			if pass(b[:n]) {
				_, _ = out.Write(b[:n])
			}
		}
	})
	both.Go(func() {
		b := make([]byte, 2000)
		for {
			n, err := out.Read(b)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			mu.Lock()
			if caller != nil && err == nil {
				_, _ = in.WriteTo(b[:n], caller)
			}
			mu.Unlock()
		}
	})
	t.Cleanup(func() {
		_, _ = in.Close(), out.Close()
		both.Wait()
	})
	return in.LocalAddr().String()
}
