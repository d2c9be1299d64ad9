package feed_test

import (
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"longwave/ingest/feed"
	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
)

// What a source does for a while.
type act uint8

const (
	sounds    act = iota // heard
	ends                 // nothing comes; the last 10 ms before were faded out
	conceals             // concealed, fading away
	mutes                // heard, and there is nothing to hear
	clicks               // mutes with a click a second
	murmurs              // heard, at -60 dBFS
	nonsenses            // heard, and no numbers
)

// A turn is what a source does from a second on.
type turn struct {
	at float64
	do act
}

// A source is a tone that does as its script says.
type source struct {
	tone  pcmtest.Tone
	turns []turn
	n     int // frames pulled
}

func (s *source) act(frame int) act {
	do := sounds
	for _, t := range s.turns {
		if frame >= int(math.Round(t.at*50)) {
			do = t.do
		}
	}
	return do
}

func (s *source) Pull(dst []float32) pcm.Fill {
	pos := pcm.Pos(s.n) * pcm.FrameSamples
	do, next := s.act(s.n), s.act(s.n+1)
	s.n++
	s.tone.Fill(dst, pos)
	switch do {
	case ends:
		clear(dst)
		return pcm.Silent
	case conceals:
		for i := range dst {
			dst[i] /= 2
		}
		return pcm.Concealed
	case mutes, clicks:
		clear(dst)
		if do == clicks && s.n%50 == 0 {
			dst[0], dst[1] = 1, -1
		}
	case murmurs:
		for i := range dst {
			dst[i] *= 0.001 / float32(s.tone.Amp)
		}
	case nonsenses:
		dst[7] = float32(math.NaN())
	case sounds:
		if next == ends { // as package jitter does
			const fade = pcm.Rate / 100
			for i := range fade {
				g := 1 - float32(i+1)/fade
				dst[2*(pcm.FrameSamples-fade+i)] *= g
				dst[2*(pcm.FrameSamples-fade+i)+1] *= g
			}
		}
	}
	return pcm.Heard
}

// run pulls seconds of g and returns what came, and the switches with the second at
// which they were.
func run(g *feed.Group, seconds float64, each func(frame int)) (out []float32, log []string) {
	var buf []feed.Switch
	for i := range int(math.Round(seconds * 50)) {
		if each != nil {
			each(i)
		}
		f := make([]float32, pcm.FrameLen)
		g.Pull(f)
		out = append(out, f...)
		buf = g.Switches(buf[:0])
		for _, s := range buf {
			log = append(log, fmt.Sprintf("%.2f %s>%s %v", float64(i)/50, s.From, s.To, s.Reason))
		}
	}
	return out, log
}

func TestSwitches(t *testing.T) {
	for _, c := range []struct {
		name    string
		o       feed.Options
		seconds float64
		a, b, c []turn // of priority 0, 1 and 2; nil: not there
		want    []string
	}{
		{"the best from the start", feed.Options{}, 30, []turn{{}}, []turn{{}}, []turn{{}}, []string{"0.02 >a first"}},
		{"better comes later", feed.Options{}, 30, []turn{{0, ends}, {3, sounds}}, []turn{{}}, nil, []string{"0.02 >b first", "7.98 b>a better"}},
		{"lost and back", feed.Options{}, 30, []turn{{10, ends}, {12, sounds}}, []turn{{}}, nil, []string{"0.02 >a first", "10.00 a>b lost", "16.98 b>a better"}},
		{"settable hold-off", feed.Options{HoldOff: time.Second}, 30, []turn{{10, ends}, {12, sounds}}, []turn{{}}, nil, []string{"0.02 >a first", "10.00 a>b lost", "12.98 b>a better"}},
		{"nobody else", feed.Options{}, 30, []turn{{10, ends}, {12, sounds}}, nil, nil, []string{"0.02 >a first"}},
		{"both lost, the worse is back first", feed.Options{}, 30, []turn{{10, ends}, {15, sounds}}, []turn{{10, ends}, {12, sounds}}, nil, []string{"0.02 >a first", "12.02 a>b lost", "19.98 b>a better"}},
		{"both lost, the better is back first", feed.Options{}, 30, []turn{{10, ends}, {12, sounds}}, []turn{{10, ends}, {13, sounds}}, nil, []string{"0.02 >a first"}},
		{"concealed for less than the loss", feed.Options{}, 30, []turn{{10, conceals}, {10.4, sounds}}, []turn{{}}, nil, []string{"0.02 >a first"}},
		{"concealed for longer", feed.Options{}, 30, []turn{{10, conceals}, {10.6, sounds}}, []turn{{}}, nil, []string{"0.02 >a first", "10.48 a>b lost", "15.58 b>a better"}},
		{"settable loss", feed.Options{Loss: 100 * time.Millisecond}, 30, []turn{{10, conceals}, {10.4, sounds}}, []turn{{}}, nil, []string{"0.02 >a first", "10.08 a>b lost", "15.38 b>a better"}},
		{"silent", feed.Options{}, 60, []turn{{10, mutes}, {40, sounds}}, []turn{{}}, nil, []string{"0.02 >a first", "25.12 a>b silent", "45.08 b>a better"}},
		{"settable silence", feed.Options{Silence: 5 * time.Second}, 60, []turn{{10, mutes}, {40, sounds}}, []turn{{}}, nil, []string{"0.02 >a first", "15.12 a>b silent", "45.08 b>a better"}},
		{"silence for ever", feed.Options{Silence: -1}, 60, []turn{{10, mutes}}, []turn{{}}, nil, []string{"0.02 >a first"}},
		{"too soft", feed.Options{}, 60, []turn{{10, murmurs}}, []turn{{}}, nil, []string{"0.02 >a first", "25.12 a>b silent"}},
		{"settable level", feed.Options{SilenceLUFS: -65}, 60, []turn{{10, murmurs}}, []turn{{}}, nil, []string{"0.02 >a first"}},
		{"clicks are silence", feed.Options{}, 60, []turn{{10, clicks}}, []turn{{}}, nil, []string{"0.02 >a first", "25.12 a>b silent"}},
		{"all are silent", feed.Options{}, 60, []turn{{10, mutes}}, []turn{{10, mutes}}, nil, []string{"0.02 >a first"}},
		{"the same silence two seconds later", feed.Options{}, 60, []turn{{10, mutes}, {26, sounds}}, []turn{{12, mutes}, {28, sounds}}, nil, []string{"0.02 >a first"}},
		{"the same silence two seconds sooner", feed.Options{}, 60, []turn{{12, mutes}, {28, sounds}}, []turn{{10, mutes}, {26, sounds}}, nil, []string{"0.02 >a first"}},
		{"better is muted", feed.Options{}, 60, []turn{{0, mutes}, {30, sounds}}, []turn{{}}, nil, []string{"0.02 >a first", "3.06 a>b silent", "35.08 b>a better"}},
		{"the next best is muted", feed.Options{}, 60, []turn{{30, ends}}, []turn{{10, mutes}}, []turn{{}}, []string{"0.02 >a first", "30.00 a>c lost"}},
		{"only a muted one is left", feed.Options{}, 60, []turn{{30, ends}, {31, sounds}}, []turn{{10, mutes}}, nil, []string{"0.02 >a first"}},
		{"no numbers", feed.Options{}, 30, []turn{{10, nonsenses}, {12, sounds}}, []turn{{}}, nil, []string{"0.02 >a first", "10.00 a>b lost", "16.98 b>a better"}},
		{"down the ladder and up", feed.Options{}, 60, []turn{{10, ends}, {20, sounds}}, []turn{{12, ends}, {30, sounds}}, []turn{{}}, []string{"0.02 >a first", "10.00 a>b lost", "12.00 b>c lost", "24.98 c>a better"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := feed.New(c.o)
			for i, turns := range [][]turn{c.a, c.b, c.c} {
				if turns != nil {
					g.Add(string(rune('a'+i)), &source{tone: pcmtest.Tone{Hz: 500 * float64(i+1), Amp: 0.3}, turns: turns}, i)
				}
			}
			out, got := run(g, c.seconds, nil)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("switches (-want +got):\n%s", diff)
			}
			for i, v := range out {
				if !(v >= -1.5 && v <= 1.5) {
					t.Fatalf("sample %d is %v", i, v)
				}
			}
		})
	}
}

// TestFlapping: a member that fails again and again is gone back to ever later, and
// after a quiet while as soon as at first.
func TestFlapping(t *testing.T) {
	g := feed.New(feed.Options{})
	var turns []turn
	back := []float64{5, 10, 20, 40, 60, 60}
	at := 10.0
	for _, d := range back { // lost for a second, and again a second after it is heard
		turns = append(turns, turn{at, ends}, turn{at + 1, sounds})
		at += 1 + d + 1
	}
	at += 200
	turns = append(turns, turn{at, ends}, turn{at + 1, sounds})
	back = append(back, 5)
	g.Add("a", &source{tone: pcmtest.Tone{Hz: 500, Amp: 0.3}, turns: turns}, 0)
	g.Add("b", &source{tone: pcmtest.Tone{Hz: 900, Amp: 0.3}}, 1)
	_, log := run(g, at+20, nil)
	var got []float64
	var lost float64
	for _, s := range log {
		var when float64
		var from, why string
		if _, err := fmt.Sscanf(s, "%f %s %s", &when, &from, &why); err != nil {
			t.Fatal(err)
		}
		switch why {
		case "lost":
			lost = when
		case "better":
			got = append(got, math.Round(when-lost-1))
		}
	}
	if diff := cmp.Diff(back, got); diff != "" {
		t.Errorf("hold-offs (-want +got):\n%s\n%v", diff, log)
	}
}

// TestOneCrossfade: at a switch the one goes and the other comes within 20 ms, without a
// click, and at no other time are both heard.
func TestOneCrossfade(t *testing.T) {
	g := feed.New(feed.Options{})
	a := &source{tone: pcmtest.Tone{Hz: 500, Amp: 0.3}, turns: []turn{{10, ends}, {12, sounds}}}
	b := &source{tone: pcmtest.Tone{Hz: 1500, Amp: 0.3}}
	g.Add("a", a, 0)
	g.Add("b", b, 1)
	out, log := run(g, 20, nil)
	if diff := cmp.Diff([]string{"0.02 >a first", "10.00 a>b lost", "16.98 b>a better"}, log); diff != "" {
		t.Fatalf("switches (-want +got):\n%s", diff)
	}
	fades := map[int]bool{1: true, 500: true, 849: true}
	for i := range len(out) / pcm.FrameLen {
		f := out[i*pcm.FrameLen : (i+1)*pcm.FrameLen]
		one, two := pcmtest.Goertzel(f, 0, 500), pcmtest.Goertzel(f, 0, 1500)
		switch {
		case i == 0:
		case fades[i]:
			if i > 1 && (one < 0.05 || two < 0.05) {
				t.Errorf("frame %d is no crossfade: %.3f and %.3f", i, one, two)
			}
		case one > 0.003 && two > 0.003:
			t.Errorf("frame %d holds both: %.3f and %.3f", i, one, two)
		case max(one, two) < 0.297:
			t.Errorf("frame %d is too soft: %.3f and %.3f", i, one, two)
		}
	}
	if step := pcmtest.Step(out); step > 0.3*2*math.Pi*1500/pcm.Rate*1.2 {
		t.Errorf("a step of %.3f", step)
	}
}

// TestNoGap: the level never falls by more than 3 dB for 2.5 ms while it switches, be
// the sound the same or not.
func TestNoGap(t *testing.T) {
	for _, c := range []struct {
		name string
		b    pcmtest.Tone
		most float64
	}{
		{"different", pcmtest.Tone{Hz: 1700, Amp: 0.3}, 3},
		{"removed", pcmtest.Tone{Hz: 1700, Amp: 0.3}, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := feed.New(feed.Options{})
			a := &source{tone: pcmtest.Tone{Hz: 1300, Amp: 0.3}, turns: []turn{{10, ends}}}
			if c.name == "removed" {
				a.turns = nil
			}
			g.Add("a", a, 0)
			g.Add("b", &source{tone: c.b}, 1)
			out, _ := run(g, 12, func(i int) {
				if c.name == "removed" && i == 500 && !g.Remove("a") {
					t.Error("nothing was removed")
				}
			})
			out = out[2*pcm.FrameLen:]
			for i := 0; i+240 < len(out); i += 60 {
				if db := pcmtest.DB(pcmtest.RMS(out[i:i+240]) / (0.3 / math.Sqrt2)); db < -c.most || db > c.most {
					t.Fatalf("%.1f dB at %.4f s", db, float64(i)/2/pcm.Rate+0.04)
				}
			}
		})
	}
}

// TestMembers: members come, go and are replaced; their sources are pulled once a frame
// while they are there.
func TestMembers(t *testing.T) {
	r := prometheus.NewRegistry()
	g := feed.New(feed.Options{Metrics: feed.NewMetrics(r)})
	if g.Pull(make([]float32, pcm.FrameLen)) != pcm.Silent || g.Current() != "" || g.Remove("a") {
		t.Error("an empty group is not empty")
	}
	src := map[string]*source{}
	for i, id := range []string{"a", "b", "a2", "c"} {
		src[id] = &source{tone: pcmtest.Tone{Hz: 500 * float64(i+1), Amp: 0.3}}
	}
	_, log := run(g, 60, func(i int) {
		switch i {
		case 0:
			g.Add("a", src["a"], 0)
			g.Add("b", src["b"], 2)
		case 100:
			g.Add("a", src["a2"], 0) // in favour of whom the first leaves
		case 200:
			g.Add("c", src["c"], 1)
		case 1000:
			g.Remove("a")
			g.Remove("b")
		case 2000:
			g.Remove("c")
		}
	})
	want := []string{"0.02 >a first", "2.00 a>b left", "6.98 b>a better", "20.00 a>c left", "40.00 c> left"}
	if diff := cmp.Diff(want, log); diff != "" {
		t.Errorf("switches (-want +got):\n%s", diff)
	}
	pulled := map[string]int{}
	for id, s := range src {
		pulled[id] = s.n
	}
	if diff := cmp.Diff(map[string]int{"a": 100, "a2": 900, "b": 1000, "c": 1800}, pulled); diff != "" {
		t.Errorf("pulled frames (-want +got):\n%s", diff)
	}
	if got := testutil.CollectAndCount(r, "longwave_feed_switches_total"); got != 5 {
		t.Errorf("%d reasons are counted", got)
	}
}

// TestShown: what the desk shows of each member.
func TestShown(t *testing.T) {
	g := feed.New(feed.Options{})
	for i, turns := range [][]turn{{{}}, {{25, ends}}, {{5, mutes}}, {{0, ends}}} {
		g.Add(string(rune('a'+i)), &source{tone: pcmtest.Tone{Hz: 500, Amp: 0.3}, turns: turns}, 3-i)
	}
	run(g, 30, nil)
	want := []feed.Member{
		{ID: "d", Priority: 0, Health: feed.Waiting},
		{ID: "c", Priority: 1, Health: feed.Mute},
		{ID: "b", Priority: 2, Health: feed.Missing},
		{ID: "a", Priority: 3, Health: feed.Healthy, Heard: true},
	}
	if diff := cmp.Diff(want, g.Members()); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
}

// TestManySwitches: nobody asks for the switches; the last 64 are kept.
func TestManySwitches(t *testing.T) {
	g := feed.New(feed.Options{HoldOff: 20 * time.Millisecond})
	frame := make([]float32, pcm.FrameLen)
	for i := range 70 {
		g.Add("a", &source{tone: pcmtest.Tone{Hz: 500, Amp: 0.3}}, 0)
		for range 5 {
			g.Pull(frame)
		}
		g.Remove("a")
		g.Pull(frame)
		if i == 69 && len(g.Switches(nil)) != 64 {
			t.Error("not 64 switches are kept")
		}
	}
}

// TestConcurrent: everybody does everything at once.
func TestConcurrent(t *testing.T) {
	g := feed.New(feed.Options{})
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			id := string(rune('a' + i%2))
			for range 300 {
				g.Add(id, &source{tone: pcmtest.Tone{Hz: 500, Amp: 0.3}}, i)
				g.Members()
				g.Current()
				g.Switches(nil)
				g.Remove(id)
			}
		})
	}
	run(g, 20, nil)
	wg.Wait()
	run(g, 1, nil)
	if m := g.Members(); len(m) > 0 || g.Current() != "" {
		t.Errorf("members %v are left, %q is heard", m, g.Current())
	}
}

func TestPullDoesNotAllocate(t *testing.T) {
	g := feed.New(feed.Options{})
	prog := speech(30, 1)
	g.Add("a", &player{prog: prog, late: 0}, 0)
	g.Add("b", &player{prog: prog, late: 12345}, 1)
	run(g, 1, nil)
	frame := make([]float32, pcm.FrameLen)
	if n := testing.AllocsPerRun(1000, func() { g.Pull(frame) }); n != 0 {
		t.Errorf("Pull allocates %v times", n)
	}
}

func BenchmarkPull(b *testing.B) {
	for _, n := range []int{1, 2, 4} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			g := feed.New(feed.Options{})
			prog := speech(30, 1)
			for i := range n {
				g.Add(string(rune('a'+i)), &player{prog: prog, late: 1000 * i}, i)
			}
			frame := make([]float32, pcm.FrameLen)
			var worst time.Duration
			for b.Loop() {
				start := time.Now()
				g.Pull(frame)
				worst = max(worst, time.Since(start))
			}
			b.ReportMetric(float64(worst.Microseconds()), "worst-us")
		})
	}
}
