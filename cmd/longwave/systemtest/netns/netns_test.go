package netns_test

import (
	"bufio"
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"longwave/cmd/longwave/systemtest/netns"
)

// echo answers each line with the address that it came from.
func echo(t *testing.T, h *netns.Host, address string) {
	t.Helper()
	l, err := h.Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for lines := bufio.NewScanner(c); lines.Scan(); {
					_, _ = c.Write([]byte(c.RemoteAddr().String() + "\n"))
				}
			}()
		}
	}()
}

// whoami asks such a server from a host, or from the machine itself.
func whoami(t *testing.T, dial func(context.Context, string, string) (net.Conn, error), address string, within time.Duration) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	c, err := dial(ctx, "tcp", address)
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(within))
	_, _ = c.Write([]byte("?\n"))
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		return err.Error()
	}
	from, err := netip.ParseAddrPort(strings.TrimSpace(line))
	if err != nil {
		return err.Error()
	}
	return from.Addr().String()
}

// TestNetwork: hosts reach each other by the cables that there are, through routers,
// NAT and what nftables lets pass, and a host's loopback is reached from outside.
func TestNetwork(t *testing.T) {
	const soon = 10 * time.Second
	n := netns.New(t)
	inside, router, server := n.Host("inside"), n.Host("router"), n.Host("server")
	n.Connect(inside, router, []string{"10.9.1.2/24", "fd09:1::2/64"}, []string{"10.9.1.1/24", "fd09:1::1/64"})
	_, port := n.Connect(router, server, []string{"192.0.2.1/24", "fd09:2::1/64"}, []string{"192.0.2.2/24", "fd09:2::2/64"})
	inside.Route("default", "10.9.1.1")
	inside.Route("default", "fd09:1::1")
	server.Route("default", "fd09:2::1")
	router.Rules("ip nat", "type nat hook postrouting priority srcnat; ip daddr 192.0.2.0/24 masquerade")
	echo(t, server, ":7000")
	echo(t, server, "127.0.0.1:7001")
	if got := whoami(t, inside.Dial, "192.0.2.2:7000", soon); got != "192.0.2.1" {
		t.Errorf("through NAT the server sees %q", got)
	}
	if got := whoami(t, inside.Dial, "[fd09:2::2]:7000", soon); got != "fd09:1::2" {
		t.Errorf("by IPv6 the server sees %q", got)
	}
	server.Rules("inet wall", "type filter hook input priority 0; tcp dport 7000 reject with tcp reset")
	if got := whoami(t, inside.Dial, "192.0.2.2:7000", soon); !strings.Contains(got, "refused") {
		t.Errorf("through a wall: %q", got)
	}
	server.NoRules("inet wall")
	port.Throttle(100_000, 50*time.Millisecond)
	if got := whoami(t, inside.Dial, "192.0.2.2:7000", soon); got != "192.0.2.1" {
		t.Errorf("by a slow line: %q", got)
	}
	port.Unthrottle()
	if got := whoami(t, new(net.Dialer).DialContext, "127.0.0.1:7001", soon); !strings.Contains(got, "refused") {
		t.Errorf("a host's loopback is the machine's: %q", got)
	}
	server.Forward("127.0.0.1:7001")
	if got := whoami(t, new(net.Dialer).DialContext, "127.0.0.1:7001", soon); got != "127.0.0.1" {
		t.Errorf("forwarded: %q", got)
	}
	port.Down()
	if got := whoami(t, inside.Dial, "192.0.2.2:7000", 300*time.Millisecond); got == "192.0.2.1" {
		t.Error("without a cable the server was reached")
	}
}
