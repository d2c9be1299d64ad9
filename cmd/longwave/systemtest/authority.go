package systemtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// An Authority signs certificates, as one within an organisation does.
type Authority struct {
	File string // its own certificate, PEM
	Pool *x509.CertPool

	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	next int64
}

// NewAuthority returns one that lives as long as the test.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	a := &Authority{t: t, File: filepath.Join(t.TempDir(), "authority.pem"), next: 2}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of a test"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(10 * 365 * 24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	var der []byte
	der, a.key = a.sign(template)
	var err error
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.Pool = x509.NewCertPool()
	a.Pool.AddCert(a.cert)
	a.write(a.File, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return a
}

// Issue returns a new certificate that is valid from begin to end, and its key, in PEM.
func (a *Authority) Issue(begin, end time.Time, names ...string) (cert, key []byte) {
	a.t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(a.next), Subject: pkix.Name{CommonName: "a node"},
		NotBefore: begin, NotAfter: end, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	a.next++
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, private := a.sign(template)
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		a.t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
}

// Renew writes a new certificate, valid for a while from now, and its key to two files
// and returns its number.
func (a *Authority) Renew(certFile, keyFile string, valid time.Duration, names ...string) (serial int64) {
	a.t.Helper()
	now := time.Now()
	cert, key := a.Issue(now.Add(-time.Hour), now.Add(valid), names...)
	a.write(certFile, cert)
	a.write(keyFile, key)
	return a.next - 1
}

// Client returns how to connect to somebody whom a signed, as name.
func (a *Authority) Client(name string, protocols ...string) *tls.Config {
	return &tls.Config{RootCAs: a.Pool, ServerName: name, NextProtos: protocols}
}

// sign signs template with a new key; the first one signs itself.
func (a *Authority) sign(template *x509.Certificate) ([]byte, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	parent, by := a.cert, a.key
	if parent == nil {
		parent, by = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
	if err != nil {
		a.t.Fatal(err)
	}
	return der, key
}

// write replaces a file at once, as those who renew certificates do.
func (a *Authority) write(file string, text []byte) {
	a.t.Helper()
	part := file + ".part"
	if err := os.WriteFile(part, text, 0o600); err != nil {
		a.t.Fatal(err)
	}
	if err := os.Rename(part, file); err != nil {
		a.t.Fatal(err)
	}
}
