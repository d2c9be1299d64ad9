// Package ingesttest runs a programme as the packager does and keeps what is heard, so
// that a transport can be judged by what comes out at the other end.
//
// This package does not speak any protocol and is used by tests alone.
package ingesttest

import (
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"longwave/ingest"
	"longwave/ingest/decode/decodetest"
	"longwave/ingest/pcm"
	"longwave/ingest/token"
)

// Station is the studio's one station.
const Station = "talk"

// A Studio is a gate with one programme that is being heard, in real time or, after
// Hold, when all that is to be heard has come: then nothing depends on how fast this
// machine is.
type Studio struct {
	Gate      *ingest.Gate
	Programme *ingest.Programme
	Registry  *prometheus.Registry
	Logger    *slog.Logger

	t      testing.TB
	signer *token.Signer
	log    Log

	mu      sync.Mutex
	heard   []float32
	titles  []string
	waiting chan struct{} // closed and replaced with every frame
	held    chan struct{} // closed: the programme is heard
}

// New opens a studio, which is closed at the test's end.
func New(t testing.TB) *Studio {
	t.Helper()
	signer, err := token.NewSigner([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	s := &Studio{t: t, signer: signer, Registry: prometheus.NewRegistry(), waiting: make(chan struct{}), held: make(chan struct{})}
	close(s.held)
	s.Logger = slog.New(slog.NewTextHandler(&s.log, nil))
	clock := pcm.NewClock(time.Now())
	s.Programme = ingest.NewProgramme(ingest.ProgrammeOptions{
		Station: Station, Clock: clock, Start: clock.Now().Ceil(pcm.FrameSamples), Log: s.Logger, Registry: s.Registry,
	})
	s.Gate = ingest.NewGate(ingest.GateOptions{Tokens: signer, Log: s.Logger, Registry: s.Registry}, s.Programme)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.listen()
	}()
	t.Cleanup(func() {
		s.Gate.Close()
		s.Play()
		<-done
	})
	return s
}

// listen hears the programme until it is closed.
func (s *Studio) listen() {
	for {
		s.mu.Lock()
		held := s.held
		s.mu.Unlock()
		<-held
		f, err := s.Programme.Next(s.t.Context())
		if err != nil {
			return
		}
		s.mu.Lock()
		s.heard = append(s.heard, f.Samples...)
		for _, m := range f.Marks {
			if m.Kind == pcm.MarkTitle {
				s.titles = append(s.titles, m.Text)
			}
		}
		close(s.waiting)
		s.waiting = make(chan struct{})
		s.mu.Unlock()
	}
}

// Hold lets nothing be heard until Play. A lane takes 10 s of sound meanwhile.
func (s *Studio) Hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = make(chan struct{})
}

// Play lets everything be heard that is due.
func (s *Studio) Play() {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.held:
	default:
		close(s.held)
	}
}

// Token returns a token of the station for a speaker who sends what was mixed already.
func (s *Studio) Token(name string) string {
	s.t.Helper()
	return s.Sign(token.Token{Station: Station, Role: token.Speaker, Name: name, Feed: true, Music: true})
}

// Sign returns the text of any token.
func (s *Studio) Sign(k token.Token) string {
	s.t.Helper()
	text, err := s.signer.Sign(k)
	if err != nil {
		s.t.Fatal(err)
	}
	return text
}

// Log returns what was logged.
func (s *Studio) Log() string { return s.log.String() }

// Heard returns what was heard so far, interleaved stereo.
func (s *Studio) Heard() []float32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.heard)
}

// Titles returns the titles that the programme told.
func (s *Studio) Titles() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.titles)
}

// Until waits until something is as ok says, which is asked after every frame.
func (s *Studio) Until(what string, ok func() bool) {
	s.t.Helper()
	late := time.NewTimer(60 * time.Second)
	defer late.Stop()
	for !ok() {
		s.mu.Lock()
		next := s.waiting
		s.mu.Unlock()
		select {
		case <-next:
		case <-time.After(pcm.FrameDuration): // nothing is heard
		case <-late.C:
			s.t.Fatalf("waited in vain until %s; log:\n%s", what, s.Log())
		}
	}
}

// UntilGone plays until nobody is connected and what they sent was heard.
func (s *Studio) UntilGone() {
	s.t.Helper()
	s.Play()
	s.Until("everybody has gone", func() bool {
		for _, x := range s.Programme.Desk().Speakers() {
			if x.Connected {
				return false
			}
		}
		return true
	})
}

// CheckTone reports everything that is wrong with the tone of [decodetest.Hz] that a
// studio heard: it must last so long, within slack, without a seam.
func CheckTone(t testing.TB, s *Studio, lasts, slack time.Duration) {
	t.Helper()
	r := decodetest.Check(t, s.Heard(), int(pcm.Samples(lasts)), int(pcm.Samples(slack)), -25)
	if t.Failed() {
		t.Logf("heard %v; log:\n%s", r, s.Log())
	}
}
