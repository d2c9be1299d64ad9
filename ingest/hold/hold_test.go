package hold_test

import (
	"math"
	"slices"
	"testing"

	"longwave/ingest/hold"
	"longwave/ingest/loudness"
	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
)

// once returns one turn of a loop and a second more.
func once(l *hold.Loop) []float32 {
	x := make([]float32, (int(l.Len())+pcm.Rate)*pcm.Channels)
	l.ReadAt(x, 0)
	return x
}

func reading(x []float32) loudness.Reading {
	var m loudness.Meter
	for i := 0; i+pcm.FrameLen <= len(x); i += pcm.FrameLen {
		m.Add(x[i : i+pcm.FrameLen])
	}
	return m.Reading()
}

func TestBundledLevel(t *testing.T) {
	x := once(hold.Bundled())
	r := reading(x)
	t.Logf("%+v", r)
	if math.Abs(r.Integrated-hold.LUFS) > 0.3 {
		t.Errorf("integrated loudness %.2f LUFS, want %.1f", r.Integrated, hold.LUFS)
	}
	if r.TruePeak > -9 {
		t.Errorf("true peak %.1f dBTP, want at most -9", r.TruePeak)
	}
	var m loudness.Meter
	least, most := 0.0, -70.0
	for i := 0; i+pcm.FrameLen <= len(x); i += pcm.FrameLen {
		m.Add(x[i : i+pcm.FrameLen])
		if i > 3*pcm.Rate*pcm.Channels {
			s := m.Reading().ShortTerm
			least, most = min(least, s), max(most, s)
		}
	}
	t.Logf("short-term %.1f to %.1f LUFS", least, most)
	if most-least > 6 {
		t.Errorf("short-term loudness from %.1f to %.1f LUFS: not calm", least, most)
	}
}

// TestBundledHasNoSeam compares the steps around the end with those elsewhere,
// in the sound and in its second difference, where a click stands out.
func TestBundledHasNoSeam(t *testing.T) {
	l := hold.Bundled()
	at := func(i, c int) float64 {
		var v [2]float32
		l.ReadAt(v[:], pcm.Pos(i))
		return float64(v[c])
	}
	bend := func(i, c int) float64 { return math.Abs(at(i+1, c) - 2*at(i, c) + at(i-1, c)) }
	var usual, seam float64
	for c := range 2 {
		for i := 1000; i < int(l.Len())-1000; i += 7 {
			usual = max(usual, bend(i, c))
		}
		for i := int(l.Len()) - 100; i < int(l.Len())+100; i++ {
			seam = max(seam, bend(i, c))
		}
	}
	if seam > usual {
		t.Errorf("second difference %.6f at the seam, at most %.6f elsewhere", seam, usual)
	}
	if usual > 0.01 {
		t.Errorf("second difference %.6f somewhere: a click", usual)
	}
}

func TestBundledIsSoftAndWide(t *testing.T) {
	x := once(hold.Bundled())
	var high, all, apart [2]float64
	var last [2]float64
	for i := 0; i < len(x); i += 2 {
		for c := range 2 {
			v := float64(x[i+c])
			all[c] += v * v
			high[c] += (v - last[c]) * (v - last[c]) // 6 dB an octave up to 7.6 kHz
			last[c] = v
		}
		apart[0] += math.Pow(float64(x[i]-x[i+1]), 2)
		apart[1] += math.Pow(float64(x[i]+x[i+1]), 2)
	}
	if r := 10 * math.Log10(high[0]/all[0]); r > -22 {
		t.Errorf("the highs are %.1f dB under the whole, want at least 22", -r)
	}
	if b := 10 * math.Log10(all[0]/all[1]); math.Abs(b) > 1.5 {
		t.Errorf("left is %.1f dB over right", b)
	}
	if w := 10 * math.Log10(apart[0]/apart[1]); w < -15 || w > -1 {
		t.Errorf("the sides are %.1f dB against the middle, want -15 to -1", w)
	}
}

func TestReadAtIsThePositionsOwn(t *testing.T) {
	l := hold.Bundled()
	if l.Len() != hold.BundledLen || l.Len()%92_160 != 0 {
		t.Errorf("length %d is not whole segments", l.Len())
	}
	x := once(l)
	for _, pos := range []pcm.Pos{0, 1, 959, hold.BundledLen - 1, hold.BundledLen - 500, 1_700_000_000 * pcm.Rate, -1, -hold.BundledLen - 17} {
		got := make([]float32, pcm.FrameLen)
		l.ReadAt(got, pos)
		at := int(pos-pos.Floor(hold.BundledLen)) * 2
		if !slices.Equal(got, x[at:at+pcm.FrameLen]) {
			t.Errorf("frame at %d is not that of %d", pos, at/2)
		}
	}
	f := make([]float32, pcm.FrameLen)
	if n := testing.AllocsPerRun(100, func() { l.ReadAt(f, 12_345_678_901) }); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

func TestOperatorsSound(t *testing.T) {
	for _, tt := range []struct {
		name string
		amp  float64
		lufs float64
	}{
		{"too loud", 0.9, hold.LUFS}, {"too low", 0.01, hold.LUFS}, {"far too low", 0.001, -60 + 20},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tone := pcmtest.Tone{Hz: 1000, Amp: tt.amp}.Make(5*pcm.Rate + 333)
			l, err := hold.New(tone)
			if err != nil {
				t.Fatal(err)
			}
			if got := reading(once(l)).Integrated; math.Abs(got-tt.lufs) > 0.2 {
				t.Errorf("%.2f LUFS, want %.1f", got, tt.lufs)
			}
		})
	}
	// A peak bounds the gain.
	x := pcmtest.Tone{Hz: 1000, Amp: 0.01}.Make(5 * pcm.Rate)
	x[100_000] = 0.5
	l, err := hold.New(x)
	if err != nil {
		t.Fatal(err)
	}
	if p := pcmtest.Peak(once(l)); math.Abs(p-0.7) > 0.001 {
		t.Errorf("peak %.3f, want 0.7", p)
	}
}

func TestOperatorsSoundHasNoSeam(t *testing.T) {
	x := make([]float32, 2*pcm.Rate*pcm.Channels) // ends far from where it begins
	for i := range x {
		x[i] = float32(0.3 * math.Cos(2*math.Pi*100.3*float64(i/2)/pcm.Rate))
	}
	l, err := hold.New(x)
	if err != nil {
		t.Fatal(err)
	}
	out := once(l)
	tone := pcmtest.Peak(out) * 2 * math.Pi * 100.3 / pcm.Rate
	if step := pcmtest.Step(out); step > 1.5*tone {
		t.Errorf("a step of %.4f, the tone's own are %.4f", step, tone)
	}
}

func TestSoundsThatCannotLoop(t *testing.T) {
	nan := make([]float32, 2*2*pcm.Rate)
	nan[5000] = float32(math.NaN())
	for name, x := range map[string][]float32{
		"none": nil, "too short": make([]float32, 2*pcm.Rate-2), "too long": make([]float32, 2*(300*pcm.Rate+1)), "not a number": nan,
	} {
		if _, err := hold.New(x); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if l, err := hold.New(make([]float32, 4*pcm.Rate)); err != nil || pcmtest.Peak(once(l)) != 0 {
		t.Errorf("silence is a hold like any other: %v", err)
	}
}

func TestFloor(t *testing.T) {
	got, want := make([]float32, pcm.FrameLen), make([]float32, pcm.FrameLen)
	hold.Floor(got, 777)
	pcm.Dither(want, 777)
	if !slices.Equal(got, want) {
		t.Error("Floor is not the near-silence of the position")
	}
}

func BenchmarkReadAt(b *testing.B) {
	l := hold.Bundled()
	x := make([]float32, pcm.FrameLen)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		l.ReadAt(x, pcm.Pos(i)*pcm.FrameSamples)
	}
}
