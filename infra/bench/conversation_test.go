package main

import (
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
	"longwave/packager"
	"longwave/packager/hls"
)

func TestParseScenes(t *testing.T) {
	const text = `=== RUN   TestLosses
=== RUN   TestLosses/10_%,_seed_1
    packets_test.go:46: longest dropout 7 ms, 99.5 % of ticks audible; target 41.9ms, delay 42.9ms, {}
=== RUN   TestDriftOfPackets
=== RUN   TestDriftOfPackets/60_ms,_-500_ppm
    playout_test.go:135: delay 40.0 ms, within 1.06 ms of the target 41.0 ms, ratio within 40 ppm, 87000 frames counted; 0 lost
--- PASS: TestDriftOfPackets (18.50s)
    --- PASS: TestDriftOfPackets/60_ms,_-500_ppm (0.56s)
PASS
`
	want := []scene{
		{name: "10 %, seed 1", longest: 7, audible: 99.5, within: math.NaN()},
		{name: "60 ms, -500 ppm", within: 1.06},
	}
	if diff := cmp.Diff(want, parseScenes(text), cmp.AllowUnexported(scene{}), cmpopts.EquateNaNs()); diff != "" {
		t.Error(diff)
	}
	if got := parseScenes("FAIL\tlongwave/ingest/jitter [build failed]\n"); got != nil {
		t.Errorf("a failed build is %+v", got)
	}
}

func TestParseLoudness(t *testing.T) {
	const summary = `[Parsed_ebur128_0 @ 0x1] t: 1 I: -70.0 LUFS
[Parsed_ebur128_0 @ 0x1] Summary:

  Integrated loudness:
    I:         -18.2 LUFS
    Threshold: -28.6 LUFS

  True peak:
    Peak:       -2.6 dBFS
`
	got, err := parseLoudness(summary)
	if want := (loudness{-18.2, -2.6}); err != nil || got != want {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	if _, err := parseLoudness("Conversion failed!"); err == nil {
		t.Error("nothing was taken for a loudness")
	}
}

func TestDropouts(t *testing.T) {
	x := make([]float32, 4*pcm.Rate)
	mono := make([]float32, 2*pcm.Rate)
	vowel(0, mono)
	for i, v := range mono {
		x[2*i], x[2*i+1] = v, v
	}
	if longest, silent, err := dropouts(x); longest != 0 || silent != 0 || err != nil {
		t.Errorf("a whole vowel has a dropout of %v ms, %v %% silent, %v", longest, silent, err)
	}
	clear(x[2*pcm.Rate : 2*pcm.Rate+2*pcm.Rate/5]) // 200 ms
	longest, silent, err := dropouts(x)
	if longest < 190 || longest > 200 || silent != 10 || err != nil {
		t.Errorf("200 ms of 2 s are a dropout of %v ms, %v %% silent, %v", longest, silent, err)
	}
	if _, _, err := dropouts(make([]float32, 4*pcm.Rate)); err == nil {
		t.Error("a speaker whom nobody hears has no dropouts")
	}
}

// TestInTurn: one speaks at a time, whenever each of them began.
func TestInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		words := slices.Repeat([]float32{1}, 2000)
		start := time.Now().Add(time.Second)
		first, second := inTurn(words, start, 0), inTurn(words, start, 1)
		frame := func(f func(int64, []float32), at time.Duration) float32 {
			dst := make([]float32, 1)
			f(int64(pcm.Samples(at)), dst)
			return dst[0]
		}
		frame(first, 0)
		time.Sleep(500 * time.Millisecond)
		frame(second, 0)
		for _, tt := range []struct {
			at            time.Duration // after start
			first, second float32
		}{
			{-100 * time.Millisecond, 0, 0}, {time.Second, 1, 0}, {voicesTurn + time.Second, 0, 1}, {2*voicesTurn + time.Second, 1, 0},
		} {
			one, other := frame(first, tt.at+time.Second), frame(second, tt.at+500*time.Millisecond)
			if one != tt.first || other != tt.second {
				t.Errorf("%v after the start: %v and %v, want %v and %v", tt.at, one, other, tt.first, tt.second)
			}
		}
	})
}

func TestRecordingSpan(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	r := recording{start: start, samples: make([]float32, pcm.Channels*pcm.Rate)}
	for _, tt := range []struct {
		from, to time.Duration
		want     int
	}{
		{0, time.Second, 96_000}, {250 * time.Millisecond, 500 * time.Millisecond, 24_000}, {-time.Second, time.Hour, 96_000}, {time.Hour, 2 * time.Hour, 0},
	} {
		if got := len(r.span(start.Add(tt.from), start.Add(tt.to))); got != tt.want {
			t.Errorf("%v to %v: %d samples, want %d", tt.from, tt.to, got, tt.want)
		}
	}
}

func TestNodeConfig(t *testing.T) {
	got := nodeOptions{renditions: []string{"opus-48", "aac-96"}}.config([]string{"127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"})
	const want = `stations:
  - name: talk
    renditions: [opus-48, aac-96]
rtc: {listen: "127.0.0.1:1"}
rtmp: {listen: "127.0.0.1:2"}
srt: {listen: "127.0.0.1:3"}
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseLateness(t *testing.T) {
	const text = `# HELP longwave_programme_frame_lateness_seconds How long.
longwave_programme_frame_lateness_seconds_bucket{station="talk",le="0.01"} 480
longwave_programme_frame_lateness_seconds_bucket{station="talk",le="0.02"} 490
longwave_programme_frame_lateness_seconds_bucket{station="talk",le="0.05"} 495
longwave_programme_frame_lateness_seconds_bucket{station="talk",le="+Inf"} 500
longwave_programme_frame_lateness_seconds_sum{station="talk"} 1.5
`
	got, err := parseLateness(text)
	if want := (lateness{all: 500, late: 10}); err != nil || got != want {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	if _, err := parseLateness("# nothing\n"); err == nil {
		t.Error("nothing was taken for a histogram")
	}
}

func TestLongestGap(t *testing.T) {
	const length = uint64(packager.SegmentSamples)
	start := time.Unix(1_800_000_000, 0)
	segment := func(n int) hls.Segment {
		at := start.Add(pcm.Duration(pcm.Pos(n) * packager.SegmentSamples))
		return hls.Segment{PDT: at, Duration: 1920 * time.Millisecond}
	}
	marked := segment(1)
	marked.Discontinuity = true
	for name, tt := range map[string]struct {
		list  []hls.Segment
		times []uint64
		want  float64
	}{
		"none":             {[]hls.Segment{segment(0), segment(1), segment(2)}, []uint64{7, 7 + length, 7 + 2*length}, 0},
		"in the media":     {[]hls.Segment{segment(0), segment(1)}, []uint64{0, length + 960}, 20},
		"a segment is not": {[]hls.Segment{segment(0), segment(2)}, []uint64{0, 2 * length}, 1920},
		"marked":           {[]hls.Segment{segment(0), marked}, []uint64{0, length}, 1920},
	} {
		if got := longestGap(tt.list, tt.times); math.Abs(got-tt.want) > 1e-6 {
			t.Errorf("%s: %v ms, want %v", name, got, tt.want)
		}
	}
}

func TestDecodeTime(t *testing.T) {
	for _, tt := range []struct {
		box  string
		want uint64
	}{
		{"\x00\x00\x00\x14tfdt\x01\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x02", 1<<32 + 2},
		{"\x00\x00\x00\x10tfdt\x00\x00\x00\x00\x00\x00\x00\x03moredata", 3},
	} {
		if got, err := decodeTime([]byte("moof" + tt.box)); err != nil || got != tt.want {
			t.Errorf("%q: %d, %v, want %d", tt.box, got, err, tt.want)
		}
	}
	if _, err := decodeTime([]byte("tfdt")); err == nil {
		t.Error("half a box was read")
	}
}

func TestFirstAt(t *testing.T) {
	loud := func(v float64) bool { return v > 0.5 }
	levels := slices.Concat(make([]float64, 30), []float64{1, 1, 1}, make([]float64, 7), slices.Repeat([]float64{1}, 40))
	if got := firstAt(levels, loud); got != 400*time.Millisecond {
		t.Errorf("it is loud from %v on, want 400ms", got)
	}
	if got := firstAt(levels[:50], loud); got >= 0 {
		t.Errorf("100 ms were taken for sound, at %v", got)
	}
}

func TestPresence(t *testing.T) {
	x := pcmtest.Tone{Hz: otherHz, Amp: 0.5}.Make(pcm.Rate)
	for i, level := range presence(x, otherHz) {
		if math.Abs(level-0.5) > 0.01 {
			t.Fatalf("level %d of the tone is %v, want 0.5", i, level)
		}
	}
	for i, level := range presence(x, guestHz) {
		if level > 0.05 {
			t.Fatalf("level %d of another one is %v", i, level)
		}
	}
}
