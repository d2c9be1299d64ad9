package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"longwave/cmd/longwave/systemtest"
	"longwave/cmd/longwave/systemtest/netns"
)

// TestNetworkNAT: a node behind a 1:1 NAT, on a host with two addresses of which the
// second is the one that is translated, is reached under its public address, which is
// all that the answer says, by a speaker behind a masquerading NAT and by UDP and TCP.
func TestNetworkNAT(t *testing.T) {
	t.Parallel()
	net := netns.New(t)
	server, cloud, router, home := net.Host("server"), net.Host("cloud"), net.Host("router"), net.Host("home")
	net.Connect(server, cloud, []string{"10.0.0.5/24", "10.0.0.6/24"}, []string{"10.0.0.1/24"})
	net.Connect(cloud, router, []string{"203.0.113.1/24", "203.0.113.7/24"}, []string{"203.0.113.2/24"})
	net.Connect(router, home, []string{"192.168.7.1/24"}, []string{"192.168.7.2/24"})
	server.Route("default", "10.0.0.1")
	home.Route("default", "192.168.7.1")
	cloud.Rules("ip nat",
		"type nat hook prerouting priority dstnat; ip daddr 203.0.113.7 dnat to 10.0.0.6",
		"type nat hook postrouting priority srcnat; ip saddr 10.0.0.6 snat to 203.0.113.7")
	// Nothing comes to the server but by its public address, and nothing leaves by another.
	cloud.Rules("ip wall", "type filter hook forward priority 10; ip saddr 10.0.0.5 drop")
	router.Rules("ip nat", "type nat hook postrouting priority srcnat; ip saddr 192.168.7.0/24 masquerade")
	n, url := nodeIn(t, server, "203.0.113.7", systemtest.Options{Config: networkConfig(t, "  public: [203.0.113.7]\n")})
	d := hostDesk(n, "talk")
	want := []string{"tcp 203.0.113.7 " + mediaPort, "udp 203.0.113.7 " + mediaPort}
	for _, c := range []struct{ name, wall, by string }{
		{"free", "udp dport 9 drop", "udp"},
		{"walled", "meta l4proto udp drop", "tcp"},
	} {
		home.Rules("inet wall", "type filter hook output priority 0; "+c.wall)
		v := &visitor{URL: url, Token: d.link(c.name).Token, Hz: 400}
		r := v.enter(t, home)
		if got := r.candidates(); !slices.Equal(got, want) {
			t.Errorf("%s: the answer offers %q, want %q", c.name, got, want)
		}
		if r.By != c.by || r.To != "203.0.113.7" {
			t.Errorf("%s: by %s to %s, want by %s", c.name, r.By, r.To, c.by)
		}
		t.Logf("%s: connected by %s after %v", c.name, r.By, r.After)
		n.Await(c.name+" to be heard", func() bool { return d.seat(c.name).Connected })
		again := v.restart(t)
		if got := again.candidates(); !slices.Equal(got, want) {
			t.Errorf("%s: after a restart of ICE the answer offers %q, want %q", c.name, got, want)
		}
		home.NoRules("inet wall")
	}
	n.Stop()
}

// turnServer starts Debian's coturn in a host, with one user.
func turnServer(t *testing.T, h *netns.Host, addr, user, password string) {
	t.Helper()
	dir := t.TempDir()
	log := filepath.Join(dir, "turn.log")
	cmd := h.Command(t.Context(), "turnserver", "-n", "--listening-ip", addr, "--relay-ip", addr, "--listening-port", "3478",
		"--realm", "longwave.test", "--lt-cred-mech", "--user", user+":"+password, "--no-tls", "--no-dtls", "--no-cli",
		"--pidfile", filepath.Join(dir, "pid"), "--userdb", filepath.Join(dir, "db"), "--log-file", log, "--simple-log")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Wait()
		if b, err := os.ReadFile(log); t.Failed() && err == nil {
			t.Logf("coturn:\n%s", b[max(0, len(b)-2000):])
		}
	})
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if c, err := h.Dial(t.Context(), "tcp", addr+":3478"); err == nil {
			c.Close()
			return
		}
		if time.Now().After(end) {
			t.Fatal("coturn does not listen")
		}
	}
}

// iceLink matches a Link header field of RFC 9725 section 4.6.
var iceLink = regexp.MustCompile(`^<(turn:[^>]+)>; rel="ice-server"; username="([^"]+)"; credential="([^"]+)"; credential-type="password"$`)

// TestNetworkTURN: a speaker who reaches nothing but a TURN server and the web comes in
// with the credentials that the node gave them, by UDP and by TCP to that server; a node
// whose credentials are wrong says so.
func TestNetworkTURN(t *testing.T) {
	t.Parallel()
	net := netns.New(t)
	server, router, relay, office := net.Host("server"), net.Host("router"), net.Host("relay"), net.Host("office")
	net.Connect(server, router, []string{"192.0.2.1/24"}, []string{"192.0.2.254/24"})
	net.Connect(relay, router, []string{"198.51.100.3/24"}, []string{"198.51.100.254/24"})
	net.Connect(office, router, []string{"203.0.113.9/24"}, []string{"203.0.113.254/24"})
	server.Route("default", "192.0.2.254")
	relay.Route("default", "198.51.100.254")
	office.Route("default", "203.0.113.254")
	turnServer(t, relay, "198.51.100.3", "studio", "correct-horse")
	secret := func(text string) string {
		path := filepath.Join(t.TempDir(), "turn.password")
		if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	config := func(password string) string {
		b := "  ice_servers:\n"
		for _, by := range []string{"udp", "tcp"} {
			b += fmt.Sprintf("    - {url: \"turn:198.51.100.3:3478?transport=%s\", username: studio, credential_file: %q}\n", by, secret(password))
		}
		return networkConfig(t, b)
	}
	n, url := nodeIn(t, server, "192.0.2.1", systemtest.Options{Config: config("correct-horse")})
	n.Secret("correct-horse")
	for _, by := range []string{"udp", "tcp"} {
		n.AwaitLog("ICE server serves", "transport="+by)
	}
	d := hostDesk(n, "talk")
	token := d.link("Office").Token
	asked := whipAsk(t, "OPTIONS", n.URL+"/whip/talk", "", "Authorization", "Bearer "+token)
	if links := whipAsk(t, "OPTIONS", n.URL+"/whip/talk", "").Header.Values("Link"); len(links) > 0 {
		t.Errorf("somebody without a token is told of TURN: %q", links)
	}
	var servers []webrtc.ICEServer
	for _, l := range asked.Header.Values("Link") {
		m := iceLink.FindStringSubmatch(l)
		if m == nil {
			t.Fatalf("Link: %s", l)
		}
		servers = append(servers, webrtc.ICEServer{URLs: m[1:2], Username: m[2], Credential: m[3]})
	}
	if len(servers) != 2 {
		t.Fatalf("Link: %q", asked.Header.Values("Link"))
	}
	for i, by := range []string{"udp", "tcp"} {
		office.Rules("inet wall", "type filter hook output priority 0; tcp dport "+url[strings.LastIndex(url, ":")+1:]+" accept; "+by+" dport 3478 accept; drop")
		v := &visitor{URL: url, Token: token, Hz: 400, ICE: servers[i : i+1]}
		r := v.enter(t, office)
		if r.Kind != "relay" {
			t.Errorf("TURN by %s: came by %s %s from %s", by, r.Kind, r.By, r.From)
		}
		t.Logf("TURN by %s: connected after %v", by, r.After)
		n.Await("the speaker to be heard", func() bool { return d.seat("Office").Connected })
		v.leave()
		office.NoRules("inet wall")
	}
	n.Stop()

	wrong, _ := nodeIn(t, server, "192.0.2.1", systemtest.Options{Config: config("wrong")})
	wrong.AwaitLog("an ICE server does not serve", "transport=udp", "it refuses this username and password")
	wrong.Await("it to be counted", func() bool { return wrong.Figures().Sum("longwave_whip_ice_servers_down") == 2 })
	wrong.Stop()
}
