package icecast_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"

	"longwave/ingest"
	"longwave/ingest/decode"
	"longwave/ingest/decode/decodetest"
	"longwave/ingest/decode/sandbox"
	"longwave/ingest/icecast"
	"longwave/ingest/icecast/icecasttest"
	"longwave/ingest/ingesttest"
	"longwave/ingest/pcm"
	tokens "longwave/ingest/token"
)

func TestMain(m *testing.M) {
	sandbox.Main()
	os.Exit(m.Run())
}

const (
	token   = "good-token"
	expired = "expired-token"
)

// door is a gate that knows two tokens and one station and decodes at once.
type door struct {
	mu    sync.Mutex
	seats map[string]*path // by token
	paths chan *path       // in the order of opening
}

func newDoor() *door { return &door{seats: map[string]*path{}, paths: make(chan *path, 64)} }

func (d *door) Check(c ingest.Claim) (tokens.Token, error) {
	switch {
	case c.Token == expired || c.Station != "talk":
		return tokens.Token{}, ingest.ErrForbidden
	case !strings.HasPrefix(c.Token, token):
		return tokens.Token{}, ingest.ErrUnauthorized
	}
	return tokens.Token{}, nil
}

func (d *door) Open(ctx context.Context, c ingest.Claim, f decode.Format) (*path, error) {
	if strings.HasSuffix(c.Token, "busy") {
		return nil, ingest.ErrBusy
	}
	p := &path{claim: c, format: f, done: make(chan struct{})}
	var err error
	p.dec, err = decode.New(ctx, f, p.out, decode.Options{Title: p.Title})
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	if old := d.seats[c.Token]; old != nil {
		old.takeOver()
	}
	d.seats[c.Token] = p
	d.mu.Unlock()
	d.paths <- p
	return p, nil
}

// path is a lane that keeps what came.
type path struct {
	claim  ingest.Claim
	format decode.Format
	dec    decode.Decoder
	done   chan struct{} // closed by Close

	mu      sync.Mutex
	taken   bool
	samples []float32
	titles  []string
	first   time.Time
}

func (p *path) Push(k ingest.Packet) error {
	p.mu.Lock()
	taken := p.taken
	if p.first.IsZero() {
		p.first = k.Arrival
	}
	p.mu.Unlock()
	if taken {
		return ingest.ErrTakenOver
	}
	return p.dec.Decode(k.Data)
}

func (p *path) takeOver() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken = true
}

func (p *path) Title(title string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.titles = append(p.titles, title)
}

func (p *path) Close() error {
	defer close(p.done)
	return p.dec.Close()
}

func (p *path) out(b []float32) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.samples = append(p.samples, b...)
	return nil
}

// station is a server with its log and gate.
type station struct {
	*door
	url     string
	log     *ingesttest.Log
	reg     *prometheus.Registry
	icecast *icecast.Server
}

func newStation(t *testing.T, o icecast.Options) *station {
	t.Helper()
	s := &station{door: newDoor(), log: &ingesttest.Log{}, reg: prometheus.NewRegistry()}
	o.Log = slog.New(slog.NewTextHandler(s.log, nil))
	o.Registry = s.reg
	s.icecast = icecast.New(s.door, o)
	r := chi.NewRouter()
	s.icecast.Routes(r)
	srv := httptest.NewServer(r)
	t.Cleanup(func() {
		if err := s.icecast.Shutdown(t.Context()); err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		srv.Close()
	})
	s.url = srv.URL + "/ice/talk"
	return s
}

// next returns the next lane that was opened, after it was closed.
func (s *station) next(t *testing.T) *path {
	t.Helper()
	select {
	case p := <-s.paths:
		select {
		case <-p.done:
			return p
		case <-time.After(30 * time.Second):
			t.Fatalf("the lane was not closed; log:\n%s", s.log)
		}
	case <-time.After(30 * time.Second):
		t.Fatalf("no lane was opened; log:\n%s", s.log)
	}
	return nil
}

// tone writes a file with the tone.
func tone(t *testing.T, d time.Duration) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "tone.wav")
	b := decodetest.Encode(t, d, "-af", "pan=stereo|c0=c0|c1=c0", "-f", "wav")
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestClients lets real software send a tone: all of it arrives, it is that
// tone, and there is no seam.
func TestClients(t *testing.T) {
	const length = 3 * time.Second
	file := tone(t, length)
	st := newStation(t, icecast.Options{})
	const ms20 = pcm.FrameSamples
	clients := []struct {
		client, codec string
		want          decode.Codec
		slack         int // samples; more than 20 ms where the codec pads to whole frames
	}{
		{icecasttest.FFmpeg, icecasttest.Opus, decode.OggOpus, ms20},
		{icecasttest.FFmpeg, icecasttest.Vorbis, decode.OggVorbis, ms20},
		{icecasttest.FFmpeg, icecasttest.FLAC, decode.OggFLAC, ms20},
		{icecasttest.FFmpeg, icecasttest.MP3, decode.MP3, 3 * 1152},
		{icecasttest.FFmpeg, icecasttest.AAC, decode.ADTS, 2 * 1024},
		{icecasttest.FFmpegLegacy, icecasttest.Opus, decode.OggOpus, ms20},
		{icecasttest.FFmpegLegacy, icecasttest.MP3, decode.MP3, 3 * 1152},
		{icecasttest.Liquidsoap, icecasttest.Opus, decode.OggOpus, ms20},
		{icecasttest.Liquidsoap, icecasttest.MP3, decode.MP3, 3 * 1152},
		{icecasttest.Liquidsoap, icecasttest.FLAC, decode.OggFLAC, ms20},
		{icecasttest.Ezstream, icecasttest.Opus, decode.OggOpus, ms20},
		{icecasttest.Ezstream, icecasttest.Vorbis, decode.OggVorbis, ms20},
		{icecasttest.Ezstream, icecasttest.MP3, decode.MP3, 3 * 1152},
	}
	ended := make([]chan error, len(clients)) // all at once: they send in real time
	own := func(i int) string { return token + "-" + clients[i].client + "-" + clients[i].codec }
	for i, c := range clients {
		ended[i] = make(chan error, 1)
		go func() {
			ended[i] <- icecasttest.Push(t.Context(), t, icecasttest.Source{
				Client: c.client, Codec: c.codec, URL: st.url, Token: own(i), File: file, Duration: length,
			})
		}()
	}
	for i, c := range clients {
		t.Run(c.client+" "+c.codec, func(t *testing.T) {
			if err := <-ended[i]; err != nil {
				t.Error(err)
			}
			p := st.of(t, own(i))
			if p.format.Codec != c.want {
				t.Errorf("the codec was taken for %v, want %v", p.format.Codec, c.want)
			}
			padded := c.client == icecasttest.Liquidsoap || c.client == icecasttest.FFmpegLegacy
			r := decodetest.Check(t, p.samples, int(pcm.Samples(length)), ms20, -25)
			if d := r.Samples - int(pcm.Samples(length)); d < -ms20 || d > c.slack && !padded {
				t.Errorf("%d samples came, want %d within %d", r.Samples, pcm.Samples(length), c.slack)
			}
			t.Log(r)
		})
	}
	t.Cleanup(func() {
		if strings.Contains(st.log.String(), token) {
			t.Errorf("the log shows a token:\n%s", st.log)
		}
	})
}

// of returns the lane of a token when it is closed.
func (s *station) of(t *testing.T, own string) *path {
	t.Helper()
	s.mu.Lock()
	p := s.seats[own]
	s.mu.Unlock()
	if p == nil {
		t.Fatalf("no lane was opened; log:\n%s", s.log)
	}
	select {
	case <-p.done:
	case <-time.After(30 * time.Second):
		t.Fatalf("the lane was not closed; log:\n%s", s.log)
	}
	return p
}

// counter returns how many sources ended with result, whatever their codec.
func counter(t *testing.T, s *station, result string) prometheus.Collector {
	t.Helper()
	sum := prometheus.NewCounter(prometheus.CounterOpts{Name: "sum"})
	families, err := s.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "longwave_icecast_sources_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "result" && l.GetValue() == result {
					sum.Add(m.GetCounter().GetValue())
				}
			}
		}
	}
	return sum
}

func sorted(s []string) []string {
	s = slices.Clone(s)
	slices.Sort(s)
	return s
}
