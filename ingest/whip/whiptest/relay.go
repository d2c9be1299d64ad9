package whiptest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"sync"
	"time"
)

// A Line is how bad one direction of a relay is; the zero value is perfect.
type Line struct {
	Loss      float64 // share of the packets that are lost
	Burst     int     // how many are lost at a time; 0: one
	Duplicate float64 // share that comes twice
	Reorder   float64 // share that comes 30 ms later than it would
	Delay     time.Duration
	Jitter    time.Duration // up to so much more, each packet its own
}

// reorderBy is how late a packet comes that is out of order.
const reorderBy = 30 * time.Millisecond

// A Relay is a UDP line between clients and a server, as good or bad as a test
// wants, the same for the same seed. Its zero lines are perfect.
type Relay struct {
	conn   *net.UDPConn
	server netip.AddrPort
	seed   uint64

	mu       sync.Mutex
	up, down *way
	clients  map[netip.AddrPort]*net.UDPConn // towards the server
	counts   Counts
}

// Counts are what a relay did with packets, in both directions.
type Counts struct{ Passed, Lost, Duplicated, Reordered int }

// way is a direction of a relay.
type way struct {
	Line
	rand *rand.Rand
	lose int // so many more of a burst
}

// NewRelay opens a relay on loopback before a server. Run must be called.
func NewRelay(server netip.AddrPort, seed uint64) (*Relay, error) {
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, fmt.Errorf("open a relay: %w", err)
	}
	r := &Relay{conn: c, server: server, seed: seed, clients: map[netip.AddrPort]*net.UDPConn{}}
	r.Set(Line{}, Line{})
	return r, nil
}

// Set changes the line: up is to the server. The random numbers begin again.
func (r *Relay) Set(up, down Line) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.up = &way{Line: up, rand: rand.New(rand.NewPCG(r.seed, 1))}
	r.down = &way{Line: down, rand: rand.New(rand.NewPCG(r.seed, 2))}
}

// Counts returns what became of the packets so far.
func (r *Relay) Counts() Counts {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts
}

// Run carries packets until ctx ends.
func (r *Relay) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = r.conn.Close() })
	defer stop()
	var work sync.WaitGroup
	defer work.Wait()
	defer r.close()
	buf := make([]byte, 2048)
	for {
		n, from, err := r.conn.ReadFromUDPAddrPort(buf)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("relay: %w", err)
		}
		out, fresh, err := r.client(from)
		if err != nil {
			return err
		}
		if fresh {
			work.Go(func() { r.back(out, from) })
		}
		r.pass(func() *way { return r.up }, buf[:n], func(b []byte) { _, _ = out.Write(b) })
	}
}

// client returns the socket through which the server sees a client.
func (r *Relay) client(from netip.AddrPort) (out *net.UDPConn, fresh bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if out = r.clients[from]; out != nil {
		return out, false, nil
	}
	out, err = net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(r.server))
	if err != nil {
		return nil, false, fmt.Errorf("relay: %w", err)
	}
	r.clients[from] = out
	return out, true, nil
}

// back carries what the server sends to a client.
func (r *Relay) back(from *net.UDPConn, to netip.AddrPort) {
	buf := make([]byte, 2048)
	for {
		n, err := from.Read(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // nobody listens there now
		}
		r.pass(func() *way { return r.down }, buf[:n], func(b []byte) { _, _ = r.conn.WriteToUDPAddrPort(b, to) })
	}
}

// pass sends a packet on, or not, or twice, or later.
func (r *Relay) pass(which func() *way, packet []byte, send func([]byte)) {
	r.mu.Lock()
	w := which()
	if w.lose == 0 && w.rand.Float64() < w.Loss/float64(max(w.Burst, 1)) {
		w.lose = max(w.Burst, 1)
	}
	if w.lose > 0 {
		w.lose--
		r.counts.Lost++
		r.mu.Unlock()
		return
	}
	r.counts.Passed++
	delay := w.Delay + time.Duration(w.rand.Float64()*float64(w.Jitter))
	if w.rand.Float64() < w.Reorder {
		r.counts.Reordered++
		delay += reorderBy
	}
	twice := w.rand.Float64() < w.Duplicate
	if twice {
		r.counts.Duplicated++
	}
	r.mu.Unlock()
	if delay == 0 {
		send(packet)
		if twice {
			send(packet)
		}
		return
	}
	b := append([]byte(nil), packet...)
	time.AfterFunc(delay, func() {
		send(b)
		if twice {
			send(b)
		}
	})
}

func (r *Relay) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = r.conn.Close()
	for _, c := range r.clients {
		_ = c.Close()
	}
}

var candidates = regexp.MustCompile(`(?m)^a=candidate:.*\r?\n`)

// through puts the relay where an answer names the server.
func (r *Relay) through(answer string) string {
	at := r.conn.LocalAddr().(*net.UDPAddr)
	line := "a=candidate:1 1 udp 2130706431 " + at.IP.String() + " " + strconv.Itoa(at.Port) + " typ host\r\n"
	done := false
	return candidates.ReplaceAllStringFunc(answer, func(string) string {
		if done {
			return ""
		}
		done = true
		return line
	})
}
