package whip_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"longwave/ingest/pcm/pcmtest"
	"longwave/ingest/token"
	"longwave/ingest/whip"
	"longwave/ingest/whip/whiptest"
)

// A visit is what a browser is to do; see whiptest/browser/driver.mjs.
type visit struct {
	URL     string   `json:"url"`
	Speak   *speaks  `json:"speak,omitempty"`
	Hear    *listens `json:"hear,omitempty"`
	Seconds int      `json:"seconds"`
}

type speaks struct {
	Token   string `json:"token"`
	Wav     string `json:"wav,omitempty"`
	Video   string `json:"video,omitempty"`
	Trickle bool   `json:"trickle,omitempty"`
	Restart bool   `json:"restart,omitempty"`
}

type listens struct {
	Token string    `json:"token"`
	Hz    []float64 `json:"hz,omitempty"`
}

// A stay is what became of it.
type stay struct {
	PacketBytes  float64 // mean of what it sent
	VideoBytes   int
	Levels       []float64 // dB, of the frequencies that were asked for
	DelayMs      struct{ Count, P50, P95, Max int }
	Spoke, Heard []int // HTTP answers
	Messages     []string
}

func (s *studio) browse(v visit) stay {
	s.t.Helper()
	v.URL = s.url
	b, err := json.Marshal(v)
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.CommandContext(s.t.Context(), "node", "whiptest/browser/driver.mjs", string(b))
	out, err := cmd.Output()
	var x stay
	if err == nil {
		err = json.Unmarshal(out, &x)
	}
	if err != nil {
		if e, ok := errors.AsType[*exec.ExitError](err); ok {
			out = e.Stderr
		}
		s.t.Fatalf("%v\n%s", err, out)
	}
	return x
}

func blank(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html")
	_, _ = fmt.Fprint(w, "<!doctype html><link rel=icon href=data:,><title>-</title>")
}

// tone writes a file for Chromium's fake microphone.
func tone(t *testing.T, hz float64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tone.wav")
	if err := os.WriteFile(path, pcmtest.WAV(pcmtest.Tone{Hz: hz, Amp: 0.3}.Make(48_000*10)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestBrowser: real Chromium speaks into the programme and hears the other one and not
// itself, with video sections in both orders, trickled candidates and an ICE restart.
func TestBrowser(t *testing.T) {
	s := newStudio(t, whip.Options{})
	wav := tone(t, 1000)
	s.speak(s.token(token.Token{Name: "Bob"}), whiptest.Voice{Hz: 1700, Amp: 0.3}, whiptest.Options{})
	s.onAir("Bob")
	for _, c := range []struct {
		what string
		speaks
		answers []int
	}{
		{"video first, trickle", speaks{Video: "first", Trickle: true}, []int{201, 204, 200}},
		{"video last, restart", speaks{Video: "last", Restart: true}, []int{201, 200, 200}},
	} {
		t.Run(c.what, func(t *testing.T) {
			c.Wav, c.Token = wav, s.token(token.Token{Role: token.Host, Name: "Ada"})
			done := make(chan stay, 1)
			go func() {
				done <- s.browse(visit{Speak: &c.speaks, Hear: &listens{c.Token, []float64{1000, 1700}}, Seconds: 2})
			}()
			s.awaitTone(1000)
			x := <-done
			if !slices.Equal(x.Spoke, c.answers) || !slices.Equal(x.Heard, []int{201, 200}) {
				t.Errorf("answers to the mouth %v, to the ear %v", x.Spoke, x.Heard)
			}
			if !c.Restart && x.PacketBytes < 120 || x.VideoBytes != 0 { // 80 without RED
				t.Errorf("sends packets of %.0f bytes, and %d bytes of video", x.PacketBytes, x.VideoBytes)
			}
			if x.Levels[1] < -60 || x.Levels[0] > x.Levels[1]-30 {
				t.Errorf("own voice %v dB, the other %v dB", x.Levels[0], x.Levels[1])
			}
			if len(x.Messages) > 0 {
				t.Errorf("the browser said %q", x.Messages)
			}
		})
	}
}

// BenchmarkReturnDelay prints how late one browser hears what another one says.
func BenchmarkReturnDelay(b *testing.B) {
	s := newStudio(b, whip.Options{})
	for b.Loop() {
		x := s.browse(visit{
			Speak: &speaks{Token: s.token(token.Token{Role: token.Host})}, Hear: &listens{Token: s.token(token.Token{Role: token.Host})}, Seconds: 20,
		})
		if x.DelayMs.Count < 20 {
			b.Fatalf("%d clicks were heard; %q", x.DelayMs.Count, x.Messages)
		}
		b.ReportMetric(float64(x.DelayMs.P50), "ms-p50")
		b.ReportMetric(float64(x.DelayMs.P95), "ms-p95")
		b.ReportMetric(float64(x.DelayMs.Max), "ms-max")
	}
}
