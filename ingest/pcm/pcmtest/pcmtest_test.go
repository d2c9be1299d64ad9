package pcmtest_test

import (
	"bytes"
	"math"
	"os/exec"
	"slices"
	"testing"

	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
)

func TestToneFitsTogether(t *testing.T) {
	tone := pcmtest.Tone{Hz: 997, Amp: 0.5, RightHz: 1500}
	const start = pcm.Pos(1_700_000_000)*pcm.Rate + 17
	whole := make([]float32, 10*pcm.FrameLen)
	tone.Fill(whole, start)
	var pieces []float32
	for i := range 10 {
		f := make([]float32, pcm.FrameLen)
		tone.Fill(f, start+pcm.Pos(i)*pcm.FrameSamples)
		pieces = append(pieces, f...)
	}
	if !slices.Equal(whole, pieces) {
		t.Error("pieces made apart differ from the whole")
	}
	if j := pcmtest.Jumps(whole, 0, 997, 0.01); len(j) > 0 {
		t.Errorf("jumps in a tone without a break: %v", j)
	}
	if a := pcmtest.Goertzel(whole, 1, 1500); math.Abs(a-0.5) > 0.001 {
		t.Errorf("right channel: amplitude %.4f, want 0.5", a)
	}
	if !pcmtest.Has(whole, 0, 997) || pcmtest.Has(whole, 0, 1500) || pcmtest.Has(whole, 1, 997) {
		t.Error("Has confuses the channels' tones")
	}
}

func TestSNR(t *testing.T) {
	x := pcmtest.Tone{Hz: 1234.5, Amp: 0.5}.Make(48_000)
	if got := pcmtest.SNR(x, 0, 1234.5); got < 130 {
		t.Errorf("clean tone: %.1f dB, want more than 130", got)
	}
	noise := make([]float32, len(x))
	pcmtest.Noise(noise, 0.01, 1)
	for i := range x {
		x[i] += noise[i] + 0.1 // an offset is not noise
	}
	want := pcmtest.DB(0.5/math.Sqrt2) - pcmtest.DB(0.01/math.Sqrt(3))
	if got := pcmtest.SNR(x, 0, 1234.5); math.Abs(got-want) > 0.2 {
		t.Errorf("noisy tone: %.2f dB, want %.2f", got, want)
	}
}

func TestJumps(t *testing.T) {
	clean := pcmtest.Tone{Hz: 1000, Amp: 0.5}.Make(48_000)
	fast := pcmtest.Tone{Hz: 1000.5, Amp: 0.5}.Make(48_000)
	cut := func(at, n int) []float32 {
		return slices.Concat(clean[:at*pcm.Channels], clean[(at+n)*pcm.Channels:])
	}
	hole := slices.Clone(clean)
	clear(hole[20_000*2 : 20_100*2])
	for _, tt := range []struct {
		name string
		x    []float32
		want bool
	}{
		{"clean", clean, false},
		{"500 ppm fast", fast, false},
		{"one sample lost", cut(24_000, 1), true},
		{"one sample lost inside a block", cut(24_240, 1), true},
		{"half a period lost", cut(24_100, 24), true},
		{"2 ms of nothing", hole, true},
	} {
		if got := pcmtest.Jumps(tt.x, 0, 1000, 0.05); (len(got) > 0) != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func TestGapsAndCount(t *testing.T) {
	x := make([]float32, 2*1000)
	pcmtest.Count(x, 40)
	clear(x[2*100 : 2*150])
	clear(x[2*990:])
	want := []pcmtest.Gap{{At: 100, Len: 50}, {At: 990, Len: 10}}
	if got := pcmtest.Gaps(x, 1e-9, 10); !slices.Equal(got, want) {
		t.Errorf("gaps %v, want %v", got, want)
	}
	x[2*7] *= 1.5
	for i, want := range map[int]int{0: 40, 99: 139, 120: -1, 989: 1029, 7: -2} {
		if got := pcmtest.Counted(x, i); got != want {
			t.Errorf("sample %d: %d, want %d", i, got, want)
		}
	}
}

func TestWAVIsRead(t *testing.T) {
	x := pcmtest.Tone{Hz: 440, Amp: 0.3, RightHz: 660}.Make(4800)
	cmd := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-f", "wav", "-i", "pipe:0", "-f", "f32le", "pipe:1")
	cmd.Stdin = bytes.NewReader(pcmtest.WAV(x))
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(pcmtest.Samples(out), x) {
		t.Error("ffmpeg read other samples than were written")
	}
}
