// Package uplink is a bad line to a store, for tests: a proxy (toxiproxy) that all
// connections share, as they do a line of so many bytes a second.
//
//	l := uplink.Start(t, srv.Endpoint)
//	l.Limit(50_000)      // byte/s, upwards; downwards nothing is held up
//	l.Hang()             // it accepts, takes bytes, and never answers
//	l.Cut(); l.Mend()    // it refuses connections; all is well again
//
// Toxiproxy's own bandwidth is one connection's: eight uploads at a time would have
// eight times as much.
//
// This package does not lose or reorder packets.
package uplink

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/Shopify/toxiproxy/v2/stream"
	"github.com/Shopify/toxiproxy/v2/toxics"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// A Link is a line to one server.
type Link struct {
	Endpoint string // http://127.0.0.1:port, instead of the server's
	t        testing.TB
	proxy    *toxiproxy.Proxy
	line     *line
}

// Start opens a line to endpoint ("http://host:port") that lasts as long as the test.
func Start(t testing.TB, endpoint string) *Link {
	t.Helper()
	register()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	l := &Link{t: t, line: newLine()}
	l.proxy = toxiproxy.NewProxy(server, "store", "127.0.0.1:0", strings.TrimPrefix(endpoint, "http://"))
	if err := l.proxy.Start(); err != nil {
		t.Fatalf("start proxy: %v", err)
	}
	t.Cleanup(func() {
		l.line.set(0, false)
		l.proxy.Stop()
	})
	l.Endpoint = "http://" + l.proxy.Listen
	toxic := fmt.Sprintf(`{"type": %q, "stream": "upstream", "attributes": {"line": %d}}`, toxicType, l.line.id)
	if _, err := l.proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
		t.Fatalf("slow down the proxy: %v", err)
	}
	return l
}

// Limit gives the line so many byte/s, to all connections together.
func (l *Link) Limit(rate float64) { l.line.set(rate, false) }

// Hang has nothing go through any more.
func (l *Link) Hang() { l.line.set(0, true) }

// Cut ends all connections and refuses new ones.
func (l *Link) Cut() { l.proxy.Stop() }

// Mend makes the line good again.
func (l *Link) Mend() {
	l.t.Helper()
	l.line.set(0, false)
	if err := l.proxy.Start(); err != nil && err != toxiproxy.ErrProxyAlreadyStarted { //nolint:errorlint // never wrapped
		l.t.Fatalf("start proxy again: %v", err)
	}
}

const (
	toxicType = "longwave-line"
	// piece is what a connection sends before it is the next one's turn, in bytes.
	piece = 1_460
)

// lines are those of this process: a toxic is made from JSON, so it has a number.
var lines = struct {
	sync.Mutex
	all []*line
}{}

var register = sync.OnceFunc(func() { toxics.Register(toxicType, new(toxic)) })

// A line is what connections share.
type line struct {
	id      int
	mu      sync.Mutex
	rate    float64 // byte/s; 0: as fast as can be
	hung    bool
	free    time.Time     // of what is under way
	changed chan struct{} // closed when rate or hung change
}

func newLine() *line {
	lines.Lock()
	defer lines.Unlock()
	l := &line{id: len(lines.all), changed: make(chan struct{})}
	lines.all = append(lines.all, l)
	return l
}

func (l *line) set(rate float64, hung bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rate, l.hung, l.free = rate, hung, time.Time{}
	close(l.changed)
	l.changed = make(chan struct{})
}

// send waits until n bytes are through; it is false when the connection ended.
func (l *line) send(n int, ended <-chan struct{}) bool {
	for {
		l.mu.Lock()
		hung, changed := l.hung, l.changed
		var wait time.Duration
		if !hung && l.rate > 0 {
			if now := time.Now(); l.free.Before(now) {
				l.free = now
			}
			l.free = l.free.Add(time.Duration(float64(n) / l.rate * float64(time.Second)))
			wait = time.Until(l.free)
		}
		l.mu.Unlock()
		if !hung {
			select {
			case <-time.After(wait):
				return true
			case <-changed:
				continue
			case <-ended:
				return false
			}
		}
		select {
		case <-changed:
		case <-ended:
			return false
		}
	}
}

// A toxic is the line as one connection sees it.
type toxic struct {
	Line int `json:"line"`
}

// Pipe implements toxics.Toxic.
func (x *toxic) Pipe(stub *toxics.ToxicStub) {
	lines.Lock()
	l := lines.all[x.Line]
	lines.Unlock()
	for {
		select {
		case <-stub.Interrupt:
			return
		case chunk := <-stub.Input:
			if chunk == nil {
				stub.Close()
				return
			}
			for data := chunk.Data; len(data) > 0; {
				n := min(len(data), piece)
				if !l.send(n, stub.Interrupt) {
					return
				}
				stub.Output <- &stream.StreamChunk{Data: data[:n], Timestamp: chunk.Timestamp}
				data = data[n:]
			}
		}
	}
}
