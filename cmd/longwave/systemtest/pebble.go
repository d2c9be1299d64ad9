package systemtest

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"
)

// A Pebble is a real authority that gives certificates by ACME, in a process of its own.
// It finds every host on this machine.
type Pebble struct {
	Directory string // its address
	CAFile    string // who signed that address
	Roots     *x509.CertPool

	end func()
}

// PebbleOptions say where it asks for proof that a host is somebody's, and how long its
// certificates last.
type PebbleOptions struct {
	HTTPPort, TLSPort string
	Valid             time.Duration
}

// pebble is built once for all tests; what was built before is in Go's cache.
var pebble = sync.OnceValues(func() (string, error) {
	dir, err := folder()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "pebble")
	_, here, _, _ := runtime.Caller(0)
	cmd := exec.Command("go", "build", "-o", path, ".")
	cmd.Dir = filepath.Join(filepath.Dir(here), "pebble")
	cmd.Env = append(os.Environ(), "GOFLAGS=-buildvcs=false", "GOWORK=off", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the authority: %w\n%s", err, out)
	}
	return path, nil
})

// StartPebble starts an authority that ends with the test at the latest.
func StartPebble(t testing.TB, o PebbleOptions) *Pebble {
	t.Helper()
	program, err := pebble()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, o.HTTPPort, o.TLSPort, strconv.Itoa(int(o.Valid.Seconds())))
	var said lines
	cmd.Stderr = &said
	stdin, err := cmd.StdinPipe() // it ends when we do, however we do
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &Pebble{CAFile: filepath.Join(t.TempDir(), "pebble.pem"), Roots: x509.NewCertPool()}
	p.end = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_, _ = io.Copy(io.Discard, stdout)
		_ = cmd.Wait()
		stdin.Close()
	})
	t.Cleanup(func() {
		p.end()
		if t.Failed() {
			fmt.Fprintf(t.Output(), "what the authority said:\n%s\n", said.String())
		}
	})
	var told struct{ Directory, Own, Root string }
	if err := json.NewDecoder(stdout).Decode(&told); err != nil {
		t.Fatalf("the authority does not start: %v\n%s", err, said.String())
	}
	p.Directory = told.Directory
	if !p.Roots.AppendCertsFromPEM(bytes.TrimSpace([]byte(told.Root))) {
		t.Fatal("the authority has no root")
	}
	if err := os.WriteFile(p.CAFile, []byte(told.Own), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// End ends the authority: from now on it cannot be reached.
func (p *Pebble) End() { p.end() }
