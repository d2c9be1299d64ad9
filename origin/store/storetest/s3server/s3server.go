// Package s3server runs a real S3 server (versitygw) for tests: signatures,
// conditions, policies and errors are a server's, not a mock's.
//
//	srv := s3server.Start(t)
//	st, err := s3.New(ctx, s3.Options{Endpoint: srv.Endpoint, Bucket: srv.Bucket, …})
//
// The server is a child process on a free port of the loopback interface. It ends
// with the test; when the test process is killed, it ends as well.
//
// This package does not cut or slow the connection: put a proxy before it.
package s3server

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Region is the region that the server says it is in.
const Region = "eu-central-1"

// startTimeout bounds the wait for a server that was started: it answers after
// 0.2 s on a machine that is not loaded.
const startTimeout = 30 * time.Second

// A Server is a running S3 server with one empty bucket. Its addressing is by
// path (http://host:port/bucket/key).
type Server struct {
	Endpoint  string // http://127.0.0.1:port
	AccessKey string // of the account that may do everything
	SecretKey string
	Bucket    string

	bin  string
	dir  string
	addr string
	proc *process // nil when it does not run
}

// Start starts a server that lives as long as the test.
func Start(t testing.TB) *Server {
	t.Helper()
	bin, err := Build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{
		AccessKey: "AK" + rand.Text()[:18],
		SecretKey: rand.Text() + rand.Text(),
		bin:       bin,
		dir:       t.TempDir(),
	}
	t.Cleanup(s.Kill)
	for try := 0; ; try++ {
		s.addr = freeAddr(t)
		s.Endpoint = "http://" + s.addr
		err := s.start(t.Context())
		if err == nil {
			break
		}
		if try == 2 { // somebody took the port between freeAddr and start, thrice
			t.Fatal(err)
		}
	}
	s.Bucket = s.NewBucket(t)
	return s
}

// NewBucket makes another empty bucket and returns its name.
func (s *Server) NewBucket(t testing.TB) string {
	t.Helper()
	name := "test-" + strings.ToLower(rand.Text()[:12])
	if _, err := s.Client().CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
		t.Fatalf("make bucket: %v", err)
	}
	return name
}

// AllowRead lets anybody read the bucket's objects without credentials, as a CDN
// does, except private ones (below "_/"); with private, those too.
func (s *Server) AllowRead(t testing.TB, bucket string, private bool) {
	t.Helper()
	allow := `{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::%[1]s/*"}`
	if !private {
		// The server's root account, which is ours, is above policies. On AWS this
		// would deny ourselves: there it is an Allow with NotResource.
		allow += `, {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::%[1]s/_/*"}`
	}
	policy := fmt.Sprintf(`{"Version": "2012-10-17", "Statement": [`+allow+`]}`, bucket)
	_, err := s.Client().PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: &bucket, Policy: &policy})
	if err != nil {
		t.Fatalf("put bucket policy: %v", err)
	}
}

// Client returns a client with all rights.
func (s *Server) Client() *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: &s.Endpoint,
		Region:       Region,
		UsePathStyle: true,
		Credentials:  credentials.NewStaticCredentialsProvider(s.AccessKey, s.SecretKey, ""),

		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
	})
}

// CredentialsFile writes the server's keys into a file such as ~/.aws/credentials
// and returns its path.
func (s *Server) CredentialsFile(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "credentials")
	text := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", s.AccessKey, s.SecretKey)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Kill ends the server at once, as kill -9 does. The objects stay.
func (s *Server) Kill() {
	if s.proc != nil {
		s.proc.kill()
		s.proc = nil
	}
}

// Restart starts the server again after Kill, at the same address and with the
// same objects.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Kill()
	if err := s.start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// start runs the server and waits until it answers.
func (s *Server) start(ctx context.Context) error {
	cmd := exec.Command(s.bin, s.addr, s.dir, Region)
	cmd.Env = append(os.Environ(), "LONGWAVE_S3_ACCESS_KEY="+s.AccessKey, "LONGWAVE_S3_SECRET_KEY="+s.SecretKey)
	p, err := startProcess(cmd)
	if err != nil {
		return fmt.Errorf("start S3 server: %w", err)
	}
	if err := p.ready(ctx, s.Endpoint+"/healthz"); err != nil {
		p.kill()
		return err
	}
	s.proc = p
	return nil
}

// freeAddr returns a port of the loopback interface that nobody listens on.
func freeAddr(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// A process is a child that does not outlive us: it reads the end of its input
// when we are gone, and the kernel kills it.
type process struct {
	cmd   *exec.Cmd
	stdin io.Closer
	out   bytes.Buffer // what it printed; read it after ended is closed
	ended chan struct{}
	once  sync.Once
}

func startProcess(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &p.out, &p.out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	p.stdin = stdin
	started := make(chan error)
	go func() {
		// Pdeathsig is sent when the thread that forked ends, so it must last
		// as long as the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
			close(p.ended)
		}
	}()
	return p, <-started
}

func (p *process) kill() {
	p.once.Do(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
		_ = p.stdin.Close()
	})
}

// ready waits until the server answers 200 at url.
func (p *process) ready(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		select {
		case <-p.ended:
			return fmt.Errorf("S3 server ended: %v\n%s", p.cmd.ProcessState, p.out.String())
		case <-ctx.Done():
			return fmt.Errorf("S3 server does not answer: %w", ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			continue
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return nil
		}
	}
}
