package main_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bluenviron/gohlslib/v2"
	"github.com/bluenviron/gohlslib/v2/pkg/codecs"

	"longwave/cmd/longwave/systemtest"
	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
	"longwave/packager"
	"longwave/packager/hls"
)

// The tone that the judges are to find: 1 kHz at -24 dBFS on both sides, which is
// -24 LUFS, at which a hold plays.
const (
	judgedHz  = 1000
	judgedAmp = 0.063096
)

// ladder are the renditions of a station that names none.
var ladder = []string{"opus-24", "opus-48", "opus-96", "aac-48", "aac-96"}

// TestJudges: each profile with the whole ladder, as others see it: ffmpeg decodes
// every rendition live, from the stored playlist and from its files end to end;
// gohlslib's client plays it; hls-parser reads every playlist; hlstest has nothing to
// say against playlists, bytes and headers.
func TestJudges(t *testing.T) {
	t.Parallel()
	profiles := []string{"fast", "low", "calm", "plain"}
	tone := systemtest.ToneFile(t, pcmtest.Tone{Hz: judgedHz, Amp: judgedAmp}, 10)
	config := "stations:\n"
	for _, p := range profiles {
		config += fmt.Sprintf("  - {name: %s, profile: %s, hold: %q}\n", p, p, tone) // a hold cannot be late
	}
	n := systemtest.Start(t, systemtest.Options{Config: config})
	ledger := &systemtest.Ledger{}
	kept := &playlists{dir: t.TempDir()}
	var listeners []*systemtest.Listener
	for _, p := range profiles {
		l := &systemtest.Listener{Ledger: ledger, Station: p, Slack: time.Minute, Keep: func(rendition string, body []byte) {
			kept.keep(t, p, rendition, body)
		}}
		systemtest.Listen(t, n, l)
		listeners = append(listeners, l)
	}
	awaitReady(n)
	begin := now() + 1 // wholly of the tone from here on
	var judges sync.WaitGroup
	for _, l := range listeners {
		n.Await("some segments of tone", func() bool { return l.Edge().MSN > begin+5 })
		profile, err := packager.ParseProfile(l.Station)
		if err != nil {
			t.Fatal(err)
		}
		judges.Go(func() { playGohlslib(t, l.Base, profile) })
		judges.Go(func() { playFFmpeg(t, l.Base+"/index.m3u8", "aac-48", "aac-96") })
		judges.Go(func() { playFFmpeg(t, l.Base+"/opus.m3u8", "opus-24", "opus-48", "opus-96", "aac-48") })
		judges.Wait() // one station at a time
	}
	end := now() - 1
	n.Stop()
	for _, f := range ledger.Found() {
		t.Error(f)
	}
	for _, p := range profiles {
		for _, rendition := range ladder {
			x := n.Stored(p, rendition, begin, end).Decode(t)
			judgeLevel(t, p+"/"+rendition+" end to end", rendition, x, int(packager.SegmentSamples)*int(end-begin))
		}
		playStored(t, n, p, "aac-96", begin)
		playStored(t, n, p, "opus-48", begin)
	}
	kept.judge(t)
}

// judgeLevel checks that x is the tone, as long as it should be and as loud.
func judgeLevel(t *testing.T, what, rendition string, x []float32, samples int) {
	t.Helper()
	got := len(x) / pcm.Channels
	if strings.HasPrefix(rendition, "opus") && got == samples-312 {
		got += 312 // the pre-skip, which ffmpeg takes off
	}
	if got != samples {
		t.Errorf("%s: %d samples, want %d", what, got, samples)
	}
	const edge = pcm.Channels * pcm.Rate / 10
	if len(x) < 4*edge {
		return
	}
	x = x[edge : len(x)-edge]
	x = x[:len(x)/(pcm.Channels*pcm.Rate/10)*(pcm.Channels*pcm.Rate/10)] // whole turns
	for channel := range pcm.Channels {
		level := pcmtest.DB(pcmtest.Goertzel(x, channel, judgedHz))
		if want := pcmtest.DB(judgedAmp); math.Abs(level-want) > 0.5 {
			t.Errorf("%s: channel %d has the tone at %.2f dBFS, want %.2f", what, channel, level, want)
		}
		if snr := pcmtest.SNR(x, channel, judgedHz); snr < 20 {
			t.Errorf("%s: channel %d: the tone is %.1f dB over the rest", what, channel, snr)
		}
	}
}

// playFFmpeg lets ffmpeg play 2 s of all variants of a multivariant playlist.
func playFFmpeg(t *testing.T, list string, renditions ...string) {
	t.Helper()
	const seconds = 2
	dir := t.TempDir()
	args := []string{"-i", list}
	for i, r := range renditions {
		args = append(args, "-map", fmt.Sprintf("0:a:%d", i), "-t", fmt.Sprint(seconds))
		args = append(args, systemtest.RawOutput(t, r, filepath.Join(dir, r))...)
	}
	if err := systemtest.RunFFmpeg(t, args...); err != nil {
		t.Error(err)
		return
	}
	for _, r := range renditions {
		raw, err := os.ReadFile(filepath.Join(dir, r))
		if err != nil {
			t.Error(err)
			continue
		}
		judgeLevel(t, list+" "+r, r, systemtest.Stereo(t, r, raw), seconds*pcm.Rate)
	}
}

// playStored lets ffmpeg play what the store has, from its playlist.
func playStored(t *testing.T, n *systemtest.Node, station, rendition string, begin int64) {
	t.Helper()
	path := filepath.Join(n.Store(), station, rendition, "live.m3u8")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m := parseMedia(t, text)
	raw := filepath.Join(t.TempDir(), "raw")
	if err := systemtest.RunFFmpeg(t, append([]string{"-live_start_index", "0", "-i", path}, systemtest.RawOutput(t, rendition, raw)...)...); err != nil {
		t.Error(err)
		return
	}
	b, err := os.ReadFile(raw)
	if err != nil {
		t.Fatal(err)
	}
	x := systemtest.Stereo(t, rendition, b)
	want := int(packager.SegmentSamples) * len(m.Segments)
	got := len(x) / pcm.Channels
	if got != want && (got != want-312 || !strings.HasPrefix(rendition, "opus")) {
		t.Errorf("%s: %d segments are played as %d samples, want %d", path, len(m.Segments), got, want)
	}
	from := got - int(m.OpenMSN()-begin)*int(packager.SegmentSamples)
	judgeLevel(t, path, rendition, x[pcm.Channels*from:pcm.Channels*(from+4*int(packager.SegmentSamples))], 4*int(packager.SegmentSamples))
}

// playGohlslib lets gohlslib's client play 3 s. It leaves out parts when it is late:
// then its times go on where one that it fetched begins.
func playGohlslib(t *testing.T, base string, profile packager.Profile) {
	t.Helper()
	enough := make(chan struct{})
	var once sync.Once
	var units, first, next int64
	var fetched starts
	note := func(url string) { fetched.note(url, profile) }
	c := &gohlslib.Client{
		URI: base + "/index.m3u8", OnDownloadSegment: note, OnDownloadPart: note,
		OnDownloadStreamPlaylist: func(string) {}, OnDownloadPrimaryPlaylist: func(string) {},
	}
	c.OnDecodeError = func(err error) { t.Errorf("gohlslib: %s: %v", base, err) }
	c.OnTracks = func(tracks []*gohlslib.Track) error {
		if len(tracks) != 1 {
			return fmt.Errorf("%d tracks, want 1", len(tracks))
		}
		config, ok := tracks[0].Codec.(*codecs.MPEG4Audio)
		if !ok || config.Config.SampleRate != pcm.Rate || config.Config.ChannelConfig != 2 {
			return fmt.Errorf("the codec is %+v, want AAC at 48 kHz in stereo, the best variant", tracks[0].Codec)
		}
		c.OnDataMPEG4Audio(tracks[0], func(pts int64, aus [][]byte) {
			if units == 0 {
				first, next = pts, pts
			}
			if pts != next && (pts < next || !fetched.has(pts-first)) {
				t.Errorf("gohlslib: %s: access unit %d is at %d, want %d", base, units, pts, next)
			}
			units += int64(len(aus))
			next = pts + 1024*int64(len(aus))
			if units > 3*pcm.Rate/1024 {
				once.Do(func() { close(enough) })
			}
		})
		return nil
	}
	if err := c.Start(); err != nil {
		t.Errorf("gohlslib: %s: %v", base, err)
		return
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait2() }()
	select {
	case <-enough:
		c.Close()
		<-ended
	case err := <-ended:
		t.Errorf("gohlslib: %s: %v after %d access units", base, err, units)
	}
}

// starts are the positions at which fetched parts and segments of AAC begin.
type starts struct {
	mu  sync.Mutex
	all []pcm.Pos
}

func (s *starts) note(address string, p packager.Profile) {
	u, err := url.Parse(address)
	if err != nil {
		return
	}
	k, err := packager.ParseKey(strings.TrimPrefix(u.Path, "/"))
	if err != nil || k.Kind != packager.Segment && k.Kind != packager.Part {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, (packager.SegmentPos(k.MSN) + pcm.Pos(k.Part)*p.PartSamples).Ceil(1024))
}

// has reports whether one begins so long after the first.
func (s *starts) has(after int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.all, func(p pcm.Pos) bool { return int64(p-s.all[0]) == after })
}

// playlists are all the playlists that were served, each once, as files.
type playlists struct {
	dir   string
	mu    sync.Mutex
	plain map[string]bool // files that need no CAN-BLOCK-RELOAD
}

func (p *playlists) keep(t *testing.T, station, rendition string, body []byte) {
	sum := sha256.Sum256(body)
	path := filepath.Join(p.dir, fmt.Sprintf("%s-%s-%x.m3u8", station, rendition, sum[:8]))
	m, err := hls.ParseMedia(body)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.plain == nil {
		p.plain = map[string]bool{}
	}
	p.plain[path] = err == nil && !m.Control.CanBlockReload
	if err := os.WriteFile(path, body, 0o600); err != nil {
		t.Error(err)
	}
}

// judge asks npm's hls-parser in strict mode.
func (p *playlists) judge(t *testing.T) {
	t.Helper()
	folder := filepath.Join(root, "packager", "hls", "hlstest", "judge")
	if _, err := os.Stat(filepath.Join(folder, "node_modules", "hls-parser")); err != nil {
		t.Fatalf("hls-parser is not installed (%v): run make setup-test, or npm ci in %s", err, folder)
	}
	var files []string
	for file := range p.plain {
		files = append(files, file)
	}
	cmd := exec.CommandContext(t.Context(), "node", append([]string{filepath.Join(folder, "judge.mjs")}, files...)...)
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("judge.mjs: %v", err)
	}
	judged := 0
	for line := range strings.Lines(string(out)) {
		var v struct{ File, Error string }
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		judged++
		// What it wants of playlists without parts, the standard does not: section 4.4.3.8.
		if v.Error == "" || p.plain[v.File] && strings.Contains(v.Error, "CAN-BLOCK-RELOAD=YES is mandatory") {
			continue
		}
		text, err := os.ReadFile(v.File)
		t.Errorf("hls-parser: %s: %s\n%s%v", filepath.Base(v.File), v.Error, text, err)
	}
	if judged != len(files) || judged < 50 {
		t.Errorf("%d of %d playlists were judged", judged, len(files))
	}
	t.Logf("hls-parser judged %d playlists", judged)
}
