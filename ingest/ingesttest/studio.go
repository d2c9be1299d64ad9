// Package ingesttest runs a programme as the packager does and keeps what is heard, so
// that a transport can be judged by what comes out at the other end.
//
// This package does not speak any protocol and is used by tests alone.
package ingesttest

import (
	"bytes"
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

// A Studio is a gate with one programme that is being heard, in real time.
type Studio struct {
	Gate      *ingest.Gate
	Programme *ingest.Programme
	Registry  *prometheus.Registry
	Logger    *slog.Logger

	t      testing.TB
	signer *token.Signer
	log    lockedBuffer

	mu      sync.Mutex
	heard   []float32
	titles  []string
	waiting chan struct{} // closed and replaced with every frame
}

// New opens a studio, which is closed at the test's end.
func New(t testing.TB) *Studio {
	t.Helper()
	signer, err := token.NewSigner([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	s := &Studio{t: t, signer: signer, Registry: prometheus.NewRegistry(), waiting: make(chan struct{})}
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
		<-done
	})
	return s
}

// listen hears the programme until it is closed.
func (s *Studio) listen() {
	for {
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

// Until waits until the programme, looked at after every frame, is as ok says.
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
		case <-late.C:
			s.t.Fatalf("waited in vain until %s; log:\n%s", what, s.Log())
		}
	}
}

// UntilGone waits until nobody is connected and what they sent was played.
func (s *Studio) UntilGone() {
	s.t.Helper()
	s.Until("everybody has gone", func() bool {
		for _, x := range s.Programme.Desk().Speakers() {
			if x.Connected {
				return false
			}
		}
		return true
	})
}

// CheckTone reports everything that is wrong with the tone of [decodetest.Hz] that was
// heard: it must last so long, within slack, without a seam.
func (s *Studio) CheckTone(lasts, slack time.Duration) decodetest.Report {
	s.t.Helper()
	r := decodetest.Check(s.t, s.Heard(), int(pcm.Samples(lasts)), int(pcm.Samples(slack)), -25)
	if s.t.Failed() {
		s.t.Logf("heard %v; log:\n%s", r, s.Log())
	}
	return r
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
