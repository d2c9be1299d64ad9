package main_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"longwave/cmd/longwave/systemtest"
	"longwave/cmd/longwave/systemtest/netns"
	"longwave/ingest/whip/whiptest"
)

// mediaPort is the usual one. Networks are apart, so all nodes may have it.
const mediaPort = "8189"

// nodeIn starts a node in a host of a network, on all its addresses; public is the
// address under which speakers reach it, an IPv6 one in brackets. The test
// reaches it as any other, by loopback.
func nodeIn(t *testing.T, h *netns.Host, public string, o systemtest.Options) (n *systemtest.Node, url string) {
	t.Helper()
	o.Wrap = func(program string, args []string) *exec.Cmd {
		i := slices.Index(args, "--listen") + 1
		args[i] = args[i][strings.LastIndex(args[i], ":"):]
		return h.Command(context.Background(), program, append(args, "--public", url)...)
	}
	n = systemtest.New(t, o)
	url = "http://" + public + n.URL[strings.LastIndex(n.URL, ":"):]
	for _, u := range []string{n.URL, n.Ops} {
		h.Forward(strings.TrimPrefix(u, "http://"))
	}
	n.Start()
	awaitReady(n)
	return n, url
}

// networkConfig is that of a node that is reached by WebRTC at its usual port.
func networkConfig(t *testing.T, rtc string) string {
	t.Helper()
	return quietHold(t, "talk") + "log: {level: debug}\nrtmp: {listen: off}\nsrt: {listen: off}\nrtc:\n  listen: \":" + mediaPort + "\"\n" + rtc
}

// visitVar makes this program a speaker in a host of a network.
const visitVar = "LONGWAVE_SYSTEM_TEST_VISIT"

// A visitor is somebody who speaks in a host of a network, and how.
type visitor struct {
	URL, Token string
	Hz         float64
	Transport  whiptest.Transport
	ICE        []webrtc.ICEServer
	Relayed    bool
	// NoRED and NoNACK leave out what a browser has against loss.
	NoRED, NoNACK bool

	answers *bufio.Scanner
	orders  io.WriteCloser
	leave   func()
}

// A report is what a visitor says of a connection.
type report struct {
	Answer   string
	Links    []string
	After    time.Duration // to the connection
	By       string        // udp or tcp
	From, To string        // addresses
	Kind     string        // of its own candidate: host, prflx, srflx, relay
}

// candidates returns what an answer says, as in "udp 192.0.2.1:8189", sorted.
func (r report) candidates() []string {
	var out []string
	for _, c := range regexp.MustCompile(`(?m)^a=candidate:\S+ 1 (udp|tcp) \d+ (\S+) (\d+) typ host`).FindAllStringSubmatch(r.Answer, -1) {
		out = append(out, c[1]+" "+c[2]+" "+c[3])
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// visit is what such a program does: it reports each connection in a line and obeys
// what comes by standard input, a line each: "restart" restarts ICE, the end is the end.
func visit(text string) error {
	var v visitor
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	began := time.Now()
	s, err := whiptest.Dial(ctx, v.URL+"/whip/talk", v.Token, whiptest.Voice{Hz: v.Hz, Amp: 0.2}, whiptest.Options{
		Network: true, Transport: v.Transport, ICEServers: v.ICE, Relayed: v.Relayed, RED: !v.NoRED, NACK: !v.NoNACK,
	})
	if err != nil {
		return err
	}
	select {
	case <-s.Connected():
	case <-time.After(15 * time.Second):
		return fmt.Errorf("not connected; the answer was\n%s", s.Answer)
	}
	if err := tell(s, began); err != nil {
		return err
	}
	go func() { _ = s.Run(ctx) }()
	for orders := bufio.NewScanner(os.Stdin); orders.Scan(); {
		began = time.Now()
		http.DefaultClient.CloseIdleConnections() // of an address that may be gone
		if err := s.RestartICE(ctx); err != nil {
			return err
		}
		if err := again(s); err != nil {
			return err
		}
		if err := tell(s, began); err != nil {
			return err
		}
	}
	return s.Delete(ctx)
}

// again waits until there is a connection after a restart.
func again(s *whiptest.Speaker) error {
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		pair, err := s.PC.SCTP().Transport().ICETransport().GetSelectedCandidatePair()
		if err == nil && pair != nil && s.PC.ICEConnectionState() == webrtc.ICEConnectionStateConnected {
			return nil
		}
	}
	return errors.New("not connected again: " + s.PC.ICEConnectionState().String())
}

func tell(s *whiptest.Speaker, began time.Time) error {
	r := report{Answer: s.Answer, Links: s.Header.Values("Link"), After: time.Since(began)}
	pair, err := s.PC.SCTP().Transport().ICETransport().GetSelectedCandidatePair()
	if err != nil || pair == nil {
		return fmt.Errorf("no candidate pair: %w", err)
	}
	r.By, r.From, r.To, r.Kind = pair.Local.Protocol.String(), pair.Local.Address, pair.Remote.Address, pair.Local.Typ.String()
	return json.NewEncoder(os.Stdout).Encode(r)
}

// enter brings a visitor in, who stays until leave or the test's end, and returns what
// is known of the connection.
func (v *visitor) enter(t *testing.T, h *netns.Host) report {
	t.Helper()
	if err := v.try(t, h); err != nil {
		t.Fatalf("host %s: %v", h.Name, err)
	}
	return v.next(t)
}

// try starts a visitor.
func (v *visitor) try(t *testing.T, h *netns.Host) error {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	cmd := h.Command(context.Background(), os.Args[0])
	cmd.Env = append(os.Environ(), visitVar+"="+string(text))
	var trouble strings.Builder
	cmd.Stderr = &trouble
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if v.orders, err = cmd.StdinPipe(); err != nil {
		return err
	}
	v.answers = bufio.NewScanner(out)
	v.answers.Buffer(nil, 1<<20)
	if err := cmd.Start(); err != nil {
		return err
	}
	v.leave = sync.OnceFunc(func() {
		_ = v.orders.Close()
		late := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		defer late.Stop()
		if err := cmd.Wait(); err != nil && t.Failed() {
			t.Logf("visitor in host %s: %v\n%s", h.Name, err, trouble.String())
		}
	})
	t.Cleanup(v.leave)
	return nil
}

// next returns the visitor's next report.
func (v *visitor) next(t *testing.T) (r report) {
	t.Helper()
	if !v.answers.Scan() {
		t.Fatal("a visitor did not come in")
	}
	if err := json.Unmarshal(v.answers.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// restart lets the visitor restart ICE.
func (v *visitor) restart(t *testing.T) report {
	t.Helper()
	if _, err := io.WriteString(v.orders, "restart\n"); err != nil {
		t.Fatal(err)
	}
	return v.next(t)
}

// TestNetworkAddresses: a host with several addresses offers those that are of use and
// no others, and is reached at each of them: at a second one of a network, at one that came
// while the node ran, by IPv6 alone, through a NAT, and by TCP where no UDP
// passes.
func TestNetworkAddresses(t *testing.T) {
	t.Parallel()
	net := netns.New(t)
	server, lan, router, home := net.Host("server"), net.Host("lan"), net.Host("router"), net.Host("home")
	near, _ := net.Connect(server, lan, []string{"10.9.1.1/24", "10.9.1.9/24", "fd09:1::1/64"}, []string{"10.9.1.2/24", "fd09:1::2/64"})
	net.Connect(server, router, []string{"192.0.2.1/24", "2001:db8:2::1/64"}, []string{"192.0.2.2/24", "2001:db8:2::2/64"})
	net.Connect(router, home, []string{"192.168.7.1/24"}, []string{"192.168.7.2/24"})
	home.Route("default", "192.168.7.1")
	router.Rules("ip nat", "type nat hook postrouting priority srcnat; ip saddr 192.168.7.0/24 masquerade")
	server.Run("ip", "link", "add", "docker0", "type", "bridge")
	server.Run("ip", "addr", "add", "172.17.0.1/16", "dev", "docker0")
	server.Run("ip", "link", "set", "docker0", "up")
	n, url := nodeIn(t, server, "192.0.2.1", systemtest.Options{Config: networkConfig(t, ""), Build: systemtest.Racing})
	at := func(host string) string { return strings.Replace(url, "192.0.2.1", host, 1) }
	d := hostDesk(n, "talk")

	v := &visitor{URL: url, Token: d.link("Home").Token, Hz: 400}
	r := v.enter(t, home)
	var want []string
	for _, by := range []string{"tcp", "udp"} {
		for _, a := range []string{"10.9.1.1", "10.9.1.9", "192.0.2.1", "2001:db8:2::1", "fd09:1::1"} {
			want = append(want, by+" "+a+" "+mediaPort)
		}
	}
	if got := r.candidates(); !slices.Equal(got, want) {
		t.Errorf("the answer offers\n%q, want\n%q", got, want)
	}
	if r.To != "192.0.2.1" || r.By != "udp" {
		t.Errorf("through a NAT: by %s to %s", r.By, r.To)
	}
	t.Logf("through a NAT: %v", r.After)

	near.Address("10.9.1.77/24")
	for _, c := range []struct {
		name, only string // the address of the server that is not walled off
		by         string
	}{
		{"second", "ip daddr 10.9.1.9", "udp"},
		{"late", "ip daddr 10.9.1.77", "udp"},
		{"six", "ip6 daddr fd09:1::1", "udp"},
		{"tcp", "ip daddr 10.9.1.1", "tcp"},
	} {
		lan.Rules("inet wall", "type filter hook output priority 0; meta l4proto icmpv6 accept; tcp dport != "+mediaPort+" accept; meta l4proto "+c.by+" "+c.only+" accept; drop")
		v := &visitor{URL: at("10.9.1.1"), Token: d.link(c.name).Token, Hz: 500}
		r := v.enter(t, lan)
		if to := c.only[strings.LastIndex(c.only, " ")+1:]; r.By != c.by || r.To != to {
			t.Errorf("%s: by %s to %s", c.name, r.By, r.To)
		}
		t.Logf("%s: connected after %v by %s to %s", c.name, r.After, r.By, r.To)
		n.Await(c.name+" to be heard", func() bool { return d.seat(c.name).Connected })
		lan.NoRules("inet wall")
	}
	n.Stop()
}
