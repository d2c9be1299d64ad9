// Package cdn stands before an origin as somebody's CDN does, and fails as it is told.
// It caches nothing: what a real edge does to requests is shown with real edges.
//
// This package does not test: it has no opinion on what its listeners do.
package cdn

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A Fault is a way to fail.
type Fault string

// The faults. A CDN begins with [None].
const (
	None    Fault = ""
	Refused Fault = "refused" // nobody listens
	Absent  Fault = "404"     // 404 everywhere
	Broken  Fault = "503"     // 503 everywhere
	Hangs   Fault = "hangs"   // accepts and never answers
	Frozen  Fault = "frozen"  // media playlists stay as they are, with 200
	HTML    Fault = "html"    // a page with 200, whatever is asked for
	Mixed   Fault = "mixed"   // the bytes of another station, with 200: see [CDN.Mix]
)

// A CDN is one address. It is safe for concurrent use.
type CDN struct {
	addr     string
	proxy    *httputil.ReverseProxy
	requests atomic.Int64
	line     atomic.Pointer[Line]

	mu      sync.Mutex
	origin  *url.URL
	fault   Fault
	visits  visits
	changed chan struct{} // closed at the next change
	lists   map[string]copied
	asked   map[string]int // see [CDN.Asked]
	mixed   [2]string      // the station that is asked for, and the one that is given
	server  *http.Server
	control *http.Server // nil: none
}

// The visits of listeners with low latency, since the last change.
type visits struct {
	since   time.Time
	reloads []time.Time   // blocking ones
	idle    time.Duration // when the CDN began to fail: how long nobody had come
}

// end begins anew; idle is about times when the CDN was good.
func (v visits) end(now time.Time, good bool) visits {
	next := visits{since: now, idle: v.idle}
	if last := slices.MaxFunc(append(v.reloads, v.since), time.Time.Compare); good {
		next.idle = now.Sub(last)
	}
	return next
}

// A copied answer is what a frozen CDN has.
type copied struct {
	header http.Header
	body   []byte
}

// New opens a CDN on a free port of this machine. It must be closed.
func New(ctx context.Context) (*CDN, error) { return NewAt(ctx, "127.0.0.1") }

// NewAt is [New] for one of this machine's addresses, as in 127.0.0.2: some players take
// two CDNs of one host for one.
func NewAt(ctx context.Context, host string) (*CDN, error) {
	c := &CDN{changed: make(chan struct{}), lists: map[string]copied{}, asked: map[string]int{}}
	c.proxy = &httputil.ReverseProxy{
		Rewrite: c.rewrite, ModifyResponse: c.copy, ErrorLog: log.New(io.Discard, "", 0),
		Transport: &http.Transport{MaxIdleConnsPerHost: 64},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			w.Header().Set("Cache-Control", "no-store")
			w.Header().Set("Access-Control-Allow-Origin", "*")
			w.WriteHeader(http.StatusBadGateway)
		},
	}
	return c, c.listen(ctx, net.JoinHostPort(host, "0"))
}

// URL is the address of the CDN.
func (c *CDN) URL() string { return "http://" + c.addr }

// Requests returns how many it was asked, failed ones included.
func (c *CDN) Requests() int64 { return c.requests.Load() }

// Reloads returns when the CDN last began or ceased to fail, and when since then listeners
// with low latency asked for playlists, which probes do not do.
func (c *CDN) Reloads() (since time.Time, at []time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.visits.since, slices.Clone(c.visits.reloads)
}

// Idle returns for how long no listener with low latency had come when the CDN began to fail.
func (c *CDN) Idle() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.visits.idle
}

// note keeps when a blocking reload came.
func (c *CDN) note(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.visits.reloads = append(c.visits.reloads, at)
}

// Origin says where the CDN gets things from, as in http://127.0.0.1:8080.
func (c *CDN) Origin(base string) error {
	u, err := url.Parse(base)
	if err != nil {
		return fmt.Errorf("origin %q: %w", base, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.origin = u
	return nil
}

// Mix says which station is given for which when the fault is [Mixed].
func (c *CDN) Mix(asked, given string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mixed = [2]string{asked, given}
}

// Fail changes how the CDN fails. Requests under way feel it too.
func (c *CDN) Fail(ctx context.Context, f Fault) error {
	c.mu.Lock()
	old := c.fault
	c.fault = f
	c.visits = c.visits.end(time.Now(), old == None)
	close(c.changed)
	c.changed = make(chan struct{})
	server := c.server
	c.mu.Unlock()
	switch {
	case f == Refused && old != Refused:
		return server.Close()
	case f != Refused && old == Refused:
		return c.listen(ctx, c.addr)
	}
	return nil
}

// Close ends it.
func (c *CDN) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.control != nil {
		_ = c.control.Close()
	}
	return c.server.Close()
}

// listen opens the port; one that was just closed may need a moment.
func (c *CDN) listen(ctx context.Context, addr string) error {
	var l net.Listener
	var err error
	for range 50 {
		if l, err = new(net.ListenConfig).Listen(ctx, "tcp", addr); err == nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil {
		return fmt.Errorf("CDN: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.addr = l.Addr().String()
	c.server = &http.Server{Handler: c, ReadHeaderTimeout: 10 * time.Second, ConnContext: withConn}
	go func(s *http.Server) { _ = s.Serve(slowListener{l}) }(c.server) // ends by Close
	return nil
}

// ready says whether there is an origin.
func (c *CDN) ready() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.origin != nil
}

// state returns the fault and what is closed when it changes.
func (c *CDN) state() (Fault, chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fault, c.changed
}

// ServeHTTP implements http.Handler.
func (c *CDN) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.requests.Add(1)
	c.arrive(r)
	if r.URL.Query().Has("_HLS_msn") {
		c.note(time.Now())
	}
	fault, changed := c.state()
	if c.fail(w, r, fault, changed) {
		return
	}
	if !c.ready() {
		c.proxy.ErrorHandler(w, r, nil)
		return
	}
	// An answer that the origin holds back belongs to the fault that has come meanwhile.
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	go func() {
		select {
		case <-changed:
			if f, _ := c.state(); f != None && f != Mixed {
				cancel(errFault)
			}
		case <-ctx.Done():
		}
	}()
	rec := &late{ResponseWriter: w}
	c.proxy.ServeHTTP(rec, r.WithContext(ctx))
	if errors.Is(context.Cause(ctx), errFault) && !rec.begun {
		fault, changed = c.state()
		c.fail(w, r, fault, changed)
	} else if rec.held != 0 {
		w.WriteHeader(rec.held)
	}
}

var errFault = errors.New("the CDN began to fail")

// A late answer keeps an error of the proxy back: the fault may have an answer of its own.
type late struct {
	http.ResponseWriter
	begun bool
	held  int
}

func (l *late) WriteHeader(status int) {
	if status == http.StatusBadGateway {
		l.held = status
		return
	}
	l.begun = true
	l.ResponseWriter.WriteHeader(status)
}

func (l *late) Write(b []byte) (int, error) {
	l.begun = true
	return l.ResponseWriter.Write(b)
}

// fail answers as the fault has it; false when there is none that answers.
func (c *CDN) fail(w http.ResponseWriter, r *http.Request, fault Fault, changed chan struct{}) bool {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	var status int
	switch fault {
	case Absent:
		status = http.StatusNotFound
	case Broken:
		status = http.StatusServiceUnavailable
	case HTML:
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<!doctype html><title>Just a moment</title><p>Checking your browser")
		return true
	case Hangs:
		select {
		case <-changed:
		case <-r.Context().Done():
		}
		panic(http.ErrAbortHandler)
	case Frozen:
		return c.repeat(w, r)
	default:
		w.Header().Del("Access-Control-Allow-Origin")
		return false
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	return true
}

// repeat answers with the playlist that was the newest before.
func (c *CDN) repeat(w http.ResponseWriter, r *http.Request) bool {
	c.mu.Lock()
	list, ok := c.lists[r.URL.Path]
	c.mu.Unlock()
	if !ok {
		w.Header().Del("Access-Control-Allow-Origin") // the origin sends one
		return false
	}
	maps.Copy(w.Header(), list.header)
	_, _ = w.Write(list.body)
	return true
}

// rewrite sends a request to the origin.
func (c *CDN) rewrite(r *httputil.ProxyRequest) {
	c.mu.Lock()
	origin, fault, mixed := c.origin, c.fault, c.mixed
	c.mu.Unlock()
	r.SetURL(origin)
	r.Out.Host = origin.Host
	if rest, ok := strings.CutPrefix(r.Out.URL.Path, "/"+mixed[0]+"/"); ok && fault == Mixed && mixed[0] != "" {
		r.Out.URL.Path = "/" + mixed[1] + "/" + rest
	}
}

// copy keeps the newest whole playlist of each address, for when it is to stay.
func (c *CDN) copy(resp *http.Response) error {
	path := resp.Request.URL.Path
	if resp.StatusCode != http.StatusOK || !strings.HasSuffix(path, "/live.m3u8") || resp.Request.URL.Query().Has("_HLS_skip") {
		return nil
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if err := resp.Body.Close(); err != nil {
		return err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lists[path] = copied{resp.Header.Clone(), body}
	return nil
}

// Control opens a second address that takes faults from a command line: GET /?fault=503.
// It is closed with the CDN's end.
func (c *CDN) Control(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("CDN: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.control = &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := c.Fail(r.Context(), Fault(r.URL.Query().Get("fault"))); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})}
	go func(s *http.Server) { _ = s.Serve(l) }(c.control) // ends by Close
	return "http://" + l.Addr().String(), nil
}
