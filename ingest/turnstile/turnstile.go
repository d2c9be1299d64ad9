// Package turnstile bounds how many connections there are, in total and from one
// network, and delays the answers to a network that shows wrong tokens.
//
// This package does not know tokens: it is asked before there is one, or told that
// one was wrong.
package turnstile

import (
	"errors"
	"net/netip"
	"slices"
	"sync"
)

// Why somebody does not get in.
var (
	ErrFull  = errors.New("too many connections")
	ErrCrowd = errors.New("too many connections from this address")
)

// subscriber is how many bits of an IPv6 address a network has.
const subscriber = 64

// A Turnstile counts who is in. It is safe for concurrent use.
type Turnstile struct {
	most, each int

	mu     sync.Mutex
	in     int
	of     map[netip.Prefix]int
	guests []*guest // oldest first
}

// A guest is in and has shown no token yet.
type guest struct{ oust func() }

// New returns a turnstile that lets in most connections, and each of one network: an
// IPv4 address or the first 64 bits of an IPv6 one.
func New(most, each int) *Turnstile {
	return &Turnstile{most: most, each: each, of: map[netip.Prefix]int{}}
}

// Enter lets a remote address ("192.0.2.1:1234") in; leave must be called once. An
// address that is none counts as the same one as all others that are none.
func (t *Turnstile) Enter(remote string) (leave func(), err error) {
	p := Network(remote)
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.in >= t.most:
		return nil, ErrFull
	case t.of[p] >= t.each:
		return nil, ErrCrowd
	}
	t.in++
	t.of[p]++
	return func() { t.leave(p) }, nil
}

// Guest is Enter for somebody who is to show a token; trust is called when they have. Where
// all places are taken, who has been in the longest without a token makes room for the
// next: their oust is called, once, which is to see to it that they leave soon.
func (t *Turnstile) Guest(remote string, oust func()) (trust, leave func(), err error) {
	p, g := Network(remote), &guest{oust}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.of[p] >= t.each:
		return nil, nil, ErrCrowd
	case t.in < t.most:
	case t.in >= 2*t.most || len(t.guests) == 0:
		return nil, nil, ErrFull
	default:
		go t.guests[0].oust()
		t.guests = t.guests[1:]
	}
	t.in++
	t.of[p]++
	t.guests = append(t.guests, g)
	return func() { t.trust(g) }, func() {
		t.trust(g)
		t.leave(p)
	}, nil
}

// trust says that g is no guest any more.
func (t *Turnstile) trust(g *guest) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.guests = slices.DeleteFunc(t.guests, func(x *guest) bool { return x == g })
}

func (t *Turnstile) leave(p netip.Prefix) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.in--
	if t.of[p]--; t.of[p] == 0 {
		delete(t.of, p)
	}
}

// Network returns the network that a remote address ("192.0.2.1:1234") stands for: the
// IPv4 address, or the first 64 bits of the IPv6 address, which one subscriber commonly has
// alone. Of what is no address it is the zero prefix: all that cannot be told apart are one.
func Network(remote string) netip.Prefix {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{}
	}
	a := ap.Addr().Unmap().WithZone("")
	bits := a.BitLen()
	if a.Is6() {
		bits = subscriber
	}
	p, _ := a.Prefix(bits) // the length fits
	return p
}
