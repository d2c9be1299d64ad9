// Package netns makes networks for tests: hosts of Linux network namespaces, cables
// between them, routers, firewalls and lines that lose, throttle or refuse.
//
//	New       a network; it is gone when the test is over
//	Host      a network namespace with its loopback up
//	Connect   a cable (veth pair) between two hosts
//	Command   a program in a host
//	Forward   a TCP port of a host's loopback, at the same address outside
//	Rules     nftables in a host: NAT, drops, losses
//	Throttle  a token bucket at a cable's end
//
// Nothing of it has a name outside the test's own process, so nothing is left behind
// whatever becomes of the test: a namespace ends with the last who uses it, and takes
// its cables and rules with it.
//
// It needs root, ip, tc, nft and nsenter; a test fails where they are missing. This
// package does not delay packets (that needs netem, which many kernels lack).
package netns

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A Network is some hosts and the cables between them.
type Network struct {
	t      testing.TB
	cables int
}

// New returns a network without hosts.
func New(t testing.TB) *Network { return &Network{t: t} }

// A Host is a network namespace.
type Host struct {
	Name string // for messages

	network *Network
	file    *os.File // the namespace
}

// Host returns a new host, which nobody can reach yet. It routes for others.
func (n *Network) Host(name string) *Host {
	n.t.Helper()
	h := &Host{Name: name, network: n}
	err := apart(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("make a network namespace (root is needed): %w", err)
		}
		var err error
		h.file, err = os.Open("/proc/thread-self/ns/net")
		return err
	})
	if err != nil {
		n.t.Fatalf("host %s: %v", name, err)
	}
	n.t.Cleanup(func() { _ = h.file.Close() })
	h.Run("ip", "link", "set", "lo", "up")
	h.Do(func() error {
		for _, key := range []string{"ipv4/ip_forward", "ipv6/conf/all/forwarding"} {
			if err := os.WriteFile("/proc/sys/net/"+key, []byte("1"), 0o600); err != nil {
				return err
			}
		}
		// Addresses are there at once: nobody else is on these cables.
		return os.WriteFile("/proc/sys/net/ipv6/conf/default/accept_dad", []byte("0"), 0o600)
	})
	return h
}

// apart runs f in a thread of its own, which ends with f: nobody else is ever in the
// namespace that f enters.
func apart(f func() error) error {
	failed := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked
		failed <- f()
	}()
	return <-failed
}

// within runs f in a thread that is in the host. Sockets that f opens and programs that
// it starts stay there; goroutines that it starts are not.
func (h *Host) within(f func() error) error {
	return apart(func() error {
		if err := unix.Setns(int(h.file.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter host %s: %w", h.Name, err)
		}
		return f()
	})
}

// Do runs f in a thread that is in the host: see [Host.Listen] and [Host.Dial] for
// sockets. The test ends when f fails.
func (h *Host) Do(f func() error) {
	h.network.t.Helper()
	if err := h.within(f); err != nil {
		h.network.t.Fatalf("host %s: %v", h.Name, err)
	}
}

// Command returns a command that runs a program in the host.
func (h *Host) Command(ctx context.Context, program string, args ...string) *exec.Cmd {
	within := fmt.Sprintf("--net=/proc/%d/fd/%d", os.Getpid(), h.file.Fd())
	return exec.CommandContext(ctx, "nsenter", append([]string{within, "--", program}, args...)...)
}

// Run runs a program in the host and returns what it printed; it must succeed.
func (h *Host) Run(program string, args ...string) string {
	h.network.t.Helper()
	return h.input("", program, args...)
}

func (h *Host) input(text, program string, args ...string) string {
	h.network.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(h.network.t.Context()), time.Minute)
	defer cancel()
	cmd := h.Command(ctx, program, args...)
	cmd.Stdin = strings.NewReader(text)
	out, err := cmd.CombinedOutput()
	if err != nil {
		h.network.t.Fatalf("host %s: %s %s: %v\n%s", h.Name, program, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Rules loads a table of nftables, each rule in a chain of its own and in nft's own
// language, as in
//
//	h.Rules("ip lossy", "type filter hook input priority 0; udp dport 8189 numgen random mod 100 < 10 drop")
func (h *Host) Rules(table string, chains ...string) {
	h.network.t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "table %s {\n", table)
	for i, rule := range chains {
		fmt.Fprintf(&b, "chain chain%d {\n%s\n}\n", i, strings.ReplaceAll(rule, "; ", "\n"))
	}
	b.WriteString("}\n")
	h.input(b.String(), "nft", "-f", "-")
}

// NoRules takes a table of Rules away again, as in "ip lossy".
func (h *Host) NoRules(table string) {
	h.network.t.Helper()
	h.Run("nft", append([]string{"delete", "table"}, strings.Fields(table)...)...)
}

// A Port is a cable's end in a host.
type Port struct {
	*Host
	Device string
}

// Connect lays a cable between two hosts. Addresses are with their prefix, as in
// "192.0.2.1/24" or "2001:db8::1/64"; without any only link-local ones are there.
func (n *Network) Connect(a, b *Host, at, bt []string) (aPort, bPort *Port) {
	n.t.Helper()
	n.cables++
	aPort = &Port{a, fmt.Sprintf("lw-%da", n.cables)}
	bPort = &Port{b, fmt.Sprintf("lw-%db", n.cables)}
	peer := fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), b.file.Fd())
	a.Run("ip", "link", "add", aPort.Device, "type", "veth", "peer", "name", bPort.Device, "netns", peer)
	aPort.Up()
	bPort.Up()
	aPort.Address(at...)
	bPort.Address(bt...)
	return aPort, bPort
}

// Address gives the port more addresses.
func (p *Port) Address(with ...string) {
	p.network.t.Helper()
	for _, a := range with {
		p.Run("ip", "addr", "add", a, "dev", p.Device)
	}
}

// Up plugs the cable in.
func (p *Port) Up() { p.network.t.Helper(); p.Run("ip", "link", "set", p.Device, "up") }

// Down pulls the cable out. IPv6 addresses other than link-local ones are lost, as are
// the routes through it.
func (p *Port) Down() { p.network.t.Helper(); p.Run("ip", "link", "set", p.Device, "down") }

// Throttle lets through so many bits a second from here, and queues for at most wait.
func (p *Port) Throttle(bits int, wait time.Duration) {
	p.network.t.Helper()
	p.Run("tc", "qdisc", "replace", "dev", p.Device, "root", "tbf",
		"rate", fmt.Sprintf("%dbit", bits), "burst", "16kb", "latency", fmt.Sprintf("%dms", wait.Milliseconds()))
}

// Unthrottle ends Throttle.
func (p *Port) Unthrottle() {
	p.network.t.Helper()
	p.Run("tc", "qdisc", "del", "dev", p.Device, "root")
}

// Route sends what is for a destination ("default", "192.0.2.0/24", "default" with an
// IPv6 address) by way of an address.
func (h *Host) Route(to, via string) {
	h.network.t.Helper()
	family := "-4"
	if strings.Contains(via, ":") {
		family = "-6"
	}
	h.Run("ip", family, "route", "replace", to, "via", via)
}

// Dial connects from the host to an address, which must be a literal one.
func (h *Host) Dial(ctx context.Context, network, address string) (c net.Conn, err error) {
	err = h.within(func() error {
		c, err = new(net.Dialer).DialContext(ctx, network, address)
		return err
	})
	return c, err
}

// Listen listens in the host at a literal address.
func (h *Host) Listen(ctx context.Context, network, address string) (l net.Listener, err error) {
	err = h.within(func() error {
		l, err = new(net.ListenConfig).Listen(ctx, network, address)
		return err
	})
	return l, err
}

// Forward brings a TCP address of the host's loopback, as in "127.0.0.1:8080", to the
// same address of the machine's own, until the test ends.
func (h *Host) Forward(address string) {
	h.network.t.Helper()
	ctx := h.network.t.Context()
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		h.network.t.Fatalf("forward %s to host %s: %v", address, h.Name, err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { h.join(ctx, c, address) })
		}
	})
	h.network.t.Cleanup(func() {
		_ = l.Close()
		all.Wait()
	})
}

// join carries bytes between c and an address of the host, until one of them ends.
func (h *Host) join(ctx context.Context, c net.Conn, address string) {
	defer c.Close()
	d, err := h.Dial(ctx, "tcp", address)
	if err != nil {
		return // as a port that nobody listens on
	}
	defer d.Close()
	stop := context.AfterFunc(ctx, func() { _, _ = c.Close(), d.Close() })
	defer stop()
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{c, d}, {d, c}} {
		both.Go(func() {
			_, err := io.Copy(way[0], way[1])
			if half, ok := way[0].(interface{ CloseWrite() error }); ok && err == nil {
				err = half.CloseWrite()
			}
			if err != nil && !errors.Is(err, net.ErrClosed) {
				_, _ = c.Close(), d.Close()
			}
		})
	}
	both.Wait()
}
