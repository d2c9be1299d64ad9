package whip

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"longwave/ingest/turnstile"
)

const (
	// mostDatagrams is how many datagrams a second one address and port may send:
	// media at its bound of packets, feedback and checks come to less than half.
	mostDatagrams = 400
	// mostFlood is for how many seconds on end a session may send more than that.
	mostFlood = 5
	// mostSenders bounds how many addresses are counted each by itself; those that
	// come when it is reached share one count.
	mostSenders = 4096
	// mostConnections bounds the TCP connections of media, and nearConnections those from
	// one network: a session has one or two.
	mostConnections = 512
	nearConnections = 64
)

// datagrams is a UDP socket that drops what one sender sends too much of, before
// anything looks into it.
type datagrams struct {
	*net.UDPConn
	dropped prometheus.Counter
	lost    func() // called when it fails
	senders senders
}

func newDatagrams(c *net.UDPConn, dropped prometheus.Counter, lost func()) *datagrams {
	return &datagrams{UDPConn: c, dropped: dropped, lost: lost, senders: newSenders()}
}

// ReadFromAddrPort implements [ice.AddrPortReaderWriter].
func (d *datagrams) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	for {
		n, from, err := d.ReadFromUDPAddrPort(b)
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				d.lost()
			}
			return n, from, err
		}
		if d.senders.admit(from, time.Now()) {
			return n, from, nil
		}
		d.dropped.Inc()
	}
}

// WriteToAddrPort implements [ice.AddrPortReaderWriter].
func (d *datagrams) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	return d.WriteToUDPAddrPort(b, to)
}

// senders counts datagrams by sender and second. One goroutine calls admit.
type senders struct {
	counts, before map[netip.AddrPort]int // of this second and the last
	until          time.Time
	// over is for how many seconds on end a sender has sent too much; replaced, never
	// changed.
	over atomic.Pointer[map[netip.AddrPort]int]
}

func newSenders() senders {
	return senders{counts: map[netip.AddrPort]int{}, before: map[netip.AddrPort]int{}}
}

// floods says for how many seconds a sender has sent too much. Anybody may ask.
func (s *senders) floods(from netip.AddrPort) int {
	if over := s.over.Load(); over != nil {
		return (*over)[from]
	}
	return 0
}

func (s *senders) admit(from netip.AddrPort, now time.Time) bool {
	from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	if now.After(s.until) {
		s.judge()
		s.before, s.counts = s.counts, s.before
		clear(s.counts)
		s.until = now.Add(time.Second)
	}
	_, known := s.counts[from]
	if !known && len(s.counts) < 4*mostSenders { // who sent before has a count, however many are new
		_, known = s.before[from]
	}
	if !known && len(s.counts) >= mostSenders {
		from = netip.AddrPort{}
	}
	s.counts[from]++
	return s.counts[from] <= mostDatagrams
}

// judge looks back at a second.
func (s *senders) judge() {
	over := map[netip.AddrPort]int{}
	for from, n := range s.counts {
		if n > mostDatagrams {
			over[from] = s.floods(from) + 1
		}
	}
	s.over.Store(&over)
}

// connections is a TCP listener with bounds on what is open; it goes on after errors
// that pass.
type connections struct {
	*net.TCPListener
	in *turnstile.Turnstile
}

func newConnections(l *net.TCPListener) *connections {
	return &connections{TCPListener: l, in: turnstile.New(mostConnections, nearConnections)}
}

// Accept implements [net.Listener].
func (c *connections) Accept() (net.Conn, error) {
	for {
		conn, err := c.AcceptTCP()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil, err
		case err != nil: // no descriptors left, or a client that was gone at once
			time.Sleep(50 * time.Millisecond)
			continue
		}
		leave, err := c.in.Enter(conn.RemoteAddr().String())
		if err != nil {
			_ = conn.Close()
			continue
		}
		_ = conn.SetNoDelay(true)
		return &connection{TCPConn: conn, left: leave}, nil
	}
}

// connection tells when it is closed.
type connection struct {
	*net.TCPConn
	once sync.Once
	left func()
}

// Close implements [net.Conn].
func (c *connection) Close() error {
	c.once.Do(c.left)
	return c.TCPConn.Close()
}
