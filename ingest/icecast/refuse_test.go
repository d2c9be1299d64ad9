package icecast_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"longwave/ingest/decode/decodetest"
	"longwave/ingest/icecast"
	"longwave/ingest/icecast/icecasttest"
	"longwave/ingest/pcm"
)

// dial opens a connection to the station.
func (s *station) dial(t *testing.T) net.Conn {
	t.Helper()
	u, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	var d net.Dialer
	c, err := d.DialContext(t.Context(), "tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

// send writes head and body and returns all that comes back.
func (s *station) send(t *testing.T, head string, body []byte) string {
	t.Helper()
	c := s.dial(t)
	if _, err := io.WriteString(c, strings.ReplaceAll(head, "\n", "\r\n")); err != nil {
		t.Fatal(err)
	}
	_, _ = c.Write(body) // the server may have closed already
	_ = c.(*net.TCPConn).CloseWrite()
	b, err := io.ReadAll(c)
	if err != nil {
		t.Errorf("read the answer: %v (after %q)", err, b)
	}
	return string(b)
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\r\n")
	return line
}

const (
	goodBasic    = "Authorization: Basic c291cmNlOmdvb2QtdG9rZW4=\n" // source:good-token
	badBasic     = "Authorization: Basic c291cmNlOmJhZA==\n"         // source:bad
	expiredBasic = "Authorization: Basic eDpleHBpcmVkLXRva2Vu\n"     // x:expired-token
	busyBearer   = "Authorization: Bearer good-token-busy\n"
	goodBearer   = "Authorization: bearer good-token\n"
)

func opusTone(t *testing.T) []byte {
	return decodetest.Encode(t, time.Second, "-c:a", "libopus", "-page_duration", "20000", "-f", "ogg")
}

func chunked(b []byte) []byte {
	var out bytes.Buffer
	for len(b) > 0 {
		n := min(len(b), 777)
		fmt.Fprintf(&out, "%x\r\n%s\r\n", n, b[:n])
		b = b[n:]
	}
	out.WriteString("0\r\n\r\n")
	return out.Bytes()
}

// TestRequests says for every way to ask what is answered.
func TestRequests(t *testing.T) {
	sound := opusTone(t)
	noise := make([]byte, 100_000)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	for _, c := range []struct {
		name, head string
		body       []byte
		want       string // first line of the answer
		says       string // somewhere in it
		samples    int
	}{
		{"put with expect", "PUT /ice/talk HTTP/1.1\nHost: x\nExpect: 100-continue\n" + goodBasic + "\n", sound, "HTTP/1.1 100 Continue", "HTTP/1.1 200 OK", 48000},
		{"put without expect", "PUT /ice/talk HTTP/1.1\nHost: x\n" + goodBasic + "\n", sound, "HTTP/1.0 200 OK", "", 48000},
		{"put with a length", fmt.Sprintf("PUT /ice/talk HTTP/1.1\nHost: x\nContent-Length: %d\n%s\n", len(sound), goodBasic), sound, "HTTP/1.1 200 OK", "", 48000},
		{"put in chunks", "PUT /ice/talk HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\nExpect: 100-continue\n" + goodBearer + "\n", chunked(sound), "HTTP/1.1 100 Continue", "HTTP/1.1 200 OK", 48000},
		{"source 1.0", "SOURCE /ice/talk HTTP/1.0\n" + goodBasic + "\n", sound, "HTTP/1.0 200 OK", "", 48000},
		{"source 1.0 of length 0", "SOURCE /ice/talk HTTP/1.0\nContent-Length: 0\n" + goodBasic + "\n", sound, "HTTP/1.0 200 OK", "", 48000},
		{"source without credentials", "SOURCE /ice/talk HTTP/1.0\nContent-Length: 0\n\n", nil, "HTTP/1.0 401 Unauthorized", `Basic realm="longwave"`, 0},
		{"wrong token", "SOURCE /ice/talk HTTP/1.0\n" + badBasic + "\n", nil, "HTTP/1.0 401 Unauthorized", "token", 0},
		{"expired token", "PUT /ice/talk HTTP/1.1\nHost: x\n" + expiredBasic + "\n", nil, "HTTP/1.1 403 Forbidden", "not valid here", 0},
		{"another station", "PUT /ice/other HTTP/1.1\nHost: x\n" + goodBasic + "\n", nil, "HTTP/1.1 403 Forbidden", "not valid here", 0},
		{"no seat", "PUT /ice/talk HTTP/1.1\nHost: x\nExpect: 100-continue\n" + busyBearer + "\n", sound, "HTTP/1.1 100 Continue", "HTTP/1.1 503 Service Unavailable", 0},
		{"garbage by put", "PUT /ice/talk HTTP/1.1\nHost: x\nExpect: 100-continue\n" + goodBasic + "\n", noise, "HTTP/1.1 100 Continue", "415 Unsupported Media Type", 0},
		{"garbage by source", "SOURCE /ice/talk HTTP/1.0\n" + goodBasic + "\n", noise, "HTTP/1.0 200 OK", "not audio that can be decoded: got bytes that begin with", 0},
		{"garbage of known length", fmt.Sprintf("PUT /ice/talk HTTP/1.1\nHost: x\nContent-Length: %d\n%s\n", len(noise), goodBasic), noise, "HTTP/1.1 415 Unsupported Media Type", "send Ogg (Opus", 0},
		{"a page", "SOURCE /ice/talk HTTP/1.0\n" + goodBasic + "\n", []byte("<!DOCTYPE html><html><body>hello</body></html>"), "HTTP/1.0 200 OK", "got an HTML page", 0},
		{"nothing", "SOURCE /ice/talk HTTP/1.0\n" + goodBasic + "\n", nil, "HTTP/1.0 200 OK", "0 bytes and then the end", 0},
		{"a listener", "GET /ice/talk HTTP/1.0\n\n", nil, "HTTP/1.0 405 Method Not Allowed", "", 0},
		{"options", "OPTIONS * HTTP/1.1\nHost: x\nConnection: close\n\n", nil, "HTTP/1.1 200 OK", "", 0},
		{"status", "GET /status-json.xsl HTTP/1.0\n\n", nil, "HTTP/1.0 200 OK", "\r\n\r\n{\"icestats\":{\"source\":[]}}", 0},
		{"7", "GET /7.xsl HTTP/1.0\n\n", nil, "HTTP/1.0 200 OK", "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			st := newStation(t, icecast.Options{})
			answer := st.send(t, c.head, c.body)
			if got := firstLine(answer); got != c.want {
				t.Errorf("answer %q, want %q", got, c.want)
			}
			if !strings.Contains(answer, c.says) {
				t.Errorf("answer %q, want %q in it", answer, c.says)
			}
			if c.samples == 0 {
				if len(st.paths) > 0 {
					t.Error("a lane was opened")
				}
				return
			}
			p := st.next(t)
			if got := len(p.samples) / pcm.Channels; got != c.samples {
				t.Errorf("%d samples came, want %d", got, c.samples)
			}
		})
	}
}

// TestLoginsCounted: a request without credentials is how libshout asks, not a
// failed login; a wrong token is one, and its log line does not show it.
func TestLoginsCounted(t *testing.T) {
	st := newStation(t, icecast.Options{})
	st.send(t, "SOURCE /ice/talk HTTP/1.0\n\n", nil)
	st.send(t, "SOURCE /ice/talk HTTP/1.0\n"+badBasic+"\n", nil)
	st.send(t, "SOURCE /ice/talk HTTP/1.0\n"+expiredBasic+"\n", nil)
	err := testutil.GatherAndCompare(st.reg, strings.NewReader(`
# HELP longwave_icecast_failed_logins_total Requests with a token that is not ours or does not fit.
# TYPE longwave_icecast_failed_logins_total counter
longwave_icecast_failed_logins_total 2
# HELP longwave_icecast_sources_total Icecast sources that ended or were refused, by codec and result.
# TYPE longwave_icecast_sources_total counter
longwave_icecast_sources_total{codec="unknown",result="forbidden"} 1
longwave_icecast_sources_total{codec="unknown",result="unauthorized"} 1
`), "longwave_icecast_failed_logins_total", "longwave_icecast_sources_total")
	if err != nil {
		t.Error(err)
	}
	if got := strings.Count(st.log.String(), "\n"); got != 2 {
		t.Errorf("%d lines in the log, want 2:\n%s", got, st.log)
	}
	if strings.Contains(st.log.String(), "bad") || strings.Contains(st.log.String(), expired) {
		t.Errorf("the log shows a token:\n%s", st.log)
	}
}

// TestGarbageLeavesOthersAlone: one source turns to garbage, the other goes on.
func TestGarbageLeavesOthersAlone(t *testing.T) {
	st := newStation(t, icecast.Options{})
	done := make(chan error, 1)
	go func() {
		done <- icecasttest.Push(t.Context(), t, icecasttest.Source{
			Client: icecasttest.FFmpeg, Codec: icecasttest.MP3, URL: st.url, Token: token + "-other",
			File: tone(t, 2*time.Second), Duration: 2 * time.Second,
		})
	}()
	other := <-st.paths
	mp3 := decodetest.Encode(t, time.Second, "-c:a", "libmp3lame", "-write_xing", "0", "-f", "mp3")
	answer := st.send(t, "SOURCE /ice/talk HTTP/1.0\n"+goodBasic+"\n", append(mp3, bytes.Repeat([]byte("garbage! "), 20_000)...))
	if !strings.Contains(answer, "no mp3 frame in") {
		t.Errorf("answer %q, want that there is no frame", answer)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	<-other.done
	decodetest.Check(t, other.samples, 2*pcm.Rate, pcm.FrameSamples, -25)
}

// TestSilence: a source that sends nothing is ended.
func TestSilence(t *testing.T) {
	sound := opusTone(t)
	st := newStation(t, icecast.Options{Silence: 500 * time.Millisecond})
	c := st.dial(t)
	_, _ = io.WriteString(c, strings.ReplaceAll("PUT /ice/talk HTTP/1.1\nHost: x\nExpect: 100-continue\n"+goodBasic+"\n", "\n", "\r\n"))
	_, _ = c.Write(sound)
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), "HTTP/1.1 408 ") {
		t.Errorf("answer %q, want 408", b)
	}
	if p := st.next(t); len(p.samples) != 48000*pcm.Channels {
		t.Errorf("%d samples came, want all", len(p.samples)/pcm.Channels)
	}
	if n := testutil.ToFloat64(counter(t, st, "stalled")); n != 1 {
		t.Errorf("%v sources stalled, want 1; log:\n%s", n, st.log)
	}
}

// TestTakeover: the same token connects again; the new source is heard and the
// old connection ends.
func TestTakeover(t *testing.T) {
	st := newStation(t, icecast.Options{})
	head := strings.ReplaceAll("PUT /ice/talk HTTP/1.1\nHost: x\nExpect: 100-continue\n"+goodBasic+"\n", "\n", "\r\n")
	sound := opusTone(t)
	half := len(sound) / 2
	old := st.dial(t)
	_, _ = io.WriteString(old, head)
	_, _ = old.Write(sound[:half])
	first := <-st.paths
	st.send(t, strings.ReplaceAll(head, "\r\n", "\n"), sound)
	second := <-st.paths
	_, _ = old.Write(sound[half:])
	_ = old.(*net.TCPConn).CloseWrite()
	b, err := io.ReadAll(old)
	if err != nil || !strings.Contains(string(b), "503") || !strings.Contains(string(b), "the same token has connected again") {
		t.Errorf("the old connection got %q, %v, want 503", b, err)
	}
	<-first.done
	<-second.done
	if got := len(second.samples) / pcm.Channels; got != 48000 {
		t.Errorf("the new source gave %d samples, want 48000", got)
	}
}

// TestShutdown ends sources that are on air, with what they sent played out.
func TestShutdown(t *testing.T) {
	st := newStation(t, icecast.Options{})
	c := st.dial(t)
	_, _ = io.WriteString(c, strings.ReplaceAll("SOURCE /ice/talk HTTP/1.0\n"+goodBasic+"\n", "\n", "\r\n"))
	if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || !strings.Contains(line, "200") {
		t.Fatalf("answer %q, %v", line, err)
	}
	_, _ = c.Write(opusTone(t))
	p := <-st.paths
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := st.icecast.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.done:
	default:
		t.Error("Shutdown returned before the lane was closed")
	}
	answer := st.send(t, "PUT /ice/talk HTTP/1.1\nHost: x\nExpect: 100-continue\n"+goodBasic+"\n", opusTone(t))
	if !strings.Contains(answer, "503") {
		t.Errorf("a source after Shutdown got %q, want 503", answer)
	}
}

// TestParting: the log tells what is news from what somebody should look at.
func TestParting(t *testing.T) {
	sound := opusTone(t)
	for _, c := range []struct {
		name, head string
		body       []byte
		part       func(t *testing.T, st *station, c *net.TCPConn)
		want       string
	}{
		{"goodbye", "SOURCE /ice/talk HTTP/1.0\n" + goodBasic, sound, func(_ *testing.T, _ *station, c *net.TCPConn) { _ = c.CloseWrite() }, `level=INFO msg="source ended".* result=ended reason="the client closed the connection"`},
		{"shutdown on a lane", "SOURCE /ice/talk HTTP/1.0\n" + goodBasic, sound, shutdown, `level=INFO msg="source ended".* result=closed reason="server shuts down"`},
		{"shutdown before there is a format", "SOURCE /ice/talk HTTP/1.0\n" + goodBasic, []byte("Og"), shutdown, `level=INFO msg="source ended".* format=unknown result=closed reason="(read the first bytes: )?server shuts down"`},
		{"reset", "SOURCE /ice/talk HTTP/1.0\n" + goodBasic, sound, func(_ *testing.T, _ *station, c *net.TCPConn) { _, _ = c.SetLinger(0), c.Close() }, `level=WARN msg="source lost".* result=broken reason="the connection broke: read: connection reset by peer"`},
		{"silence", "SOURCE /ice/talk HTTP/1.0\n" + goodBasic, sound, nil, `level=WARN msg="source lost".* result=stalled reason="no sound for too long"`},
		{"wrong token", "SOURCE /ice/talk HTTP/1.0\n" + badBasic, nil, nil, `level=WARN msg="source refused" transport=icecast station=talk .* reason="no valid token"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			st := newStation(t, icecast.Options{Silence: 2 * time.Second})
			conn := st.dial(t).(*net.TCPConn)
			_, _ = io.WriteString(conn, strings.ReplaceAll(c.head+"\n", "\n", "\r\n"))
			_, _ = bufio.NewReader(conn).ReadString('\n')
			_, _ = conn.Write(c.body)
			if c.part != nil {
				if len(c.body) > 1000 {
					<-st.paths
				}
				c.part(t, st, conn)
			}
			ends := regexp.MustCompile(c.want)
			for began := time.Now(); !ends.MatchString(st.log.String()); time.Sleep(10 * time.Millisecond) {
				if time.Since(began) > 30*time.Second {
					t.Fatalf("log:\n%s, want\n%s", st.log, c.want)
				}
			}
		})
	}
}

func shutdown(t *testing.T, st *station, _ *net.TCPConn) {
	if err := st.icecast.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestEarlyTitle: one that comes before the first sound is kept.
func TestEarlyTitle(t *testing.T) {
	st := newStation(t, icecast.Options{})
	c := st.dial(t)
	_, _ = io.WriteString(c, strings.ReplaceAll("SOURCE /ice/talk HTTP/1.0\n"+goodBasic+"\n", "\n", "\r\n"))
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) { // it is answered before it is expected
		answer := st.send(t, "GET /admin/metadata?mode=updinfo&mount=/ice/talk&song=-+Early HTTP/1.0\n"+goodBasic+"\n", nil)
		if strings.HasPrefix(answer, "HTTP/1.0 200 ") {
			break
		}
		if time.Since(began) > 20*time.Second {
			t.Fatalf("answer %q", answer)
		}
	}
	_, _ = c.Write(opusTone(t))
	_ = c.(*net.TCPConn).CloseWrite()
	if diff := cmp.Diff([]string{"Early"}, st.next(t).titles); diff != "" {
		t.Errorf("titles (-want +got):\n%s", diff)
	}
}

// TestTitles: from the metadata request in each charset, and from the comment
// headers of a chained stream.
func TestTitles(t *testing.T) {
	st := newStation(t, icecast.Options{})
	c := st.dial(t)
	_, _ = io.WriteString(c, strings.ReplaceAll("SOURCE /ice/talk HTTP/1.0\n"+goodBasic+"\n", "\n", "\r\n"))
	link := func(title string) []byte {
		return decodetest.Encode(t, time.Second, "-c:a", "libopus", "-metadata", "title="+title, "-metadata", "artist=Ä", "-f", "ogg")
	}
	_, _ = c.Write(append(link("One"), link("Two")...))
	p := <-st.paths
	update := func(query, auth string) int {
		u, _ := url.Parse(st.url)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+u.Host+"/admin/metadata?"+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		if auth != "" {
			req.SetBasicAuth("source", auth)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		return resp.StatusCode
	}
	for _, u := range []struct {
		query, auth string
		want        int
	}{
		{"mode=updinfo&mount=/ice/talk&song=Gr%FC%DFe&charset=ISO-8859-1", token, 200},
		{"mode=updinfo&mount=/ice/talk&song=Gr%FC%DFe", token, 200},
		{"mode=updinfo&mount=/ice/talk&song=Gr%C3%BC%C3%9Fe&charset=UTF-8", token, 200},
		{"mode=updinfo&mount=/ice/talk&artist=A&title=B%0A%1B[31mC", token, 200},
		{"mode=updinfo&mount=/ice/talk&song=x", "", 401},
		{"mode=updinfo&mount=/ice/talk&song=x", "bad", 401},
		{"mode=updinfo&mount=/ice/other&song=x", token, 403},
		{"mode=updinfo&mount=/ice/talk&song=x", token + "-other", 404},
		{"mode=fallback&mount=/ice/talk", token, 400},
	} {
		if got := update(u.query, u.auth); got != u.want {
			t.Errorf("%s: %d, want %d", u.query, got, u.want)
		}
	}
	_ = c.Close()
	<-p.done
	want := []string{"A - B [31mC", "Grüße", "Grüße", "Grüße", "Ä - One", "Ä - Two"}
	got := sorted(p.titles)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("titles (-want +got):\n%s", diff)
	}
	if got := len(p.samples) / pcm.Channels; got != 2*48000 {
		t.Errorf("%d samples came, want 96000", got)
	}
}
