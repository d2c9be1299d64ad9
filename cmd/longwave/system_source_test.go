package main_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"longwave/cmd/longwave/systemtest"
	"longwave/ingest/pcm"
	"longwave/packager"
	"longwave/packager/hls"
)

// TestTokens: a token that does not open the door is answered 401 or 403, with one
// line of the log that does not show it.
func TestTokens(t *testing.T) {
	t.Parallel()
	n := systemtest.Start(t, systemtest.Options{Build: systemtest.Racing, Config: small + "  - name: news\n    renditions: [aac-48]\n"})
	expired := n.Token("talk", "--expires", "1ms")
	tests := []struct {
		name, token string
		status      int
		reason      string // in the log
	}{
		{"expired", expired, http.StatusForbidden, "expired at"},
		{"of another station", n.Token("news"), http.StatusForbidden, `it is for station \"news\"`},
		{"of another role", n.Token("talk", "--role", "captioner"), http.StatusForbidden, "it is for the role captioner"},
		{"not ours", n.Secret("canary-8d1fd6a0c7"), http.StatusUnauthorized, "no valid token"},
		{"changed", n.Secret(change(n.Token("talk"))), http.StatusUnauthorized, "no valid token"},
	}
	awaitReady(n)
	for _, tt := range tests {
		before := n.Count("source refused")
		status := put(t, n, "talk", tt.token, []byte("OggS"))
		if status != tt.status {
			t.Errorf("a token %s: status %d, want %d", tt.name, status, tt.status)
		}
		n.Await("the line of the log", func() bool { return n.Count("source refused") > before })
		if n.Count("source refused", "station=talk", tt.reason) == 0 {
			t.Errorf("a token %s: no line of the log with %q", tt.name, tt.reason)
		}
	}
	before := len(n.Log())
	if status := put(t, n, "talk", "", nil); status != http.StatusUnauthorized {
		t.Errorf("no token: status %d, want 401: libshout asks so whether one is needed", status)
	}
	if said := n.Log()[before:]; said != "" {
		t.Errorf("no token: the log says %q", said)
	}
	if got := n.Figures().Sum("longwave_icecast_failed_logins_total"); int(got) != len(tests) {
		t.Errorf("%v failed logins are counted, want %d", got, len(tests))
	}
	if got := n.Count("refused"); got != len(tests) {
		t.Errorf("%d lines of the log, want one for each of the %d tokens", got, len(tests))
	}
	n.Stop()
}

// change returns another string of the same form.
func change(token string) string {
	last := token[len(token)-1]
	if last == 'A' {
		return token[:len(token)-1] + "Q"
	}
	return token[:len(token)-1] + "A"
}

// put sends body to a station's mount and returns the status of the answer.
func put(t *testing.T, n *systemtest.Node, station, token string, body []byte) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, n.URL+"/ice/"+station, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.SetBasicAuth("source", token)
	}
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	_, _ = io.Copy(io.Discard, r.Body)
	return r.StatusCode
}

// TestGarbage: a source that sends no audio, or stops sending it, is refused, and
// somebody else's sound on the same station goes on without a jump.
func TestGarbage(t *testing.T) {
	t.Parallel()
	n := systemtest.Start(t, systemtest.Options{Build: systemtest.Plain, Config: quietHold(t, "talk")})
	awaitReady(n)
	tone := startTone(t, n, "talk", 9*time.Second)
	n.AwaitLog("on air", "state=live")
	noise := make([]byte, 256<<10)
	rng := rand.NewChaCha8([32]byte{1})
	_, _ = rng.Read(noise)
	token := n.Token("talk", "--name", "Garbage")
	for name, body := range map[string][]byte{
		"noise":         noise,
		"zeros":         make([]byte, 256<<10),
		"a page":        []byte("<!doctype html><title>Log in</title>" + strings.Repeat("<p>text</p>\n", 1000)),
		"an image":      append([]byte("\x89PNG\r\n\x1a\n"), noise...),
		"half an Ogg":   append([]byte("OggS\x00\x02"), noise...),
		"MP3 that ends": append(bytes.Repeat([]byte("\xff\xfb\x90\x00"+strings.Repeat("\x00", 413)), 4), noise...),
		"AAC that ends": append(bytes.Repeat([]byte("\xff\xf1\x4c\x80\x02\x1f\xfc"+strings.Repeat("\x00", 9)), 4), noise...),
	} {
		answer := raw(t, n, "PUT /ice/talk HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+token+"\r\nExpect: 100-continue\r\n\r\n", body)
		if !strings.HasPrefix(answer, "HTTP/1.1 100 ") || !strings.Contains(answer, "\r\n\r\nHTTP/1.1 415 ") {
			t.Errorf("%s: answered %.120q, want 100 and then 415", name, answer)
		}
	}
	n.Await("seven refusals in the log, or losses of what began well", func() bool {
		return n.Count("source refused", "station=talk")+n.Count("source lost", "station=talk") == 7
	})
	from, to := tone.wait()
	n.Stop()
	judgeTone(t, n, "talk", "aac-96", window{from, to, tone.length})
}

// raw writes head and body to the node and returns all that comes back.
func raw(t *testing.T, n *systemtest.Node, head string, body []byte) string {
	t.Helper()
	c, err := net.Dial("tcp", n.URL[len("http://"):])
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, head); err != nil {
		t.Fatal(err)
	}
	_, _ = c.Write(body) // the server may have closed already
	_ = c.(*net.TCPConn).CloseWrite()
	b, _ := io.ReadAll(c) // an error is a reset after the answer
	return string(b)
}

func parseMedia(t *testing.T, text []byte) *hls.Media {
	t.Helper()
	m, err := hls.ParseMedia(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return m
}

// now returns the number of the segment of this moment.
func now() int64 { return packager.MSN(pcm.At(time.Now())) }

// quietHold is a configuration of stations with one rendition, and a hold that
// cannot be taken for a tone.
func quietHold(t *testing.T, stations ...string) string {
	t.Helper()
	var b strings.Builder
	hold := holdFile(t)
	b.WriteString("stations:\n")
	for _, s := range stations {
		fmt.Fprintf(&b, "  - {name: %q, renditions: [aac-96], hold: %q}\n", s, hold)
	}
	return b.String()
}
