package certs

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"longwave/cmd/longwave/config"
	"longwave/cmd/longwave/systemtest"
)

// TestRenewal: a real authority's certificate is renewed while it is valid. Whoever
// comes finds a valid one at every moment, and whoever is there stays.
func TestRenewal(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	p := systemtest.StartPebble(t, systemtest.PebbleOptions{HTTPPort: "1", TLSPort: port, Valid: 5 * time.Minute})
	changes := newMetrics(prometheus.NewRegistry()).changes
	ctx, cancel := context.WithCancel(t.Context())
	a, err := newACME(ctx, config.Config{Listen: l.Addr().String(), Data: t.TempDir(), TLS: config.TLS{
		Names: []string{"radio.test"}, Plain: "off", ACME: config.ACME{Directory: p.Directory, CAFile: p.CAFile},
	}}, options{log: slog.New(slog.NewTextHandler(t.Output(), nil)), changes: changes}, 50*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	a.config.DisableARI = true
	a.config.RenewalWindowRatio = 0.999 // it is time again at once
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.NotFoundHandler()}
	(&Keeper{a}).Configure(server)
	ended := make(chan error, 2)
	go func() { ended <- a.run(ctx) }()
	go func() { ended <- server.ServeTLS(l, "", "") }()

	shown := func() (serial string, err error) {
		conn, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{RootCAs: p.Roots, ServerName: "radio.test"})
		if err != nil {
			return "", err
		}
		defer func() { _ = conn.Close() }()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.String(), nil
	}
	first := eventually(t, "a certificate", func() (string, bool) { s, err := shown(); return s, err == nil })
	if leaf := a.leaf(); leaf == nil || leaf.DNSNames[0] != "radio.test" {
		t.Errorf("the certificate that is there: %v", leaf)
	}
	var dials atomic.Int32
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: p.Roots, ServerName: "radio.test"}, ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			dials.Add(1)
			return new(net.Dialer).DialContext(ctx, network, l.Addr().String())
		},
	}}
	ask(t, client)
	eventually(t, "a renewed certificate", func() (string, bool) {
		s, err := shown()
		if err != nil {
			t.Fatalf("while it is renewed: %v", err)
		}
		return s, s != first
	})
	ask(t, client)
	if dials.Load() != 1 {
		t.Errorf("the old connection was not kept: %d were made", dials.Load())
	}
	cancel()
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	}
}

// eventually polls until done is true. It is patient: a machine under load is no defect.
func eventually(t *testing.T, what string, done func() (string, bool)) string {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		s, ok := done()
		if ok {
			return s
		}
		if time.Now().After(end) {
			t.Fatalf("waiting for %s: nothing in a minute", what)
		}
	}
}

// ask makes a request that the server answers with 404.
func ask(t *testing.T, client *http.Client) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://radio.test/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if _, err := io.Copy(io.Discard, r.Body); err != nil || r.StatusCode != http.StatusNotFound || r.ProtoMajor != 2 {
		t.Errorf("%s %s, %v", r.Proto, r.Status, err)
	}
}

// TestACMERefused: what is wrong is said before anything is fetched.
func TestACMERefused(t *testing.T) {
	dir := t.TempDir()
	file := dir + "/file"
	writeFile(t, file, []byte("text"))
	for want, c := range map[string]config.Config{
		"certificates are kept in the data folder: ":                {Data: file},
		"tls.acme.ca_file: " + file + " holds no certificate (PEM)": {Data: dir, TLS: config.TLS{ACME: config.ACME{CAFile: file}}},
		"tls.acme.ca_file: open ":                                   {Data: dir, TLS: config.TLS{ACME: config.ACME{CAFile: dir + "/none"}}},
	} {
		c.TLS.Names = []string{"radio.test"}
		_, err := openACME(t.Context(), c, options{log: slog.New(slog.DiscardHandler)})
		if err == nil || len(err.Error()) < len(want) || err.Error()[:len(want)] != want {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestZapToSlog: certmagic's log lines come out as ours, lower.
func TestZapToSlog(t *testing.T) {
	s := &said{}
	log := zap.New(zapToSlog{slog.New(slog.NewTextHandler(s, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))}).With(zap.String("name", "radio.test"))
	log.Error("broken", zap.Error(errors.New("x")))
	log.Warn("odd", zap.Int("n", 1))
	log.Info("done", zap.Strings("all", []string{"a", "b"}), zap.Duration("after", time.Second))
	log.Debug("chatter")
	want := `level=INFO msg=broken name=radio.test error=x
level=DEBUG msg=odd name=radio.test n=1
level=DEBUG msg=done name=radio.test all="[a b]" after=1s
`
	if got := s.take(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if (zapToSlog{slog.New(slog.NewTextHandler(s, nil))}).Enabled(zapcore.InfoLevel) {
		t.Error("its chatter is logged at info")
	}
}
