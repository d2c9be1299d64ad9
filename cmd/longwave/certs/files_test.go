package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"longwave/cmd/longwave/config"
	"longwave/cmd/longwave/systemtest"
)

// A certFiles is a source of TLS from two files that a test changes.
type certFiles struct {
	*fileSource
	t         *testing.T
	authority *systemtest.Authority
	said      *said
}

// said is a log that a test reads while it is written.
type said struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

// take returns what was said since the last time.
func (s *said) take() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.text.Reset()
	return s.text.String()
}

// newCertFiles must be called by the goroutine of the test's bubble.
func newCertFiles(t *testing.T) *certFiles {
	t.Helper()
	dir := t.TempDir()
	c := &certFiles{t: t, authority: systemtest.NewAuthority(t), said: &said{}}
	config := config.TLS{Certificate: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem"), Names: []string{"radio.example"}}
	c.authority.Renew(config.Certificate, config.Key, 90*24*time.Hour, "radio.example")
	var err error
	c.fileSource, err = openFiles(config, options{
		log: slog.New(slog.NewTextHandler(c.said, nil)), changes: newMetrics(prometheus.NewRegistry()).changes,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *certFiles) serial() int64 { return c.leaf().SerialNumber.Int64() }

func (c *certFiles) changed(result string) int {
	return int(testutil.ToFloat64(c.changes.WithLabelValues(result)))
}

// TestCertificateFiles: new files are taken, ones that are no good are not, and that is
// said once.
func TestCertificateFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCertFiles(t)
		ctx, cancel := context.WithCancel(t.Context())
		hup := make(chan os.Signal)
		ended := make(chan error)
		go func() { ended <- c.watch(ctx, hup) }()
		later := func() { time.Sleep(fileLook); synctest.Wait() }
		look := func() { hup <- syscall.SIGHUP; synctest.Wait() }
		expect := func(what string, serial int64, done, failed int) {
			t.Helper()
			if c.serial() != serial || c.changed(resultDone) != done || c.changed(resultFailed) != failed {
				t.Errorf("%s: certificate %d, %d changes done, %d failed; want %d, %d, %d",
					what, c.serial(), c.changed(resultDone), c.changed(resultFailed), serial, done, failed)
			}
		}
		first := c.serial()
		later()
		expect("at first", first, 0, 0)
		second := c.authority.Renew(c.config.Certificate, c.config.Key, 90*24*time.Hour, "radio.example")
		later()
		expect("renewed", second, 1, 0)
		third := c.authority.Renew(c.config.Certificate, c.config.Key, 90*24*time.Hour, "radio.example")
		look()
		expect("renewed, and SIGHUP", third, 2, 0)

		// The key comes a moment after the certificate.
		key := readFile(t, c.config.Key)
		c.authority.Renew(c.config.Certificate, filepath.Join(t.TempDir(), "key"), time.Hour, "radio.example")
		later()
		expect("half written", third, 2, 0)
		fourth := c.authority.Renew(c.config.Certificate, c.config.Key, 90*24*time.Hour, "radio.example")
		later()
		expect("written", fourth, 3, 0)

		// The wrong key stays.
		good := readFile(t, c.config.Key)
		writeFile(t, c.config.Key, key)
		later()
		expect("a wrong key", fourth, 3, 0)
		later()
		expect("still a wrong key", fourth, 3, 1)
		later()
		expect("the same wrong key", fourth, 3, 1)
		look()
		expect("the same, and SIGHUP", fourth, 3, 2)
		writeFile(t, c.config.Key, good)
		later()
		expect("as it was", fourth, 3, 2)
		if err := os.Remove(c.config.Key); err != nil {
			t.Fatal(err)
		}
		look()
		expect("no key", fourth, 3, 3)
		c.authority.Renew(c.config.Certificate, c.config.Key, time.Hour, "other.example")
		look()
		expect("another name", fourth, 3, 4)
		c.authority.Renew(c.config.Certificate, c.config.Key, -time.Minute, "radio.example")
		look()
		expect("ended", fourth, 3, 5)

		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// TestCertificateEnds: the log names the certificate every day, and warns when less
// than two weeks and a fifth of its life are left.
func TestCertificateEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCertFiles(t)
		c.authority.Renew(c.config.Certificate, c.config.Key, 119*time.Hour, "radio.example") // and the hour before
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _ = c.watch(ctx, nil) }()
		time.Sleep(fileLook)
		synctest.Wait()
		c.said.take()
		for _, want := range []string{"INFO", "INFO", "INFO", "WARN", "WARN"} {
			time.Sleep(24 * time.Hour)
			synctest.Wait()
			if got := c.said.take(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "level="+want+" msg=certificate ") {
				t.Errorf("after a day: %q, want one line of %s", got, want)
			}
		}
		cancel()
		synctest.Wait()
	})
	for _, w := range []struct {
		life, left int // days
		warns      bool
	}{{90, 30, false}, {90, 15, false}, {90, 13, true}, {6, 2, false}, {6, 1, true}, {90, -1, true}} {
		log := &strings.Builder{}
		now := time.Now()
		tellCertificate(slog.New(slog.NewTextHandler(log, nil)), &x509.Certificate{
			NotBefore: now.Add(time.Duration(w.left-w.life) * 24 * time.Hour), NotAfter: now.Add(time.Duration(w.left) * 24 * time.Hour),
		}, now)
		if strings.Contains(log.String(), "level=WARN") != w.warns || !strings.Contains(log.String(), fmt.Sprintf("days_left=%d", w.left)) {
			t.Errorf("%d of %d days left: %s", w.left, w.life, log)
		}
	}
}

// TestCertificateRefused: what is wrong with the files is said at the start.
func TestCertificateRefused(t *testing.T) {
	a := systemtest.NewAuthority(t)
	now := time.Now()
	good, key := a.Issue(now.Add(-time.Hour), now.Add(time.Hour), "radio.example", "127.0.0.1")
	ended, endedKey := a.Issue(now.Add(-48*time.Hour), now.Add(-24*time.Hour), "radio.example")
	early, earlyKey := a.Issue(now.Add(24*time.Hour), now.Add(48*time.Hour), "radio.example")
	for _, c := range []struct {
		name      string
		cert, key []byte
		names     []string
		old       bool
		want      string // empty: it is taken
	}{
		{"good", good, key, []string{"radio.example"}, false, ""},
		{"an address", good, key, []string{"radio.example", "127.0.0.1"}, false, ""},
		{"another name", good, key, []string{"www.radio.example"}, false, "it names radio.example, 127.0.0.1 and not www.radio.example"},
		{"another key", good, endedKey, []string{"radio.example"}, false, "private key does not match public key"},
		{"no certificate", key, key, []string{"radio.example"}, false, "failed to find certificate PEM data"},
		{"no key", good, nil, []string{"radio.example"}, false, "failed to find any PEM data in key input"},
		{"ended", ended, endedKey, []string{"radio.example"}, false, "it ended on "},
		{"ended, and was on air", ended, endedKey, []string{"radio.example"}, true, ""},
		{"ended, another name, was on air", ended, endedKey, []string{"x.example"}, true, "and not x.example"},
		{"early", early, earlyKey, []string{"radio.example"}, true, "is the clock right?"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			config := config.TLS{Certificate: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem"), Names: c.names}
			writeFile(t, config.Certificate, c.cert)
			writeFile(t, config.Key, c.key)
			_, err := openFiles(config, options{old: c.old, log: slog.New(slog.DiscardHandler)})
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n")):
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	if _, err := openFiles(config.TLS{Certificate: "/nowhere/c", Key: "/nowhere/k"}, options{}); err == nil || !strings.HasPrefix(err.Error(), "tls.certificate: ") {
		t.Errorf("a file that is not there: %v", err)
	}
}

// TestTLSMetrics: the alarm for a certificate that ends can tell none needed, none yet
// and one.
func TestTLSMetrics(t *testing.T) {
	c := newCertFiles(t)
	for name, w := range map[string]struct {
		source source
		left   func(start, expiry float64) bool
	}{
		"no TLS":  {nil, func(start, expiry float64) bool { return start == 0 && expiry > 1e300 }},
		"none":    {emptySource{}, func(start, expiry float64) bool { return start == 0 && expiry == 0 }},
		"a valid": {c, func(start, expiry float64) bool { return expiry-start == (90*24+1)*3600 }},
	} {
		reg := prometheus.NewRegistry()
		newMetrics(reg).watch(w.source)
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		figures := map[string]float64{}
		for _, f := range families {
			figures[f.GetName()] = f.GetMetric()[0].GetGauge().GetValue()
		}
		start, expiry := figures["longwave_tls_certificate_start_timestamp_seconds"], figures["longwave_tls_certificate_expiry_timestamp_seconds"]
		if !w.left(start, expiry) {
			t.Errorf("%s: from %g to %g", name, start, expiry)
		}
	}
}

// emptySource is a source that has no certificate yet.
type emptySource struct{}

func (emptySource) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return nil, errors.New("none")
}
func (emptySource) leaf() *x509.Certificate   { return nil }
func (emptySource) run(context.Context) error { return nil }

func readFile(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func writeFile(t *testing.T, file string, b []byte) {
	t.Helper()
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
