// Package edges runs real caches, with the configuration that infra/edge writes, each in
// folders of its own and on a free port.
//
// This package does not judge what they do.
package edges

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"longwave/cmd/longwave/systemtest"
)

// patience bounds the start of an edge.
const patience = 60 * time.Second

// Shipped are the parameters with which infra/edge/README.md starts varnishd, for
// [Place].Args where times are measured.
var Shipped = []string{"-p", "thread_pool_max=12000", "-p", "timeout_linger=2"}

// A Place is what an edge stands before.
type Place struct {
	Origin string // http://host:port, or https
	Second string // the same of plain playlists; empty: nothing
	Secret string // shown to the origin; empty: none
	Cert   string // file that listeners are shown, with its key; empty: plain HTTP
	CA     string // file of the authority of an origin with https
	// Args are more arguments of Varnish, which otherwise takes little of the machine.
	Args []string
}

// An Edge is a cache that runs until the test ends.
type Edge struct {
	URL   string // http://127.0.0.1:port
	Pid   int    // of its first process
	Cache string // the folder of what it keeps, of nginx
	log   bytes.Buffer
}

// Varnish starts varnishd.
func Varnish(t testing.TB, p Place) *Edge {
	t.Helper()
	addr, dir := write(t, p)
	args := []string{
		"-F", "-j", "none", "-n", filepath.Join(dir, "work"), "-a", addr,
		"-f", filepath.Join(dir, "varnish", "default.vcl"), "-s", "malloc,64m", "-T", "none",
		"-p", "thread_pool_min=20", "-p", "vsl_space=1m",
	}
	return start(t, addr, exec.Command("varnishd", append(args, p.Args...)...))
}

// VarnishTLS starts varnishd behind a HAProxy that speaks TLS, and before one if the origin
// does.
func VarnishTLS(t testing.TB, p Place) *Edge {
	t.Helper()
	addr, dir := write(t, p)
	port, err := os.ReadFile(filepath.Join(dir, "tls-listen"))
	if err != nil {
		t.Fatal(err)
	}
	// First what Varnish asks for the origin's health.
	e := startTLS(t, "127.0.0.1:"+string(port), exec.Command("haproxy", "-db", "-f", filepath.Join(dir, "varnish", "haproxy.cfg")))
	startTLS(t, addr, exec.Command("varnishd", "-F", "-j", "none", "-n", filepath.Join(dir, "work"), "-a", addr+",PROXY",
		"-f", filepath.Join(dir, "varnish", "default.vcl"), "-s", "malloc,64m", "-T", "none", "-p", "thread_pool_min=20", "-p", "vsl_space=1m"))
	return e
}

// TrafficServer starts traffic_server.
func TrafficServer(t testing.TB, p Place) *Edge {
	t.Helper()
	addr, dir := write(t, p)
	cmd := exec.Command("traffic_server")
	cmd.Env = append(os.Environ(), "PROXY_CONFIG_CONFIG_DIR="+filepath.Join(dir, "ats"),
		"PROXY_CONFIG_LOCAL_STATE_DIR="+filepath.Join(dir, "run"), "PROXY_CONFIG_LOG_LOGFILE_DIR="+filepath.Join(dir, "log"),
		"PROXY_CONFIG_ADMIN_USER_ID=#-1") // whoever runs the test: its folders are nobody else's
	if p.Cert != "" {
		return startTLS(t, addr, cmd)
	}
	return start(t, addr, cmd)
}

// Nginx starts nginx; it reads the second alone.
func Nginx(t testing.TB, p Place) *Edge {
	t.Helper()
	addr, dir := write(t, p)
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	main := filepath.Join(dir, "nginx.conf")
	text := fmt.Sprintf("user %s; daemon off; pid run/pid; error_log stderr;\nevents {}\nhttp { access_log off; client_body_temp_path run/body; proxy_temp_path run/proxy; "+
		"fastcgi_temp_path run/fastcgi; uwsgi_temp_path run/uwsgi; scgi_temp_path run/scgi; include nginx/longwave.conf; }\n", me.Username)
	if err := os.WriteFile(main, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	e := start(t, addr, exec.Command("nginx", "-p", dir, "-c", main, "-e", "stderr"))
	e.Cache = filepath.Join(dir, "cache")
	return e
}

// write writes the configuration of all edges, for a free address.
func write(t testing.TB, p Place) (addr, dir string) {
	t.Helper()
	addr, err := systemtest.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	secret := filepath.Join(dir, "secret")
	cache := filepath.Join(dir, "cache")
	for _, d := range []string{cache, filepath.Join(dir, "run"), filepath.Join(dir, "log")} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(secret, []byte(p.Secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{
		"run", "longwave/infra/edge", "-listen", port,
		"-origin", strings.TrimPrefix(p.Origin, "http://"), "-second", strings.TrimPrefix(p.Second, "http://"),
		"-secret-file", secret, "-cache", cache, "-out", dir,
	}
	if p.Cert != "" {
		more := []string{"-cert", p.Cert, "-ca", p.CA}
		for _, name := range []string{"tls-listen", "inner"} {
			addr, err := systemtest.FreeAddr()
			if err != nil {
				t.Fatal(err)
			}
			_, port, _ := net.SplitHostPort(addr)
			more = append(more, "-"+name, port)
			if err := os.WriteFile(filepath.Join(dir, name), []byte(port), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		args = append(args, more...)
	}
	out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("infra/edge: %v\n%s", err, out)
	}
	return addr, dir
}

// start runs an edge in the foreground and waits until it answers.
func start(t testing.TB, addr string, cmd *exec.Cmd) *Edge {
	t.Helper()
	e := &Edge{URL: "http://" + addr}
	run(t, e, cmd, func() bool {
		r, err := http.Get(e.URL + "/healthz")
		if err == nil {
			_ = r.Body.Close()
		}
		return err == nil
	})
	return e
}

// startTLS runs what listens with TLS or with the PROXY protocol.
func startTLS(t testing.TB, addr string, cmd *exec.Cmd) *Edge {
	t.Helper()
	e := &Edge{URL: "https://" + strings.Replace(addr, "127.0.0.1", "localhost", 1)}
	run(t, e, cmd, func() bool {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return e
}

// run runs a program until the test ends, and waits until it is ready.
func run(t testing.TB, e *Edge, cmd *exec.Cmd, ready func() bool) {
	t.Helper()
	cmd.Stdout, cmd.Stderr = &e.log, &e.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatalf("set-up installs it: %v", err)
	}
	e.Pid = cmd.Process.Pid
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // its own group: its children, too
		<-ended
		if t.Failed() {
			t.Logf("what %s said:\n%s", filepath.Base(cmd.Path), e.log.String())
		}
	})
	for end := time.Now().Add(patience); !ready(); {
		select {
		case <-ended:
			t.Fatalf("%s has ended", cmd.Path)
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(end) {
			t.Fatalf("%s does not answer", cmd.Path)
		}
	}
}
