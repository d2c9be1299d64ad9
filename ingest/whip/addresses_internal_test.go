package whip

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/sdp/v3"
)

func addrs(text string) []netip.Addr {
	var out []netip.Addr
	for a := range strings.FieldsSeq(text) {
		out = append(out, netip.MustParseAddr(a))
	}
	return out
}

var compareAddrs = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

func TestReachable(t *testing.T) {
	places := func(text string) (out []place) {
		for x := range strings.FieldsSeq(text) {
			device, addr, _ := strings.Cut(x, "=")
			out = append(out, place{device, netip.MustParseAddr(addr)})
		}
		return out
	}
	for _, tt := range []struct {
		name, all       string
		loopback, only4 bool
		want            string
	}{
		{"a server", "lo=127.0.0.1 lo=::1 eth0=203.0.113.7 eth0=2001:db8::7 eth0=fe80::1", false, false, "203.0.113.7 2001:db8::7"},
		{"this machine", "lo=127.0.0.1 lo=::1 eth0=10.0.0.7", true, false, "10.0.0.7 127.0.0.1 ::1"},
		{"nobody else", "lo=127.0.0.1", false, false, ""},
		{"IPv4 alone", "lo=::1 eth0=203.0.113.7 eth0=2001:db8::7", true, true, "203.0.113.7"},
		{
			"bridges", "eth0=10.0.0.7 docker0=172.17.0.1 br-0123456789ab=172.18.0.1 virbr0=192.168.122.1 cni0=10.42.0.1 veth12=10.1.1.1", false, false,
			"10.0.0.7",
		},
		{"a router's own bridge, VPNs", "br-lan=192.168.1.1 br0=10.0.0.7 wg0=10.8.0.1 tailscale0=100.64.0.1", false, false, "192.168.1.1 10.0.0.7 10.8.0.1 100.64.0.1"},
		{"no address of its own", "eth0=169.254.7.7 eth0=10.0.0.7 eth1=10.0.0.7", false, false, "10.0.0.7"},
	} {
		if diff := cmp.Diff(addrs(tt.want), reachable(places(tt.all), tt.loopback, tt.only4), compareAddrs); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestPublish(t *testing.T) {
	const own = "11 1 udp 2130706431 10.0.0.7 8189 typ host ufrag x\n" +
		"12 1 udp 2130706431 2001:db8::7 8189 typ host ufrag x\n" +
		"13 1 tcp 1671430143 10.0.0.7 8189 typ host tcptype passive ufrag x\n" +
		"14 1 udp 2130706431 10.0.0.8 8189 typ host ufrag x\n"
	for _, tt := range []struct{ name, public, want string }{
		{"none", "", own},
		{
			"IPv4", "203.0.113.7",
			"110 1 udp 2130706431 203.0.113.7 8189 typ host ufrag x\n" +
				"12 1 udp 2130706431 2001:db8::7 8189 typ host ufrag x\n" +
				"130 1 tcp 1671430143 203.0.113.7 8189 typ host tcptype passive ufrag x\n",
		},
		{
			"two families", "2001:db8:1::1 203.0.113.7",
			"110 1 udp 2130706431 2001:db8:1::1 8189 typ host ufrag x\n" +
				"111 1 udp 2130706175 203.0.113.7 8189 typ host ufrag x\n" +
				"130 1 tcp 1671430143 2001:db8:1::1 8189 typ host tcptype passive ufrag x\n" +
				"131 1 tcp 1671429887 203.0.113.7 8189 typ host tcptype passive ufrag x\n",
		},
	} {
		m := &sdp.MediaDescription{}
		for line := range strings.Lines(own) {
			m.WithValueAttribute(sdp.AttrKeyCandidate, strings.TrimSpace(line))
		}
		m.WithPropertyAttribute(sdp.AttrKeyEndOfCandidates)
		publish(&sdp.SessionDescription{MediaDescriptions: []*sdp.MediaDescription{m}}, addrs(tt.public))
		var got strings.Builder
		for _, a := range m.Attributes[:len(m.Attributes)-1] {
			got.WriteString(a.Value + "\n")
		}
		if diff := cmp.Diff(tt.want, got.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		if last := m.Attributes[len(m.Attributes)-1]; last.Key != sdp.AttrKeyEndOfCandidates {
			t.Errorf("%s: the candidates end with %v", tt.name, last)
		}
	}
}

// TestPortTaken: a number that another program has for UDP is refused, and one that
// the system chose is chosen anew.
func TestPortTaken(t *testing.T) {
	taken, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	if m, err := listen(Options{Address: taken.LocalAddr().String()}, newMetrics(nil)); err == nil {
		m.close()
		t.Error("a port was taken that another program has")
	}
	m, err := listen(Options{Address: ":0", Loopback: true}, newMetrics(nil))
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	if m.addr.Port == 0 || len(m.udp.GetListenAddresses()) == 0 {
		t.Errorf("listening on %v", m.udp.GetListenAddresses())
	}
	// What fails is opened again by who needs it next.
	first := m.udp.now[0]
	m.udp.lost(first)
	again := m.udp.GetListenAddresses()
	if _, err := m.udp.GetConn("ufrag", again[0]); err != nil {
		t.Errorf("a socket that failed is not opened again: %v", err)
	}
}

// TestAddressGone: the socket of an address that this host has no more is kept for a while
// and then closed, and one that it has is not.
func TestAddressGone(t *testing.T) {
	m, err := listen(Options{Address: "127.0.0.1:0"}, newMetrics(nil))
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	gone := netip.MustParseAddr("127.0.0.9")
	if err := m.udp.listen(gone); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		away time.Duration
		want int
	}{{goneAfter - time.Minute, 2}, {goneAfter + time.Minute, 1}} {
		for _, s := range m.udp.sockets {
			s.seen = time.Now().Add(-tt.away)
		}
		if n := len(m.udp.GetListenAddresses()); n != 1 {
			t.Errorf("%d addresses are offered", n)
		}
		if n := len(m.udp.sockets); n != tt.want {
			t.Errorf("after %v: %d sockets, want %d", tt.away, n, tt.want)
		}
	}
	again, err := net.ListenPacket("udp4", net.JoinHostPort(gone.String(), strconv.Itoa(m.addr.Port)))
	if err != nil {
		t.Fatalf("the port is still taken there: %v", err)
	}
	_ = again.Close()
}
