package main_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"longwave/cmd/longwave/systemtest"
)

// laneClosed is what the log says of a lane that was played out.
var laneClosed = regexp.MustCompile(`msg="lane closed" station=(\S+) .* underruns=(\d+) .*lost=(\d+) `)

// lanesOf returns how many lanes of a station were played out, and whether the sound of
// the last one was in time: a machine that is too busy for a sender or for the node
// leaves a hole, which is no fault of either.
func lanesOf(n *systemtest.Node, station string) (closed int, inTime bool) {
	for _, m := range laneClosed.FindAllStringSubmatch(n.Log(), -1) {
		if m[1] == station {
			closed++
			inTime = m[2] == "0" && m[3] == "0"
		}
	}
	return closed, inTime
}

// rounds is how often sound may be sent until it was in time.
const rounds = 3

// A way is how an encoder sends the tone to a station of its own.
type way struct {
	station string
	args    []string // of ffmpeg: what it sends and how
	via     string   // of the addresses that a link tells
	more    string   // behind the address

	desk   *desk
	link   link
	window window
}

// address returns where a link's holder sends. The test is on this machine.
func (w *way) address() string {
	return strings.Replace(w.link.Push[w.via], "localhost", "127.0.0.1", 1) + w.more
}

// TestEncoders: what encoders send by RTMP and SRT to the addresses that their links
// tell is what the store holds: the tone, all of it, once, without a jump. Who has not
// the passphrase is not let in.
func TestEncoders(t *testing.T) {
	t.Parallel()
	const length = 8 * time.Second
	passphrase, wrong := "correct-horse-battery", "incorrect-horse-battery"
	secret := filepath.Join(t.TempDir(), "passphrase")
	if err := os.WriteFile(secret, []byte(passphrase+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := toneFile(t, length)
	// SRT throws away what is on its way when the sender hangs up, and what comes at once
	// in the beginning is trimmed: silence goes before and behind.
	padded := filepath.Join(t.TempDir(), "padded.wav")
	if err := systemtest.RunFFmpeg(t, "-i", file, "-af", "adelay=1000:all=1,apad=pad_dur=4", padded); err != nil {
		t.Fatal(err)
	}
	aac, opus := []string{"-c:a", "aac", "-b:a", "128k"}, []string{"-c:a", "libopus", "-b:a", "96k"}
	const patient = "&latency=2000000" // a busy machine is no reason to give a packet up
	sealed := patient + "&pbkeylen=16&passphrase="
	ways := []*way{
		{station: "rtmp", via: "rtmp", args: slices.Concat([]string{"-i", file}, aac, []string{"-f", "flv"})},
		{station: "srt-aac", via: "srt", more: sealed + passphrase, args: slices.Concat([]string{"-i", padded}, aac, []string{"-f", "mpegts"})},
		{station: "srt-opus", via: "srt", more: sealed + passphrase, args: slices.Concat([]string{"-i", padded}, opus, []string{"-f", "mpegts"})},
	}
	stations := []string{"rtmp", "srt-aac", "srt-opus"}
	config, in := conversation(t, stations...)
	config = strings.Replace(config, "renditions: [", "renditions: [opus-96, ", 1)
	config = strings.Replace(config, fmt.Sprintf("srt: {listen: %q}", in.srt), fmt.Sprintf("srt: {listen: %q, passphrase_file: %q}", in.srt, secret), 1)
	n := systemtest.Start(t, systemtest.Options{Config: config})
	n.Secret(passphrase)
	n.Secret(wrong)
	awaitReady(n)
	for _, w := range ways {
		w.desk = hostDesk(n, w.station)
		w.link = w.desk.link("Encoder")
	}
	for _, tt := range []refusal{
		{"RTMP with nonsense", ways[0], n.Secret("canary-51aa07"), "", "no valid token"},
		{"RTMP with what expired", ways[0], n.Token("rtmp", "--expires", "1ms"), "", "expired at"},
		{"RTMP as a captioner", ways[0], n.Token("rtmp", "--role", "captioner"), "", "it is for the role captioner"},
		{"SRT without a passphrase", ways[1], ways[1].link.Token, patient, "a passphrase is needed"},
		{"SRT with another passphrase", ways[1], ways[1].link.Token, sealed + wrong, "wrong passphrase"},
	} {
		tt.judge(t, n)
	}
	pending := ways
	for round := 1; len(pending) > 0; round++ {
		sendAll(t, n, length, pending, round)
		pending = slices.DeleteFunc(slices.Clone(pending), func(w *way) bool {
			_, inTime := lanesOf(n, w.station)
			return inTime || round == rounds
		})
	}
	n.Stop()
	for _, w := range ways {
		judgeTone(t, n, w.station, "aac-96", w.window)
	}
	judgeTone(t, n, "rtmp", "opus-96", ways[0].window)
}

// sendAll sends the tone by all ways at once, and waits until it was played out.
func sendAll(t *testing.T, n *systemtest.Node, length time.Duration, ways []*way, round int) {
	t.Helper()
	sendings := make([]*sending, len(ways))
	for i, w := range ways {
		w.window = window{from: now(), length: length}
		sendings[i] = send(t, slices.Concat(w.args, []string{w.address()})...)
	}
	for i, w := range ways {
		if err := sendings[i].wait(w.link.Token); err != nil {
			t.Errorf("%s: %v", w.station, err)
		}
		n.Await(w.station+" to be played out", func() bool { closed, _ := lanesOf(n, w.station); return closed == round })
		w.window.to = now() + 2 // the lane's last frame may be in the segment that begins
	}
	for _, w := range ways {
		n.Await("the last of it to be kept", func() bool { return n.Last(w.station, "aac-96") >= w.window.to })
	}
}

// A refusal is an encoder that is not let in.
type refusal struct {
	what  string
	to    *way
	token string
	more  string
	says  string // in the log
}

// judge tries it: ffmpeg fails, the log says why in one line, and there is no lane.
func (x refusal) judge(t *testing.T, n *systemtest.Node) {
	t.Helper()
	before := n.Count(x.says)
	address := strings.Replace(x.to.link.Push[x.to.via], x.to.link.Token, x.token, 1)
	w := way{via: x.to.via, more: x.more, link: link{Push: map[string]string{x.to.via: address}}}
	if err := send(t, slices.Concat(x.to.args, []string{w.address()})...).wait(x.token); err == nil {
		t.Errorf("%s: ffmpeg was not refused", x.what)
	}
	n.Await("the line about "+x.what, func() bool { return n.Count(x.says) > before })
	if got := n.Count(x.says) - before; got != 1 {
		t.Errorf("%s: %d lines of the log with %q, want one", x.what, got, x.says)
	}
	if got := n.Count("lane opened"); got > 0 {
		t.Errorf("%s: %d lanes were opened", x.what, got)
	}
}

// A radio is another station's server, from which ours pulls.
type radio struct {
	*httptest.Server
	t    *testing.T
	file string // silence, the tone, silence
	dir  string // of the HLS
	live sync.Once

	mu       sync.Mutex
	plays    int // how often the stream may be heard from its start
	requests int
}

// The silence before and behind the tone.
const (
	radioHead = 6 * time.Second
	radioTail = 2 * time.Second
)

func newRadio(t *testing.T, length time.Duration) *radio {
	t.Helper()
	r := &radio{t: t, dir: t.TempDir(), file: filepath.Join(t.TempDir(), "radio.wav")}
	pad := fmt.Sprintf("adelay=%d:all=1,apad=pad_dur=%g", radioHead.Milliseconds(), radioTail.Seconds())
	if err := systemtest.RunFFmpeg(t, "-i", toneFile(t, length), "-af", pad, r.file); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/stream.mp3", r.stream)
	mux.HandleFunc("/", r.playlist)
	r.Server = httptest.NewServer(mux)
	t.Cleanup(r.Close)
	return r
}

// allow lets the stream be heard once more.
func (r *radio) allow() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.plays++
}

// enter counts a request and reports whether the stream may be heard.
func (r *radio) enter() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests++
	r.plays--
	if r.plays < 0 {
		r.plays = 0
		return false
	}
	return true
}

// stream sends the sound as MP3 in its own time, once each time that it is allowed.
func (r *radio) stream(w http.ResponseWriter, req *http.Request) {
	if !r.enter() {
		http.Error(w, "off the air", http.StatusNotFound)
		return
	}
	cmd := exec.CommandContext(req.Context(), "ffmpeg", "-v", "error", "-nostdin", "-re", "-i", r.file,
		"-c:a", "libmp3lame", "-b:a", "128k", "-write_xing", "0", "-flush_packets", "1", "-f", "mp3", "pipe:1")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "audio/mpeg")
	buf := make([]byte, 4096)
	for {
		k, err := out.Read(buf)
		_, _ = w.Write(buf[:k])
		_ = http.NewResponseController(w).Flush()
		if err != nil {
			break
		}
	}
	_ = cmd.Wait()
}

// playlist serves a live playlist that ffmpeg writes from the first request on.
func (r *radio) playlist(w http.ResponseWriter, req *http.Request) {
	r.live.Do(func() { //nolint:contextcheck // it outlives the request
		cmd := exec.CommandContext(r.t.Context(), "ffmpeg", "-v", "error", "-nostdin", "-re", "-i", r.file, "-c:a", "aac", "-b:a", "128k",
			"-f", "hls", "-hls_time", "1", "-hls_list_size", "8", "-hls_flags", "delete_segments+temp_file", "live.m3u8")
		cmd.Dir = r.dir
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = cmd.Run()
		}()
		r.t.Cleanup(func() { <-ended })
	})
	path := filepath.Join(r.dir, filepath.Base(req.URL.Path))
	for strings.HasSuffix(path, "live.m3u8") {
		if _, err := os.Stat(path); err == nil {
			break
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-req.Context().Done():
			return
		}
	}
	http.ServeFile(w, req, path)
}

// TestPull: a stream and a live playlist of another station on this machine, which has
// to be allowed, are what our store holds. One that is not allowed is never asked, and
// said so once.
func TestPull(t *testing.T) {
	t.Parallel()
	const length = 8 * time.Second
	r := newRadio(t, length)
	config, _ := conversation(t, "stream", "list", "private")
	own := strings.Replace(r.URL, "127.0.0.1", "user:canary-of-a-password@127.0.0.1", 1)
	named := strings.Replace(r.URL, "127.0.0.1", "localhost", 1)
	config = regexp.MustCompile(`(?m)^  - \{name: "(\w+)",`).ReplaceAllStringFunc(config, func(line string) string {
		return line + map[string]string{
			`  - {name: "stream",`:  fmt.Sprintf(" pull: %q, pull_private: true,", own+"/stream.mp3?key=canary-of-a-key"),
			`  - {name: "list",`:    fmt.Sprintf(" pull: %q, pull_private: true,", r.URL+"/live.m3u8"),
			`  - {name: "private",`: fmt.Sprintf(" pull: %q,", named+"/private"),
		}[line]
	})
	from := now()
	r.allow()
	n := systemtest.Start(t, systemtest.Options{Config: config})
	n.Secret("canary-of-a-password")
	n.Secret("canary-of-a-key")
	awaitReady(n)
	windows := map[string]window{}
	for round := 1; ; round++ {
		n.Await("the stream to be played out", func() bool { closed, _ := lanesOf(n, "stream"); return closed == round })
		windows["stream"] = window{from, now() + 2, length}
		if _, inTime := lanesOf(n, "stream"); inTime || round == rounds {
			break
		}
		n.Await("the last of it to be kept", func() bool { return n.Last("stream", "aac-96") >= windows["stream"].to })
		from = now()
		r.allow()
	}
	n.Await("the playlist to be played out", func() bool { closed, _ := lanesOf(n, "list"); return closed > 0 })
	windows["list"] = window{windows["stream"].from, now() + 2, length}
	n.Await("tries of what is not allowed", func() bool { return n.Figures().Sum("longwave_pull_refused_addresses_total") >= 3 })
	n.Stop()
	for station, w := range windows {
		judgeTone(t, n, station, "aac-96", w)
	}
	if got := n.Count("pull failed", "/private", "not a public address"); got != 1 {
		t.Errorf("%d lines of the log say that an address is not public, want one", got)
	}
	if got := n.Count("lane opened", "station=private"); got > 0 {
		t.Errorf("an address that is not public has a lane")
	}
}

// TestPullRefused: an address that is none of the internet's is refused before anybody
// is on air, in one line.
func TestPullRefused(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"http://127.0.0.1:9/x", "http://[::1]/x", "http://169.254.169.254/latest/meta-data", "http://10.1.2.3/live.m3u8"} {
		n := systemtest.Start(t, systemtest.Options{Config: "stations:\n  - {name: talk, renditions: [aac-48], pull: \"" + url + "\"}\nrtc: {listen: off}\nrtmp: {listen: off}\nsrt: {listen: off}\n"})
		if code := n.Wait(); code != 2 {
			t.Errorf("%s: exit code %d, want 2", url, code)
		}
		if got := n.Count("station talk: pull", "not a public address"); got != 1 {
			t.Errorf("%s: %d lines say why, want one", url, got)
		}
	}
}
