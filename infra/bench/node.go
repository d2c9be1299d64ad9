package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"longwave/cmd/longwave/systemtest/netns"
)

// station is the audience address of every node here.
const station = "talk"

// A child is a process of ours that ends with us.
type child struct {
	cmd  *exec.Cmd
	log  string        // where its standard error goes
	done chan struct{} // closed when it has ended
	err  error         // of its end
}

// start runs a command in the background. Its standard error goes to a file.
func (b *bench) start(name string, cmd *exec.Cmd) (*child, error) {
	log, err := os.CreateTemp(b.tmp, name+"-*.log")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Stderr = log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	c := &child{cmd: cmd, log: log.Name(), done: make(chan struct{})}
	go func() {
		c.err = cmd.Wait()
		close(c.done)
	}()
	return c, nil
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// stop ends the process: at once, since a second SIGTERM tells serve not to drain,
// and by force when it takes longer than 5 s.
func (c *child) stop() {
	for _, patience := range []time.Duration{300 * time.Millisecond, 5 * time.Second} {
		_ = c.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		select {
		case <-c.done:
			return
		case <-time.After(patience):
		}
	}
	c.kill()
}

// kill ends the process as kill -9 does.
func (c *child) kill() {
	_ = syscall.Kill(-c.pid(), syscall.SIGKILL) // it may have ended
	<-c.done
}

// said returns the end of what the process wrote to its standard error.
func (c *child) said() string {
	b, err := os.ReadFile(c.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-3):], " | ")
}

// A node is a `longwave serve`.
type node struct {
	*child
	base    string // http://host:port
	metrics string
	rtc     string // host:port of WebRTC
	data    string
	started time.Time
}

// nodeOptions say how a node runs.
type nodeOptions struct {
	profile string
	data    string    // folder; empty: a new one
	play    string    // file, over and over; "-" is stdin
	stdin   io.Reader // for play "-"
	// renditions are those of the station; nil: the default ladder. Where requests are
	// measured there are few, because encoding is done by the same process, and takes
	// more CPU the more the caches are used by others: it cannot just be taken off.
	renditions []string
	name       string   // of the node, where there are several
	second     string   // a hold: then there is a second station, "news", that plays nothing else
	more       []string // lines of the configuration
	command    string   // default "serve"
	// on is the host that it runs on; nil: this one. There it takes requests from all.
	on *netns.Host
}

// serve starts a node. It does not wait for it.
func (b *bench) serve(ctx context.Context, o nodeOptions) (*node, error) {
	var err error
	if o.data == "" {
		if o.data, err = os.MkdirTemp(b.tmp, "data"); err != nil {
			return nil, err
		}
	}
	ports, err := freePorts(ctx, 5)
	if err != nil {
		return nil, err
	}
	n := &node{base: "http://" + ports[0], metrics: "http://" + ports[1], rtc: ports[2], data: o.data}
	if err := os.WriteFile(n.config(), []byte(o.config(ports[2:])), 0o644); err != nil {
		return nil, err
	}
	cmd := o.cmd(ctx, filepath.Join(b.root, "bin", "longwave"), "--config", n.config(), "--metrics", ports[1], "--listen", ports[0])
	cmd.Stdin = o.stdin
	n.started = time.Now()
	n.child, err = b.start("serve", cmd)
	return n, err
}

// cmd returns the command that runs it.
func (o nodeOptions) cmd(ctx context.Context, program string, addresses ...string) *exec.Cmd {
	args := append([]string{cmp.Or(o.command, "serve"), "--data", o.data}, addresses...)
	if o.profile != "" {
		args = append(args, "--profile", o.profile)
	}
	if o.play != "" {
		args = append(args, "--play", o.play)
		if o.play != "-" {
			args = append(args, "--loop")
		}
	}
	if o.on == nil {
		return exec.CommandContext(ctx, program, args...)
	}
	for _, i := range []int{slices.Index(args, "--metrics") + 1, slices.Index(args, "--listen") + 1} {
		o.on.Forward(args[i]) //nolint:contextcheck // the stand's is made of it
	}
	i := slices.Index(args, "--listen") + 1
	args[i] = args[i][strings.LastIndex(args[i], ":"):]
	return o.on.Command(ctx, program, args...)
}

// config returns the configuration with ports of the node's own, so that several run
// on one machine.
func (o nodeOptions) config(ports []string) string {
	lines := []string{"stations:", "  - name: " + station}
	if o.renditions != nil {
		lines = append(lines, "    renditions: ["+strings.Join(o.renditions, ", ")+"]")
	}
	if o.second != "" {
		lines = append(lines, fmt.Sprintf("  - {name: news, profile: %s, renditions: [%s], hold: %q}", o.profile, strings.Join(o.renditions, ", "), o.second))
	}
	if o.name != "" {
		lines = append(lines, fmt.Sprintf("node: %q", o.name))
	}
	lines = append(lines, o.more...)
	for i, key := range []string{"rtc", "rtmp", "srt"} {
		lines = append(lines, fmt.Sprintf("%s: {listen: %q}", key, ports[i]))
	}
	return strings.Join(lines, "\n") + "\n"
}

func (n *node) config() string { return filepath.Join(n.data, "longwave.yaml") }

// url is the address of something of the station.
func (n *node) url(path string) string { return n.base + "/" + station + "/" + path }

// ready waits until the node says that its live edge moves.
func (n *node) ready(ctx context.Context) error {
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); {
		if _, err := get(ctx, n.metrics+"/readyz"); err == nil {
			return nil
		}
		select {
		case <-n.done:
			return fmt.Errorf("serve has ended (%w): %s", n.err, n.said())
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
	return fmt.Errorf("serve is not ready after 15 s: %s", n.said())
}

// get returns the body of a 200.
func get(ctx context.Context, url string) ([]byte, error) { return getEncoded(ctx, url, "") }

// getEncoded is get with an Accept-Encoding, and the body as it is.
func getEncoded(ctx context.Context, url, encoding string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	if encoding != "" {
		req.Header.Set("Accept-Encoding", encoding)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", url, err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("get %s: %s", url, resp.Status)
	}
	return body, nil
}

// freePorts returns addresses on which nobody listens.
func freePorts(ctx context.Context, n int) ([]string, error) {
	var lc net.ListenConfig
	var held []net.Listener // until all are chosen
	defer func() {
		for _, l := range held {
			l.Close()
		}
	}()
	var addrs []string
	for range n {
		l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		held, addrs = append(held, l), append(addrs, l.Addr().String())
	}
	return addrs, nil
}

// pause waits d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
