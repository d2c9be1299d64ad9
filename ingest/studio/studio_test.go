package studio_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"

	"longwave/ingest"
	"longwave/ingest/broadcast"
	"longwave/ingest/decode"
	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
	"longwave/ingest/studio"
	"longwave/ingest/token"
)

// A pipe is a listener whose connections are in memory, so that a server runs in fake
// time.
type pipe struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipe() *pipe { return &pipe{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipe) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipe) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipe) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func (p *pipe) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// A memory is a keeper of the test's, which may fail or be slow.
type memory struct {
	mu      sync.Mutex
	objects map[string][]byte
	fail    error
}

func (m *memory) Load(_ context.Context, station string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.objects[station], m.fail
}

func (m *memory) Update(_ context.Context, station string, change func([]byte) ([]byte, error)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	data, err := change(m.objects[station])
	if err == nil {
		m.objects[station] = data
	}
	return err
}

func (m *memory) setFail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = err
}

// A room is a station with its studio behind a real HTTP server, in fake time.
type room struct {
	t         *testing.T
	signer    *token.Signer
	keeper    *memory
	gate      *ingest.Gate
	programme *ingest.Programme
	show      *broadcast.Show
	api       *studio.API
	router    chi.Router
	registry  *prometheus.Registry
	client    *http.Client
	pipe      *pipe
	amps      sync.Map // of those who speak, by token
	mu        sync.Mutex
	alarms    []studio.Alarm
	logged    *bytes.Buffer
	leave     func()
	host      string // a token
	document  *document
}

const public = "https://radio.example"

// enter builds a room and runs it until the test ends.
func enter(t *testing.T, keeper *memory, change ...func(*studio.Options)) *room {
	t.Helper()
	time.Sleep(time.Until(time.Date(2026, 3, 1, 18, 0, 0, 0, time.UTC))) // fake time begins before tokens do
	signer, err := token.NewSigner([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	r := &room{t: t, signer: signer, keeper: keeper, registry: prometheus.NewRegistry(), logged: &bytes.Buffer{}}
	clock := pcm.NewClock(time.Now())
	log := slog.New(slog.NewJSONHandler(&locked{w: r.logged}, nil))
	r.programme = ingest.NewProgramme(ingest.ProgrammeOptions{Station: "talk", Clock: clock, Start: clock.Now().Ceil(92_160), Log: slog.New(slog.DiscardHandler)})
	desk := r.programme.Desk()
	r.show = broadcast.New(broadcast.Options{Station: "talk", Desk: desk, Seats: desk, Keeper: keeper, Began: desk.ResetLoudness, Log: log, Registry: r.registry})
	r.gate = ingest.NewGate(ingest.GateOptions{Tokens: signer, Revoked: r.show.Revoked, Log: slog.New(slog.DiscardHandler)}, r.programme)
	opt := studio.Options{
		Tokens: signer, Public: public, Log: log, Registry: r.registry,
		ICEServers: []studio.ICEServer{{URLs: []string{"stun:stun.example:3478"}}},
		Stations: []studio.Station{{
			Name: "talk", Title: "Talk Radio", Desk: desk, Show: r.show, Meters: r.programme.Meters,
			Push: func(token string) map[string]string {
				return map[string]string{"rtmp": "rtmp://radio.example/live/" + token}
			},
			Alarms: r.toldAlarms,
		}},
	}
	for _, c := range change {
		c(&opt)
	}
	r.api = studio.New(opt)
	r.host = r.sign(token.Token{Role: token.Host, Name: "Hanna"})
	r.run()
	return r
}

// run starts what a node starts, until leave or the end of the test.
func (r *room) run() {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.t.Context())
	if err := r.show.Load(ctx); err != nil {
		r.t.Log(err)
	}
	var all sync.WaitGroup
	all.Go(func() { _ = r.show.Run(ctx) })
	all.Go(func() { _ = r.api.Run(ctx) })
	all.Go(func() {
		for {
			if _, err := r.programme.Next(ctx); err != nil {
				return
			}
		}
	})
	r.router = chi.NewRouter()
	r.api.Routes(r.router)
	r.pipe = newPipe()
	server := &http.Server{Handler: r.router, WriteTimeout: 30 * time.Second, ReadHeaderTimeout: 5 * time.Second}
	all.Go(func() { _ = server.Serve(r.pipe) })
	r.client = &http.Client{Transport: &http.Transport{DialContext: r.pipe.dial}}
	r.leave = sync.OnceFunc(func() {
		cancel()
		end, done := context.WithTimeout(context.Background(), 10*time.Second)
		defer done()
		if err := server.Shutdown(end); err != nil {
			r.t.Errorf("shut down: %v", err)
			_ = server.Close()
		}
		r.client.CloseIdleConnections()
		all.Wait()
	})
	r.t.Cleanup(func() { r.leave() })
	r.document = readDocument(r.t, r.router)
	synctest.Wait()
}

// newRecorder takes an answer from a handler without a server.
func newRecorder() *httptest.ResponseRecorder { return httptest.NewRecorder() }

// locked is a writer for many.
type locked struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// sign returns a token for the station.
func (r *room) sign(t token.Token) string {
	r.t.Helper()
	if t.Station == "" {
		t.Station = "talk"
	}
	text, err := r.signer.Sign(t)
	if err != nil {
		r.t.Fatal(err)
	}
	return text
}

// seat returns the seat that a token owns.
func (r *room) seat(text string) string {
	r.t.Helper()
	tok, err := r.signer.Parse(text, time.Now())
	if err != nil {
		r.t.Fatal(err)
	}
	return tok.ID
}

// open opens a lane.
func (r *room) open(text string) (*ingest.Lane, error) {
	return r.gate.Open(r.t.Context(), ingest.Claim{Station: "talk", Token: text, Transport: "stdin"}, decode.Format{Codec: decode.F32LE, Rate: pcm.Rate, Channels: pcm.Channels})
}

// setAlarms is what the rest of the node knows.
func (r *room) setAlarms(all ...studio.Alarm) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.alarms = all
}

func (r *room) toldAlarms() []studio.Alarm {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.alarms
}

// louder says how loud somebody goes on; less than 0 is not at all.
func (r *room) louder(text string, amp float64) { r.amps.Store(text, amp) }

// speak opens a lane and says a tone, until the returned function is called.
func (r *room) speak(text string, amp float64) (stop func()) {
	r.t.Helper()
	l, err := r.open(text)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(r.t.Context())
	done := make(chan struct{})
	r.louder(text, amp)
	go func() {
		defer close(done)
		defer func() { _ = l.Close() }()
		began := time.Now()
		for i := 1; ctx.Err() == nil; i++ {
			if amp, _ := r.amps.Load(text); amp.(float64) >= 0 {
				frame := pcmtest.Bytes(pcmtest.Tone{Hz: 1000, Amp: amp.(float64)}.Make(pcm.FrameSamples))
				if err := l.Push(ingest.Packet{Data: frame, Arrival: time.Now()}); err != nil {
					return
				}
			}
			time.Sleep(time.Until(began.Add(time.Duration(i) * pcm.FrameDuration)))
		}
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	r.t.Cleanup(stop)
	return stop
}

// An answer is what came of a request.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// ask sends a request. Body is JSON text, or empty for none.
func (r *room) ask(method, path, text, body string) answer {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, "http://studio"+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if text != "" {
		req.Header.Set("Authorization", "Bearer "+text)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	a := r.send(req)
	if err := r.document.checkAnswer(method, req.URL.EscapedPath(), body, a); err != nil && a.status != http.StatusMethodNotAllowed && a.status != http.StatusNotFound {
		r.t.Errorf("%s %s %s: %v", method, path, body, err)
	}
	return a
}

func (r *room) send(req *http.Request) answer {
	r.t.Helper()
	resp, err := r.client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, data}
}

// must is ask by the host, which wants this status; it returns the JSON of the answer.
func (r *room) must(want int, method, path, body string) map[string]any {
	r.t.Helper()
	a := r.ask(method, "/api/v1/stations/talk"+path, r.host, body)
	if a.status != want {
		r.t.Fatalf("%s %s %s: %d %s, want %d", method, path, body, a.status, a.body, want)
	}
	if len(a.body) == 0 {
		return nil
	}
	var v map[string]any
	if err := json.Unmarshal(a.body, &v); err != nil {
		r.t.Fatalf("%s %s: %v in %s", method, path, err, a.body)
	}
	return v
}

// in runs a test in a room in fake time.
func in(t *testing.T, do func(t *testing.T, r *room), change ...func(*studio.Options)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		do(t, enter(t, &memory{objects: map[string][]byte{}}, change...))
	})
}

func TestEvening(t *testing.T) {
	in(t, func(t *testing.T, r *room) {
		guest := r.sign(token.Token{Role: token.Speaker, Name: "Greta"})
		l := r.listen(r.host, "")
		if got := l.state()["phase"]; got != "auto" {
			t.Errorf("at first the phase is %v", got)
		}
		b := r.must(http.StatusCreated, "POST", "/broadcasts", `{"title":"An interview","start":"`+time.Now().Add(31*time.Minute).Format(time.RFC3339)+`"}`)
		time.Sleep(time.Second)
		if got := l.state()["phase"]; got != "scheduled" {
			t.Errorf("announced, the phase is %v", got)
		}
		time.Sleep(time.Minute)
		if got := l.state()["phase"]; got != "doors" {
			t.Errorf("half an hour before, the phase is %v", got)
		}
		r.speak(r.host, 0.2)
		r.speak(guest, 0.2)
		time.Sleep(time.Second)
		if got := l.state()["audience_hears"]; got != "hold" {
			t.Errorf("doors: the audience hears %v", got)
		}
		r.must(http.StatusOK, "PATCH", "/speakers/"+r.seat(guest), `{"on_air":true,"gain_db":-3}`)
		if got := r.must(http.StatusOK, "POST", "/live", "")["id"]; got != b["id"] {
			t.Errorf("live is %v, want %v", got, b["id"])
		}
		time.Sleep(time.Second)
		s := l.state()
		if s["audience_hears"] != "live" || s["phase"] != "live" {
			t.Errorf("live: %v", s)
		}
		r.must(http.StatusOK, "POST", "/end", "")
		time.Sleep(2 * time.Second)
		if s := l.state(); s["audience_hears"] != "hold" || s["phase"] != "ended" {
			t.Errorf("ended: %v", s)
		}
		if n := len(l.named("levels")); n < 10*60 {
			t.Errorf("%d levels came", n)
		}
		l.check()
	})
}
