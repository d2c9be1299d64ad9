package pull_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"longwave/ingest"
	"longwave/ingest/decode"
	"longwave/ingest/decode/decodetest"
	"longwave/ingest/ingesttest"
	"longwave/ingest/pull"
)

// TestClosed: the lane is closed from the other side, which is no failure; a source that
// the gate never lets in is one, and one for which there is no seat comes again.
func TestClosed(t *testing.T) {
	b := decodetest.Encode(t, time.Second, "-f", "wav")
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(b) }))
	defer srv.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	busy := 0
	for _, c := range []struct {
		name string
		gate func() (*path, error)
		want error
	}{
		{"closed", func() (*path, error) {
			d := &door{}
			p, err := d.Open(ctx, ingest.Claim{}, decode.Format{Codec: decode.WAV})
			p.refuse = ingest.ErrRemoved
			return p, err
		}, nil},
		{"refused", func() (*path, error) { return nil, ingest.ErrForbidden }, ingest.ErrForbidden},
		{"busy", func() (*path, error) {
			if busy++; busy == 3 {
				cancel()
			}
			return nil, ingest.ErrBusy
		}, context.Canceled},
	} {
		p, err := pull.New(opener(c.gate), pull.Options{Station: "talk", URL: srv.URL, AllowPrivate: loopback})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Run(ctx); !errors.Is(err, c.want) {
			t.Errorf("%s: Run = %v, want %v", c.name, err, c.want)
		}
	}
}

type opener func() (*path, error)

func (o opener) Open(context.Context, ingest.Claim, decode.Format) (*path, error) { return o() }

// TestBad: whatever the other side does it is counted, told once without secrets, and
// tried again.
func TestBad(t *testing.T) {
	forever := func(c net.Conn, head, s string) {
		_, err := io.WriteString(c, head)
		for err == nil {
			_, err = io.WriteString(c, s)
		}
	}
	drip := func(c net.Conn) {
		for {
			if _, err := c.Write([]byte{0}); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond) // as such a client does
		}
	}
	ok := "HTTP/1.1 200 OK\r\n\r\n"
	hlsHead := "#EXTM3U\n#EXT-X-TARGETDURATION:1\n"
	for _, c := range []struct {
		name, result string
		answer       func(net.Conn)
	}{
		{"not found", "status", func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n") }},
		{"closes", "broken", func(net.Conn) {}},
		{"garbage", "broken", func(c net.Conn) { _, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.2\r\n\r\n") }},
		{"endless headers", "broken", func(c net.Conn) { forever(c, "HTTP/1.1 200 OK\r\n", "X-A: "+strings.Repeat("a", 1000)+"\r\n") }},
		{"endless header", "broken", func(c net.Conn) { forever(c, "HTTP/1.1 200 OK\r\nX-A: ", strings.Repeat("a", 1000)) }},
		{"headers drip", "broken", func(c net.Conn) { drip(c) }},
		{"no body", "stalled", func(c net.Conn) { _, _ = io.WriteString(c, ok); _, _ = c.Read(make([]byte, 1)) }},
		{"body drips", "stalled", func(c net.Conn) { _, _ = io.WriteString(c, ok); drip(c) }},
		{"a page", "undecodable", func(c net.Conn) { _, _ = io.WriteString(c, ok+"<!DOCTYPE html><html>hello</html>") }},
		{"noise", "undecodable", func(c net.Conn) { forever(c, ok, strings.Repeat("no sound", 100)) }},
		{"endless list", "undecodable", func(c net.Conn) { forever(c, ok+"#EXTM3U\n", "# a comment\n") }},
		{"empty list", "undecodable", func(c net.Conn) { _, _ = io.WriteString(c, ok+"#EXTM3U\n") }},
		{"a list of itself", "undecodable", func(c net.Conn) { _, _ = io.WriteString(c, ok+"#EXTM3U\n/again\n") }},
		{"a list of files", "broken", func(c net.Conn) { _, _ = io.WriteString(c, ok+"#EXTM3U\nfile:///etc/passwd\n") }},
		{"a broken distance", "broken", func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nIcy-Metaint: -5\r\n\r\nx") }},
		{"a playlist without segments", "undecodable", func(c net.Conn) { _, _ = io.WriteString(c, ok+hlsHead) }},
		{"encrypted", "undecodable", func(c net.Conn) {
			_, _ = io.WriteString(c, ok+hlsHead+"#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXTINF:1,\na.ts\n#EXT-X-ENDLIST\n")
		}},
		{"segments that are none", "undecodable", func(c net.Conn) { _, _ = io.WriteString(c, ok+hlsHead+"#EXTINF:1,\na.ts\n#EXT-X-ENDLIST\n") }},
		{"segments elsewhere", "address", func(c net.Conn) {
			_, _ = io.WriteString(c, ok+hlsHead+"#EXTINF:1,\nhttp://169.254.169.254/latest/meta-data/\n#EXT-X-ENDLIST\n")
		}},
		{"an initialisation section elsewhere", "address", func(c net.Conn) {
			_, _ = io.WriteString(c, ok+hlsHead+"#EXT-X-MAP:URI=\"http://[fd00:ec2::254]/\"\n#EXTINF:1,\na.ts\n#EXT-X-ENDLIST\n")
		}},
		{"a variant elsewhere", "address", func(c net.Conn) {
			_, _ = io.WriteString(c, ok+"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=\"mp4a.40.2\"\nhttp://10.0.0.1/\n")
		}},
		{"a redirect to metadata", "address", func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest/meta-data/\r\nContent-Length: 0\r\n\r\n")
		}},
		{"a redirect to a file", "broken", func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n")
		}},
		{"redirects for ever", "broken", func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 302 Found\r\nLocation: /\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			u := strings.Replace(raw(t, c.answer), "http://", "http://user:secret@", 1) + "/a?key=secret"
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			r, log := prometheus.NewRegistry(), &ingesttest.Log{}
			p, err := pull.New(&door{}, pull.Options{
				Station: "talk", URL: u, AllowPrivate: loopback, Silence: 300 * time.Millisecond, Registry: r,
				Log: slog.New(slog.NewTextHandler(log, nil)),
			})
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- p.Run(ctx) }()
			count := func() float64 { return total(t, r, "longwave_pull_connections_total", c.result) }
			for count() < 2 && ctx.Err() == nil {
				time.Sleep(5 * time.Millisecond)
			}
			n := count()
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "secret") {
				t.Errorf("Run = %v, want %v", err, context.Canceled)
			}
			if n < 2 {
				all, _ := testutil.GatherAndCount(r, "longwave_pull_connections_total")
				t.Errorf("result %q was counted %v times, %d series\n%s", c.result, n, all, log)
			}
			if got := strings.Count(log.String(), "pull failed"); got != 1 {
				t.Errorf("the failure was logged %d times", got)
			}
			if strings.Contains(log.String(), "secret") {
				t.Errorf("the log holds a secret:\n%s", log)
			}
			if c.result == "address" && total(t, r, "longwave_pull_refused_addresses_total", "") < 2 {
				t.Error("the refused address was not counted")
			}
		})
	}
}

// total returns the value of a counter in r.
func total(t *testing.T, r *prometheus.Registry, name, result string) float64 {
	t.Helper()
	all, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			if len(m.GetLabel()) == 0 || m.GetLabel()[0].GetValue() == result {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}
