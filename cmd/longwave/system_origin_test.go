package main_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"longwave/cmd/longwave/systemtest"
	"longwave/ingest/pcm"
	"longwave/packager"
)

// originStation is what both sides of a push know.
const originStation = `
secret_file: %s
rtc: {listen: off}
rtmp: {listen: off}
srt: {listen: off}
stations:
  - name: talk
    renditions: [opus-24, aac-48, aac-96]
`

// newSecret returns a file that nodes share.
func newSecret(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret.key")
	if err := os.WriteFile(file, []byte("a secret that two nodes have"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// awaitHeard waits until a listener has what was made after now.
func awaitHeard(n *systemtest.Node, l *systemtest.Listener) {
	n.T().Helper()
	now := packager.MSN(pcm.At(time.Now()))
	n.Await("the live edge to be heard", func() bool { return l.Edge().MSN > now+1 })
}

// TestOrigin: an origin that is pushed to has the bytes of the node that pushes, at
// once and by the rules. It is killed, and has its window back: a listener misses
// nothing. The node is killed, and finds the origin as it is. Its end is the origin's.
func TestOrigin(t *testing.T) {
	t.Parallel()
	config := fmt.Sprintf(originStation, newSecret(t))
	edge := systemtest.Start(t, systemtest.Options{Build: systemtest.Racing, Command: "origin", Config: config})
	node := systemtest.Start(t, systemtest.Options{Build: systemtest.Racing, Config: config + "push:\n  - url: " + edge.URL + "\n"})
	ledger := &systemtest.Ledger{}
	there := &systemtest.Listener{Ledger: ledger, Station: "talk", Slack: time.Hour}
	here := &systemtest.Listener{Ledger: ledger, Station: "talk", Slack: time.Hour}
	systemtest.Listen(t, edge, there)
	systemtest.Listen(t, node, here)
	awaitHeard(edge, there)

	edge.Kill()
	edge.Start()
	begin := time.Now()
	awaitHeard(edge, there)
	t.Logf("heard again %v after the start", time.Since(begin))
	if m := there.Playlist("aac-48"); len(m.Segments) < 16 {
		t.Errorf("the origin that was killed lists %d segments: it has not got its window back", len(m.Segments))
	}

	node.Kill()
	node.Start()
	awaitHeard(edge, there)

	node.Stop()
	for _, rendition := range there.Renditions() {
		edge.Await("the end of "+rendition, func() bool { return there.Playlist(rendition).EndList })
	}
	edge.Stop()
	for _, f := range ledger.Found() {
		t.Error(f)
	}
}

// status asks for a URL, with header's name and value in turn, and returns the status
// and Cache-Control; 0 when nobody answers.
func status(t *testing.T, url string, header ...string) (int, string) {
	t.Helper()
	r, err := reach(t, url, header)
	if err != nil {
		return 0, ""
	}
	return r.Status, r.Header.Get("Cache-Control")
}

// bodyOf is the same, and returns the body.
func bodyOf(t *testing.T, url string, header ...string) (int, string) {
	t.Helper()
	r, err := reach(t, url, header)
	if err != nil {
		return 0, ""
	}
	return r.Status, string(r.Body)
}

func reach(t *testing.T, url string, header []string) (systemtest.Reply, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return systemtest.Reply{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return systemtest.Reply{Status: resp.StatusCode, Header: resp.Header, Body: body}, err
}

// TestOriginCutOff: an origin behind a shield answers the CDN alone, and is pushed to
// all the same. When nobody pushes any more its live playlists are 404, and never 503;
// the lists stay.
func TestOriginCutOff(t *testing.T) {
	t.Parallel()
	secrets := filepath.Join(t.TempDir(), "shield")
	if err := os.WriteFile(secrets, []byte("the secret of the CDN\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf(originStation, newSecret(t))
	edge := systemtest.Start(t, systemtest.Options{Build: systemtest.Racing, Command: "origin", Config: config + "shield: {secret_file: " + secrets + "}\n"})
	node := systemtest.Start(t, systemtest.Options{Build: systemtest.Racing, Config: config + "push: [{url: '" + edge.URL + "'}]\n"})
	cdn := []string{"X-Longwave-Shield", "the secret of the CDN"}
	live := edge.URL + "/talk/aac-48/live.m3u8"
	for _, url := range []string{live, edge.URL + "/talk/index.m3u8"} {
		edge.Await(url, func() bool { s, _ := status(t, url, cdn...); return s == http.StatusOK })
	}
	for _, path := range []string{"/talk/aac-48/live.m3u8", "/talk/index.m3u8", "/talk/", "/readyz"} {
		if s, cache := status(t, edge.URL+path); s != http.StatusForbidden || cache != "no-store" {
			t.Errorf("%s without the secret: status %d, Cache-Control %q", path, s, cache)
		}
	}
	if s, _ := status(t, edge.Ops+"/healthz"); s != http.StatusOK {
		t.Errorf("health on the operator's port: status %d", s)
	}
	// SIGTERM: load balancers are told at once, listeners are served for a while, and not
	// told that it is the end.
	edge.Await("readyz", func() bool { s, _ := status(t, edge.Ops+"/readyz"); return s == http.StatusOK })
	edge.Signal(syscall.SIGTERM)
	edge.Await("readyz to say so", func() bool { s, _ := status(t, edge.Ops+"/readyz"); return s == http.StatusServiceUnavailable })
	if s, body := bodyOf(t, live, cdn...); s != http.StatusOK || strings.Contains(body, "ENDLIST") {
		t.Errorf("while it ends: status %d\n%s", s, body)
	}
	if code := edge.Wait(); code != 0 {
		t.Errorf("exit code %d after SIGTERM", code)
	}
	edge.Start()
	for _, url := range []string{live, edge.URL + "/talk/index.m3u8"} {
		edge.Await(url, func() bool { s, _ := status(t, url, cdn...); return s == http.StatusOK })
	}

	node.Kill()
	edge.Await("the playlist to go", func() bool {
		s, _ := status(t, live, cdn...)
		if s != http.StatusOK && s != http.StatusNotFound {
			t.Errorf("status %d while nobody pushes", s)
		}
		return s == http.StatusNotFound
	})
	if s, _ := status(t, edge.URL+"/talk/index.m3u8", cdn...); s != http.StatusOK {
		t.Errorf("index.m3u8: status %d while nobody pushes, want 200", s)
	}
	edge.Stop()
}

// TestOriginFollows: an origin that reads the store of a node serves its plain playlists
// and segments, and tells when it cannot.
func TestOriginFollows(t *testing.T) {
	t.Parallel()
	config := fmt.Sprintf(originStation, newSecret(t))
	node := systemtest.Start(t, systemtest.Options{Build: systemtest.Racing, Config: config})
	ledger := &systemtest.Ledger{}
	here := &systemtest.Listener{Ledger: ledger, Station: "talk", Slack: time.Hour}
	systemtest.Listen(t, node, here)
	awaitHeard(node, here)
	edge := systemtest.Start(t, systemtest.Options{Build: systemtest.Racing, Command: "origin", Data: node.Data, Config: config + "origin: {follow: true}\n"})
	there := &systemtest.Listener{Ledger: ledger, Station: "talk", Slack: time.Hour}
	systemtest.Listen(t, edge, there)
	awaitHeard(edge, there)
	if s, _ := status(t, edge.URL+"/push/talk/status.json"); s != http.StatusNotFound {
		t.Errorf("/push/ of an origin that follows: status %d, want 404", s)
	}
	node.Stop()
	edge.Await("the end", func() bool { return there.Playlist("aac-48").EndList })
	edge.Stop()
	for _, f := range ledger.Found() {
		t.Error(f)
	}
}

// TestOriginForeign: ffmpeg pushes HLS to an origin, and ffmpeg plays it from there.
func TestOriginForeign(t *testing.T) {
	t.Parallel()
	config := fmt.Sprintf(originStation, newSecret(t))
	edge := systemtest.Start(t, systemtest.Options{Build: systemtest.Racing, Command: "origin", Config: config})
	key := edge.Token("talk", "--role", "origin")
	at := strings.TrimPrefix(edge.URL, "http://") + "/push/talk/"
	for name, args := range map[string][]string{
		"ts":   {"-headers", "Authorization: Bearer " + key + "\r\n", "http://" + at + "ts/live.m3u8"},
		"fmp4": {"-hls_segment_type", "fmp4", "http://encoder:" + key + "@" + at + "fmp4/live.m3u8"},
	} {
		source := []string{
			"-v", "error", "-nostdin", "-re", "-f", "lavfi", "-i", "sine=440", "-c:a", "aac",
			"-f", "hls", "-hls_time", "1", "-hls_flags", "delete_segments", "-method", "PUT",
		}
		cmd := exec.CommandContext(t.Context(), "ffmpeg", append(source, args...)...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		edge.Await("a playlist of "+name, func() bool { s, _ := status(t, edge.URL+"/talk/"+name+"/live.m3u8"); return s == http.StatusOK })
	}
	if s, _ := status(t, edge.URL+"/readyz"); s != http.StatusOK {
		t.Errorf("readyz while ffmpeg pushes: status %d", s)
	}
	for _, path := range []string{"ts/live.m3u8", "fmp4/live.m3u8", "index.m3u8"} {
		out, err := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-nostdin", "-i", edge.URL+"/talk/"+path,
			"-t", "1", "-f", "s16le", "-ac", "1", "-").Output()
		if err != nil || len(out) < 2*40_000 {
			t.Errorf("%s: ffmpeg plays %d bytes of a second: %v", path, len(out), err)
		}
	}
	if s, _ := status(t, edge.URL+"/talk/ts/../../x"); s != http.StatusNotFound {
		t.Errorf("a traversing path: status %d", s)
	}
	edge.Stop()
}
