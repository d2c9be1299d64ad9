package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/caddyserver/certmagic"
)

// TLS is about https. Browsers give a microphone to pages of https alone, and of
// this machine.
type TLS struct {
	// Mode is auto, files or off. With auto the listener speaks TLS when Public is
	// https, with the certificate of the files when they are named and else with one
	// that is fetched by ACME. files insists on the files. off is for a proxy or CDN in
	// front that ends TLS. Default auto.
	Mode string `yaml:"mode"`
	// Certificate is a PEM file with the certificate and what stands between it and the
	// authority (certbot's fullchain.pem). It may change at any time. No default.
	Certificate string `yaml:"certificate"`
	// Key is the PEM file of the certificate's private key. No default.
	Key string `yaml:"key"`
	// Names are the hosts that the certificate must name. Default: the host of Public.
	// With a CDN in front that asks us by another name, it is that one.
	Names []string `yaml:"names"`
	// Plain is the address of a listener without TLS: see [node.plain]; off takes none.
	// Default ":80" with ACME or when Listen is port 443, else off.
	Plain string `yaml:"plain"`
	// ACME is about where certificates are fetched.
	ACME ACME `yaml:"acme"`
}

// ACME names an authority that gives certificates by itself (RFC 8555).
type ACME struct {
	// Email is where the authority writes to when something is wrong. Default: none.
	Email string `yaml:"email"`
	// Directory is the address of the authority. Default: Let's Encrypt.
	Directory string `yaml:"directory"`
	// CAFile is a PEM file with who signed the authority's own address, for one within
	// an organisation. Default: who this machine trusts.
	CAFile string `yaml:"ca_file"`
}

// A CertKind is where certificates come from.
type CertKind uint8

// The kinds.
const (
	NoCert    CertKind = iota // we do not end TLS
	CertFiles                 // files that others renew
	CertACME                  // an authority that we ask (RFC 8555)
)

// CertKind says where the certificate of the audience's listener comes from.
func (c *Config) CertKind() CertKind {
	switch {
	case c.TLS.Mode == "off":
		return NoCert
	case c.TLS.Mode == "files", c.TLS.Certificate != "":
		return CertFiles
	case strings.HasPrefix(c.Public, "https://"):
		return CertACME
	}
	return NoCert
}

// usualListen is the address of the listener when nobody says one: where the public
// address leads when we end TLS, ":8080" otherwise.
func (c *Config) usualListen() string {
	u, err := url.Parse(c.Public)
	switch {
	case err != nil || c.CertKind() == NoCert || c.Public == "":
		return ":8080"
	case u.Port() == "":
		return ":443"
	}
	return ":" + u.Port()
}

// usualPublic is the public address when nobody says one.
func (c *Config) usualPublic(port string) string {
	if c.CertKind() == NoCert {
		return "http://localhost:" + port
	}
	return "https://localhost:" + port
}

// checkTLS completes what is about https and says what is wrong with it.
func (c *Config) checkTLS(public *url.URL) error {
	t := &c.TLS
	if t.Mode == "" {
		t.Mode = "auto"
	}
	if !slices.Contains([]string{"auto", "files", "off"}, t.Mode) {
		return fmt.Errorf("tls.mode %q: use auto, files or off", t.Mode)
	}
	kind := c.CertKind()
	if kind == NoCert {
		return nil
	}
	switch {
	case (t.Certificate == "") != (t.Key == ""):
		return errors.New("tls.certificate and tls.key: name both or neither")
	case kind == CertFiles && t.Certificate == "":
		return errors.New("tls.mode files: name tls.certificate and tls.key")
	case public.Scheme != "https":
		return fmt.Errorf("public %q: with a certificate it begins with https://; when a proxy in front ends TLS set tls.mode: off", c.Public)
	}
	if len(t.Names) == 0 {
		t.Names = []string{public.Hostname()}
	}
	if t.Plain == "" {
		t.Plain = "off"
		if _, port, _ := net.SplitHostPort(c.Listen); kind == CertACME || port == "443" {
			t.Plain = ":80"
		}
	}
	if _, _, err := net.SplitHostPort(t.Plain); err != nil && t.Plain != "off" {
		return fmt.Errorf("tls.plain %q: write host:port, :port or off", t.Plain)
	}
	for _, name := range t.Names {
		if err := t.checkName(name, kind); err != nil {
			return err
		}
	}
	return nil
}

// checkName checks a host that the certificate is to name.
func (t *TLS) checkName(name string, kind CertKind) error {
	if !certmagic.SubjectQualifiesForCert(name) || strings.ContainsAny(name, "/*") {
		return fmt.Errorf("tls.names %q: write a host, as in radio.example.org", name)
	}
	if kind != CertACME {
		return nil
	}
	if d := t.ACME.Directory; d != "" {
		u, err := url.Parse(d)
		if err != nil || u.Scheme != "https" || u.Host == "" {
			return fmt.Errorf("tls.acme.directory %q: write the whole address, as in https://acme.example.org/directory", d)
		}
		return nil
	}
	if !certmagic.SubjectQualifiesForPublicCert(name) {
		return fmt.Errorf("no public authority gives a certificate for %s: name files with tls.certificate and tls.key, an authority of your own with tls.acme.directory, or set tls.mode: off", name)
	}
	return nil
}
