package loudness_test

import (
	"bufio"
	"bytes"
	"fmt"
	"math"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"longwave/ingest/loudness"
	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
)

// A stretch is a 1 kHz sine on both channels at a peak level in dBFS.
type stretch struct{ db, seconds float64 }

func stretches(s ...stretch) []float32 {
	var x []float32
	for _, p := range s {
		part := make([]float32, pcm.Channels*int(math.Round(p.seconds*pcm.Rate)))
		pcmtest.Tone{Hz: 1000, Amp: math.Pow(10, p.db/20)}.Fill(part, pcm.Pos(len(x)/2))
		x = append(x, part...)
	}
	return x
}

// measure feeds x frame by frame and calls each after every one.
func measure(x []float32, each func(frame int, m *loudness.Meter)) loudness.Reading {
	var m loudness.Meter
	for i := 0; (i+1)*pcm.FrameLen <= len(x); i++ {
		m.Add(x[i*pcm.FrameLen:][:pcm.FrameLen])
		if each != nil {
			each(i, &m)
		}
	}
	return m.Reading()
}

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if !(math.Abs(got-want) <= within) {
		t.Errorf("%s: %.2f, want %.2f within %.1f", what, got, want, within)
	}
}

// TestTech3341 runs the cases of EBU Tech 3341 (v4, table 1) that concern stereo.
func TestTech3341(t *testing.T) {
	for name, tt := range map[string]struct {
		x    []float32
		want float64
	}{
		"1": {stretches(stretch{-23, 20}), -23},
		"2": {stretches(stretch{-33, 20}), -33},
		"3": {stretches(stretch{-36, 10}, stretch{-23, 60}, stretch{-36, 10}), -23},
		"4": {stretches(stretch{-72, 10}, stretch{-36, 10}, stretch{-23, 60}, stretch{-36, 10}, stretch{-72, 10}), -23},
		"5": {stretches(stretch{-26, 20}, stretch{-20, 20.1}, stretch{-26, 20}), -23},
	} {
		near(t, "case "+name+", I", measure(tt.x, nil).Integrated, tt.want, 0.1)
	}
	one := measure(stretches(stretch{-23, 20}), nil)
	near(t, "case 1, M", one.Momentary, -23, 0.1)
	near(t, "case 1, S", one.ShortTerm, -23, 0.1)

	nine := slices.Repeat(stretches(stretch{-20, 1.34}, stretch{-30, 1.66}), 5)
	measure(nine, func(i int, m *loudness.Meter) {
		if i >= 150 {
			near(t, "case 9, S", m.Reading().ShortTerm, -23, 0.1)
		}
	})
	twelve := slices.Repeat(stretches(stretch{-20, 0.18}, stretch{-30, 0.22}), 25)
	measure(twelve, func(i int, m *loudness.Meter) {
		if i >= 50 {
			near(t, "case 12, M", m.Momentary(), -23, 0.1)
		}
	})
}

func TestTech3341TruePeak(t *testing.T) {
	for _, tt := range []struct {
		name         string
		parts, phase float64 // of the sample rate; degrees
		amp, want    float64
	}{
		{"15", 4, 0, 0.5, -6},
		{"16", 4, 45, 0.5, -6},
		{"17", 6, 60, 0.5, -6},
		{"18", 8, 67.5, 0.5, -6},
		{"19", 4, 45, 1.41, 3},
	} {
		x := make([]float32, 10*pcm.FrameLen)
		for i := range len(x) / 2 {
			v := float32(tt.amp * math.Sin(2*math.Pi*float64(i)/tt.parts+tt.phase*math.Pi/180))
			x[2*i], x[2*i+1] = v, v/2
		}
		// Taper the ends: the standard's files do, so that the start is no step.
		for i := range 480 {
			g := float32(i) / 480
			for _, k := range []int{2 * i, 2*i + 1, len(x) - 1 - 2*i, len(x) - 2 - 2*i} {
				x[k] *= g
			}
		}
		got := measure(x, nil).TruePeak
		if got > tt.want+0.2 || got < tt.want-0.4 {
			t.Errorf("case %s: %.2f dBTP, want %.1f +0.2 -0.4", tt.name, got, tt.want)
		}
	}
}

// oracle returns what ffmpeg's ebur128 filter says, every 100 ms.
func oracle(t *testing.T, x []float32) []map[string]float64 {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-f", "f32le", "-ar", "48000", "-ac", "2", "-i", "pipe:0",
		"-af", "ebur128=peak=true:metadata=1,ametadata=mode=print:file=-", "-f", "null", "-")
	cmd.Stdin = bytes.NewReader(pcmtest.Bytes(x))
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("ffmpeg: %v", err)
	}
	var all []map[string]float64
	for sc := bufio.NewScanner(bytes.NewReader(out)); sc.Scan(); {
		if strings.HasPrefix(sc.Text(), "frame:") {
			all = append(all, map[string]float64{})
			continue
		}
		k, v, _ := strings.Cut(sc.Text(), "=")
		if f, err := strconv.ParseFloat(v, 64); err == nil {
			all[len(all)-1][k] = f
		}
	}
	return all
}

// generated are sounds of several kinds, 20 s each.
func generated() map[string][]float32 {
	const n = 20 * pcm.Rate
	all := map[string][]float32{}
	noise := make([]float32, 2*n)
	pcmtest.Noise(noise, 0.3, 1)
	soft := make([]float32, 2*n) // nothing at 24 kHz, where no two judges agree
	for i := 2; i < len(soft); i++ {
		soft[i] = (noise[i] + noise[i-2]) / 2
	}
	all["noise"] = soft

	speech := make([]float32, 2*n) // noise through a low-pass, in syllables and pauses
	var low [2]float64
	for i := range speech {
		at := float64(i/2) / pcm.Rate
		low[i%2] += 0.1 * (float64(noise[i]) - low[i%2])
		gain := max(0, math.Sin(2*math.Pi*3.7*at)) * max(0, math.Sin(2*math.Pi*0.21*at))
		speech[i] = float32(4 * low[i%2] * gain)
	}
	all["syllables"] = speech

	sweep := make([]float32, 2*n)
	for i := range n {
		at := float64(i) / pcm.Rate
		v := 0.7 * math.Sin(2*math.Pi*20*math.Pow(1000, at/20)*20/math.Log(1000))
		sweep[2*i], sweep[2*i+1] = float32(v), float32(0.25*v)
	}
	all["sweep"] = sweep

	loud := make([]float32, 2*n)
	for i := range loud {
		v := 3 * math.Sin(2*math.Pi*997*float64(i/2)/pcm.Rate) * math.Sin(2*math.Pi*0.5*float64(i/2)/pcm.Rate)
		loud[i] = float32(min(max(v, -0.95), 0.95))
	}
	all["clipped"] = loud
	all["levels"] = stretches(stretch{-50, 4}, stretch{-14, 5}, stretch{-28, 5}, stretch{-80, 3}, stretch{-20, 3})
	return all
}

// told is ffmpeg's figure as we tell it: it says NaN or less than -70 for silence.
func told(lufs float64) float64 {
	if !(lufs > loudness.Silence) {
		return loudness.Silence
	}
	return lufs
}

func TestAgainstFFmpeg(t *testing.T) {
	for name, x := range generated() {
		t.Run(name, func(t *testing.T) {
			want := oracle(t, x)
			got := measure(x, func(i int, m *loudness.Meter) {
				// ffmpeg's k-th line is the state after (k+1)*100 ms.
				if i%5 != 4 || i/5 >= len(want) || i < 150 {
					return
				}
				w := want[i/5]
				at := fmt.Sprintf("%.1f s, ", float64(i+1)*0.02)
				near(t, at+"M", m.Momentary(), told(w["lavfi.r128.M"]), 0.1)
				near(t, at+"S", m.Reading().ShortTerm, told(w["lavfi.r128.S"]), 0.1)
			})
			w := want[len(want)-1]
			near(t, "I", got.Integrated, w["lavfi.r128.I"], 0.1)
			peak := max(w["lavfi.r128.true_peaks_ch0"], w["lavfi.r128.true_peaks_ch1"])
			near(t, "true peak", got.TruePeak, 20*math.Log10(peak), 0.2)
			t.Logf("I %.3f (ffmpeg %.3f), true peak %.3f (%.3f)", got.Integrated, w["lavfi.r128.I"], got.TruePeak, 20*math.Log10(peak))
		})
	}
}

func TestNothingToMeasure(t *testing.T) {
	want := loudness.Reading{Momentary: -70, ShortTerm: -70, Integrated: -70, TruePeak: -120}
	if got := measure(make([]float32, 200*pcm.FrameLen), nil); got != want {
		t.Errorf("silence: %+v", got)
	}
	var m loudness.Meter
	if got := m.Reading(); got != want {
		t.Errorf("zero meter: %+v", got)
	}
	m.Add(slices.Repeat([]float32{0.9}, pcm.FrameLen))
	m.Reset()
	if got := m.Reading(); got != want {
		t.Errorf("after Reset: %+v", got)
	}
}

func TestRMSAndTop(t *testing.T) {
	x := []float32{0.5, -0.5, 0.5, -0.5, 0.1, -0.7}
	if got := loudness.RMS(x); math.Abs(float64(got)-math.Sqrt((4*0.25+0.01+0.49)/6)) > 1e-6 {
		t.Errorf("RMS %v", got)
	}
	if got := loudness.Top(x); got != 0.7 {
		t.Errorf("top %v", got)
	}
	if loudness.RMS(nil) != 0 || loudness.Top(nil) != 0 {
		t.Error("nothing has a level")
	}
}

func TestMeterDoesNotAllocate(t *testing.T) {
	var m loudness.Meter
	x := make([]float32, pcm.FrameLen)
	pcmtest.Noise(x, 0.5, 1)
	if n := testing.AllocsPerRun(100, func() {
		m.Add(x)
		m.Reading()
	}); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

func BenchmarkMeter(b *testing.B) {
	var m loudness.Meter
	x := make([]float32, pcm.FrameLen)
	pcmtest.Noise(x, 0.5, 1)
	b.ReportAllocs()
	for b.Loop() {
		m.Add(x)
	}
}

func BenchmarkTruePeakEverywhere(b *testing.B) {
	x := make([]float32, pcm.FrameLen)
	pcmtest.Noise(x, 0.5, 1)
	b.ReportAllocs()
	for b.Loop() {
		var p loudness.TruePeak
		p.Add(x)
	}
}
