package main_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"longwave/cmd/longwave/systemtest"
	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
	"longwave/packager"
	"longwave/packager/hls"
)

// eveningVoices are the pitches of those who talk, in Hz. None is another's harmonic.
var eveningVoices = map[string]float64{"Host": 210, "Anna": 330, "Bert": 470}

// An evening is what tools/evening.mjs reports.
type evening struct {
	Done    map[string]int64 // Unix ms
	Returns map[string]struct{ Energy, Seconds float64 }
	Said    map[string][]string // errors of the pages
}

// TestEvening: a host and two guests in three real browsers, each with a voice at its
// microphone, through the real pages: green room, on air, mute, hold, end, and a browser
// that is killed and comes back. The judge is the programme that was kept.
func TestEvening(t *testing.T) {
	addr, err := systemtest.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	n := systemtest.Start(t, systemtest.Options{Config: fmt.Sprintf(`
stations:
  - name: talk
    renditions: [opus-96, aac-96]
    hold: %s
rtc: {listen: %q}
rtmp: {listen: off}
srt: {listen: off}
`, holdFile(t), addr)})
	awaitReady(n)
	var e evening
	host := regexp.MustCompile(`http\S+/studio/talk#\S+`).FindString(n.Output())
	asked, err := json.Marshal(map[string]any{"host": host, "voices": eveningVoices})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", "tools/evening.mjs", string(asked))
	cmd.Dir = "../../ingest/studio/page"
	var trouble strings.Builder
	cmd.Stderr = &trouble
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, n.Secret(trouble.String()))
	}
	if err := json.Unmarshal(out, &e); err != nil {
		t.Fatal(err)
	}
	n.Stop()
	for _, w := range []struct {
		from, to string
		want     []string
	}{
		{"green", "live", nil},
		{"live", "mute", []string{"Anna", "Bert", "Host"}},
		{"mute", "unmute", []string{"Bert", "Host"}},
		{"unmute", "killed", []string{"Anna", "Bert", "Host"}},
		{"killed", "comes", []string{"Anna", "Host"}},
		{"back", "hold", []string{"Anna", "Bert", "Host"}},
		{"hold", "unhold", nil},
		{"unhold", "end", []string{"Anna", "Bert", "Host"}},
		{"end", "over", nil},
	} {
		got, levels := e.heard(n, w.from, w.to)
		t.Logf("from %q to %q: %v dB", w.from, w.to, levels)
		if !slices.Equal(got, w.want) {
			t.Errorf("from %q to %q the audience hears %v, want %v", w.from, w.to, got, w.want)
		}
	}
	e.judgePages(t)
	judgeSpeakers(t, n, slices.Sorted(maps.Keys(eveningVoices))...)
}

// eveningMargin is what is left out at both ends of a scene: the hand comes before the
// deed is done, and the sound after it was spoken.
const eveningMargin = 1500 * time.Millisecond

// heard returns whose voice is in the programme in a scene, and how loud each is.
func (e *evening) heard(n *systemtest.Node, from, to string) (who []string, levels map[string]float64) {
	at := func(name string) pcm.Pos { return pcm.At(time.UnixMilli(e.Done[name])) }
	first, end := at(from)+pcm.Samples(eveningMargin), at(to)-pcm.Samples(eveningMargin)
	msn := packager.MSN(first)
	x := n.Stored("talk", "aac-96", msn, packager.MSN(end)+1).Decode(n.T())
	start := first - pcm.Pos(msn)*packager.SegmentSamples
	x = x[pcm.Channels*start : pcm.Channels*(start+end-first)]
	levels = map[string]float64{}
	for _, name := range slices.Sorted(maps.Keys(eveningVoices)) {
		if levels[name] = math.Round(often(x, eveningVoices[name])); levels[name] > -45 {
			who = append(who, name)
		}
	}
	return who, levels
}

// often returns how loud a pitch is, in dB, in a quarter of all spans of 0.2 s at least:
// a browser's clock is not exact enough for longer ones.
func often(x []float32, hz float64) float64 {
	const span = pcm.Rate / 5 * pcm.Channels
	var levels []float64
	for ; len(x) >= span; x = x[span:] {
		levels = append(levels, pcmtest.DB(pcmtest.Goertzel(x[:span], 0, hz)))
	}
	slices.Sort(levels)
	return levels[len(levels)*3/4]
}

// judgePages: nobody's page complained, and everybody heard the others.
func (e *evening) judgePages(t *testing.T) {
	t.Helper()
	for name := range eveningVoices {
		if r := e.Returns[name]; r.Energy/r.Seconds < 1e-3 {
			t.Errorf("%s heard %g in %.0f s", name, r.Energy, r.Seconds)
		}
		if said := e.Said[name]; len(said) > 0 {
			t.Errorf("%s's page said %q", name, said)
		}
	}
}

// judgeSpeakers: listeners are told who spoke.
func judgeSpeakers(t *testing.T, n *systemtest.Node, names ...string) {
	t.Helper()
	m, err := hls.ParseMedia(n.ReadStore("talk/aac-96/live.m3u8"))
	if err != nil {
		t.Fatal(err)
	}
	spoke := map[string]bool{}
	for _, d := range m.DateRanges {
		for _, a := range d.Attrs {
			if d.Class == packager.ClassSpeaker && a.Name == "X-SPEAKER" {
				spoke[a.Value] = true
			}
		}
	}
	for _, name := range names {
		if !spoke[name] {
			t.Errorf("listeners are not told that %s spoke: %v", name, spoke)
		}
	}
}
