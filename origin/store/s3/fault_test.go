package s3_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"longwave/origin/store"
	"longwave/origin/store/s3"
	"longwave/origin/store/storetest/s3server"
)

// A proxy stands before the server. meddle answers a request itself, or returns
// false to have it passed on.
type proxy struct {
	*httputil.ReverseProxy
	meddle func(p *proxy, w http.ResponseWriter, r *http.Request) bool
	mu     sync.Mutex
	seen   []string // "PUT If-Match" and so on
}

func before(t *testing.T, srv *s3server.Server, meddle func(*proxy, http.ResponseWriter, *http.Request) bool) (p *proxy, address string) {
	t.Helper()
	to, err := url.Parse(srv.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	p = &proxy{meddle: meddle}
	p.ReverseProxy = &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host // it is signed
	}}
	ts := httptest.NewServer(p)
	t.Cleanup(ts.Close)
	return p, ts.URL
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	did := r.Method
	for _, h := range []string{"If-None-Match", "If-Match"} {
		if r.Header.Get(h) != "" {
			did += " " + h
		}
	}
	p.mu.Lock()
	p.seen = append(p.seen, did)
	p.mu.Unlock()
	if p.meddle == nil || !p.meddle(p, w, r) {
		p.ReverseProxy.ServeHTTP(w, r)
	}
}

// first reports whether this is the first request of its kind.
func (p *proxy) first(did string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, s := range p.seen {
		if s == did {
			n++
		}
	}
	return n == 1
}

// puts returns the number of writes so far.
func (p *proxy) puts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, did := range p.seen {
		if strings.HasPrefix(did, "PUT") {
			n++
		}
	}
	return n
}

// forget begins to count anew.
func (p *proxy) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = nil
}

// cut closes the connection without an answer.
func cut(http.ResponseWriter) { panic(http.ErrAbortHandler) }

// answer sends an error as S3 does.
func answer(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("X-Amz-Request-Id", "REQ123")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<?xml version=\"1.0\"?><Error><Code>%s</Code><Message>two\nlines</Message><RequestId>REQ123</RequestId></Error>", code)
}

// TestAnswerLost: the write is done, its answer is lost, and the next try meets
// what the first has left. That is a success, with each condition.
func TestAnswerLost(t *testing.T) {
	srv := s3server.Start(t)
	p, address := before(t, srv, func(p *proxy, w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPut || p.puts() != 1 {
			return false
		}
		p.ReverseProxy.ServeHTTP(httptest.NewRecorder(), r)
		cut(w)
		return true
	})
	o := options(t, srv)
	o.Endpoint = address
	s := open(t, o)
	private := store.Private("settings")
	for _, tt := range []struct {
		name store.Name
		cond func() store.Condition
		want []string
	}{
		{"talk/a/1.m4s", func() store.Condition { return store.Always }, []string{"PUT If-None-Match", "PUT If-None-Match", "GET"}},
		{private, func() store.Condition { return store.IfAbsent }, []string{"PUT If-None-Match", "PUT If-None-Match", "HEAD"}},
		{private, func() store.Condition {
			info, err := s.Head(t.Context(), private)
			if err != nil {
				t.Fatal(err)
			}
			return store.IfMatch(info.ETag)
		}, []string{"PUT If-Match", "PUT If-Match", "HEAD"}},
		{"talk/a/live.m3u8", func() store.Condition { return store.Always }, []string{"HEAD", "PUT If-None-Match", "PUT If-None-Match", "HEAD", "PUT If-Match"}},
		{"talk/a/live.m3u8", func() store.Condition { return store.Always }, []string{"PUT If-Match", "PUT If-Match", "HEAD", "PUT If-Match"}},
	} {
		cond := tt.cond()
		data := []byte(fmt.Sprint(tt.want, tt.name))
		p.forget()
		etag, err := s.PutIf(t.Context(), tt.name, data, cond)
		if err != nil {
			t.Errorf("put %q: %v", tt.name, err)
			continue
		}
		if !slices.Equal(p.seen, tt.want) {
			t.Errorf("put %q: requests %q, want %q", tt.name, p.seen, tt.want)
		}
		got, err := s.Get(t.Context(), tt.name)
		if err != nil || string(got.Data) != string(data) || got.ETag != etag {
			t.Errorf("get %q: %q with %q, %v; put said %q", tt.name, got.Data, got.ETag, err, etag)
		}
	}
}

// TestPasses: failures that pass by themselves are tried again.
func TestPasses(t *testing.T) {
	srv := s3server.Start(t)
	for _, tt := range []struct {
		name   string
		meddle func(w http.ResponseWriter)
	}{
		{"slow down", func(w http.ResponseWriter) { answer(w, 503, "SlowDown") }},
		{"internal error", func(w http.ResponseWriter) { answer(w, 500, "InternalError") }},
		{"two conditional writes met", func(w http.ResponseWriter) { answer(w, 409, "ConditionalRequestConflict") }},
		{"connection cut", cut},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, address := before(t, srv, func(p *proxy, w http.ResponseWriter, _ *http.Request) bool {
				if !p.first("PUT If-None-Match") {
					return false
				}
				tt.meddle(w)
				return true
			})
			o := options(t, srv)
			o.Endpoint = address
			if _, err := open(t, o).PutIf(t.Context(), "talk/a/1.m4s", []byte("x"), store.Always); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestBodyCut: an object that does not come whole is an error, not an object.
func TestBodyCut(t *testing.T) {
	srv := s3server.Start(t)
	_, address := before(t, srv, func(_ *proxy, w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet {
			return false
		}
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, "half")
		w.(http.Flusher).Flush()
		cut(w)
		return true
	})
	o := options(t, srv)
	o.Endpoint = address
	got, err := open(t, o).Get(t.Context(), "talk/a/1.m4s")
	if err == nil || len(got.Data) > 0 {
		t.Errorf("got %q, %v", got.Data, err)
	}
}

// TestHang: a server that does not answer costs the timeout or the caller's
// patience, whichever is shorter, and the error says which.
func TestHang(t *testing.T) {
	srv := s3server.Start(t)
	stop := make(chan struct{})
	_, address := before(t, srv, func(_ *proxy, _ http.ResponseWriter, r *http.Request) bool {
		select {
		case <-stop:
		case <-r.Context().Done():
		}
		return true
	})
	t.Cleanup(func() { close(stop) })
	o := options(t, srv)
	o.Endpoint = address
	o.Timeout = 50 * time.Millisecond
	_, err := open(t, o).PutIf(t.Context(), "talk/a/1.m4s", []byte("x"), store.Always)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no answer from "+address+" within 50ms") {
		t.Errorf("timeout: %v", err)
	}
	o.Timeout = time.Hour
	why := errors.New("the part is worthless by now")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, why)
	defer cancel()
	s := open(t, o)
	for _, err := range []error{
		func() error { _, err := s.PutIf(ctx, "talk/a/1.m4s", []byte("x"), store.Always); return err }(),
		func() error { _, err := s.Get(ctx, "talk/a/1.m4s"); return err }(),
		s.Delete(ctx, "talk/a/1.m4s"),
	} {
		if !errors.Is(err, why) {
			t.Errorf("error %v, want %v", err, why)
		}
	}
}

// TestDown: a server that was killed is found again when it is back, with all
// that it had acknowledged.
func TestDown(t *testing.T) {
	srv := s3server.Start(t)
	o := options(t, srv)
	o.Tries = 1
	s := open(t, o)
	if _, err := s.PutIf(t.Context(), "talk/a/1.m4s", []byte("one"), store.Always); err != nil {
		t.Fatal(err)
	}
	srv.Kill()
	_, err := s.PutIf(t.Context(), "talk/a/2.m4s", []byte("two"), store.Always)
	// Refused, or the end of a connection that was open.
	if want := "cannot reach " + srv.Endpoint + ": "; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want one with %q", err, want)
	}
	srv.Restart(t)
	if _, err := s.PutIf(t.Context(), "talk/a/2.m4s", []byte("two"), store.Always); err != nil {
		t.Error(err)
	}
	for n, want := range map[store.Name]string{"talk/a/1.m4s": "one", "talk/a/2.m4s": "two"} {
		if o, err := s.Get(t.Context(), n); err != nil || string(o.Data) != want {
			t.Errorf("get %q: %q, %v", n, o.Data, err)
		}
	}
}

// wrong is a mistake in the options and what is said about it.
type wrong struct {
	name string
	edit func(t *testing.T, o *s3.Options)
	want string
}

func credentials(t *testing.T, access, secret string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "credentials")
	text := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", access, secret)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestProbeWrong: each mistake of set-up, against the real server, gives one line
// that says what to do and holds no credentials.
func TestProbeWrong(t *testing.T) {
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	srv := s3server.Start(t)
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	for _, tt := range []wrong{
		{"certificate", func(_ *testing.T, o *s3.Options) { o.Endpoint = untrusted.URL }, "is not to be trusted"},
		{"bucket", func(_ *testing.T, o *s3.Options) { o.Bucket = "no-such-bucket" }, `bucket "no-such-bucket" does not exist at ` + srv.Endpoint},
		{"secret key", func(t *testing.T, o *s3.Options) {
			o.CredentialsFile = credentials(t, srv.AccessKey, "CANARY-SECRET")
		}, "the secret key does not belong to the access key"},
		{"access key", func(t *testing.T, o *s3.Options) {
			o.CredentialsFile = credentials(t, "CANARYACCESS", "CANARY-SECRET")
		}, "does not know the access key"},
		{"region", func(_ *testing.T, o *s3.Options) { o.Region = "us-west-2" }, "is not in region us-west-2"},
		{"port", func(_ *testing.T, o *s3.Options) { o.Endpoint = "http://127.0.0.1:1" }, "cannot reach http://127.0.0.1:1: connection refused"},
		{"host", func(_ *testing.T, o *s3.Options) { o.Endpoint = "http://no-such-host.invalid" }, "cannot be resolved"},
		{"no credentials", func(t *testing.T, o *s3.Options) {
			o.CredentialsFile = filepath.Join(t.TempDir(), "empty")
			if err := os.WriteFile(o.CredentialsFile, []byte("[default]\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "no credentials: give a credentials file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := options(t, srv)
			o.Tries = 1
			tt.edit(t, &o)
			err := open(t, o).Probe(t.Context()).Err()
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("%v; want what says %q", err, tt.want)
			}
			for _, secret := range []string{"CANARY", srv.AccessKey, srv.SecretKey, "\n", "Signature="} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("%q is in %q", secret, err)
				}
			}
		})
	}
}

// TestCodes: what AWS says and the test's server does not.
func TestCodes(t *testing.T) {
	srv := s3server.Start(t)
	for _, tt := range []struct {
		status int
		code   string
		kind   error
		want   string
	}{
		{403, "ExpiredToken", store.ErrRefused, "the credentials have expired: renew them"},
		{403, "AccessDenied", store.ErrRefused, "need s3:PutObject"},
		{403, "RequestTimeTooSkewed", store.ErrRefused, "set it by NTP"},
		{301, "PermanentRedirect", store.ErrRefused, "is not in region"},
		{501, "NotImplemented", store.ErrRefused, "set single_writer"},
		{507, "QuotaExceeded", store.ErrFull, "raise it or keep less"},
		{503, "SlowDown", nil, "asks us to slow down"},
		{418, "Teapot", nil, "answers Teapot, status 418"},
	} {
		_, address := before(t, srv, func(_ *proxy, w http.ResponseWriter, _ *http.Request) bool {
			answer(w, tt.status, tt.code)
			return true
		})
		o := options(t, srv)
		o.Endpoint, o.Tries = address, 1
		_, err := open(t, o).PutIf(t.Context(), "talk/a/1.m4s", []byte("x"), store.Always)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") ||
			!strings.Contains(err.Error(), "request REQ123") {
			t.Errorf("%s: %v; want one line that says %q", tt.code, err, tt.want)
		}
		for _, kind := range []error{store.ErrRefused, store.ErrFull, store.ErrNotFound, store.ErrConflict} {
			if got, want := errors.Is(err, kind), errors.Is(tt.kind, kind); got != want {
				t.Errorf("%s: wraps %q: %v, want %v", tt.code, kind, got, want)
			}
		}
	}
}

// TestProbe: a good bucket has only good findings; what a bucket does wrong is
// found.
func TestProbe(t *testing.T) {
	srv := s3server.Start(t)
	strip := func(header string) func(*proxy, http.ResponseWriter, *http.Request) bool {
		return func(p *proxy, w http.ResponseWriter, r *http.Request) bool {
			rec := httptest.NewRecorder()
			p.ReverseProxy.ServeHTTP(rec, r)
			maps.Copy(w.Header(), rec.Header())
			w.Header().Del(header)
			if r.Method == http.MethodHead {
				w.Header().Set("Content-Length", strconv.Itoa(len(`{"probe":1}`)))
			}
			w.WriteHeader(rec.Code)
			_, _ = w.Write(rec.Body.Bytes())
			return true
		}
	}
	ignore := func(header string) func(*proxy, http.ResponseWriter, *http.Request) bool {
		return func(_ *proxy, w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPut || r.Header.Get(header) == "" {
				return false
			}
			w.Header().Set("ETag", `"x"`)
			return true
		}
	}
	for _, tt := range []struct {
		name   string
		meddle func(*proxy, http.ResponseWriter, *http.Request) bool
		edit   func(t *testing.T, o *s3.Options)
		fatal  string
		warn   string
	}{
		{name: "good"},
		{name: "read by a CDN", edit: func(t *testing.T, o *s3.Options) { srv.AllowRead(t, o.Bucket, false) }},
		{
			name:  "private objects can be read",
			edit:  func(t *testing.T, o *s3.Options) { srv.AllowRead(t, o.Bucket, true) },
			fatal: "private objects: anybody can read them",
		},
		{name: "single writer", edit: func(_ *testing.T, o *s3.Options) { o.SingleWriter = true }, warn: "conditions"},
		{name: "loses Cache-Control", meddle: strip("Cache-Control"), fatal: "Cache-Control: put"},
		{name: "loses Content-Type", meddle: strip("Content-Type"), fatal: "Content-Type: put"},
		{name: "ignores If-None-Match", meddle: ignore("If-None-Match"), fatal: "If-None-Match: ignored"},
		{name: "ignores If-Match", meddle: ignore("If-Match"), fatal: "If-Match: ignored"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := options(t, srv)
			_, o.Endpoint = before(t, srv, tt.meddle)
			if tt.edit != nil {
				tt.edit(t, &o)
			}
			s := open(t, o)
			r := s.Probe(t.Context())
			err := r.Err()
			if (err == nil) != (tt.fatal == "") || err != nil && !strings.Contains(err.Error(), tt.fatal) {
				t.Errorf("fatal: %v, want %q", err, tt.fatal)
			}
			for _, f := range r.Findings {
				if f.Level == store.Warning && f.Check != tt.warn {
					t.Errorf("warning: %v", f)
				}
			}
			for info, err := range s.List(t.Context(), "", "") {
				t.Errorf("the probe left %v, %v", info, err)
			}
		})
	}
}

func TestOptions(t *testing.T) {
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(t.TempDir(), "none"))
	for _, tt := range []struct {
		name string
		o    s3.Options
		want string // empty: no error
	}{
		{"AWS", s3.Options{Bucket: "b", Region: "eu-west-1"}, ""},
		{"other", s3.Options{Bucket: "b", Endpoint: "https://s3.example.com"}, ""},
		{"no bucket", s3.Options{Region: "eu-west-1"}, "no bucket"},
		{"no region", s3.Options{Bucket: "b"}, "no region"},
		{"prefix", s3.Options{Bucket: "b", Region: "x", Prefix: "a"}, "must end with a slash"},
		{"prefix", s3.Options{Bucket: "b", Region: "x", Prefix: "/a/"}, "not begin with one"},
		{"endpoint", s3.Options{Bucket: "b", Endpoint: "s3.example.com"}, "not an address"},
		{"password", s3.Options{Bucket: "b", Endpoint: "https://me:CANARY@s3.example.com"}, "holds a password"},
		{"password", s3.Options{Bucket: "b", Endpoint: "https://me:CANARY@s3.example.com:%zz"}, "not an address"},
		{"file", s3.Options{Bucket: "b", Region: "x", CredentialsFile: "/nonexistent/credentials"}, "credentials"},
	} {
		_, err := s3.New(t.Context(), tt.o)
		if tt.want == "" {
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "CANARY") {
			t.Errorf("%s: %v, want what says %q", tt.name, err, tt.want)
		}
	}
}
