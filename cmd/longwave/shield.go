package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"longwave/cmd/longwave/config"
	"longwave/packager"
)

// A shield lets the CDNs alone reach the audience's side: whoever shows one of the
// secrets, or a certificate of the right authority. Everybody else is answered at once,
// and nothing is done for them. Speakers, hosts and other nodes have keys of their own,
// and go by.
//
// nil shields nothing.
type shield struct {
	header  string
	file    string // of the secrets; empty: there are none
	pool    *x509.CertPool
	log     *slog.Logger
	refused prometheus.Counter

	secrets atomic.Pointer[[][sha256.Size]byte]
	bad     bool // the file was no good at the last look
}

// shieldLook is how often the secrets are read again.
const shieldLook = 2 * time.Second

// openShield reads what c names; nil when it names nothing.
func openShield(c config.Shield, log *slog.Logger, reg prometheus.Registerer) (*shield, error) {
	if c.SecretFile == "" && c.ClientCA == "" {
		return nil, nil
	}
	s := &shield{header: c.Header, file: c.SecretFile, log: log, refused: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "longwave_shield_refused_requests_total",
		Help: "Requests of the audience's side that did not come by a CDN.",
	})}
	if c.SecretFile != "" {
		secrets, err := readSecrets(c.SecretFile)
		if err != nil {
			return nil, fmt.Errorf("shield.secret_file: %w", err)
		}
		s.secrets.Store(&secrets)
	}
	if c.ClientCA != "" {
		text, err := os.ReadFile(c.ClientCA)
		if err != nil {
			return nil, fmt.Errorf("shield.client_ca: %w", err)
		}
		s.pool = x509.NewCertPool()
		if !s.pool.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("shield.client_ca: %s holds no certificate in PEM", c.ClientCA)
		}
	}
	return s, reg.Register(s.refused)
}

// shortestSecret is how many characters a secret has at least: it is all that keeps a
// flood from the origin.
const shortestSecret = 16

// readSecrets returns the hashes of a file's secrets, one a line. Lines that begin with
// # are for people.
func readSecrets(file string) ([][sha256.Size]byte, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var all [][sha256.Size]byte
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		switch {
		case len(line) == 0 || line[0] == '#':
		case len(line) < shortestSecret:
			return nil, fmt.Errorf("%s: a secret has %d characters, use at least %d", file, len(line), shortestSecret)
		default:
			all = append(all, sha256.Sum256(line))
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s: there is no secret in it", file)
	}
	return all, nil
}

// Run reads the secrets again when they change. A file that is no good leaves the old
// ones in place.
func (s *shield) Run(ctx context.Context) error {
	t := time.NewTicker(shieldLook)
	defer t.Stop()
	for s.file != "" {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			s.look(ctx)
		}
	}
	<-ctx.Done()
	return nil
}

func (s *shield) look(ctx context.Context) {
	secrets, err := readSecrets(s.file)
	if err != nil {
		if !s.bad {
			s.log.ErrorContext(ctx, "the shield's secrets cannot be read: the old ones stay", "err", err)
		}
		s.bad = true
		return
	}
	s.bad = false
	if old := *s.secrets.Load(); fmt.Sprint(old) != fmt.Sprint(secrets) {
		s.secrets.Store(&secrets)
		s.log.InfoContext(ctx, "the shield has new secrets", "secrets", len(secrets))
	}
}

// open are the first elements of paths that need no shield: keys guard them, or they tell an
// encoder nothing (*.xsl).
var open = map[string]bool{
	"7.xsl": true, "admin": true, "api": true, "ice": true, "push": true, "status-json.xsl": true, "studio": true, "whep": true, "whip": true,
}

// guard returns h behind the shield.
func (s *shield) guard(h http.Handler) http.Handler {
	if s == nil {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		door, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if !open[door] && !s.knows(r) {
			s.refused.Inc()
			w.Header().Set("Cache-Control", packager.CacheNever)
			http.Error(w, "this address is for the CDN in front of it", http.StatusForbidden)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// knows reports whether a request comes by a CDN. It takes the same time for every
// wrong secret.
func (s *shield) knows(r *http.Request) bool {
	if s.pool != nil && r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		return true
	}
	secrets := s.secrets.Load()
	if secrets == nil {
		return false
	}
	shown, hit := sha256.Sum256([]byte(r.Header.Get(s.header))), 0
	for i := range *secrets {
		hit |= subtle.ConstantTimeCompare(shown[:], (*secrets)[i][:])
	}
	return hit == 1
}

// demand has a listener ask for certificates of the CDN. Who has none, as every browser,
// is let in all the same: see [shield.guard].
func (s *shield) demand(c *tls.Config) error {
	switch {
	case s == nil || s.pool == nil:
		return nil
	case c == nil:
		return usageError{errors.New("shield.client_ca: a certificate can be shown over TLS alone: set public to https, or use shield.secret_file")}
	}
	c.ClientCAs, c.ClientAuth = s.pool, tls.VerifyClientCertIfGiven
	return nil
}
