package listen_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-chi/chi/v5"

	"longwave/origin"
	"longwave/origin/listen"
	"longwave/packager"
)

// firstMSN is of the first segment with sound: four seconds after a bubble of
// synctest begins its time, at the start of the year 2000.
const firstMSN = 493_065_002

// A tape is what the packager published of a tone, and when.
type tape []recorded

type recorded struct {
	at time.Time
	packager.Object
}

// A recorder keeps what is put, with the time up to which there was sound.
type recorder struct {
	now  func() time.Time
	tape tape
}

func (r *recorder) Put(_ context.Context, o packager.Object) error {
	r.tape = append(r.tape, recorded{r.now(), o})
	return nil
}

// zero returns a value of what a source gives: a stage imports the one before it and
// not what that one imports, so the type of a frame has no name here.
func zero[F any](func(packager.Source, context.Context) (F, error)) F {
	var f F
	return f
}

// A source gives the frame that fill has filled.
type source[F any] struct {
	frame *F
	fill  func() error
}

func newSource[F any](frame *F, fill func() error) source[F] { return source[F]{frame, fill} }

// Next implements [packager.Source].
func (s source[F]) Next(context.Context) (F, error) {
	err := s.fill()
	return *s.frame, err
}

// record packages a tone with the real packager, only faster than on the air.
func record(t *testing.T, profile string, length time.Duration, rungs ...string) tape {
	t.Helper()
	p, err := packager.ParseProfile(profile)
	if err != nil {
		t.Fatal(err)
	}
	var ladder []packager.Rung
	for _, name := range rungs {
		rung, err := packager.ParseRung(name)
		if err != nil {
			t.Fatal(err)
		}
		ladder = append(ladder, rung)
	}
	frame := zero(packager.Source.Next)
	frame.Pos = packager.SegmentPos(firstMSN)
	frame.Samples = make([]float32, 0, 1920)
	rec := &recorder{now: func() time.Time { return frame.End().Time() }}
	pk, err := packager.New(packager.Options{
		Station: "talk", Profile: p, Ladder: ladder, Start: frame.Pos, Live: rec, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	end := frame.Pos.Time().Add(length)
	fill := func() error {
		if frame.Pos = frame.End(); !frame.Pos.Time().Before(end) {
			return io.EOF
		}
		frame.Samples = frame.Samples[:cap(frame.Samples)]
		for i := range frame.Samples {
			at := float64(int64(frame.Pos)%48_000 + int64(i/2))
			frame.Samples[i] = float32(math.Sin(2*math.Pi*440*at/48_000)) / 4
		}
		return nil
	}
	if err := pk.Run(t.Context(), newSource(&frame, fill)); err != nil {
		t.Fatal(err)
	}
	return rec.tape
}

// Tapes are made once: a bubble of synctest has other things to do.
var (
	tapesMu sync.Mutex
	tapes   = map[string]tape{}
)

// lengths are those of the tapes: what the longest test needs.
var lengths = map[string]time.Duration{"fast": 50 * time.Second, "low": 90 * time.Second, "calm": 50 * time.Second, "plain": 67 * time.Second}

// tapeOf returns a tape of a profile.
func tapeOf(t *testing.T, profile string) tape {
	t.Helper()
	tapesMu.Lock()
	defer tapesMu.Unlock()
	if tapes[profile] == nil {
		tapes[profile] = record(t, profile, lengths[profile], "aac-48", "opus-24")
	}
	return tapes[profile]
}

// A network is one in memory, so that time in a bubble can pass while everybody
// waits for it.
type network struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newNetwork() *network { return &network{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (n *network) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case n.conns <- server:
		return client, nil
	case <-n.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept implements [net.Listener].
func (n *network) Accept() (net.Conn, error) {
	select {
	case c := <-n.conns:
		return c, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (n *network) Close() error {
	n.once.Do(func() { close(n.closed) })
	return nil
}

// Addr implements [net.Listener].
func (n *network) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 80} }

// serve serves h on a network in memory and returns what makes requests there.
func serve(t *testing.T, h http.Handler) *http.Transport {
	t.Helper()
	n := newNetwork()
	server := &http.Server{Handler: h, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	var done sync.WaitGroup
	done.Go(func() { _ = server.Serve(n) })
	transport := &http.Transport{DialContext: n.dial, DisableCompression: true, MaxIdleConnsPerHost: 64}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close()
		done.Wait()
	})
	return transport
}

// A station is a real origin that is fed from a tape.
type station struct {
	tape tape
	// put changes what is put; false leaves it out. nil: everything is put.
	put func(o *packager.Object) bool
	// serve stands before the origin. nil: nothing does.
	serve func(http.ResponseWriter, *http.Request, http.Handler)
	aired chan struct{} // closed when the whole tape is on
}

const page = `<!doctype html><title>talk</title><section data-index="index.m3u8" data-opus='opus.m3u8'></section><a href="index.m3u8">other players</a>`

// start puts the tape on the air and returns what makes requests to it.
func (s *station) start(t *testing.T) *http.Transport {
	t.Helper()
	live := origin.NewLive()
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() { _ = live.Run(ctx) })
	s.aired = make(chan struct{})
	done.Go(func() {
		defer close(s.aired)
		for _, r := range s.tape {
			if wait := time.Until(r.at); wait > 0 {
				select {
				case <-time.After(wait):
				case <-ctx.Done():
					return
				}
			}
			if o := r.Object; s.put == nil || s.put(&o) {
				if err := live.Put(ctx, o); err != nil {
					t.Error(err)
				}
			}
		}
	})
	r := chi.NewRouter()
	r.Get("/talk/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, page)
	})
	origin.NewServer(origin.Options{Live: live, Log: slog.New(slog.DiscardHandler)}).Routes(r, "talk")
	h := http.Handler(r)
	if s.serve != nil {
		h = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { s.serve(w, req, r) })
	}
	t.Cleanup(func() { cancel(); done.Wait() }) // after the server's end
	return serve(t, h)
}

// hear listens to a station for a time, from its tenth second on, in a bubble.
func (s *station) hear(t *testing.T, opt listen.Options) listen.Report {
	t.Helper()
	var rep listen.Report
	synctest.Test(t, func(t *testing.T) {
		opt.Transport = s.start(t)
		time.Sleep(10 * time.Second)
		rep = hear(t, opt)
	})
	return rep
}

func hear(t *testing.T, opt listen.Options) listen.Report {
	t.Helper()
	if opt.URL == "" {
		opt.URL = "http://station.test/talk/"
	}
	if opt.For == 0 {
		opt.For = 20 * time.Second
	}
	l, err := listen.New(opt)
	if err != nil {
		t.Fatal(err)
	}
	rep, err := l.Run(t.Context())
	if err != nil {
		t.Error(err)
	}
	return rep
}

// rules returns the names of the rules that were broken, MUST and SHOULD.
func rules(rep listen.Report) map[string]listen.Finding {
	all := map[string]listen.Finding{}
	for _, f := range append(rep.Must, rep.Should...) {
		all[f.Rule] = f
	}
	return all
}

// show logs a report, for when a test fails.
func show(t *testing.T, rep listen.Report) {
	t.Helper()
	var b strings.Builder
	if err := rep.WriteText(&b, true); err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + b.String())
}

// gunzip unpacks what the origin packed.
func gunzip(b []byte) []byte {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		panic(err)
	}
	b, err = io.ReadAll(z)
	if err != nil {
		panic(err)
	}
	return b
}
