// Package certs keeps the certificate of the audience's listener: from files that others
// renew, or from an authority (ACME, RFC 8555).
//
// This package does not decide which addresses are answered without TLS.
package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"longwave/cmd/longwave/config"
)

// A Keeper keeps the certificate that this node shows. It changes without anybody
// noticing: who is connected stays on the certificate that they were shown. The zero
// value has none.
type Keeper struct {
	source source
}

// A source is where certificates come from: files or ACME.
type source interface {
	// certificate is crypto/tls's GetCertificate.
	certificate(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// leaf is the certificate that ends first; nil: there is none, or one is missing.
	leaf() *x509.Certificate
	// run renews until ctx ends.
	run(ctx context.Context) error
}

// options are what a source is told besides the configuration.
type options struct {
	old     bool // files that have ended are better than none: the node was on air
	log     *slog.Logger
	changes *prometheus.CounterVec // result
}

// Open opens where the certificate comes from: the files or the authority that cfg names.
// It is nil when cfg wants no TLS. Its error is one line that says what to do. old says
// that files which have ended are better than none, as for a node that was on air.
func Open(ctx context.Context, cfg config.Config, old bool, log *slog.Logger, reg prometheus.Registerer) (*Keeper, error) {
	m := newMetrics(reg)
	o := options{old: old, log: log, changes: m.changes}
	var from source
	var err error
	switch cfg.CertKind() {
	case config.CertFiles:
		from, err = openFiles(cfg.TLS, o)
	case config.CertACME:
		from, err = openACME(ctx, cfg, o)
	default:
	}
	if err != nil {
		return nil, err
	}
	m.watch(from)
	if from == nil {
		return nil, nil
	}
	return &Keeper{from}, nil
}

// Run renews the certificate until ctx ends.
func (t *Keeper) Run(ctx context.Context) error { return t.source.run(ctx) }

// Configure sets s up to speak TLS, with HTTP/2 for browsers and edges and HTTP/1.1 for
// Icecast clients, which name no protocol at all.
func (t *Keeper) Configure(s *http.Server) {
	s.TLSConfig = &tls.Config{
		// What is older is no longer safe (RFC 8996), and no player needs it.
		MinVersion:     tls.VersionTLS12,
		GetCertificate: t.certificate,
	}
	if _, ok := t.source.(*acmeSource); ok {
		s.TLSConfig.NextProtos = []string{acmeTLS} // net/http adds its own
	}
	// An edge puts the waiting requests of all its listeners on one connection: two
	// lists a rendition and step, those of listeners who are a step behind, and parts
	// that are only announced, in many stations. With net/http's 250 they would wait
	// for each other, and a request that waits behind others is late for all of that
	// edge's listeners. 1,000 is what CDNs allow towards us at most; the number of all
	// waiting requests is bounded in any case (limits.waiting).
	s.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 1000}
}

func (t *Keeper) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if t.source == nil {
		return nil, errors.New("there is no certificate")
	}
	return t.source.certificate(hello)
}

// Challenge answers an authority's question whether the host is ours (RFC 8555, 8.3), if r
// is one.
func (t *Keeper) Challenge(w http.ResponseWriter, r *http.Request) bool {
	a, ok := t.source.(*acmeSource)
	return ok && a.challenge(w, r)
}

// metrics are the metrics of the certificate. They are there without TLS too, so
// that an alarm can be tried on any node.
type metrics struct {
	factory promauto.Factory
	changes *prometheus.CounterVec // result: done, failed
}

func newMetrics(reg prometheus.Registerer) metrics {
	m := metrics{factory: promauto.With(reg)}
	m.changes = m.factory.NewCounterVec(prometheus.CounterOpts{
		Name: "longwave_tls_certificate_changes_total",
		Help: "Times that a new certificate was to be taken: done, or failed, and the old one stays.",
	}, []string{"result"})
	for _, result := range []string{resultDone, resultFailed} {
		m.changes.WithLabelValues(result)
	}
	return m
}

const (
	resultDone   = "done"
	resultFailed = "failed"
)

// watch publishes how long the certificate of s lasts. Without TLS (s nil) it began at
// 0 and lasts for ever; one that is missing began and ended at 0.
func (m metrics) watch(s source) {
	publish := func(name, help string, without float64, of func(*x509.Certificate) time.Time) {
		m.factory.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			if s == nil {
				return without
			}
			leaf := s.leaf()
			if leaf == nil {
				return 0
			}
			return float64(of(leaf).Unix())
		})
	}
	publish("longwave_tls_certificate_start_timestamp_seconds", "Since when the certificate is valid, as a Unix time; 0 without TLS.",
		0, func(c *x509.Certificate) time.Time { return c.NotBefore })
	publish("longwave_tls_certificate_expiry_timestamp_seconds", "When the certificate ends, as a Unix time; +Inf without TLS, 0 when there is none yet.",
		math.Inf(1), func(c *x509.Certificate) time.Time { return c.NotAfter })
}

// tellCertificate logs which certificate is shown, and warns when it ends soon: when
// less than two weeks and a fifth of its life are left. One that renews itself does so
// before that.
func tellCertificate(log *slog.Logger, leaf *x509.Certificate, now time.Time) {
	left := leaf.NotAfter.Sub(now)
	say := log.Info
	if left < 14*24*time.Hour && left < leaf.NotAfter.Sub(leaf.NotBefore)/5 {
		say = log.Warn
	}
	say("certificate", "names", namesOf(leaf), "issuer", leaf.Issuer.String(),
		"ends", leaf.NotAfter.UTC().Format(time.RFC3339), "days_left", math.Floor(left.Hours()/24))
}

// namesOf returns what a certificate names.
func namesOf(leaf *x509.Certificate) []string {
	names := append([]string{}, leaf.DNSNames...)
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}

// day is how a certificate's end is told.
func day(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 MST") }
