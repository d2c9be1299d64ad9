package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"longwave/cmd/longwave/config"
)

// acmeLook is how often it is looked whether a certificate is to be renewed. It is when
// a third of its life is left, or when the authority says so (ARI, RFC 9773).
const acmeLook = 10 * time.Minute

// acmeSource are certificates that an authority gives by itself, and renews. They
// are kept in the folder tls of the data folder. As long as there is none nobody can
// connect by https; the programme goes on, and the authority is asked again, less and
// less often.
//
// A node keeps its own: of two behind one name, each would be asked for the other's
// challenge. Give both the same files then, or let what is in front end TLS.
type acmeSource struct {
	options
	names  []string
	cache  *certmagic.Cache
	config *certmagic.Config
	issuer *certmagic.ACMEIssuer
}

// openACME loads the certificates that there are; the others are fetched by run, when
// our ports are open for the authority's questions.
func openACME(ctx context.Context, c config.Config, o options) (*acmeSource, error) {
	return newACME(ctx, c, o, acmeLook)
}

func newACME(ctx context.Context, c config.Config, o options, look time.Duration) (*acmeSource, error) {
	dir := filepath.Join(c.Data, "tls")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("certificates are kept in the data folder: %w", err)
	}
	var roots *x509.CertPool // nil: whom this machine trusts
	if file := c.TLS.ACME.CAFile; file != "" {
		var err error
		if roots, err = ReadRoots(file); err != nil {
			return nil, fmt.Errorf("tls.acme.ca_file: %w", err)
		}
	}
	a := &acmeSource{options: o, names: c.TLS.Names}
	log := zap.New(zapToSlog{log: o.log.With("by", "certmagic")})
	a.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert:   func(certmagic.Certificate) (*certmagic.Config, error) { return a.config, nil },
		RenewCheckInterval: look,
		Logger:             log,
	})
	a.config = certmagic.New(a.cache, certmagic.Config{
		Storage:            &certmagic.FileStorage{Path: dir},
		DefaultServerName:  c.TLS.Names[0], // clients that name no host
		FallbackServerName: c.TLS.Names[0], // or another: their user reads whose it is
		OnEvent:            a.event,
		Logger:             log,
	})
	_, httpsPort := splitPort(c.Listen)
	host, httpPort := splitPort(c.TLS.Plain)
	a.issuer = certmagic.NewACMEIssuer(a.config, certmagic.ACMEIssuer{
		CA: c.TLS.ACME.Directory, Email: c.TLS.ACME.Email, TrustedRoots: roots,
		Agreed:     true, // the README says that https agrees to the authority's terms
		ListenHost: host, AltHTTPPort: httpPort, AltTLSALPNPort: httpsPort,
		DisableHTTPChallenge: c.TLS.Plain == "off",
		Logger:               log,
	})
	a.config.Issuers = []certmagic.Issuer{a.issuer}
	for _, name := range a.names {
		cert, err := a.config.CacheManagedCertificate(ctx, name)
		switch {
		case err == nil:
			tellCertificate(o.log, cert.Leaf, time.Now())
		case !errors.Is(err, fs.ErrNotExist):
			o.log.Warn("a certificate that was kept is of no use: a new one is fetched", "name", name, "err", err)
		}
	}
	return a, nil
}

// splitPort splits an address; the port of one without a number is 0, which is the
// usual one for certmagic.
func splitPort(addr string) (host string, port int) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0
	}
	port, err = strconv.Atoi(text)
	if err != nil {
		return host, 0
	}
	return host, port
}

// ReadRoots reads a PEM file of who is trusted.
func ReadRoots(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate (PEM)", file)
	}
	return roots, nil
}

// certificate implements source; it also answers the authority's questions by
// TLS-ALPN-01 (RFC 8737).
func (a *acmeSource) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return a.config.GetCertificate(hello)
}

// acmeTLS is the protocol of the authority's questions (RFC 8737, section 6.2).
const acmeTLS = "acme-tls/1"

// challenge answers the authority's question by HTTP-01, if r is one.
func (a *acmeSource) challenge(w http.ResponseWriter, r *http.Request) bool {
	return a.issuer.HandleHTTPChallenge(w, r)
}

// leaf implements source.
func (a *acmeSource) leaf() *x509.Certificate {
	var first *x509.Certificate
	for _, name := range a.names {
		var newest *x509.Certificate
		for _, c := range a.cache.AllMatchingCertificates(name) {
			if newest == nil || c.Leaf.NotAfter.After(newest.NotAfter) {
				newest = c.Leaf
			}
		}
		if newest == nil {
			return nil
		}
		if first == nil || newest.NotAfter.Before(first.NotAfter) {
			first = newest
		}
	}
	return first
}

// run implements source: it fetches what is missing and renews what ends.
func (a *acmeSource) run(ctx context.Context) error {
	defer a.cache.Stop()
	if err := a.config.ManageAsync(ctx, a.names); err != nil {
		return fmt.Errorf("fetch certificates: %w", err)
	}
	<-ctx.Done()
	return ctx.Err()
}

// event is told what certmagic does.
func (a *acmeSource) event(_ context.Context, event string, data map[string]any) error {
	switch event {
	case "cert_obtaining":
		a.log.Info("fetching a certificate", "name", data["identifier"], "renewal", data["renewal"] == true)
	case "cert_obtained":
		a.changes.WithLabelValues(resultDone).Inc()
		a.log.Info("a certificate was fetched", "name", data["identifier"], "authority", data["issuer"])
	case "cert_failed":
		a.changes.WithLabelValues(resultFailed).Inc()
		a.log.Error("no certificate was given: the name must lead to this machine, its port 80 to tls.plain or its port 443 to listen; it is tried again",
			"name", data["identifier"], "renewal", data["renewal"] == true, "err", data["error"])
	}
	return nil
}
