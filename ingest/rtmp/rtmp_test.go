package rtmp_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"longwave/ingest/decode/decodetest"
	"longwave/ingest/decode/sandbox"
	"longwave/ingest/ingesttest"
	"longwave/ingest/rtmp"
)

func TestMain(m *testing.M) {
	sandbox.Main()
	os.Exit(m.Run())
}

// A station is a studio with a server before it.
type station struct {
	*ingesttest.Studio
	host string
	end  context.CancelFunc
	done chan error // what Run returned
}

func newStation(t *testing.T, o rtmp.Options) *station {
	t.Helper()
	st := &station{Studio: ingesttest.New(t), done: make(chan error, 1)}
	o.Address, o.Log, o.Registry = "127.0.0.1:0", st.Logger, st.Registry
	s := rtmp.New(st.Gate, o)
	if err := s.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	st.host = s.Addr().String()
	ctx, cancel := context.WithCancel(t.Context())
	st.end = cancel
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		st.done <- s.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return st
}

// recorded is newStation where sound is heard when it has all come.
func recorded(t *testing.T, o rtmp.Options) *station {
	t.Helper()
	st := newStation(t, o)
	st.Hold()
	return st
}

func (st *station) url(token string) string { return "rtmp://" + st.host + "/live/" + token }

// ffmpeg pushes a tone of d in real time and returns what the program said.
func ffmpeg(t *testing.T, url string, d time.Duration, args ...string) (string, error) {
	t.Helper()
	tone := fmt.Sprintf("sine=frequency=%v:sample_rate=48000:duration=%f", decodetest.Hz, d.Seconds())
	all := append([]string{"-hide_banner", "-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i", tone}, args...)
	cmd := exec.CommandContext(t.Context(), "ffmpeg", append(all, "-f", "flv", url)...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &said, &said, 5*time.Second
	err := cmd.Run()
	return said.String(), err
}

// result waits until a connection has ended so, and looks for tokens in the log.
func (st *station) result(t *testing.T, result string, tokens ...string) {
	t.Helper()
	st.Until("a source is "+result, func() bool { return strings.Contains(st.Log(), "result="+result) })
	for _, k := range tokens {
		if k != "" && strings.Contains(st.Log(), k) {
			t.Errorf("the log shows the token:\n%s", st.Log())
		}
	}
}

// TestFFmpeg: the tone that ffmpeg sends is heard whole and without a seam.
func TestFFmpeg(t *testing.T) {
	t.Parallel()
	video := []string{"-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=3", "-c:v", "libx264", "-preset", "ultrafast", "-b:v", "4M"}
	cases := map[string][]string{
		"aac":             {"-ac", "2", "-c:a", "aac", "-b:a", "128k"},
		"aac mono 44.1":   {"-ac", "1", "-ar", "44100", "-c:a", "aac", "-b:a", "96k"},
		"mp3":             {"-ac", "2", "-ar", "44100", "-c:a", "libmp3lame", "-b:a", "128k"},
		"aac and a video": append(slices.Clone(video), "-ac", "2", "-c:a", "aac", "-b:a", "128k"),
	}
	stations := map[string]*station{}
	var pushes sync.WaitGroup
	for name, args := range cases { // all at once: it takes real time
		st := recorded(t, rtmp.Options{})
		stations[name] = st
		key := st.Token(name)
		pushes.Go(func() {
			if said, err := ffmpeg(t, st.url(key), 3*time.Second, args...); err != nil {
				t.Errorf("%s: ffmpeg: %v\n%s", name, err, said)
			}
			if strings.Contains(st.Log(), key) {
				t.Errorf("the log shows the token:\n%s", st.Log())
			}
		})
	}
	pushes.Wait()
	for name, st := range stations {
		t.Run(name, func(t *testing.T) {
			st.result(t, "ended")
			st.UntilGone()
			ingesttest.CheckTone(t, st.Studio, 3*time.Second, 20*time.Millisecond)
		})
	}
}

// TestTLS: the same by RTMPS.
func TestTLS(t *testing.T) {
	t.Parallel()
	web := httptest.NewUnstartedServer(nil)
	web.StartTLS()
	t.Cleanup(web.Close)
	st := recorded(t, rtmp.Options{TLS: &tls.Config{Certificates: web.TLS.Certificates, MinVersion: tls.VersionTLS12}})
	said, err := ffmpeg(t, "rtmps"+strings.TrimPrefix(st.url(st.Token("Studio 1")), "rtmp"), 2*time.Second, "-ac", "2", "-c:a", "aac", "-b:a", "128k")
	if err != nil {
		t.Fatalf("ffmpeg: %v\n%s", err, said)
	}
	st.result(t, "ended")
	st.UntilGone()
	ingesttest.CheckTone(t, st.Studio, 2*time.Second, 20*time.Millisecond)
}

// TestOpus: Opus by enhanced RTMP, faster than time, with a title; timestamps start
// anywhere.
func TestOpus(t *testing.T) {
	t.Parallel()
	st := recorded(t, rtmp.Options{})
	c := publish(t, st.url(st.Token("Studio 1")))
	c.title(t, "Grüße\n an alle")
	c.say(t, time.Hour, tone(t, 3*time.Second))
	c.bye(t)
	st.result(t, "ended")
	st.UntilGone()
	ingesttest.CheckTone(t, st.Studio, 3*time.Second, 20*time.Millisecond)
	if got := st.Titles(); len(got) != 1 || got[0] != "Grüße  an alle" {
		t.Errorf("titles %q", got)
	}
}

// TestGap: 400 ms of silence where the timestamps say that sound is missing, and none
// where the encoder's clock jumps.
func TestGap(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what      string
		at, lasts time.Duration
	}{
		{"lost", 400 * time.Millisecond, 3400 * time.Millisecond},
		{"jumped", 3 * time.Second, 3 * time.Second},
		{"back", -time.Hour, 3 * time.Second},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			st := recorded(t, rtmp.Options{})
			client := publish(t, st.url(st.Token("Studio 1")))
			write := client.opus(t)
			for i, p := range tone(t, 3*time.Second) {
				at := 2*time.Hour + time.Duration(i)*20*time.Millisecond
				if i >= 75 {
					at += c.at
				}
				if err := write(at, p); err != nil {
					t.Fatal(err)
				}
			}
			client.bye(t)
			st.result(t, "ended")
			st.UntilGone()
			r := decodetest.Judge(st.Heard(), decodetest.Hz)
			if got := time.Duration(r.Tone) * time.Second / 48000; got < c.lasts-40*time.Millisecond || got > c.lasts+20*time.Millisecond {
				t.Errorf("from its first to its last sample the tone lasts %v, want %v; log:\n%s", got, c.lasts, st.Log())
			}
		})
	}
}
