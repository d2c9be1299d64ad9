package file_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"longwave/ingest"
	"longwave/ingest/decode"
	"longwave/ingest/decode/decodetest"
	"longwave/ingest/decode/sandbox"
	"longwave/ingest/file"
	"longwave/ingest/ingesttest"
	"longwave/ingest/pcm"
)

func TestMain(m *testing.M) {
	sandbox.Main()
	os.Exit(m.Run())
}

// door is a gate with one lane that decodes at once.
type door struct {
	claim  ingest.Claim
	opened chan struct{}
	path   path
}

func newDoor() *door { return &door{opened: make(chan struct{}), path: path{heard: make(chan int, 1)}} }

func (d *door) Open(ctx context.Context, c ingest.Claim, f decode.Format) (*path, error) {
	d.claim = c
	var err error
	d.path.dec, err = decode.New(ctx, f, d.path.out, decode.Options{})
	close(d.opened)
	return &d.path, err
}

// path is a lane that keeps what came.
type path struct {
	dec   decode.Decoder
	heard chan int // the number of samples so far
	live  bool     // samples are taken no faster than they sound

	clock pcm.Clock
	start pcm.Pos

	mu      sync.Mutex
	samples []float32
	title   string
	refuse  int // after so many packets; 0: never
	packets int
	closed  bool
}

func (p *path) Push(k ingest.Packet) error {
	p.packets++
	if p.refuse > 0 && p.packets > p.refuse {
		return ingest.ErrClosed
	}
	return p.dec.Decode(k.Data)
}

func (p *path) Title(title string) { p.title = title }

func (p *path) Close() error {
	p.closed = true
	return p.dec.Close()
}

func (p *path) out(b []float32) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.live { // as a lane that holds half a second
		if len(p.samples) == 0 {
			p.clock = pcm.NewClock(time.Now())
			p.start = p.clock.Now()
		}
		due := p.start + pcm.Pos(len(p.samples)/pcm.Channels) - pcm.Rate/2
		if err := p.clock.Wait(context.Background(), due); err != nil {
			return err
		}
	}
	p.samples = append(p.samples, b...)
	select {
	case <-p.heard:
	default:
	}
	p.heard <- len(p.samples) / pcm.Channels
	return nil
}

// waitFor returns when n samples were heard.
func (p *path) waitFor(t *testing.T, n int) {
	t.Helper()
	for got := range p.heard {
		if got >= n {
			return
		}
	}
}

func tone(t *testing.T, d time.Duration, name string, args ...string) string {
	t.Helper()
	b := decodetest.Encode(t, d, "-f", "wav")
	name = filepath.Join(t.TempDir(), name)
	decodetest.FFmpeg(t, b, append(append([]string{"-v", "error", "-i", "pipe:0"}, args...), name)...)
	return name
}

// TestPlay plays files of formats that a speaker could not send, too.
func TestPlay(t *testing.T) {
	const length = time.Second
	for _, c := range []struct {
		name  string
		args  []string
		slack int
	}{
		{"tone.flac", nil, 0},
		{"tone.wav", []string{"-ar", "44100"}, 32},
		{"tone.m4a", []string{"-c:a", "aac", "-b:a", "128k", "-ac", "2"}, 1024}, // its index is at the end: not for a pipe
		{"tone.mp3", []string{"-c:a", "libmp3lame"}, 0},
		{"tone.opus", []string{"-c:a", "libopus"}, 0},
		{"tone.mkv", []string{"-c:a", "libvorbis"}, 960},
		{"tone.aiff", nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := newDoor()
			p, err := file.New(d, file.Options{Station: "talk", Path: tone(t, length, c.name, c.args...), Title: "A tone"})
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			r := decodetest.Check(t, d.path.samples, int(pcm.Samples(length)), max(c.slack, 1), -25)
			if n := r.Samples - int(pcm.Samples(length)); n < -c.slack || n > c.slack {
				t.Errorf("%d samples, want %d within %d", r.Samples, pcm.Samples(length), c.slack)
			}
			if !d.path.closed || d.path.title != "A tone" || d.claim.Station != "talk" || d.claim.Transport != "file" {
				t.Errorf("lane %+v of claim %+v", &d.path, d.claim)
			}
		})
	}
}

// TestLoop: a tone of a whole number of periods goes round and round without a
// seam, and stops when told to.
func TestLoop(t *testing.T) {
	t.Parallel()
	const length = 2 * time.Second // 2469 periods
	d := newDoor()
	p, err := file.New(d, file.Options{Station: "talk", Path: tone(t, length, "tone.flac"), Loop: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	<-d.opened
	d.path.waitFor(t, 5*pcm.Rate)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v, want %v", err, context.Canceled)
	}
	decodetest.Check(t, d.path.samples, len(d.path.samples)/pcm.Channels, 1, -40)
}

// TestDecoderKilled: the decoder is killed in the middle; nothing of it is heard.
func TestDecoderKilled(t *testing.T) {
	t.Parallel()
	const length = 6 * time.Second
	d := newDoor()
	log := &ingesttest.Log{}
	d.path.live = true
	name := tone(t, length, "killed.wav")
	p, err := file.New(d, file.Options{Station: "talk", Path: name, Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- p.Run(t.Context()) }()
	<-d.opened
	d.path.waitFor(t, pcm.Rate)
	killDecoderOf(t, name)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "decoder died") {
		t.Errorf("the log does not tell that the decoder died:\n%s", log)
	}
	decodetest.Check(t, d.path.samples, int(pcm.Samples(length)), 1, -40)
}

// killDecoderOf kills the child of ours that reads the file.
func killDecoderOf(t *testing.T, name string) {
	t.Helper()
	for _, pid := range decodetest.Children(t) {
		stdin, _ := os.Readlink(filepath.Join("/proc", strconv.Itoa(pid), "fd", "0"))
		if stdin == name {
			decodetest.Kill(t, pid)
			return
		}
	}
	t.Fatal("no decoder is running")
}

func TestStdin(t *testing.T) {
	const length = time.Second
	for _, c := range []struct {
		name   string
		format decode.Format
		args   []string
	}{
		{"raw", decode.Format{}, []string{"-ac", "2", "-f", "s16le"}},
		{"raw float mono", decode.Format{Codec: decode.F32LE, Rate: 48000, Channels: 1}, []string{"-f", "f32le"}},
		{"raw 44.1k", decode.Format{Codec: decode.S16LE, Rate: 44100, Channels: 1}, []string{"-ar", "44100", "-f", "s16le"}},
		{"wav", decode.Format{}, []string{"-f", "wav"}},
		{"wav 24 bit", decode.Format{}, []string{"-ar", "96000", "-c:a", "pcm_s24le", "-f", "wav"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := decodetest.Encode(t, length, c.args...)
			d := newDoor()
			p, err := file.New(d, file.Options{Station: "talk", Path: "-", Format: c.format, Stdin: iotestOneByOne(b)})
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			decodetest.Check(t, d.path.samples, int(pcm.Samples(length)), 32, -40)
		})
	}
}

// iotestOneByOne gives b in pieces that fit no sample.
func iotestOneByOne(b []byte) io.Reader { return &pieces{b} }

type pieces struct{ b []byte }

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.b) == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), 7)], p.b)
	p.b = p.b[n:]
	return n, nil
}

// TestStdinLeft: nobody writes to standard input; Run ends with its context.
func TestStdinLeft(t *testing.T) {
	r, w := io.Pipe()
	defer func() { _ = w.Close() }()
	p, err := file.New(newDoor(), file.Options{Station: "talk", Path: "-", Stdin: r})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v, want %v", err, context.Canceled)
	}
}

// TestGateCloses: the lane is closed from the other side, which is no failure.
func TestGateCloses(t *testing.T) {
	d := newDoor()
	d.path.refuse = 3
	p, err := file.New(d, file.Options{Station: "talk", Path: tone(t, time.Second, "tone.flac"), Loop: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Run(t.Context()); err != nil || !d.path.closed {
		t.Errorf("Run = %v, lane closed: %v", err, d.path.closed)
	}
}

// TestMistakes: each is told with the file's name.
func TestMistakes(t *testing.T) {
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage.mp3")
	if err := os.WriteFile(garbage, bytes.Repeat([]byte("no sound "), 10_000), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, path, want string }{
		{"missing", filepath.Join(dir, "missing.wav"), "no such file"},
		{"a folder", dir, "not a file"},
		{"garbage", garbage, garbage},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := file.New(newDoor(), file.Options{Station: "talk", Path: c.path})
			if err == nil {
				err = p.Run(t.Context())
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.path) {
				t.Errorf("error %v, want %q and the path in it", err, c.want)
			}
		})
	}
	if _, err := file.New(newDoor(), file.Options{Station: "talk", Path: "-", Loop: true}); err == nil {
		t.Error("standard input can be looped")
	}
}
