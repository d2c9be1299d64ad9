package studio_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing/synctest"
	"time"
)

// An event is one of a stream's.
type event struct {
	name, id string
	data     []byte
	at       time.Time
}

// A listener reads an event stream.
type listener struct {
	r      *room
	status int
	header http.Header
	mu     sync.Mutex
	events []event
	done   chan struct{}
	stop   context.CancelFunc
	body   io.ReadCloser
}

// listen opens an event stream and collects what comes.
func (r *room) listen(text, lastID string) *listener {
	r.t.Helper()
	l := r.openStream(text, lastID)
	go l.read()
	synctest.Wait()
	return l
}

// openStream opens an event stream that nobody reads.
func (r *room) openStream(text, lastID string) *listener {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://studio/api/v1/stations/talk/events", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+text)
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	l := &listener{r: r, status: resp.StatusCode, header: resp.Header, done: make(chan struct{}), stop: cancel, body: resp.Body}
	r.t.Cleanup(func() {
		cancel()
		resp.Body.Close()
	})
	return l
}

func (l *listener) read() {
	defer close(l.done)
	lines := bufio.NewScanner(l.body)
	lines.Buffer(nil, 1<<20)
	var e event
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch field {
		case "event":
			e.name = value
		case "id":
			e.id = value
		case "data":
			e.data = []byte(value)
		case "":
			if e.name != "" || value != "" {
				e.at = time.Now()
				l.mu.Lock()
				l.events = append(l.events, e)
				l.mu.Unlock()
			}
			e = event{}
		}
	}
	if err := lines.Err(); err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, io.EOF) {
		l.r.t.Logf("event stream: %v", err)
	}
}

// close leaves the stream.
func (l *listener) close() {
	l.stop()
	<-l.done
	synctest.Wait()
}

// named returns the events of one name so far.
func (l *listener) named(name string) []event {
	l.mu.Lock()
	defer l.mu.Unlock()
	var some []event
	for _, e := range l.events {
		if e.name == name {
			some = append(some, e)
		}
	}
	return some
}

// check holds the events against the document: all but the levels, of which the last
// hundred do.
func (l *listener) check() {
	l.r.t.Helper()
	for name, schema := range map[string]string{"state": "Snapshot", "levels": "Levels", "news": "News", "bye": "Bye"} {
		all := l.named(name)
		for _, e := range all[max(len(all)-100, 0):] {
			l.r.document.fits(l.r.t, component(schema), e.data)
		}
	}
}

// state returns the last snapshot that came.
func (l *listener) state() map[string]any {
	l.r.t.Helper()
	all := l.named("state")
	if len(all) == 0 {
		l.r.t.Fatal("no state came")
	}
	var v map[string]any
	if err := json.Unmarshal(all[len(all)-1].data, &v); err != nil {
		l.r.t.Fatal(err)
	}
	return v
}
