package main_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"longwave/cmd/longwave/systemtest"
	"longwave/packager/hls"
)

// TestReady: the node is ready from its first part on, for as long as the live edge
// moves. While its process stands still nobody moves the
// edge; when it goes on, what it says first is that.
func TestReady(t *testing.T) {
	t.Parallel()
	n := systemtest.New(t, systemtest.Options{Config: small})
	n.Start()
	status := func(path string) (int, string) {
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		r, err := systemtest.Fetch(ctx, n.Ops+path)
		if err != nil {
			return 0, ""
		}
		if got := r.Header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: Cache-Control %q", path, got)
		}
		return r.Status, string(r.Body)
	}
	n.Await("healthz", func() bool { s, _ := status("/healthz"); return s == http.StatusOK })
	awaitReady(n)
	r, err := systemtest.Fetch(t.Context(), n.URL+"/talk/aac-48/live.m3u8")
	if err != nil || r.Status != http.StatusOK || parseMedia(t, r.Body).Last().Part == hls.Whole {
		t.Errorf("ready without a part: %v, status %d\n%s", err, r.Status, r.Body)
	}
	n.Signal(syscall.SIGSTOP)
	time.Sleep(4 * time.Second) // more than 1.5 target durations, in which it can tell nothing
	// What is written lies in the kernel, and some of it is read before anything is encoded.
	asked := make([]net.Conn, 32)
	for i := range asked {
		asked[i] = request(t, n.Ops, "/readyz")
	}
	n.Signal(syscall.SIGCONT)
	noticed := 0
	for _, conn := range asked {
		answer, err := io.ReadAll(conn)
		if err == nil && bytes.HasPrefix(answer, []byte("HTTP/1.1 503 ")) && bytes.Contains(answer, []byte("talk")) {
			noticed++
		}
	}
	if noticed == 0 {
		t.Error("it said that it was ready after 4 s in which the live edge stood still")
	}
	awaitReady(n)
	n.Stop()
}

// request writes a request and returns the connection, on which the answer comes and then
// the end.
func request(t *testing.T, base, path string) net.Conn {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path); err != nil {
		t.Fatal(err)
	}
	return conn
}

// TestNoLeaks: two hundred listeners who come, wait, and leave before they are
// answered, again and again, leave nothing behind.
func TestNoLeaks(t *testing.T) {
	t.Parallel()
	n := systemtest.Start(t, systemtest.Options{Config: small})
	awaitReady(n)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	visit := func() {
		edge := edgeOf(t, n, "/talk/aac-48/live.m3u8")
		ctx, cancel := context.WithCancel(t.Context())
		var visitors sync.WaitGroup
		for range 200 {
			visitors.Go(func() { wait(ctx, client, n, edge+1) })
		}
		n.Await("listeners to wait", func() bool { return n.Figures().Sum("longwave_origin_waiting_requests") >= 150 })
		cancel() // all leave at once, without a word
		visitors.Wait()
	}
	quiet := func() systemtest.Figures {
		n.Await("nobody to wait", func() bool { return n.Figures().Sum("longwave_origin_waiting_requests") == 0 })
		client.CloseIdleConnections()
		return n.Figures()
	}
	visit()
	before := quiet()
	for range 4 {
		visit()
	}
	var after systemtest.Figures
	const slack = 10 // stores, decoders and scrapes come and go
	n.Await("goroutines and files to come back", func() bool {
		after = quiet()
		return after.Sum("go_goroutines") <= before.Sum("go_goroutines")+slack &&
			after.Sum("process_open_fds") <= before.Sum("process_open_fds")+slack
	})
	t.Logf("goroutines %v, then %v; files %v, then %v", before.Sum("go_goroutines"), after.Sum("go_goroutines"),
		before.Sum("process_open_fds"), after.Sum("process_open_fds"))
	if left := after.Sum("longwave_origin_requests_total", `status="499"`); left < 800 {
		t.Errorf("%v listeners are counted that left, of 1,000", left)
	}
	n.Stop()
}

// wait asks for a segment that is to come, so that the request waits.
func wait(ctx context.Context, client *http.Client, n *systemtest.Node, msn int64) {
	url := fmt.Sprintf("%s/talk/aac-48/live.m3u8?_HLS_msn=%d", n.URL, msn)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return
	}
	if r, err := client.Do(req); err == nil {
		r.Body.Close()
	}
}
