package srt_test

import (
	"bytes"
	"context"
	"fmt"
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
	done chan error // what Run returned
}

func newStation(t *testing.T, o srt.Options) *station {
	t.Helper()
	st := &station{Studio: ingesttest.New(t), done: make(chan error, 1)}
	o.Address, o.Log, o.Registry = "127.0.0.1:0", st.Logger, st.Registry
	s := srt.New(st.Gate, o)
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

// patience is how long a packet may be on its way in tests that count samples: a busy
// machine is no reason to lose one.
const patience = 2 * time.Second

// recorded is newStation where sound is heard when it has all come.
func recorded(t *testing.T, o srt.Options) *station {
	t.Helper()
	o.Latency = patience
	st := newStation(t, o)
	st.Hold()
	return st
}

func (st *station) url(token string) string { return "srt://" + st.host + "?streamid=" + token }

// result waits until a connection has ended so, and looks for tokens in the log.
func (st *station) result(t *testing.T, result string, tokens ...string) {
	t.Helper()
	st.Until("a source is "+result, func() bool { return strings.Contains(st.Log(), "result="+result) })
	for _, k := range tokens {
		if strings.Contains(st.Log(), k) {
			t.Errorf("the log shows the token:\n%s", st.Log())
		}
	}
}

// run runs a program that sends; it returns what the program said.
func run(t *testing.T, program string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &said, &said, 5*time.Second
	err := cmd.Run()
	return said.String(), err
}

// ffmpeg pushes a tone of d in real time. Silence goes behind it: SRT
// throws away what is on its way when the sender hangs up.
func ffmpeg(t *testing.T, url string, d time.Duration, args ...string) (string, error) {
	t.Helper()
	tone := fmt.Sprintf("sine=frequency=%v:sample_rate=48000:duration=%f,apad=pad_dur=3", decodetest.Hz, d.Seconds())
	all := append([]string{"-hide_banner", "-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i", tone}, args...)
	return run(t, "ffmpeg", append(all, "-f", "mpegts", url)...)
}

// gstreamer pushes a tone of d in real time, and silence behind it.
func gstreamer(t *testing.T, url string, d time.Duration, encoder string) (string, error) {
	t.Helper()
	file := t.TempDir() + "/tone.wav"
	wav := decodetest.Encode(t, d, "-af", "pan=stereo|c0=c0|c1=c0,apad=pad_dur=3", "-f", "wav")
	if err := os.WriteFile(file, wav, 0o600); err != nil {
		t.Fatal(err)
	}
	return run(t, "gst-launch-1.0", strings.Fields("-q filesrc location="+file+" ! wavparse ! audioconvert ! "+encoder+
		" ! mpegtsmux ! identity sync=true ! srtsink wait-for-connection=false uri="+url)...)
}

// TestClients: the tone that others' software sends is heard whole and without a seam.
func TestClients(t *testing.T) {
	t.Parallel()
	const lasts = 3 * time.Second
	video := []string{"-f", "lavfi", "-i", "testsrc2=size=480x270:rate=25:duration=6", "-c:v", "libx264", "-preset", "ultrafast", "-b:v", "8M"}
	aac := []string{"-ac", "2", "-c:a", "aac", "-b:a", "128k"}
	pushes := map[string]func(url string) (string, error){
		"ffmpeg aac": func(url string) (string, error) { return ffmpeg(t, url, lasts, aac...) },
		"ffmpeg opus": func(url string) (string, error) {
			return ffmpeg(t, url, lasts, "-ac", "2", "-c:a", "libopus", "-b:a", "96k")
		},
		"ffmpeg mp2": func(url string) (string, error) {
			return ffmpeg(t, url, lasts, "-ac", "2", "-c:a", "mp2", "-b:a", "192k")
		},
		"ffmpeg video": func(url string) (string, error) { return ffmpeg(t, url, lasts, append(slices.Clone(video), aac...)...) },
		"ffmpeg low delay": func(url string) (string, error) {
			return ffmpeg(t, url, lasts, append(slices.Clone(aac), "-flush_packets", "1", "-pes_payload_size", "0", "-muxdelay", "0")...)
		},
		"gstreamer aac":  func(url string) (string, error) { return gstreamer(t, url, lasts, "avenc_aac ! aacparse") },
		"gstreamer opus": func(url string) (string, error) { return gstreamer(t, url, lasts, "opusenc ! opusparse") },
	}
	stations := map[string]*station{}
	var all sync.WaitGroup
	for name, push := range pushes { // all at once: it takes real time
		st := recorded(t, srt.Options{})
		stations[name] = st
		key := st.Token(name)
		all.Go(func() {
			if said, err := push(st.url(key)); err != nil {
				t.Errorf("%s: %v\n%s", name, err, said)
			}
			if strings.Contains(st.Log(), key) {
				t.Errorf("the log shows the token:\n%s", st.Log())
			}
		})
	}
	all.Wait()
	for name, st := range stations {
		t.Run(name, func(t *testing.T) {
			st.result(t, "ended")
			st.UntilGone()
			ingesttest.CheckTone(t, st.Studio, lasts, 20*time.Millisecond)
		})
	}
}

// TestPassphrase: only who has the right one is let in.
func TestPassphrase(t *testing.T) {
	t.Parallel()
	const right, wrong = "correct-horse-battery", "incorrect-horse-battery"
	sealed, open := recorded(t, srt.Options{Passphrase: right}), recorded(t, srt.Options{})
	var all sync.WaitGroup
	for _, c := range []struct {
		what, passphrase string
		st               *station
		says             string // in the log
	}{
		{"right", right, sealed, ""},
		{"wrong", wrong, sealed, "wrong passphrase"},
		{"none", "", sealed, "a passphrase is needed"},
		{"one too many", right, open, "no passphrase is set here"},
	} {
		key := c.st.Token(c.what)
		all.Go(func() {
			url := c.st.url(key)
			if c.passphrase != "" {
				url += "&passphrase=" + c.passphrase + "&pbkeylen=32"
			}
			said, err := ffmpeg(t, url, 3*time.Second, "-ac", "2", "-c:a", "aac", "-b:a", "128k")
			if ok := err == nil; ok != (c.says == "") {
				t.Errorf("%s: ffmpeg: %v\n%s", c.what, err, said)
			}
			if c.says != "" {
				c.st.Until(c.what+" is logged", func() bool { return strings.Contains(c.st.Log(), c.says) })
			}
			if n := strings.Count(c.st.Log(), c.says); c.says != "" && n != 1 {
				t.Errorf("%s: said %d times in the log, want once:\n%s", c.what, n, c.st.Log())
			}
			for _, secret := range []string{key, right, wrong} {
				if strings.Contains(c.st.Log(), secret) {
					t.Errorf("the log shows a secret:\n%s", c.st.Log())
				}
			}
		})
	}
	all.Wait()
	sealed.result(t, "ended")
	sealed.UntilGone()
	ingesttest.CheckTone(t, sealed.Studio, 3*time.Second, 20*time.Millisecond)
}

// TestLoss: where packets are lost for good, what comes after them is heard in its
// place.
func TestLoss(t *testing.T) {
	t.Parallel()
	codecs := map[string][]string{
		"aac":  {"-ac", "2", "-c:a", "aac", "-b:a", "128k"},
		"opus": {"-ac", "2", "-c:a", "libopus", "-b:a", "96k"},
	}
	stations := map[string]*station{}
	var all sync.WaitGroup
	for name, args := range codecs {
		st := recorded(t, srt.Options{})
		stations[name] = st
		line := newLine(t, st.host, 20, 23)
		url := "srt://" + line + "?streamid=" + st.Token(name)
		all.Go(func() {
			if said, err := ffmpeg(t, url, 4*time.Second, args...); err != nil {
				t.Errorf("%s: %v\n%s", name, err, said)
			}
		})
	}
	all.Wait()
	for name, st := range stations {
		t.Run(name, func(t *testing.T) {
			st.result(t, "ended")
			st.UntilGone()
			r := decodetest.Judge(st.Heard(), decodetest.Hz)
			if got := time.Duration(r.Tone) * time.Second / 48000; got < 3960*time.Millisecond || got > 4020*time.Millisecond {
				t.Errorf("from its first to its last sample the tone lasts %v, want 4 s; log:\n%s", got, st.Log())
			}
			lost := value(t, st, "longwave_srt_lost_seconds_total")
			if lost < 0.05 || lost > 0.9 {
				t.Errorf("%.3f s were lost, want some 0.2", lost)
			}
		})
	}
}

// value returns the sum of a metric.
func value(t *testing.T, st *station, name string) (sum float64) {
	t.Helper()
	all, err := st.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return sum
}
