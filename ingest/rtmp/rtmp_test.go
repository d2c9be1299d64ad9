package rtmp_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
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
	done chan error
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
	go func() { st.done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-st.done; err != nil {
			t.Error(err)
		}
	})
	return st
}

// ffmpeg pushes a tone of d in real time and returns what the program said.
func (st *station) ffmpeg(t *testing.T, url string, d time.Duration, args ...string) (string, error) {
	t.Helper()
	tone := fmt.Sprintf("sine=frequency=%v:sample_rate=48000:duration=%f", decodetest.Hz, d.Seconds())
	all := append([]string{"-hide_banner", "-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i", tone}, args...)
	cmd := exec.CommandContext(t.Context(), "ffmpeg", append(all, "-f", "flv", url)...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &said, &said, 5*time.Second
	err := cmd.Run()
	return said.String(), err
}

func (st *station) url(token string) string { return "rtmp://" + st.host + "/live/" + token }

// TestFFmpeg: the tone that ffmpeg sends is heard whole and without a seam.
func TestFFmpeg(t *testing.T) {
	st := newStation(t, rtmp.Options{})
	key := st.Token("Studio 1")
	if said, err := st.ffmpeg(t, st.url(key), 4*time.Second, "-ac", "2", "-c:a", "aac", "-b:a", "128k"); err != nil {
		t.Fatalf("ffmpeg: %v\n%s", err, said)
	}
	st.UntilGone()
	st.CheckTone(4*time.Second, 20*time.Millisecond)
	if strings.Contains(st.Log(), key) {
		t.Errorf("the log shows the token:\n%s", st.Log())
	}
}
