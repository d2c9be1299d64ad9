package main_test

import (
	"context"
	"fmt"
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
	time.Sleep(4 * time.Second) // more than 1.5 target durations
	// Both requests wait in the kernel and are read before anything is encoded.
	answers := make(chan string, 32)
	var asked sync.WaitGroup
	for range cap(answers) {
		asked.Go(func() {
			r, err := systemtest.Fetch(t.Context(), n.Ops+"/readyz")
			if err == nil && r.Status == http.StatusServiceUnavailable && strings.Contains(string(r.Body), "talk") {
				answers <- string(r.Body)
			}
		})
	}
	time.Sleep(200 * time.Millisecond)
	n.Signal(syscall.SIGCONT)
	asked.Wait()
	if len(answers) == 0 {
		t.Error("it said that it was ready after 4 s in which the live edge stood still")
	}
	awaitReady(n)
	n.Stop()
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
