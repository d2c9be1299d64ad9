package pull

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

func TestPublic(t *testing.T) {
	for _, c := range []struct {
		want bool
		list string
	}{
		{true, "1.1.1.1 8.8.8.8 9.9.9.9 172.15.255.255 172.32.0.1 192.0.1.1 100.63.255.255 100.128.0.0 168.63.129.15 223.255.255.255 2606:4700::1111 2a00:1450:4001::1 ::ffff:8.8.8.8 64:ff9b::8.8.8.8"},
		{false, "0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.100.100.200 100.127.255.255 127.0.0.1 127.255.255.255 168.63.129.16 169.254.0.1 169.254.169.254 172.16.0.1 172.31.255.255"},
		{false, "192.0.0.1 192.0.0.192 192.0.2.1 192.88.99.1 192.168.0.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255"},
		{false, ":: ::1 ::7f00:1 fe80::1 fe80::1%eth0 2606:4700::1111%eth0 fc00::1 fd00:ec2::254 fec0::1 ff02::1 100::1 2001::1 2001:db8::1 3fff::1 5f00::1 4000::1"},
		{false, "::ffff:127.0.0.1 ::ffff:169.254.169.254 ::ffff:10.0.0.1"},                    // mapped
		{false, "2002:7f00:1::1 2002:a9fe:a9fe::1 2002:808:808::1"},                           // 6to4
		{false, "64:ff9b::127.0.0.1 64:ff9b::169.254.169.254 64:ff9b::10.0.0.1 64:ff9b:1::1"}, // NAT64
		{false, "2001:0:7f00:1::1"}, // Teredo
	} {
		for s := range strings.FieldsSeq(c.list) {
			if got := public(netip.MustParseAddr(s)); got != c.want {
				t.Errorf("public(%s) = %v", s, got)
			}
		}
	}
	if public(netip.Addr{}) {
		t.Error("no address is public")
	}
}

// TestAllowed: what the operator allows can be connected to, however it is written.
func TestAllowed(t *testing.T) {
	g := guard{allow: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00:1::/32")}, refused: func() {}}
	for s, want := range map[string]bool{
		"10.1.2.3:80": true, "[::ffff:10.1.2.3]:80": true, "10.2.2.3:80": false, "[fd00:1::5]:443": true, "[fd00:2::5]:443": false, "9.9.9.9:80": true,
		"": false, "host:80": false, "[fe80::1%eth0]:80": false,
	} {
		if err := g.control(t.Context(), "tcp", s, nil); (err == nil) != want || err != nil && !errors.Is(err, errAddress) {
			t.Errorf("control(%s) = %v, want allowed: %v", s, err, want)
		}
	}
}

// TestNeverFetched: New tells what can never work, without secrets.
func TestNeverFetched(t *testing.T) {
	for _, c := range []struct{ url, want string }{
		{"file:///etc/passwd", "only http and https"},
		{"gopher://example.org/", "only http and https"},
		{"radio", "only http and https"},
		{"http:///x", "without a host"},
		{"http://a b/?secret", "not an address"},
		{"http://127.0.0.1:1/?secret", "not a public address"},
		{"http://u:secret@169.254.169.254/latest", "not a public address"},
		{"http://[::1]/", "not a public address"},
		{"http://[::ffff:10.0.0.1]/", "not a public address"},
	} {
		_, err := New(&shelf{}, Options{Station: "talk", URL: c.url})
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("New(%s) = %v, want %q", c.url, err, c.want)
		}
	}
}

// nameServer answers every question for an IPv4 address with the next of a list, which
// then begins again.
func nameServer(t *testing.T, answers ...string) (*net.Resolver, *atomic.Int64) {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	asked := &atomic.Int64{}
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) == 0 {
				continue
			}
			q := m.Questions[0]
			m.Response, m.Authoritative, m.Additionals = true, true, nil
			head := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}
			if q.Type == dnsmessage.TypeA {
				i := int(asked.Add(1)-1) % len(answers)
				m.Answers = []dnsmessage.Resource{{Header: head, Body: &dnsmessage.AResource{A: netip.MustParseAddr(answers[i]).As4()}}}
			}
			if b, err := m.Pack(); err == nil {
				_, _ = c.WriteTo(b, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", c.LocalAddr().String())
	}}, asked
}

// TestRebinding: a name that leads to an allowed address once leads nowhere when its
// answer changes: each connection is judged by the address that it goes to.
func TestRebinding(t *testing.T) {
	var served atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		served.Add(1)
		w.Header().Set("Connection", "close")
	}))
	defer srv.Close()
	_, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
	resolver, asked := nameServer(t, "127.0.0.1", "127.0.0.2", "169.254.169.254", "10.0.0.1")
	refused := 0
	g := guard{allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, refused: func() { refused++ }}
	f := &fetcher{client: g.client(resolver, time.Second), silence: time.Second, got: func(int) {}}
	u := &url.URL{Scheme: "http", Host: "radio.example:" + port, Path: "/"}
	for i, want := range []error{nil, errAddress, errAddress, errAddress, nil} {
		r, err := f.get(t.Context(), u, http.Header{})
		if !errors.Is(err, want) {
			t.Errorf("connection %d: %v, want %v", i, err, want)
		}
		if err == nil {
			r.Close()
		}
	}
	if served.Load() != 2 || refused != 3 || asked.Load() != 5 {
		t.Errorf("%d served, %d refused, %d asked", served.Load(), refused, asked.Load())
	}
}
