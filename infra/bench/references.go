package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"longwave/packager"
	"longwave/packager/hls"
)

// nginxConf is one worker that sends files, without a log, as nginx is fastest.
const nginxConf = `daemon off;
worker_processes 1;
pid %[1]s/nginx.pid;
error_log %[1]s/error.log;
events { worker_connections 1024; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000;
  open_file_cache max=10;
  open_file_cache_valid 1s;
  client_body_temp_path %[1]s/t1;
  proxy_temp_path %[1]s/t2;
  fastcgi_temp_path %[1]s/t3;
  uwsgi_temp_path %[1]s/t4;
  scgi_temp_path %[1]s/t5;
  server { listen %[2]s; root %[1]s; }
}
`

// A reference is a server to compare with. It serves one file.
type reference struct {
	*child
	name   string
	worker int    // the process that counts
	file   string // what it serves
	url    string
}

// references starts the servers that there are.
func (b *bench) references(ctx context.Context) ([]*reference, error) {
	var refs []*reference
	bare, err := b.startBare(ctx)
	if err != nil {
		return nil, fmt.Errorf("bare net/http: %w", err)
	}
	refs = append(refs, bare)
	nginx, err := b.startNginx(ctx)
	switch {
	case errors.Is(err, exec.ErrNotFound):
		b.say("there is no nginx to compare with: apt-get install nginx-light")
	case err != nil:
		bare.stop()
		return nil, fmt.Errorf("nginx: %w", err)
	default:
		refs = append(refs, nginx)
	}
	return refs, nil
}

// pull measures what a request for data costs.
func (r *reference) pull(ctx context.Context, data []byte) (float64, error) {
	if err := os.WriteFile(r.file, data, 0o644); err != nil {
		return 0, err
	}
	if err := awaitHTTP(ctx, r.url, len(data)); err != nil {
		return 0, err
	}
	p, err := wrk(ctx, r.worker, referenceTime, r.url)
	return micros(p.cost), err
}

// newReference starts a command that is to serve file at addr.
func (b *bench) newReference(ctx context.Context, name, addr string, cmd *exec.Cmd) (*reference, error) {
	r := &reference{name: name, file: filepath.Join(cmd.Dir, "file"), url: "http://" + addr + "/file"}
	if err := os.WriteFile(r.file, make([]byte, 500), 0o644); err != nil {
		return nil, err
	}
	var err error
	if r.child, err = b.start("reference", cmd); err != nil {
		return nil, err
	}
	r.worker = r.pid()
	if err := awaitHTTP(ctx, r.url, 0); err != nil {
		r.stop()
		return nil, fmt.Errorf("%w: %s", err, r.said())
	}
	return r, nil
}

// startNginx starts an nginx with one worker. The error is [exec.ErrNotFound] where
// there is no nginx.
func (b *bench) startNginx(ctx context.Context) (*reference, error) {
	program, err := exec.LookPath("nginx")
	if err != nil {
		if program, err = exec.LookPath("/usr/sbin/nginx"); err != nil {
			return nil, exec.ErrNotFound
		}
	}
	dir, err := os.MkdirTemp(b.tmp, "nginx")
	if err != nil {
		return nil, err
	}
	for _, d := range []string{b.tmp, dir} { // its worker may be another user
		if err := os.Chmod(d, 0o755); err != nil {
			return nil, err
		}
	}
	ports, err := freePorts(ctx, 1)
	if err != nil {
		return nil, err
	}
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, nginxConf, dir, ports[0]), 0o644); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program, "-c", conf, "-p", dir, "-e", filepath.Join(dir, "error.log"))
	cmd.Dir = dir
	r, err := b.newReference(ctx, "nginx", ports[0], cmd)
	if err != nil {
		return nil, err
	}
	if r.worker, err = onlyChild(r.pid()); err != nil {
		r.stop()
		return nil, err
	}
	return r, nil
}

// startBare starts a server that is net/http and nothing else.
func (b *bench) startBare(ctx context.Context) (*reference, error) {
	dir, err := os.MkdirTemp(b.tmp, "bare")
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(ctx, 1)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "bare", ports[0], "file")
	cmd.Dir = dir
	return b.newReference(ctx, "bare net/http", ports[0], cmd)
}

// A bareServer answers with a file, at once or when a part has ended by the clock.
type bareServer struct {
	path    string
	profile packager.Profile
	body    atomic.Pointer[[]byte]
	part    atomic.Pointer[barePart]
}

// A barePart is the part under way.
type barePart struct {
	number int64
	over   chan struct{}
}

// runBare is the process that startBare starts: an address, and a file that is read
// anew when its length has changed.
func runBare(args []string) error {
	if len(args) != 2 {
		return errors.New("want an address and a file")
	}
	profile, err := packager.ParseProfile(waitingProfile)
	if err != nil {
		return err
	}
	s := &bareServer{path: args[1], profile: profile}
	s.part.Store(&barePart{number: partNumber(time.Now(), profile), over: make(chan struct{})})
	if err := s.read(); err != nil {
		return err
	}
	go s.watch()
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", args[0])
	if err != nil {
		return err
	}
	server := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: s}
	return server.Serve(l)
}

func (s *bareServer) read() error {
	data, err := os.ReadFile(s.path)
	s.body.Store(&data)
	return err
}

// watch reads the file again when it has changed, and ends the parts.
func (s *bareServer) watch() {
	for now := range time.Tick(5 * time.Millisecond) {
		if fi, err := os.Stat(s.path); err == nil && fi.Size() != int64(len(*s.body.Load())) {
			_ = s.read() // the next tick reads again
		}
		if n := partNumber(now, s.profile); n > s.part.Load().number {
			close(s.part.Swap(&barePart{number: n, over: make(chan struct{})}).over)
		}
	}
}

var (
	bareType  = []string{"audio/mp4"}
	bareCache = []string{"public, max-age=3600"}
)

// ServeHTTP implements [http.Handler].
func (s *bareServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.RawQuery != "" {
		d, err := hls.ParseDirectives(r.URL.RawQuery)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		wanted := d.At.MSN*int64(s.profile.Parts()) + int64(d.At.Part)
		for p := s.part.Load(); p.number <= wanted; p = s.part.Load() {
			select {
			case <-p.over:
			case <-r.Context().Done():
				return
			}
		}
	}
	data := *s.body.Load()
	h := w.Header()
	h["Content-Type"], h["Cache-Control"] = bareType, bareCache
	h["Content-Length"] = []string{strconv.Itoa(len(data))}
	w.Write(data)
}

// awaitHTTP waits until a server answers with so many bytes, or any number for 0.
func awaitHTTP(ctx context.Context, url string, length int) error {
	for range 100 {
		body, err := get(ctx, url)
		if err == nil && (length == 0 || len(body) == length) {
			return nil
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s does not answer", url)
}

// onlyChild returns the one process that a process has started.
func onlyChild(parent int) (int, error) {
	all, err := processes()
	if err != nil {
		return 0, err
	}
	pids := family(all, parent)
	if len(pids) != 2 {
		return 0, fmt.Errorf("process %d has started %s, not one", parent, strings.Trim(fmt.Sprint(pids[1:]), "[]"))
	}
	return pids[1], nil
}
