// Command pebble is a real authority that gives certificates by ACME (RFC 8555), for
// the tests of the project: Let's Encrypt's Pebble, with a name server that finds every
// host on this machine. It stands in a module of its own because the product does not
// need its modules. Package longwave/cmd/longwave/systemtest builds, starts and ends it.
//
//	pebble HTTP-PORT TLS-PORT VALIDITY-SECONDS
//
// It asks for proof at these ports. One line of JSON tells where it is and whom to
// trust. It ends when its standard input does, so it never outlives who started it.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"github.com/miekg/dns"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "pebble:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("usage: pebble HTTP-PORT TLS-PORT VALIDITY-SECONDS")
	}
	var numbers [3]int
	for i, a := range args {
		n, err := strconv.Atoi(a)
		if err != nil {
			return err
		}
		numbers[i] = n
	}
	// It sleeps up to 15 s before it asks, and refuses every twentieth nonce: the second
	// is a client's business, the first only takes time.
	if err := os.Setenv("PEBBLE_VA_NOSLEEP", "1"); err != nil {
		return err
	}
	names, err := serveNames()
	if err != nil {
		return fmt.Errorf("name server: %w", err)
	}
	logger := log.New(os.Stderr, "pebble ", 0)
	store := db.NewMemoryStore()
	authority := ca.New(logger, store, "", "ecdsa", 0, 1, map[string]ca.Profile{
		"default": {Description: "of a test", ValidityPeriod: uint64(numbers[2])},
	})
	validation := va.New(logger, numbers[0], numbers[1], false, names, store)
	front := wfe.New(logger, store, validation, authority, []string{"pebble.invalid"}, false, false, 1, 1)
	cert, own, err := ownCertificate()
	if err != nil {
		return fmt.Errorf("make certificate: %w", err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		return err
	}
	err = json.NewEncoder(os.Stdout).Encode(map[string]string{
		"directory": "https://" + l.Addr().String() + wfe.DirectoryPath,
		"own":       own,
		"root":      string(authority.GetRootCert(0).PEM()),
	})
	if err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	server := &http.Server{Handler: front.Handler(), ReadHeaderTimeout: 5 * time.Second}
	return server.Serve(l)
}

// serveNames answers that every host is this machine, and returns where it does.
func serveNames() (addr string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := &dns.Server{Listener: l, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		for _, question := range q.Question {
			if question.Qtype == dns.TypeA {
				m.Answer = append(m.Answer, &dns.A{
					Hdr: dns.RR_Header{Name: question.Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 1},
					A:   net.IPv4(127, 0, 0, 1),
				})
			}
		}
		_ = w.WriteMsg(m)
	})}
	go func() { _ = server.ActivateAndServe() }()
	return l.Addr().String(), nil
}

// ownCertificate is for the authority's own address.
func ownCertificate() (cert tls.Certificate, text string, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return cert, "", err
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "pebble"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		return cert, "", err
	}
	cert = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	return cert, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), nil
}
