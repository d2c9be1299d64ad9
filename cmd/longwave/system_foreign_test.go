package main_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"longwave/cmd/longwave/systemtest"
	"longwave/cmd/longwave/systemtest/cdn"
	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
)

// A foreignPlayer is a program that knows HLS and no content steering. Its arguments
// make it play an address for a while into a file of bare float samples. They say how long
// it waits for an answer, too: left alone, ffmpeg waits for ever and mpv for a minute.
type foreignPlayer struct {
	name string
	args func(url string, d time.Duration, file string) []string
}

var foreignPlayers = []foreignPlayer{
	{"ffmpeg", func(url string, d time.Duration, file string) []string {
		return []string{
			"ffmpeg", "-hide_banner", "-nostdin", "-v", "warning", "-rw_timeout", "2000000", "-i", url, "-t", fmt.Sprint(d.Seconds()),
			"-f", "f32le", "-ar", "48000", "-ac", "2", file,
		}
	}},
	{"mpv", func(url string, d time.Duration, file string) []string {
		return []string{
			"mpv", "--no-config", "--network-timeout=2", "--no-terminal", "--no-video", "--length=" + fmt.Sprint(d.Seconds()), "--ao=pcm", "--ao-pcm-file=" + file,
			"--ao-pcm-waveheader=no", "--audio-format=float", "--audio-samplerate=48000", "--audio-channels=stereo", url,
		}
	}},
}

// play returns what was heard, as interleaved stereo, and what the program said.
func (p foreignPlayer) play(t *testing.T, url string, d time.Duration) ([]float32, error) {
	t.Helper()
	const patience = 20 * time.Second
	ctx, cancel := context.WithTimeout(t.Context(), d+patience)
	defer cancel()
	file := filepath.Join(t.TempDir(), "heard")
	args := p.args(url, d, file)
	said, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", p.name, err, said)
	}
	return systemtest.ReadRaw(t, "aac-96", file), nil
}

// TestForeign: ffmpeg and mpv begin to play, and play on, when the first of two CDNs is
// dead as they come, although the playlist names it first. Where its redundant variants
// are left out they do not.
func TestForeign(t *testing.T) {
	t.Parallel()
	const length = 10 * time.Second // playlists are read again several times
	f := newForeignRig(t)
	for _, fault := range []cdn.Fault{cdn.Refused, cdn.Broken, cdn.Absent, cdn.HTML, cdn.Hangs} {
		if err := f.a.Fail(t.Context(), fault); err != nil {
			t.Fatal(err)
		}
		t.Run(string(fault), func(t *testing.T) {
			for _, p := range foreignPlayers {
				t.Run(p.name, func(t *testing.T) {
					t.Parallel()
					x, err := p.play(t, f.b.URL()+"/talk/index.m3u8", length)
					if err != nil {
						t.Fatal(err)
					}
					judgeForeign(t, x, length)
					if x, err := p.play(t, f.without(t, f.b.URL()), length); err == nil && len(x) > 0 {
						t.Errorf("%s played %d samples without the redundant variants", p.name, len(x)/pcm.Channels)
					}
				})
			}
		})
	}
}

// judgeForeign checks that x is the tone, from its beginning to its end.
func judgeForeign(t *testing.T, x []float32, length time.Duration) {
	t.Helper()
	want := pcm.Channels * int(pcm.Samples(length))
	if len(x) < want-pcm.Channels*pcm.Rate/10 {
		t.Fatalf("%d samples were heard, want %d", len(x)/pcm.Channels, want/pcm.Channels)
	}
	x = x[pcm.Channels*pcm.Rate/10:]
	const block = pcm.Channels * pcm.Rate / 10
	for at := 0; at+block <= len(x); at += block {
		// It is 60 as a rule, and 16 where the hold's loop begins anew.
		if snr := pcmtest.SNR(x[at:at+block], 0, judgedHz); snr < 12 {
			t.Errorf("at %.1f s the tone is %.1f dB over the rest", float64(at/pcm.Channels)/pcm.Rate+0.1, snr)
		}
	}
	if jumps := pcmtest.Jumps(x, 0, judgedHz, 0.25); len(jumps) > 0 {
		t.Errorf("the tone jumps %d times, first at %+v", len(jumps), jumps[0])
	}
}

// A foreignRig is a station that plays the judges' tone behind two CDNs, of which the
// first stays the first whatever becomes of it.
type foreignRig struct{ a, b *cdn.CDN }

func newForeignRig(t *testing.T) foreignRig {
	t.Helper()
	f := foreignRig{openCDN(t), openCDN(t)}
	n := systemtest.Start(t, systemtest.Options{Config: fmt.Sprintf(`
stations: [{name: talk, renditions: [aac-48, aac-96], hold: %q}]
rtc: {listen: off}
rtmp: {listen: off}
srt: {listen: off}
pathways:
  - {id: cdn-a, url: %q}
  - {id: cdn-b, url: %q}
`, systemtest.ToneFile(t, pcmtest.Tone{Hz: judgedHz, Amp: judgedAmp}, 10), f.a.URL(), f.b.URL())})
	for _, c := range []*cdn.CDN{f.a, f.b} {
		if err := c.Origin(n.URL); err != nil {
			t.Fatal(err)
		}
	}
	awaitReady(n)
	begin := now() + 1 // wholly of the tone from here on
	layHand(t, n, "cdn-a", "prefer")
	n.Await("a window of tone", func() bool { return now() > begin+5 })
	return f
}

// without serves the station's list with the variants of the first CDN alone.
func (f foreignRig) without(t *testing.T, base string) string {
	t.Helper()
	r, err := systemtest.Fetch(t.Context(), base+"/talk/index.m3u8")
	if err != nil {
		t.Fatal(err)
	}
	var kept strings.Builder
	lines := strings.Split(strings.TrimSpace(string(r.Body)), "\n")
	for i := 0; i < len(lines); i++ {
		if strings.Contains(lines[i], `PATHWAY-ID="cdn-b"`) {
			i++ // with its URI
			continue
		}
		kept.WriteString(lines[i] + "\n")
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.apple.mpegurl")
		_, _ = io.WriteString(w, kept.String())
	}))
	t.Cleanup(s.Close)
	return s.URL + "/index.m3u8"
}
