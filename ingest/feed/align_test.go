package feed_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"longwave/ingest/decode/decodetest"
	"longwave/ingest/feed"
	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
)

// speech makes seconds of something like speech, mono: noise in syllables, words and
// pauses, the same for the same seed.
func speech(seconds int, seed uint64) []float32 {
	n := seconds * pcm.Rate
	noise := make([]float32, n)
	pcmtest.Noise(noise, 1, seed)
	dice := make([]float32, n/1000)
	pcmtest.Noise(dice, 0.5, seed+99)
	out := make([]float32, n)
	var low float32
	for i, k := 0, 0; i < n; k++ {
		length := int(pcm.Rate * (0.12 + 0.1*float64(dice[k%len(dice)]+0.5)))
		amp := 0.05 + 0.3*(dice[(k+7)%len(dice)]+0.5)
		if k%9 == 8 { // a pause
			length, amp = length*4, 0.0005
		}
		for j := 0; j < length && i < n; i, j = i+1, j+1 {
			low += 0.2 * (noise[i] - low)
			out[i] = amp * low * float32(math.Sin(math.Pi*float64(j)/float64(length)))
		}
	}
	return out
}

// A player gives a programme, later than it is.
type player struct {
	prog []float32 // mono
	late int       // samples
	gain float32   // 0 is 1
	n    int
	off  func(frame int) bool // Silent then
}

func (p *player) Pull(dst []float32) pcm.Fill {
	at := p.n*pcm.FrameSamples - p.late
	p.n++
	if p.off != nil && p.off(p.n-1) {
		clear(dst)
		return pcm.Silent
	}
	g := p.gain
	if g == 0 {
		g = 1
	}
	for i := range pcm.FrameSamples {
		var v float32
		if k := at + i; k >= 0 {
			v = g * p.prog[k%len(p.prog)]
		}
		dst[2*i], dst[2*i+1] = v, v
	}
	return pcm.Heard
}

// TestAlign: after a while two feeds of one programme, one of them late, are at the same
// sample, and what is heard through a switch and back is the programme, each sample once.
func TestAlign(t *testing.T) {
	for _, late := range [][2]int{{0, 0}, {0, 4801}, {4801, 0}, {0, 95_000}, {95_000, 0}} {
		t.Run(fmt.Sprint(late), func(t *testing.T) {
			t.Parallel()
			prog := speech(90, 5)
			g := feed.New(feed.Options{})
			lost := func(i int) bool { return i >= 50*50 && i < 52*50 }
			g.Add("a", &player{prog: prog, late: late[0], off: lost}, 0)
			g.Add("b", &player{prog: prog, late: late[1], gain: 1}, 1)
			out, log := run(g, 85, nil)
			most := max(late[0], late[1])
			// The first 45 s are for getting there.
			for i := 45 * pcm.Rate; i < len(out)/2; i++ {
				want := prog[i-pcm.FrameSamples-most]
				if d := math.Abs(float64(out[2*i] - want)); d > 1e-4 {
					t.Fatalf("at %.3f s: %v, want %v; %v %+v", float64(i)/pcm.Rate, out[2*i], want, log, g.Members())
				}
			}
			if len(log) != 3 {
				t.Errorf("switches: %v", log)
			}
		})
	}
}

// TestNotTheSame: what is not the same programme, or cannot be told, is left where it is.
func TestNotTheSame(t *testing.T) {
	tone := make([]float32, 60*pcm.Rate)
	pulses := make([]float32, 60*pcm.Rate)
	for i := range tone {
		tone[i] = 0.3 * float32(math.Sin(2*math.Pi*1000*float64(i)/pcm.Rate))
		if i%(pcm.Rate/2) < pcm.Rate/10 { // a beat: every half second is as good
			pulses[i] = tone[i]
		}
	}
	for _, c := range []struct {
		name string
		a, b []float32
	}{
		{"different speech", speech(60, 1), speech(60, 2)},
		{"a tone", tone, tone},
		{"a beat", pulses, pulses},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := feed.New(feed.Options{})
			g.Add("a", &player{prog: c.a}, 0)
			g.Add("b", &player{prog: c.b, late: 30_000}, 1)
			run(g, 60, nil)
			for _, m := range g.Members() {
				if m.Delay != 0 {
					t.Errorf("%s is held back by %d", m.ID, m.Delay)
				}
			}
		})
	}
}

// TestCodecs: the same speech by two codecs, one of them 9 dB softer, is put in step as
// the codecs' own delays have it.
func TestCodecs(t *testing.T) {
	t.Parallel()
	wav := filepath.Join(t.TempDir(), "speech.wav")
	text := "Good evening and welcome. Tonight we talk about the weather, about trains that are late, and about people who wait for them. " +
		"Let us begin with a question: who was on time today? Nobody, it seems. Well, that is a beginning, and it is better than none. "
	if out, err := exec.CommandContext(t.Context(), "espeak-ng", "-w", wav, strings.Repeat(text, 3)).CombinedOutput(); err != nil {
		t.Fatalf("espeak-ng: %v\n%s", err, out)
	}
	speak := func(args ...string) []float32 {
		coded := decodetest.FFmpeg(t, nil, append(append([]string{"-v", "error", "-i", wav, "-ar", "48000", "-ac", "2"}, args...), "pipe:1")...)
		raw := decodetest.FFmpeg(t, coded, "-v", "error", "-i", "pipe:0", "-ac", "1", "-ar", "48000", "-f", "f32le", "pipe:1")
		out := make([]float32, len(raw)/4)
		for i := range out {
			out[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		}
		return out
	}
	const late = 30_000
	g := feed.New(feed.Options{})
	g.Add("aac", &player{prog: speak("-c:a", "aac", "-b:a", "64k", "-f", "adts"), late: late}, 0)
	g.Add("opus", &player{prog: speak("-c:a", "libopus", "-b:a", "32k", "-f", "ogg"), gain: 0.35}, 1)
	run(g, 40, nil)
	m := g.Members()
	if d := m[1].Delay - m[0].Delay - late; d < -2*1024 || d > 2*1024 || m[1].Delay == 0 {
		t.Errorf("%+v: in step within %d samples", m, d)
	} else {
		t.Logf("the codecs differ by %d samples", d)
	}
}
