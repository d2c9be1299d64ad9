package whip_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"

	"longwave/ingest"
	"longwave/ingest/ingesttest"
	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
	"longwave/ingest/token"
	"longwave/ingest/whip"
	"longwave/ingest/whip/whiptest"
)

// A studio is a server before a real gate and a real programme, in real time.
type studio struct {
	t         testing.TB
	signer    *token.Signer
	gate      *ingest.Gate
	programme *ingest.Programme
	server    *whip.Server
	reg       *prometheus.Registry
	url       string
	log       *ingesttest.Log
	frames    chan []float32 // what the programme plays; the newest when nobody reads
}

func newStudio(t testing.TB, o whip.Options) *studio {
	t.Helper()
	signer, err := token.NewSigner([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	s := &studio{t: t, signer: signer, reg: prometheus.NewRegistry(), log: &ingesttest.Log{}, frames: make(chan []float32, 64)}
	clock := pcm.NewClock(time.Now())
	s.programme = ingest.NewProgramme(ingest.ProgrammeOptions{Station: "talk", Clock: clock, Start: clock.Now().Ceil(960), Log: slog.New(slog.DiscardHandler)})
	s.gate = ingest.NewGate(ingest.GateOptions{Tokens: signer, Log: slog.New(slog.DiscardHandler)}, s.programme)
	if o.Address == "" {
		o.Address = "127.0.0.1:0"
	}
	o.Loopback, o.Registry, o.Log = true, s.reg, slog.New(slog.NewTextHandler(s.log, nil))
	s.server, err = whip.New(s.gate, o)
	if err != nil {
		t.Fatal(err)
	}
	r := chi.NewRouter()
	s.server.Routes(r)
	r.Get("/blank", blank)
	h := httptest.NewServer(r)
	s.url = h.URL
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() {
		if err := s.server.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	work.Go(func() { s.play(ctx) })
	t.Cleanup(func() {
		h.Close()
		cancel()
		work.Wait()
		if t.Failed() {
			t.Logf("log:\n%s", s.log.String())
		}
	})
	return s
}

// play pulls the programme as the packager does.
func (s *studio) play(ctx context.Context) {
	for {
		f, err := s.programme.Next(ctx)
		if err != nil {
			if ctx.Err() == nil && !errors.Is(err, io.EOF) {
				s.t.Errorf("Next: %v", err)
			}
			return
		}
		frame := append([]float32(nil), f.Samples...)
		select {
		case s.frames <- frame:
		default:
			select {
			case <-s.frames:
			default:
			}
			s.frames <- frame
		}
	}
}

// hear returns the next part of the programme.
func (s *studio) hear(lasts time.Duration) []float32 {
	s.t.Helper()
	var out []float32
	for len(out) < int(pcm.Samples(lasts))*pcm.Channels {
		select {
		case f := <-s.frames:
			out = append(out, f...)
		case <-s.t.Context().Done():
			s.t.Fatal("the programme stands still")
		}
	}
	return out
}

// await waits until what holds.
func (s *studio) await(what string, holds func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(100 * time.Second); !holds(); {
		if time.Now().After(deadline) {
			s.t.Fatalf("waited in vain until %s", what)
		}
		select {
		case <-s.frames: // one each 20 ms
		case <-s.t.Context().Done():
			return
		}
	}
}

// awaitTone waits until the programme has a tone.
func (s *studio) awaitTone(hz float64) {
	s.t.Helper()
	s.await("the programme has the tone", func() bool { return level(s.hear(200*time.Millisecond), hz) > 0.02 })
}

// level is the amplitude of a tone in the left channel.
func level(samples []float32, hz float64) float64 {
	return pcmtest.Goertzel(samples, 0, hz)
}

func (s *studio) token(t token.Token) string {
	s.t.Helper()
	if t.Station == "" {
		t.Station = "talk"
	}
	if t.Role == 0 {
		t.Role = token.Speaker
	}
	text, err := s.signer.Sign(t)
	if err != nil {
		s.t.Fatal(err)
	}
	return text
}

// speak connects a speaker and lets them speak until the test ends.
func (s *studio) speak(token string, v whiptest.Voice, o whiptest.Options) *whiptest.Speaker {
	s.t.Helper()
	x, err := whiptest.Dial(s.t.Context(), s.url+"/whip/talk", token, v, o)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(s.t.Context())
	var work sync.WaitGroup
	work.Go(func() { _ = x.Run(ctx) })
	s.t.Cleanup(func() {
		cancel()
		work.Wait()
		_ = x.PC.Close()
	})
	return x
}

func TestSpeakerIsHeard(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]whiptest.Options{
		"by UDP":            {},
		"by TCP":            {Transport: whiptest.TCP},
		"with RED and NACK": {RED: true, NACK: true},
		"with video first":  {Video: "first"},
		"with video last":   {Video: "last"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStudio(t, whip.Options{})
			x := s.speak(s.token(token.Token{Name: "Ada"}), whiptest.Voice{Hz: 1000, Amp: 0.3}, o)
			s.awaitTone(1000)
			t.Logf("%s", x.Answer)
		})
	}
}
