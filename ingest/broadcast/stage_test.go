package broadcast_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"longwave/ingest"
	"longwave/ingest/broadcast"
	"longwave/ingest/decode"
	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
	"longwave/ingest/token"
)

var errAway = errors.New("the store is away")

// A memory is a keeper that may fail before it writes, after it wrote, or not answer.
type memory struct {
	mu          sync.Mutex
	data        []byte
	fail, after error
	hang        bool
	slow        time.Duration // before it writes
	writes      int
}

func (m *memory) wait(ctx context.Context) error {
	m.mu.Lock()
	hang, fail, slow := m.hang, m.fail, m.slow
	m.mu.Unlock()
	time.Sleep(slow)
	if hang {
		<-ctx.Done()
		return ctx.Err()
	}
	return fail
}

func (m *memory) Load(ctx context.Context, _ string) ([]byte, error) {
	if err := m.wait(ctx); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return bytes.Clone(m.data), nil
}

func (m *memory) Update(ctx context.Context, _ string, change func([]byte) ([]byte, error)) error {
	if err := m.wait(ctx); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := change(bytes.Clone(m.data)); err != nil { // it may be called more than once
		return err
	}
	data, err := change(bytes.Clone(m.data))
	if err != nil {
		return err
	}
	m.data = data
	m.writes++
	return m.after
}

func (m *memory) set(change func(*memory)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(m)
}

// record returns what is kept.
func (m *memory) record(t *testing.T) broadcast.Record {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	var r broadcast.Record
	if err := json.Unmarshal(m.data, &r); err != nil {
		t.Fatalf("%v in %q", err, m.data)
	}
	return r
}

// A stage is a station with its show, in fake time.
type stage struct {
	t         *testing.T
	signer    *token.Signer
	programme *ingest.Programme
	gate      *ingest.Gate
	show      *broadcast.Show
	registry  *prometheus.Registry
	starts    time.Time // when the programme does
	stop      func()
}

// play starts a station over what k keeps. The stop of the stage ends it in good order.
func play(t *testing.T, k broadcast.Keeper) *stage {
	t.Helper()
	return playFrom(t, k, 0)
}

// playFrom is play with a programme whose first frame is due after a while: hours of
// sound take long to mix even in fake time.
func playFrom(t *testing.T, k broadcast.Keeper, after time.Duration) *stage {
	t.Helper()
	signer, err := token.NewSigner([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{t: t, signer: signer, registry: prometheus.NewRegistry(), starts: time.Now().Add(after)}
	clock, log := pcm.NewClock(time.Now()), slog.New(slog.DiscardHandler)
	s.programme = ingest.NewProgramme(ingest.ProgrammeOptions{Station: "talk", Clock: clock, Start: (clock.Now() + pcm.Samples(after)).Ceil(92_160), Log: log})
	desk := s.programme.Desk()
	s.show = broadcast.New(broadcast.Options{Station: "talk", Desk: desk, Seats: desk, Keeper: k, Registry: s.registry})
	s.gate = ingest.NewGate(ingest.GateOptions{Tokens: signer, Revoked: s.show.Revoked, Log: log}, s.programme)
	ctx, cancel := context.WithCancel(t.Context())
	loading, loaded := context.WithTimeout(ctx, time.Second)
	defer loaded()
	if err := s.show.Load(loading); err != nil {
		t.Logf("load: %v", err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		if err := s.show.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	all.Go(func() {
		for {
			if _, err := s.programme.Next(ctx); err != nil {
				return
			}
		}
	})
	s.stop = sync.OnceFunc(func() {
		cancel()
		all.Wait()
		s.programme.Close() // nobody waits for it any more
	})
	t.Cleanup(s.stop)
	synctest.Wait()
	return s
}

func (s *stage) sign(role token.Role, name string) string {
	s.t.Helper()
	text, err := s.signer.Sign(token.Token{Station: "talk", Role: role, Name: name})
	if err != nil {
		s.t.Fatal(err)
	}
	return text
}

// speak opens a lane whose sound goes on until leave or the end of the test.
func (s *stage) speak(text string) (seat string, leave func()) {
	s.t.Helper()
	tok, err := s.signer.Parse(text, time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	l, err := s.gate.Open(s.t.Context(), ingest.Claim{Station: "talk", Token: text, Transport: "stdin"}, decode.Format{Codec: decode.F32LE, Rate: pcm.Rate, Channels: pcm.Channels})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(s.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { _ = l.Close() }()
		frame := pcmtest.Bytes(pcmtest.Tone{Hz: 1000, Amp: 0.2}.Make(pcm.FrameSamples))
		select { // nobody pulls before
		case <-time.After(time.Until(s.starts)):
		case <-ctx.Done():
		}
		began := time.Now()
		for i := 1; ctx.Err() == nil && l.Push(ingest.Packet{Data: frame, Arrival: time.Now()}) == nil; i++ {
			time.Sleep(time.Until(began.Add(time.Duration(i) * pcm.FrameDuration)))
		}
	}()
	leave = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	s.t.Cleanup(leave)
	synctest.Wait()
	return tok.ID, leave
}

// do does a deed that must not be refused.
func (s *stage) do(d broadcast.Deed) broadcast.Record {
	s.t.Helper()
	r, err := s.show.Do(s.t.Context(), d)
	if err != nil {
		s.t.Fatalf("%#v: %v", d, err)
	}
	return r
}

func (s *stage) phase() broadcast.Phase {
	r, _ := s.show.Look()
	return r.Phase
}

// hears says what the audience hears.
func (s *stage) hears() string { return s.programme.Meters().OnAir }

// since returns when news of a kind came, after began.
func (s *stage) since(kind broadcast.NewsKind, began time.Time) time.Duration {
	s.t.Helper()
	all, _ := s.show.News(0)
	for _, n := range all {
		if n.Kind == kind {
			return n.Time.Sub(began)
		}
	}
	s.t.Fatalf("no news of %s in %v", kind, all)
	return 0
}

func gauge(t *testing.T, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}
