package systemtest

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait for something that must happen. It is far longer than
// anything takes: a machine under load is no defect.
const patience = 60 * time.Second

// Options say how a node is started. The zero value is one station "talk" with
// the default ladder.
type Options struct {
	Build   Build
	Command string   // default "serve"
	Config  string   // of the configuration file; addresses and data folder are set by flags
	Args    []string // more arguments of serve
	Env     []string // more of the environment
	Data    string   // default: a new folder
	// Wrap returns the command that runs the program in another way; nil runs it.
	Wrap func(program string, args []string) *exec.Cmd
}

// A Node is a program that serves, with its addresses and what it printed. Started
// again after its end, it has the same ones.
type Node struct {
	URL  string // of the audience: http://127.0.0.1:port
	Ops  string // of the operator: metrics and health
	Data string // the folder

	t       testing.TB
	opt     Options
	config  string
	cmd     *exec.Cmd
	ended   chan struct{}
	exit    int
	secrets []string
	out     lines // standard output of all runs
	log     lines // standard error of all runs
}

// Start starts a node that ends with the test at the latest.
func Start(t testing.TB, o Options) *Node {
	t.Helper()
	n := New(t, o)
	n.Start()
	return n
}

// New returns a node that does not run yet.
func New(t testing.TB, o Options) *Node {
	t.Helper()
	n := &Node{t: t, opt: o, Data: o.Data}
	for _, url := range []*string{&n.URL, &n.Ops} {
		addr, err := FreeAddr()
		if err != nil {
			t.Fatal(err)
		}
		*url = "http://" + addr
	}
	dir := t.TempDir()
	if n.Data == "" {
		n.Data = filepath.Join(dir, "data")
	}
	if o.Config != "" {
		n.config = filepath.Join(dir, "longwave.yaml")
		if err := os.WriteFile(n.config, []byte(o.Config), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(n.close)
	return n
}

// Start runs the program. It does not wait until it serves: see [Node.AwaitLive].
func (n *Node) Start() {
	n.t.Helper()
	args := []string{cmp.Or(n.opt.Command, "serve"), "--listen", n.URL[len("http://"):], "--metrics", n.Ops[len("http://"):], "--data", n.Data}
	if n.config != "" {
		args = append(args, "--config", n.config)
	}
	args = append(args, n.opt.Args...)
	program := Program(n.t, n.opt.Build)
	n.cmd = exec.Command(program, args...)
	if n.opt.Wrap != nil {
		n.cmd = n.opt.Wrap(program, args)
	}
	n.cmd.Env = append(append(os.Environ(), n.cmd.Env...), n.opt.Env...)
	n.cmd.Stdout, n.cmd.Stderr = &n.out, &n.log
	if n.cmd.SysProcAttr == nil {
		n.cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	n.cmd.SysProcAttr.Setpgid = true // so that its decoders can be ended with it
	if err := n.cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	n.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) {
		_ = cmd.Wait()
		n.exit = cmd.ProcessState.ExitCode()
		close(ended)
	}(n.cmd, n.ended)
}

// Pid returns the program's process.
func (n *Node) Pid() int { return n.cmd.Process.Pid }

// Kill ends the program at once, as a power cut does, but for the disk.
func (n *Node) Kill() {
	_ = syscall.Kill(-n.cmd.Process.Pid, syscall.SIGKILL)
	<-n.ended
}

// Signal sends the program a signal.
func (n *Node) Signal(s syscall.Signal) {
	n.t.Helper()
	if err := n.cmd.Process.Signal(s); err != nil {
		n.t.Fatal(err)
	}
}

// Wait waits until the program has ended and returns its exit code.
func (n *Node) Wait() int {
	n.t.Helper()
	select {
	case <-n.ended:
		return n.exit
	case <-time.After(patience):
		n.t.Fatalf("the program has not ended after %v", patience)
		return 0
	}
}

// Stop lets the program end for good, as Ctrl+C does, and fails the test unless it does so
// by itself with exit code 0.
func (n *Node) Stop() {
	n.t.Helper()
	n.end(syscall.SIGINT)
}

// HandOver ends the program as one that is started again does, see [Node.Stop].
func (n *Node) HandOver() {
	n.t.Helper()
	n.end(syscall.SIGTERM)
}

func (n *Node) end(s syscall.Signal) {
	n.t.Helper()
	n.Signal(s)
	if code := n.Wait(); code != 0 {
		n.t.Errorf("exit code %d after %v, want 0", code, s)
	}
}

// Ended reports whether the program has ended.
func (n *Node) Ended() bool {
	select {
	case <-n.ended:
		return true
	default:
		return false
	}
}

// Log returns what all runs wrote to standard error.
func (n *Node) Log() string { return n.log.String() }

// Output returns what all runs wrote to standard output.
func (n *Node) Output() string { return n.out.String() }

// Count returns how many lines of the log hold all of these.
func (n *Node) Count(of ...string) int {
	count := 0
	for line := range strings.Lines(n.Log()) {
		hit := true
		for _, s := range of {
			hit = hit && strings.Contains(line, s)
		}
		if hit {
			count++
		}
	}
	return count
}

// AwaitLog waits for a line of the log that holds all of these.
func (n *Node) AwaitLog(of ...string) {
	n.t.Helper()
	n.Await("a log line with "+strings.Join(of, " and "), func() bool { return n.Count(of...) > 0 })
}

// Await polls until done is true. It fails the test when that takes too long or
// when the program has ended.
func (n *Node) Await(what string, done func() bool) {
	n.t.Helper()
	end := time.Now().Add(patience)
	for !done() {
		if n.Ended() {
			n.t.Fatalf("waiting for %s: the program has ended with exit code %d", what, n.exit)
		}
		if time.Now().After(end) {
			n.t.Fatalf("waiting for %s: nothing in %v", what, patience)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Token returns a token made by the program, as an operator makes it; it must not
// be seen in the log. args are more arguments, as in "--expires", "1s".
func (n *Node) Token(station string, args ...string) string {
	n.t.Helper()
	all := []string{"token", "--data", n.Data, "--station", station}
	if n.config != "" {
		all = append(all, "--config", n.config)
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(n.t.Context(), Program(n.t, n.opt.Build), append(all, args...)...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		n.t.Fatalf("token: %v\n%s", err, stderr.String())
	}
	return n.Secret(strings.TrimSpace(string(out)))
}

// Secret notes that s must not be seen in the log, and returns it.
func (n *Node) Secret(s string) string {
	n.secrets = append(n.secrets, s)
	return s
}

// printedToken is a token as the program prints it for the operator: 27 to 48 bytes
// in base64url.
var printedToken = regexp.MustCompile(`[\w-]{36,64}`)

// close ends the program and looks over what it wrote.
func (n *Node) close() {
	if n.cmd != nil && !n.Ended() {
		n.Kill()
	}
	log := n.Log()
	for _, s := range append(n.secrets, printedToken.FindAllString(n.Output(), -1)...) {
		if strings.Contains(log, s) {
			n.t.Errorf("the log shows the secret %q", s)
		}
	}
	for _, s := range []string{"DATA RACE", "panic:", "goroutine 1 ["} {
		if strings.Contains(log, s) {
			n.t.Errorf("the log shows %q", s)
		}
	}
	if n.t.Failed() {
		const most = 8000
		fmt.Fprintf(n.t.Output(), "what the program said last:\n%s\n", log[max(0, len(log)-most):])
	}
}

// FreeAddr returns an address of the loopback interface that nobody listens on. Its
// port is not one that the kernel gives to outgoing connections, so it stays free
// while the node that uses it does not run.
func FreeAddr() (string, error) {
	var err error
	for range 100 {
		var l net.Listener
		l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000)))
		if err == nil {
			l.Close()
			return l.Addr().String(), nil
		}
	}
	return "", fmt.Errorf("no free port: %w", err)
}

// A lines is a buffer that may be read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
