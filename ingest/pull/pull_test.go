package pull_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"longwave/ingest"
	"longwave/ingest/decode"
	"longwave/ingest/decode/decodetest"
	"longwave/ingest/decode/sandbox"
	"longwave/ingest/pcm"
	"longwave/ingest/pull"
)

func TestMain(m *testing.M) {
	sandbox.Main()
	os.Exit(m.Run())
}

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// A door is a gate whose lanes decode at once and keep what came.
type door struct {
	refuse error
	done   func() // called when lanes were closed, or enough samples came
	lanes  int
	enough int // 0: never

	mu     sync.Mutex
	claims []ingest.Claim
	paths  []*path
}

func (d *door) Open(ctx context.Context, c ingest.Claim, f decode.Format) (*path, error) {
	if d.refuse != nil {
		return nil, d.refuse
	}
	p := &path{door: d, format: f}
	var err error
	p.dec, err = decode.New(context.WithoutCancel(ctx), f, p.out, decode.Options{})
	d.mu.Lock()
	defer d.mu.Unlock()
	d.claims = append(d.claims, c)
	d.paths = append(d.paths, p)
	return p, err
}

// A path is a lane.
type path struct {
	door    *door
	format  decode.Format
	dec     decode.Decoder
	samples []float32
	titles  []string
	refuse  error
}

func (p *path) out(b []float32) error {
	p.samples = append(p.samples, b...)
	if n := p.door.enough; n > 0 && len(p.samples) >= n*pcm.Channels {
		p.door.done()
	}
	return nil
}

func (p *path) Push(k ingest.Packet) error {
	if p.refuse != nil {
		return p.refuse
	}
	return p.dec.Decode(k.Data)
}

func (p *path) Title(s string) { p.titles = append(p.titles, s) }

func (p *path) Close() error {
	err := p.dec.Close()
	p.door.mu.Lock()
	defer p.door.mu.Unlock()
	if p.door.lanes--; p.door.lanes == 0 && p.door.done != nil {
		p.door.done()
	}
	return err
}

// fetch runs a puller of u with one lane after another until n lanes were closed or it
// ends by itself.
func fetch(t *testing.T, u string, n int) (*door, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	d := &door{lanes: n, done: cancel}
	p, err := pull.New(d, pull.Options{Station: "talk", URL: u, AllowPrivate: loopback})
	if err != nil {
		return d, err
	}
	return d, p.Run(ctx)
}

// interleave puts metadata into sound as Icecast does.
func interleave(b []byte, every int, titles map[int]string) []byte {
	var out []byte
	for i := 0; len(b) > 0; i++ {
		n := min(every, len(b))
		out = append(out, b[:n]...)
		b = b[n:]
		if n < every {
			break
		}
		if title, ok := titles[i]; ok {
			block := []byte("StreamTitle='" + title + "';StreamUrl='http://example.org/?a=b';")
			out = append(out, byte((len(block)+15)/16))
			out = append(out, append(block, make([]byte, (16-len(block)%16)%16)...)...)
		} else {
			out = append(out, 0)
		}
	}
	return out
}

// TestStreams fetches what radio stations send, with titles in between.
func TestStreams(t *testing.T) {
	const length = 2 * time.Second
	for _, c := range []struct {
		name  string
		args  []string
		slack int
	}{
		{"mp3", []string{"-c:a", "libmp3lame", "-b:a", "128k", "-f", "mp3"}, 3000},
		{"aac", []string{"-c:a", "aac", "-b:a", "96k", "-ac", "2", "-f", "adts"}, 3000},
		{"ogg opus", []string{"-c:a", "libopus", "-f", "ogg"}, 1000},
		{"ogg vorbis", []string{"-c:a", "libvorbis", "-f", "ogg"}, 1000},
		{"flac", []string{"-c:a", "flac", "-f", "flac"}, 0},
	} {
		for _, live := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s live %v", c.name, live), func(t *testing.T) {
				t.Parallel()
				b := decodetest.Encode(t, length, c.args...)
				var asked http.Header
				srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					asked = r.Header.Clone()
					if !live {
						w.Header().Set("Content-Length", fmt.Sprint(len(b)))
						_, _ = w.Write(b)
						return
					}
					w.Header().Set("icy-metaint", "1000")
					data := interleave(b, 1000, map[int]string{0: "It's one", 4: "Gr\xfc\xdfe"})
					for len(data) > 0 { // in pieces that fit nothing
						n := min(777, len(data))
						_, _ = w.Write(data[:n])
						w.(http.Flusher).Flush()
						data = data[n:]
					}
				}))
				defer srv.Close()
				d, err := fetch(t, srv.URL+"/radio?key=secret", 1)
				if live && !errors.Is(err, context.Canceled) || !live && err != nil {
					t.Fatalf("Run = %v", err)
				}
				p := d.paths[0]
				decodetest.Check(t, p.samples, int(pcm.Samples(length)), max(c.slack, 1), -25)
				var titles []string
				if live {
					titles = []string{"It's one", "Grüße"}
				}
				if diff := cmp.Diff(titles, p.titles); diff != "" {
					t.Errorf("titles (-want +got):\n%s", diff)
				}
				if asked.Get("Icy-MetaData") != "1" || asked.Get("Accept-Encoding") != "identity" {
					t.Errorf("asked with %v", asked)
				}
				host := strings.TrimPrefix(srv.URL, "http://")
				want := ingest.Claim{Station: "talk", Transport: "pull", Remote: srv.URL + "/radio", Name: host + "/radio"}
				if diff := cmp.Diff(want, d.claims[0]); diff != "" {
					t.Errorf("claim (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// raw serves each connection with what answer writes after the request came.
func raw(t *testing.T, answer func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() { l.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				buf := make([]byte, 4096)
				for got := ""; !strings.Contains(got, "\r\n\r\n"); {
					n, err := c.Read(buf)
					if err != nil {
						return
					}
					got += string(buf[:n])
				}
				answer(c)
			})
		}
	})
	return "http://" + l.Addr().String()
}

// TestSHOUTcast: an old server greets with ICY instead of HTTP.
func TestSHOUTcast(t *testing.T) {
	t.Parallel()
	b := decodetest.Encode(t, time.Second, "-c:a", "libmp3lame", "-f", "mp3")
	u := raw(t, func(c net.Conn) {
		_, _ = io.WriteString(c, "ICY 200 OK\r\nicy-name:Old\r\nicy-metaint:8192\r\n\r\n")
		_, _ = c.Write(interleave(b, 8192, map[int]string{0: "Old song"}))
	})
	d, _ := fetch(t, u, 1)
	if len(d.paths) == 0 {
		t.Fatal("no lane was opened")
	}
	decodetest.Check(t, d.paths[0].samples, pcm.Rate, 3000, -25)
	if diff := cmp.Diff([]string{"Old song"}, d.paths[0].titles); diff != "" {
		t.Errorf("titles (-want +got):\n%s", diff)
	}
}

// TestLists: M3U and PLS lead to the sound.
func TestLists(t *testing.T) {
	t.Parallel()
	b := decodetest.Encode(t, time.Second, "-c:a", "flac", "-f", "flac")
	mux := http.NewServeMux()
	mux.HandleFunc("/a.m3u", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "#EXTM3U\r\n#EXTINF:-1,Radio\r\nsub/b.pls\r\n")
	})
	mux.HandleFunc("/sub/b.pls", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "[playlist]\nNumberOfEntries=1\nTitle1=Radio\nFile1=http://%s/c\nLength1=-1\n", r.Host)
	})
	mux.HandleFunc("/c", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "http://%s/d\n", r.Host) })
	mux.HandleFunc("/d", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/e", http.StatusFound) })
	mux.HandleFunc("/e", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(b)))
		_, _ = w.Write(b)
	})
	srv := httptest.NewServer(mux)
	defer srv.Close()
	d, err := fetch(t, srv.URL+"/a.m3u", 1)
	if err != nil {
		t.Fatal(err)
	}
	decodetest.Check(t, d.paths[0].samples, pcm.Rate, 1, -40)
}

// start runs a program until the test is over.
func start(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	var said bytes.Buffer
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s: %s", name, said.String())
		}
	})
}

// until pulls u, which may not be there yet, until seconds of sound came.
func until(t *testing.T, u string, seconds int) *path {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute) // liquidsoap takes its time to start
	defer cancel()
	d := &door{done: cancel, enough: seconds * pcm.Rate}
	p, err := pull.New(d, pull.Options{Station: "talk", URL: u, AllowPrivate: loopback})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Run(ctx); !errors.Is(err, context.Canceled) || len(d.paths) != 1 {
		t.Fatalf("Run = %v with %d lanes", err, len(d.paths))
	}
	return d.paths[0]
}

// TestLiquidsoap pulls from a real station, which starts while we try already, with the
// titles that it sets.
func TestLiquidsoap(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	dir := t.TempDir()
	script := fmt.Sprintf(`settings.init.allow_root.set(true)
settings.log.stdout.set(true)
settings.frame.audio.samplerate.set(48000)
settings.harbor.bind_addrs.set(["127.0.0.1"])
s = insert_metadata(sine(%v))
n = ref(0)
thread.run(every=0.5, fun() -> begin n := !n + 1; s.insert_metadata([("title", "Radio Grüße #{!n}")]) end)
output.harbor(%%mp3(samplerate=48000, stereo=true, bitrate=192), port=%d, mount="/radio", s)
`, decodetest.Hz, port)
	if err := os.WriteFile(filepath.Join(dir, "radio.liq"), []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, dir, "liquidsoap", "radio.liq")
	p := until(t, fmt.Sprintf("http://127.0.0.1:%d/radio", port), 4)
	const onset = pcm.Rate / 10
	decodetest.Check(t, p.samples[onset*pcm.Channels:], 4*pcm.Rate-onset, pcm.Rate, -25)
	if len(p.titles) == 0 || !strings.Contains(p.titles[0], "Radio Grüße") {
		t.Errorf("titles %q", p.titles)
	}
}
