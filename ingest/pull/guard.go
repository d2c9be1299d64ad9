package pull

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"syscall"
	"time"
)

// errAddress means that an address is not public.
var errAddress = errors.New("not a public address")

// notPublic are networks inside of 0.0.0.0/0 and 2000::/3 that are not the internet: by
// the IANA special-purpose registries (RFC 6890 and its updates), and what clouds keep
// for themselves.
var notPublic = prefixes(
	"0.0.0.0/8",        // this network
	"10.0.0.0/8",       // private
	"100.64.0.0/10",    // carrier-grade NAT; 100.100.100.200 is Alibaba's metadata
	"127.0.0.0/8",      // loopback
	"168.63.129.16/32", // Azure's host agent
	"169.254.0.0/16",   // link-local; 169.254.169.254 is the metadata of most clouds
	"172.16.0.0/12",    // private
	"192.0.0.0/24",     // protocol assignments; 192.0.0.192 is Oracle's metadata
	"192.0.2.0/24",     // documentation
	"192.88.99.0/24",   // 6to4 relays
	"192.168.0.0/16",   // private
	"198.18.0.0/15",    // benchmarks
	"198.51.100.0/24",  // documentation
	"203.0.113.0/24",   // documentation
	"224.0.0.0/4",      // multicast
	"240.0.0.0/4",      // reserved, broadcast
	"2001::/23",        // protocol assignments, Teredo, ORCHID
	"2001:db8::/32",    // documentation
	"2002::/16",        // 6to4: leads to any IPv4 address
	"3fff::/20",        // documentation
)

var (
	globalUnicast = netip.MustParsePrefix("2000::/3")
	nat64         = netip.MustParsePrefix("64:ff9b::/96")
)

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, s := range list {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}

// public reports whether a is an address of the internet.
func public(a netip.Addr) bool {
	if a.Zone() != "" {
		return false
	}
	a = a.Unmap()
	if nat64.Contains(a) { // how hosts without IPv4 reach an IPv4 address: that one counts
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[12:]))
	}
	if a.Is6() && !globalUnicast.Contains(a) {
		return false
	}
	return a.IsValid() && !slices.ContainsFunc(notPublic, func(p netip.Prefix) bool { return p.Contains(a) })
}

// A guard lets connections go to public addresses only.
type guard struct {
	allow   []netip.Prefix
	refused func() // counts
}

func (g guard) check(a netip.Addr) error {
	plain := a.Unmap().WithZone("")
	if slices.ContainsFunc(g.allow, func(p netip.Prefix) bool { return p.Contains(plain) }) || public(a) {
		return nil
	}
	return fmt.Errorf("connect to %s: %w", a, errAddress)
}

// control judges the address that is about to be connected to: the last moment, when
// nothing is resolved any more.
func (g guard) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		err = fmt.Errorf("connect to %q: %w", address, errAddress)
	} else {
		err = g.check(at.Addr())
	}
	if err != nil {
		g.refused()
	}
	return err
}

const (
	mostRedirects   = 5
	mostHeaderBytes = 64 << 10
	dialTimeout     = 10 * time.Second
)

// client returns a client whose every connection the guard has let through. Headers
// must come within wait.
func (g guard) client(r *net.Resolver, wait time.Duration) *http.Client {
	d := &net.Dialer{Timeout: dialTimeout, Resolver: r, ControlContext: g.control}
	return &http.Client{
		Transport: &http.Transport{
			Proxy: nil, // it would connect in our place, to anywhere
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				c, err := d.DialContext(ctx, network, address)
				if err != nil {
					return nil, err
				}
				return &icyConn{Conn: c}, nil
			},
			ForceAttemptHTTP2:      true,
			TLSHandshakeTimeout:    dialTimeout,
			ResponseHeaderTimeout:  wait,
			MaxResponseHeaderBytes: mostHeaderBytes,
			DisableCompression:     true, // what is small must not become large
			MaxIdleConnsPerHost:    2,
			IdleConnTimeout:        time.Minute,
		},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > mostRedirects {
				return fmt.Errorf("more than %d redirects", mostRedirects)
			}
			return checkURL(r.URL)
		},
	}
}

// checkURL refuses what is no address of the web.
func checkURL(u *url.URL) error {
	if u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("scheme %q: only http and https are fetched", u.Scheme)
	}
	if u.Hostname() == "" {
		return errors.New("an address without a host")
	}
	return nil
}

// shown is u as it may be logged: who fetches and with what right is left out.
func shown(u *url.URL) string {
	s := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	return s.String()
}

// An icyConn shows "HTTP/1.0" to net/http where a SHOUTcast server says "ICY".
type icyConn struct {
	net.Conn
	looked bool
	rest   string
	err    error
}

func (c *icyConn) Read(b []byte) (int, error) {
	if !c.looked {
		c.looked = true
		var head [4]byte
		n, err := io.ReadFull(c.Conn, head[:])
		c.rest, c.err = string(head[:n]), err
		if errors.Is(err, io.ErrUnexpectedEOF) {
			c.err = io.EOF
		}
		if c.rest == "ICY " {
			c.rest = "HTTP/1.0 "
		}
	}
	if c.rest != "" {
		n := copy(b, c.rest)
		c.rest = c.rest[n:]
		return n, nil
	}
	if c.err != nil {
		return 0, c.err
	}
	return c.Conn.Read(b)
}
