package srt_test

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
	"longwave/ingest/srt"
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

func newStation(t *testing.T, o srt.Options) *station {
	t.Helper()
	st := &station{Studio: ingesttest.New(t), done: make(chan error, 1)}
	o.Address, o.Log, o.Registry = "127.0.0.1:0", st.Logger, st.Registry
	s := srt.New(st.Gate, o)
	if err := s.Listen(); err != nil {
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

// push runs a program that sends; it returns what the program said.
func push(t *testing.T, program string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &said, &said, 5*time.Second
	err := cmd.Run()
	return said.String(), err
}

// ffmpeg pushes a tone of d in real time. A second of silence goes behind it: SRT
// throws away what is on its way when the sender hangs up.
func (st *station) ffmpeg(t *testing.T, url string, d time.Duration, args ...string) (string, error) {
	t.Helper()
	tone := fmt.Sprintf("sine=frequency=%v:sample_rate=48000:duration=%f,apad=pad_dur=1", decodetest.Hz, d.Seconds())
	all := append([]string{"-hide_banner", "-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i", tone}, args...)
	return push(t, "ffmpeg", append(all, "-f", "mpegts", url)...)
}

func (st *station) url(token string) string { return "srt://" + st.host + "?streamid=" + token }

// TestFFmpeg: the tone that ffmpeg sends is heard whole and without a seam.
func TestFFmpeg(t *testing.T) {
	for name, args := range map[string][]string{
		"aac":  {"-ac", "2", "-c:a", "aac", "-b:a", "128k"},
		"opus": {"-ac", "2", "-c:a", "libopus", "-b:a", "96k"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := newStation(t, srt.Options{})
			key := st.Token("Studio 1")
			if said, err := st.ffmpeg(t, st.url(key), 4*time.Second, args...); err != nil {
				t.Fatalf("ffmpeg: %v\n%s", err, said)
			}
			st.UntilGone()
			st.CheckTone(4*time.Second, 20*time.Millisecond)
			if strings.Contains(st.Log(), key) {
				t.Errorf("the log shows the token:\n%s", st.Log())
			}
		})
	}
}
