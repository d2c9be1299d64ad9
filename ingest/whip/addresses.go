package whip

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/logging"
	"github.com/pion/sdp/v3"
)

// addresses is UDP under one port number of each of this host's addresses, a socket
// for each: what comes to an address must be answered from it, or firewalls, NATs and
// browsers drop the answer, and one socket for all leaves that to the routing table.
//
// Addresses that come later are found when the next session gathers candidates.
type addresses struct {
	at       *net.UDPAddr // without an address: all
	loopback bool
	log      logging.LeveledLogger
	m        *metrics

	mu      sync.Mutex
	sockets map[netip.Addr]*socket
	now     []netip.Addr // those of sockets that this host has, best first
	closed  bool
}

// A socket is what is received at one address.
type socket struct {
	ice.UDPMux
	packets *datagrams
	seen    time.Time // when this host last had the address
}

// goneAfter is how long a socket is kept whose address this host has no more: it may come
// back, and with it the sessions there. IPv6 makes a new address a day.
const goneAfter = 10 * time.Minute

// open takes the port at all addresses that there are.
func (a *addresses) open() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	err := a.look()
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return err
	case len(a.now) > 0: // the others may come, as IPv6 addresses that are not ready
		return nil
	case err == nil:
		err = errors.New("this host has no address that could be reached")
	}
	return err
}

// forget closes what is open.
func (a *addresses) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for addr, s := range a.sockets {
		delete(a.sockets, addr)
		_ = s.Close()
	}
	a.now = nil
}

// look finds out what addresses there are. One that cannot be listened on is left out
// and the error is returned, the last of them.
func (a *addresses) look() error {
	own, err := a.own()
	if err != nil {
		return err
	}
	a.now = a.now[:0]
	for _, addr := range own {
		if a.sockets[addr] == nil {
			if failed := a.listen(addr); failed != nil {
				err = failed
				continue
			}
		}
		a.now = append(a.now, addr)
		a.sockets[addr].seen = time.Now()
	}
	for addr, s := range a.sockets {
		if time.Since(s.seen) > goneAfter {
			delete(a.sockets, addr)
			_ = s.Close()
		}
	}
	return err
}

// own returns the addresses that are wanted.
func (a *addresses) own() ([]netip.Addr, error) {
	at := a.at.AddrPort().Addr().Unmap()
	if at.IsValid() && !at.IsUnspecified() {
		return []netip.Addr{at}, nil
	}
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list network interfaces: %w", err)
	}
	var all []place
	for _, i := range interfaces {
		if i.Flags&net.FlagUp == 0 {
			continue
		}
		found, err := i.Addrs()
		if err != nil {
			continue // it is gone
		}
		for _, f := range found {
			if p, err := netip.ParsePrefix(f.String()); err == nil {
				all = append(all, place{i.Name, p.Addr().Unmap()})
			}
		}
	}
	only4 := at.Is4() // 0.0.0.0
	return reachable(all, a.loopback, only4), nil
}

// A place is an address of this host and the interface that has it.
type place struct {
	device string
	addr   netip.Addr
}

// inner matches interfaces that lead to containers and virtual machines on this host
// and nowhere else.
var inner = regexp.MustCompile(`^(docker|podman|virbr|vnet|veth|lxcbr|lxdbr|cni|cali|flannel|kube|vboxnet|vmnet)|^br-[0-9a-f]{12}$`)

// reachable returns the addresses that can be of use to somebody elsewhere. A
// link-local one means nothing without its interface, and a description cannot name one.
func reachable(all []place, loopback, only4 bool) []netip.Addr {
	var out, last []netip.Addr
	for _, x := range all {
		switch {
		case x.addr.IsLinkLocalUnicast(), x.addr.IsMulticast(), x.addr.IsUnspecified(), only4 && !x.addr.Is4():
		case x.addr.IsLoopback():
			if loopback {
				last = append(last, x.addr)
			}
		case inner.MatchString(x.device):
		case !slices.Contains(out, x.addr):
			out = append(out, x.addr)
		}
	}
	return append(out, last...)
}

// listen opens the socket of an address.
func (a *addresses) listen(addr netip.Addr) error {
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, uint16(a.at.Port))))
	if err != nil {
		return err
	}
	_ = c.SetReadBuffer(1 << 20)
	_ = c.SetWriteBuffer(1 << 20)
	packets := newDatagrams(c, a.m.datagrams, func() { a.lost(addr) })
	a.sockets[addr] = &socket{UDPMux: ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: packets, Logger: a.log}), packets: packets}
	return nil
}

// lost forgets a socket that failed; the next session opens it again.
func (a *addresses) lost(addr netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if s := a.sockets[addr]; s != nil && !a.closed {
		delete(a.sockets, addr)
		_ = s.Close()
	}
}

// has reports that an address is one that is listened on.
func (a *addresses) has(ip net.IP) bool {
	addr, _ := netip.AddrFromSlice(ip)
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Contains(a.now, addr.Unmap())
}

// floods says for how many seconds a sender has sent too much.
func (a *addresses) floods(from netip.AddrPort) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0
	for _, s := range a.sockets {
		n = max(n, s.packets.senders.floods(from))
	}
	return n
}

// GetListenAddresses implements [ice.UDPMux]: what candidates are made of.
func (a *addresses) GetListenAddresses() []net.Addr {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.closed {
		_ = a.look() // what could not be had is not offered
	}
	var out []net.Addr
	for _, addr := range a.now {
		out = append(out, net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, uint16(a.at.Port))))
	}
	return out
}

// GetConn implements [ice.UDPMux].
func (a *addresses) GetConn(ufrag string, addr net.Addr) (net.PacketConn, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	u, ok := addr.(*net.UDPAddr)
	if !ok || a.closed {
		return nil, net.ErrClosed
	}
	s := a.sockets[u.AddrPort().Addr().Unmap()]
	if s == nil {
		return nil, net.ErrClosed
	}
	return s.GetConn(ufrag, s.GetListenAddresses()[0])
}

// RemoveConnByUfrag implements [ice.UDPMux].
func (a *addresses) RemoveConnByUfrag(ufrag string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.sockets {
		s.RemoveConnByUfrag(ufrag)
	}
}

// Close implements [ice.UDPMux].
func (a *addresses) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	var all error
	for _, s := range a.sockets {
		all = errors.Join(all, s.Close())
	}
	return all
}

// publish puts the addresses under which this host is known in the place of its own in
// the candidates of a description, family by family.
func publish(s *sdp.SessionDescription, public []netip.Addr) {
	known := func(own netip.Addr) bool {
		return slices.ContainsFunc(public, func(p netip.Addr) bool { return p.Is4() == own.Unmap().Is4() })
	}
	for _, m := range s.MediaDescriptions {
		var out []sdp.Attribute
		done := map[string]bool{} // udp, tcp
		for _, a := range m.Attributes {
			f := strings.Fields(a.Value)
			if a.Key != sdp.AttrKeyCandidate || len(f) < 8 {
				out = append(out, a)
				continue
			}
			if transport := strings.ToLower(f[2]); !done[transport] {
				done[transport] = true
				out = append(out, published(f, public)...)
			}
			if own, err := netip.ParseAddr(f[4]); err != nil || !known(own) {
				out = append(out, a)
			}
		}
		m.Attributes = out
	}
}

// published returns a candidate's like for each public address, the first the best.
func published(f []string, public []netip.Addr) []sdp.Attribute {
	var out []sdp.Attribute
	for i, p := range public {
		var priority uint32
		_, _ = fmt.Sscan(f[3], &priority)
		c := slices.Clone(f)
		c[0], c[3], c[4] = fmt.Sprintf("%s%d", f[0], i), fmt.Sprint(priority-uint32(i)<<8), p.String()
		out = append(out, sdp.Attribute{Key: sdp.AttrKeyCandidate, Value: strings.Join(c, " ")})
	}
	return out
}
