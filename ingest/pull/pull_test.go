package pull_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
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
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

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

// hls makes a playlist of the tone with ffmpeg and returns a server of its folder.
func hls(t *testing.T, length time.Duration, args ...string) string {
	t.Helper()
	dir := t.TempDir()
	source := fmt.Sprintf("sine=frequency=%v:sample_rate=%d:duration=%f", decodetest.Hz, pcm.Rate, length.Seconds())
	all := append([]string{"-v", "error", "-nostdin", "-f", "lavfi", "-i", source}, args...)
	cmd := exec.CommandContext(t.Context(), "ffmpeg", all...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg: %v\n%s", err, out)
	}
	if _, err := os.Stat(filepath.Join(dir, "live.m3u8")); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(srv.Close)
	return srv.URL + "/"
}

// TestHLS plays what ffmpeg makes, to the end.
func TestHLS(t *testing.T) {
	const length = 3 * time.Second
	vod := []string{"-f", "hls", "-hls_time", "1", "-hls_playlist_type", "vod", "live.m3u8"}
	mp4 := append([]string{"-hls_segment_type", "fmp4"}, vod...)
	for _, c := range []struct {
		name  string
		args  []string
		codec decode.Codec
	}{
		{"AAC in TS", append([]string{"-c:a", "aac", "-ac", "2", "-b:a", "96k"}, vod...), decode.ADTS},
		{"MP3 in TS", append([]string{"-c:a", "libmp3lame", "-ac", "2", "-b:a", "128k"}, vod...), decode.MP3},
		{"AAC in fMP4", append([]string{"-c:a", "aac", "-ac", "2", "-b:a", "96k"}, mp4...), decode.ADTS},
		{"AAC 44.1 kHz", append([]string{"-c:a", "aac", "-ar", "44100", "-ac", "2", "-b:a", "96k"}, mp4...), decode.ADTS},
		{"Opus in fMP4", append([]string{"-c:a", "libopus", "-ac", "2", "-b:a", "96k", "-strict", "-2"}, mp4...), decode.Opus},
		{"one file, byte ranges", append([]string{"-c:a", "aac", "-ac", "2", "-b:a", "96k", "-hls_flags", "single_file"}, mp4...), decode.ADTS},
		{"packed AAC", []string{"-c:a", "aac", "-ac", "2", "-b:a", "96k", "-f", "segment", "-segment_time", "1", "-segment_format", "adts", "-segment_list", "live.m3u8", "-segment_list_type", "m3u8", "s%d.aac"}, decode.ADTS},
		{"variants with pictures", append([]string{
			"-f", "lavfi", "-i", "testsrc=size=64x64:rate=25:duration=3", "-map", "0:a", "-map", "1:v", "-c:v", "libx264", "-g", "25", "-c:a", "aac", "-ac", "2", "-b:a", "96k",
			"-master_pl_name", "index.m3u8",
		}, vod...), decode.ADTS},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			base := hls(t, length, c.args...)
			name := "live.m3u8"
			if strings.HasPrefix(c.name, "variants") {
				name = "index.m3u8"
			}
			d, err := fetch(t, base+name, -1)
			if err != nil {
				t.Fatal(err)
			}
			if len(d.paths) != 1 || d.paths[0].format.Codec != c.codec {
				t.Fatalf("%d lanes, %v", len(d.paths), d.paths[0].format)
			}
			const onset = pcm.Rate / 10 // where the encoder has not settled
			decodetest.Check(t, d.paths[0].samples[onset*pcm.Channels:], int(pcm.Samples(length))-onset, 4000, -25)
		})
	}
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

// TestLiveHLS follows a playlist that ffmpeg writes as time passes, from before there is
// one.
func TestLiveHLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	srv := httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer srv.Close()
	start(t, dir, "ffmpeg", "-v", "error", "-nostdin", "-re", "-f", "lavfi", "-i", fmt.Sprintf("sine=frequency=%v:sample_rate=%d", decodetest.Hz, pcm.Rate),
		"-c:a", "aac", "-ac", "2", "-b:a", "96k", "-f", "hls", "-hls_time", "1", "-hls_list_size", "6", "-hls_flags", "delete_segments", "live.m3u8")
	p := until(t, srv.URL+"/live.m3u8", 8)
	const onset = pcm.Rate / 10
	decodetest.Check(t, p.samples[onset*pcm.Channels:], 8*pcm.Rate-onset, pcm.Rate, -25)
}

// TestClosed: the lane is closed from the other side, which is no failure; a source that
// the gate never lets in is one, and one for which there is no seat comes again.
func TestClosed(t *testing.T) {
	b := decodetest.Encode(t, time.Second, "-f", "wav")
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(b) }))
	defer srv.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	busy := 0
	for _, c := range []struct {
		name string
		gate func() (*path, error)
		want error
	}{
		{"closed", func() (*path, error) {
			d := &door{}
			p, err := d.Open(ctx, ingest.Claim{}, decode.Format{Codec: decode.WAV})
			p.refuse = ingest.ErrRemoved
			return p, err
		}, nil},
		{"refused", func() (*path, error) { return nil, ingest.ErrForbidden }, ingest.ErrForbidden},
		{"busy", func() (*path, error) {
			if busy++; busy == 3 {
				cancel()
			}
			return nil, ingest.ErrBusy
		}, context.Canceled},
	} {
		p, err := pull.New(opener(c.gate), pull.Options{Station: "talk", URL: srv.URL, AllowPrivate: loopback})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Run(ctx); !errors.Is(err, c.want) {
			t.Errorf("%s: Run = %v, want %v", c.name, err, c.want)
		}
	}
}

type opener func() (*path, error)

func (o opener) Open(context.Context, ingest.Claim, decode.Format) (*path, error) { return o() }

// A lockedBuffer is a log.
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

// TestBad: whatever the other side does it is counted, told once without secrets, and
// tried again.
func TestBad(t *testing.T) {
	forever := func(c net.Conn, head, s string) {
		_, err := io.WriteString(c, head)
		for err == nil {
			_, err = io.WriteString(c, s)
		}
	}
	drip := func(c net.Conn) {
		for {
			if _, err := c.Write([]byte{0}); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond) // as such a client does
		}
	}
	ok := "HTTP/1.1 200 OK\r\n\r\n"
	hlsHead := "#EXTM3U\n#EXT-X-TARGETDURATION:1\n"
	for _, c := range []struct {
		name, result string
		answer       func(net.Conn)
	}{
		{"not found", "status", func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n") }},
		{"closes", "broken", func(net.Conn) {}},
		{"garbage", "broken", func(c net.Conn) { _, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.2\r\n\r\n") }},
		{"endless headers", "broken", func(c net.Conn) { forever(c, "HTTP/1.1 200 OK\r\n", "X-A: "+strings.Repeat("a", 1000)+"\r\n") }},
		{"endless header", "broken", func(c net.Conn) { forever(c, "HTTP/1.1 200 OK\r\nX-A: ", strings.Repeat("a", 1000)) }},
		{"headers drip", "broken", func(c net.Conn) { drip(c) }},
		{"no body", "stalled", func(c net.Conn) { _, _ = io.WriteString(c, ok); _, _ = c.Read(make([]byte, 1)) }},
		{"body drips", "stalled", func(c net.Conn) { _, _ = io.WriteString(c, ok); drip(c) }},
		{"a page", "undecodable", func(c net.Conn) { _, _ = io.WriteString(c, ok+"<!DOCTYPE html><html>hello</html>") }},
		{"noise", "undecodable", func(c net.Conn) { forever(c, ok, strings.Repeat("no sound", 100)) }},
		{"endless list", "undecodable", func(c net.Conn) { forever(c, ok+"#EXTM3U\n", "# a comment\n") }},
		{"empty list", "undecodable", func(c net.Conn) { _, _ = io.WriteString(c, ok+"#EXTM3U\n") }},
		{"a list of itself", "undecodable", func(c net.Conn) { _, _ = io.WriteString(c, ok+"#EXTM3U\n/again\n") }},
		{"a list of files", "broken", func(c net.Conn) { _, _ = io.WriteString(c, ok+"#EXTM3U\nfile:///etc/passwd\n") }},
		{"a broken distance", "broken", func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nIcy-Metaint: -5\r\n\r\nx") }},
		{"a playlist without segments", "undecodable", func(c net.Conn) { _, _ = io.WriteString(c, ok+hlsHead) }},
		{"encrypted", "undecodable", func(c net.Conn) {
			_, _ = io.WriteString(c, ok+hlsHead+"#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXTINF:1,\na.ts\n#EXT-X-ENDLIST\n")
		}},
		{"segments that are none", "undecodable", func(c net.Conn) { _, _ = io.WriteString(c, ok+hlsHead+"#EXTINF:1,\na.ts\n#EXT-X-ENDLIST\n") }},
		{"segments elsewhere", "address", func(c net.Conn) {
			_, _ = io.WriteString(c, ok+hlsHead+"#EXTINF:1,\nhttp://169.254.169.254/latest/meta-data/\n#EXT-X-ENDLIST\n")
		}},
		{"an initialisation section elsewhere", "address", func(c net.Conn) {
			_, _ = io.WriteString(c, ok+hlsHead+"#EXT-X-MAP:URI=\"http://[fd00:ec2::254]/\"\n#EXTINF:1,\na.ts\n#EXT-X-ENDLIST\n")
		}},
		{"a variant elsewhere", "address", func(c net.Conn) {
			_, _ = io.WriteString(c, ok+"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=\"mp4a.40.2\"\nhttp://10.0.0.1/\n")
		}},
		{"a redirect to metadata", "address", func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest/meta-data/\r\nContent-Length: 0\r\n\r\n")
		}},
		{"a redirect to a file", "broken", func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n")
		}},
		{"redirects for ever", "broken", func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 302 Found\r\nLocation: /\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			u := strings.Replace(raw(t, c.answer), "http://", "http://user:secret@", 1) + "/a?key=secret"
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			r, log := prometheus.NewRegistry(), &lockedBuffer{}
			p, err := pull.New(&door{}, pull.Options{
				Station: "talk", URL: u, AllowPrivate: loopback, Silence: 300 * time.Millisecond, Registry: r,
				Log: slog.New(slog.NewTextHandler(log, nil)),
			})
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- p.Run(ctx) }()
			count := func() float64 { return total(t, r, "longwave_pull_connections_total", c.result) }
			for count() < 2 && ctx.Err() == nil {
				time.Sleep(5 * time.Millisecond)
			}
			n := count()
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "secret") {
				t.Errorf("Run = %v, want %v", err, context.Canceled)
			}
			if n < 2 {
				all, _ := testutil.GatherAndCount(r, "longwave_pull_connections_total")
				t.Errorf("result %q was counted %v times, %d series\n%s", c.result, n, all, log)
			}
			if got := strings.Count(log.String(), "pull failed"); got != 1 {
				t.Errorf("the failure was logged %d times", got)
			}
			if strings.Contains(log.String(), "secret") {
				t.Errorf("the log holds a secret:\n%s", log)
			}
			if c.result == "address" && total(t, r, "longwave_pull_refused_addresses_total", "") < 2 {
				t.Error("the refused address was not counted")
			}
		})
	}
}

// total returns the value of a counter in r.
func total(t *testing.T, r *prometheus.Registry, name, result string) float64 {
	t.Helper()
	all, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			if len(m.GetLabel()) == 0 || m.GetLabel()[0].GetValue() == result {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}
