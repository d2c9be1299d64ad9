package whip_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

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
	DelayMs      struct{ All []float64 }
	Spoke, Heard []int // HTTP answers
	Messages     []string
}

func (s *studio) browse(v visit) (stay, error) {
	v.URL = s.url
	b, err := json.Marshal(v)
	if err != nil {
		return stay{}, err
	}
	cmd := exec.CommandContext(s.t.Context(), "node", "whiptest/browser/driver.mjs", string(b))
	out, err := cmd.Output()
	var x stay
	if err == nil {
		err = json.Unmarshal(out, &x)
	}
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		err = fmt.Errorf("%w: %s", err, e.Stderr)
	}
	return x, err
}

// loudest browses, takes on air whoever comes, and returns how loud a tone became in
// the programme meanwhile.
func (s *studio) loudest(hz float64, v visit) (stay, float64, error) {
	var x stay
	var err error
	loud, done := 0.0, make(chan struct{})
	go func() {
		defer close(done)
		x, err = s.browse(v)
	}()
	for {
		select {
		case <-done:
			return x, loud, err
		default:
			for _, x := range s.programme.Desk().Speakers() {
				_ = s.programme.Desk().SetOnAir(x.Seat, true)
			}
			loud = max(loud, level(s.hear(200*time.Millisecond), hz))
		}
	}
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
			x, loud, err := s.loudest(1000, visit{Speak: &c.speaks, Hear: &listens{c.Token, []float64{1000, 1700}}, Seconds: 4})
			if err != nil {
				t.Fatal(err)
			}
			if loud < 0.02 {
				t.Errorf("its tone was in the programme with %.4f", loud)
			}
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

// BenchmarkReturnDelay prints how late one hears what another says: one page of Chromium
// the other, and on the wire, where no browser's buffers are, one pion client the
// other. Devices are in neither.
func BenchmarkReturnDelay(b *testing.B) {
	b.Run("browser", func(b *testing.B) {
		s := newStudio(b, whip.Options{})
		for b.Loop() {
			x, err := s.browse(visit{
				Speak: &speaks{Token: s.token(token.Token{Role: token.Host})}, Hear: &listens{Token: s.token(token.Token{Role: token.Host})}, Seconds: 25,
			})
			if err != nil {
				b.Fatal(err)
			}
			reportDelays(b, x.DelayMs.All)
		}
	})
	b.Run("wire", func(b *testing.B) {
		s := newStudio(b, whip.Options{})
		for b.Loop() {
			reportDelays(b, s.clicks(b, 25))
		}
	})
}

func reportDelays(b *testing.B, ms []float64) {
	b.Helper()
	if len(ms) < 20 {
		b.Fatalf("%d clicks were heard", len(ms))
	}
	slices.Sort(ms)
	b.ReportMetric(ms[0], "ms-min")
	b.ReportMetric(ms[len(ms)/2], "ms-p50")
	b.ReportMetric(ms[len(ms)*95/100], "ms-p95")
	b.ReportMetric(ms[len(ms)-1], "ms-max")
}

// clicks sends a click each second from one speaker to another and returns how
// late they were, in ms.
func (s *studio) clicks(b *testing.B, n int) []float64 {
	b.Helper()
	said := make(chan time.Time, n+20)
	s.speak(s.token(token.Token{Role: token.Host, Name: "Ada"}), whiptest.Voice{Sound: func(from int64, dst []float32) {
		clear(dst)
		if from%48_000 == 0 {
			for i := range dst[:480] {
				dst[i] = 0.5 * float32(math.Sin(2*math.Pi*2000*float64(i)/48_000))
			}
			said <- time.Now().Add(-20 * time.Millisecond) // when its first sample was spoken
		}
	}}, whiptest.Options{})
	l := s.listen(s.token(token.Token{Role: token.Host, Name: "Bob"}), whiptest.Options{})
	var ms []float64
	quiet := 0
	for len(ms) < n {
		f, err := l.Next(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		for i := 0; i < len(f.Samples); i += 2 {
			if math.Abs(float64(f.Samples[i])) < 0.02 {
				quiet++
				continue
			}
			if quiet > 4800 {
				heard := f.Arrival.Add(time.Duration(i/2) * time.Second / 48_000)
				if d := newest(said, heard); d > 0 {
					ms = append(ms, float64(d.Microseconds())/1000)
				}
			}
			quiet = 0
		}
	}
	return ms
}

// newest returns how long before heard the last click was said.
func newest(said <-chan time.Time, heard time.Time) time.Duration {
	var d time.Duration
	for {
		select {
		case t := <-said:
			d = heard.Sub(t)
		default:
			return d
		}
	}
}
