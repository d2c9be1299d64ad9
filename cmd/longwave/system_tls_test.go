package main_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"longwave/cmd/longwave/systemtest"
)

// httpAlone takes no ports besides those of HTTP.
const httpAlone = `
rtc: {listen: "off"}
rtmp: {listen: "off"}
srt: {listen: "off"}
`

// An httpsNode is a node with a certificate of an authority of the test's.
type httpsNode struct {
	*systemtest.Node
	authority *systemtest.Authority
	cert, key string
	port      string // of https
	plain     string // the address of the listener without TLS
}

func startHTTPS(t *testing.T) *httpsNode {
	t.Helper()
	dir := t.TempDir()
	h := &httpsNode{authority: systemtest.NewAuthority(t), cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem")}
	h.authority.Renew(h.cert, h.key, 90*24*time.Hour, "localhost", "127.0.0.1", "radio.test")
	var err error
	if h.plain, err = systemtest.FreeAddr(); err != nil {
		t.Fatal(err)
	}
	h.Node = systemtest.Start(t, systemtest.Options{Build: systemtest.Racing, Config: fmt.Sprintf(`
public: https://localhost
tls: {certificate: %q, key: %q, plain: %q}
`, h.cert, h.key, h.plain) + httpAlone + small})
	_, h.port, err = net.SplitHostPort(h.addr())
	if err != nil {
		t.Fatal(err)
	}
	awaitReady(h.Node)
	return h
}

func (h *httpsNode) addr() string { return h.URL[len("http://"):] }

// url is one that the certificate names.
func (h *httpsNode) url(path string) string { return "https://localhost:" + h.port + path }

// client returns one with connections of its own, which dials counts.
func (h *httpsNode) client(dials *atomic.Int32) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			TLSClientConfig: h.authority.Client("localhost"), ForceAttemptHTTP2: true,
			DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				dials.Add(1)
				return new(net.Dialer).DialContext(ctx, network, addr)
			},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// A fetched is an answer and the certificate of its connection.
type fetched struct {
	proto, status int
	body          []byte
	cert          *x509.Certificate
}

func fetch(t *testing.T, c *http.Client, url string) fetched {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fetched{r.ProtoMajor, r.StatusCode, b, r.TLS.PeerCertificates[0]}
}

// speak sends a tone by Icecast over TLS, as it is printed for people to paste.
func (h *httpsNode) speak(t *testing.T, d time.Duration) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "ffmpeg", "-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i", "sine", "-t", fmt.Sprint(d.Seconds()),
		"-c:a", "libopus", "-page_duration", "20000", "-content_type", "audio/ogg", "-f", "ogg", "-tls", "1",
		"icecast://source:"+h.Token("talk", "--name", "Tone")+"@localhost:"+h.port+"/ice/talk")
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// TestHTTPS: browsers and edges get HTTP/2 with room for all that waits, Icecast clients
// HTTP/1.1, who knows no TLS the listener without it, and a strict listener finds
// nothing wrong.
func TestHTTPS(t *testing.T) {
	t.Parallel()
	h := startHTTPS(t)
	source := h.speak(t, 5*time.Second)
	for _, want := range []string{"https://localhost/talk/", "https://localhost/studio/talk#", " -tls 1 'icecast://"} {
		if !strings.Contains(h.Output(), want) {
			t.Errorf("it does not print %s:\n%s", want, h.Output())
		}
	}
	manyWait(t, h)
	versions(t, h)
	withoutTLS(t, h)
	_, out, _ := listening(t, h.url("/talk/"), "--ca", h.authority.File, "--for", "4s", "--json", "--decode", "--slack", "10s", "--quiet")
	judgeHeard(t, out)
	if code, _, said := listening(t, h.url("/talk/"), "--for", "1s"); code != 1 || !strings.Contains(said, "certificate") {
		t.Errorf("without the authority: exit code %d, %q", code, said)
	}
	if code, _, said := listening(t, h.url("/talk/"), "--ca", h.key); code != 2 || !strings.Contains(said, "holds no certificate") {
		t.Errorf("with a key for an authority: exit code %d, %q", code, said)
	}
	if err := source.Wait(); err != nil {
		t.Error(err)
	}
	h.AwaitLog("source ended", "result=ended")
	h.Stop()
}

// judgeHeard judges a report but for its stalls, which are a matter of the machine.
func judgeHeard(t *testing.T, report string) {
	t.Helper()
	var h heard
	if err := json.Unmarshal([]byte(report), &h); err != nil || len(h.Renditions) != 2 || len(h.Must)+len(h.Should) > 0 || h.Reason != "" {
		t.Errorf("%v\n%s", err, report)
	}
	for _, r := range h.Renditions {
		if r.Mode != "blocking" || r.Parts == 0 {
			t.Errorf("%+v", r)
		}
	}
}

// manyWait lets 300 requests wait on one connection: net/http's own bound is 250.
func manyWait(t *testing.T, h *httpsNode) {
	t.Helper()
	var dials atomic.Int32
	client := h.client(&dials)
	r := fetch(t, client, h.url("/talk/aac-48/live.m3u8"))
	if r.proto != 2 || r.status != http.StatusOK {
		t.Fatalf("HTTP/%d, status %d", r.proto, r.status)
	}
	next := parseMedia(t, r.body).OpenMSN() + 1
	var all sync.WaitGroup
	var wrong atomic.Int32
	for range 300 {
		all.Go(func() {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.url(fmt.Sprintf("/talk/aac-48/live.m3u8?_HLS_msn=%d", next)), nil)
			if err != nil {
				panic(err)
			}
			r, err := client.Do(req)
			if err != nil || r.StatusCode != http.StatusOK {
				wrong.Add(1)
				return
			}
			r.Body.Close()
		})
	}
	all.Wait()
	if wrong.Load() > 0 || dials.Load() != 1 {
		t.Errorf("of 300 requests that wait %d failed, on %d connections; want 0 on 1", wrong.Load(), dials.Load())
	}
}

// versions connects as old and odd clients do.
func versions(t *testing.T, h *httpsNode) {
	t.Helper()
	for _, c := range []struct {
		name     string
		change   func(*tls.Config)
		protocol string
		refused  bool
	}{
		{"no protocol", func(*tls.Config) {}, "", false},
		{"HTTP/1.1", func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} }, "http/1.1", false},
		{"HTTP/2", func(c *tls.Config) { c.NextProtos = []string{"http/1.1", "h2"} }, "h2", false},
		{"TLS 1.2", func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, "", false},
		{"TLS 1.1", func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }, "", true},
		{"an address", func(c *tls.Config) { c.ServerName = "127.0.0.1" }, "", false},
	} {
		config := h.authority.Client("localhost")
		c.change(config)
		conn, err := tls.Dial("tcp", h.addr(), config)
		if refused := err != nil; refused != c.refused {
			t.Errorf("%s: %v", c.name, err)
		}
		if err != nil {
			continue
		}
		if got := conn.ConnectionState().NegotiatedProtocol; got != c.protocol {
			t.Errorf("%s: the protocol is %q, want %q", c.name, got, c.protocol)
		}
		_ = conn.Close()
	}
	r, err := systemtest.Fetch(t.Context(), h.URL+"/talk/") // http at the port of https
	if err != nil || r.Status != http.StatusBadRequest {
		t.Errorf("without TLS: %v, status %d, want 400", err, r.Status)
	}
}

// withoutTLS asks the plain listener.
func withoutTLS(t *testing.T, h *httpsNode) {
	t.Helper()
	for path, want := range map[string]int{
		"/talk/": http.StatusPermanentRedirect, "/studio/talk": http.StatusPermanentRedirect,
		"/talk/index.m3u8": http.StatusOK, "/talk/aac-48/live.m3u8": http.StatusOK, "/healthz": http.StatusOK,
		"/api/v1/stations/talk": http.StatusForbidden,
	} {
		r, err := systemtest.Fetch(t.Context(), "http://"+h.plain+path)
		if err != nil || r.Status != want {
			t.Errorf("%s: %v, status %d, want %d", path, err, r.Status, want)
		}
		if to := r.Header.Get("Location"); r.Status == http.StatusPermanentRedirect && to != "https://localhost"+path {
			t.Errorf("%s: it leads to %q", path, to)
		}
	}
	if status := get(t, "http://"+h.plain+"/admin/metadata?mode=updinfo&mount=/ice/talk&song=x", h.Secret("canary-of-a-token")); status != http.StatusUnauthorized {
		t.Errorf("a wrong token: status %d, want 401", status)
	}
}

// TestCertificateChange: a new certificate is shown to whoever comes, and nobody who is
// there is cut off: not a speaker, not a listener, not a connection.
func TestCertificateChange(t *testing.T) {
	t.Parallel()
	h := startHTTPS(t)
	source := h.speak(t, 9*time.Second)
	h.AwaitLog("on air", "state=live")
	listener := exec.CommandContext(t.Context(), systemtest.Program(t, systemtest.Racing), "listen", h.url("/talk/"),
		"--ca", h.authority.File, "--for", "6s", "--slack", "10s", "--json")
	var report bytes.Buffer
	listener.Stdout = &report
	progress, err := listener.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := progress.Read(make([]byte, 10)); err != nil { // it listens
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, progress) }()
	var dials atomic.Int32
	client := h.client(&dials)
	shown := func() int64 {
		conn, err := tls.Dial("tcp", h.addr(), h.authority.Client("localhost"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	old := fetch(t, client, h.url("/talk/index.m3u8"))
	ends := h.Figures()["longwave_tls_certificate_expiry_timestamp_seconds"]

	serial := h.authority.Renew(h.cert, h.key, 5*24*time.Hour, "localhost")
	h.Signal(syscall.SIGHUP)
	h.Await("the new certificate", func() bool { return shown() == serial })
	if now := h.Figures()["longwave_tls_certificate_expiry_timestamp_seconds"]; ends-now < 84*24*3600 {
		t.Errorf("the end of the certificate: %.0f before, %.0f now", ends, now)
	}
	h.authority.Renew(h.cert, filepath.Join(t.TempDir(), "elsewhere"), time.Hour, "localhost")
	h.Signal(syscall.SIGHUP)
	h.AwaitLog("level=ERROR", "the new certificate is no good: the old one stays", "private key does not match")
	if got := shown(); got != serial {
		t.Errorf("after files that are no good it shows certificate %d, want %d", got, serial)
	}
	if !ready(h.Node) {
		t.Error("it is not ready")
	}
	again := fetch(t, client, h.url("/talk/index.m3u8"))
	if !old.cert.Equal(again.cert) || dials.Load() != 1 {
		t.Errorf("the old connection was not kept: %d were made", dials.Load())
	}
	if err := listener.Wait(); err != nil && listener.ProcessState.ExitCode() != 1 {
		t.Errorf("listen: %v", err)
	}
	judgeHeard(t, report.String())
	if err := source.Wait(); err != nil {
		t.Errorf("ffmpeg: %v", err)
	}
	h.AwaitLog("source ended", "result=ended")
	if n := h.Count("lane opened"); n != 1 {
		t.Errorf("%d lanes were opened, want 1", n)
	}
	h.Stop()
}

// TestBrowserTrusts: a browser that trusts the certificate takes the pages for secure,
// gives the studio a microphone, and speaks HTTP/2.
func TestBrowserTrusts(t *testing.T) {
	t.Parallel()
	h := startHTTPS(t)
	pair, err := tls.LoadX509KeyPair(h.cert, h.key)
	if err != nil {
		t.Fatal(err)
	}
	trust := sha256.Sum256(pair.Leaf.RawSubjectPublicKeyInfo)
	for path, want := range map[string]string{
		"https://radio.test/studio/talk": `{"secure":true,"microphones":1,"protocol":"h2"}`,
		"http://radio.test/studio/talk":  `{"secure":true,"microphones":1,"protocol":"h2"}`, // it is led there
		"https://radio.test/talk/":       `{"secure":true,"microphones":0,"protocol":"h2"}`, // nobody speaks there
		"http://radio.test/healthz":      `{"secure":false,"microphones":0,"protocol":"http/1.1"}`,
	} {
		cmd := exec.CommandContext(t.Context(), "node", "testdata/secure.mjs", path, h.addr(), h.plain, base64.StdEncoding.EncodeToString(trust[:]))
		cmd.Stderr = t.Output()
		if out, err := cmd.Output(); err != nil || strings.TrimSpace(string(out)) != want {
			t.Errorf("%s: %v, %s, want %s", path, err, out, want)
		}
	}
	h.Stop()
}

// TestACME: a certificate comes from a real authority by either challenge and outlasts
// a kill -9; the authority is not needed then.
func TestACME(t *testing.T) {
	t.Parallel()
	for _, challenge := range []string{"http-01", "tls-alpn-01"} {
		t.Run(challenge, func(t *testing.T) {
			t.Parallel()
			byHTTP := challenge == "http-01"
			plain, unused := freePort(t), freePort(t)
			file := filepath.Join(t.TempDir(), "https.yaml") // written when the ports are known
			n := systemtest.New(t, systemtest.Options{Build: systemtest.Racing, Args: []string{"--config", file}})
			_, port, err := net.SplitHostPort(n.URL[len("http://"):])
			if err != nil {
				t.Fatal(err)
			}
			o := systemtest.PebbleOptions{HTTPPort: unused, TLSPort: port, Valid: 90 * 24 * time.Hour}
			listen := "off"
			if byHTTP {
				o.HTTPPort, o.TLSPort, listen = plain, unused, "127.0.0.1:"+plain
			}
			p := systemtest.StartPebble(t, o)
			text := fmt.Sprintf(`
public: https://radio.test
tls:
  plain: %q
  acme: {email: host@radio.test, directory: %q, ca_file: %q}
`, listen, p.Directory, p.CAFile) + httpAlone + small
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			n.Start()
			config := &tls.Config{RootCAs: p.Roots, ServerName: "radio.test"}
			first := awaitCertificate(n, config)
			n.AwaitLog("a certificate was fetched")
			n.Await("the figure", func() bool {
				return int64(n.Figures()["longwave_tls_certificate_expiry_timestamp_seconds"]) == first.NotAfter.Unix()
			})
			private(t, filepath.Join(n.Data, "tls"))
			awaitReady(n)
			p.End()
			tries := n.Count("fetching a certificate")
			n.Kill()
			n.Start()
			if again := awaitCertificate(n, config); !again.Equal(first) {
				t.Error("after kill -9 it shows another certificate")
			}
			awaitReady(n)
			if got := n.Count("fetching a certificate"); got != tries {
				t.Errorf("it fetched certificates %d times, %d before kill -9", got, tries)
			}
			n.Stop()
		})
	}
}

// awaitCertificate waits until the node shows a certificate that config trusts.
func awaitCertificate(n *systemtest.Node, config *tls.Config) *x509.Certificate {
	var leaf *x509.Certificate
	n.Await("a certificate", func() bool {
		conn, err := tls.Dial("tcp", n.URL[len("http://"):], config)
		if err != nil {
			return false
		}
		defer func() { _ = conn.Close() }()
		leaf = conn.ConnectionState().PeerCertificates[0]
		return true
	})
	return leaf
}

// private: nobody else reads keys.
func private(t *testing.T, dir string) {
	t.Helper()
	keys := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".key" {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			err = fmt.Errorf("%s: mode %v", path, info.Mode())
		}
		keys++
		return err
	})
	if info, statErr := os.Stat(dir); errors.Join(err, statErr) != nil || info.Mode().Perm() != 0o700 || keys < 2 {
		t.Errorf("%d keys, %v", keys, errors.Join(err, statErr))
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	addr, err := systemtest.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// TestNoAuthority: as long as no certificate is to be had the programme goes on, and
// the log says what to look at.
func TestNoAuthority(t *testing.T) {
	t.Parallel()
	nowhere := freePort(t)
	n := systemtest.Start(t, systemtest.Options{Build: systemtest.Racing, Config: fmt.Sprintf(`
public: https://radio.test
tls: {plain: "off", acme: {directory: "https://127.0.0.1:%s/dir"}}
`, nowhere) + httpAlone + small})
	n.AwaitLog("level=ERROR", "no certificate was given", "radio.test")
	awaitReady(n)
	if end := n.Figures()["longwave_tls_certificate_expiry_timestamp_seconds"]; end != 0 {
		t.Errorf("the end of no certificate: %g, want 0", end)
	}
	edge := now()
	n.Await("the programme to go on", func() bool { return n.Last("talk", "aac-48") > edge })
	n.Stop()
}
