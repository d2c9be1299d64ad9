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
