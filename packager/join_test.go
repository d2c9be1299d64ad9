package packager_test

import (
	"math"
	"os/exec"
	"testing"

	"longwave/ingest/pcm/pcmtest"
	"longwave/packager"
)

// TestNothingIsHeardAtTheJoins compares what ffmpeg decodes with what was encoded:
// the first frames of segments must be as near to it as frames in mid-segment, for
// every rendition, on speech and on tones. (Without pre-roll they are up to a
// hundred times further; with eight frames still five times on some tones.)
func TestNothingIsHeardAtTheJoins(t *testing.T) {
	sounds := map[string][]float32{"speech": conversation(t, "60")}
	for name, hz := range map[string]float64{"440 Hz": 440, "1 kHz": 1000, "3 kHz": 3000} {
		sounds[name] = pcmtest.Tone{Hz: hz, Amp: 0.3}.Make(30 * 48_000)
	}
	for name, sound := range sounds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			errs := map[string]*joinError{}
			// Two cuts half a segment apart: what is at a join in one is in the middle
			// in the other, so both are measured on the same sound.
			for _, shift := range []int{0, 48 * 960} {
				measureJoins(t, sound[2*shift:], errs)
			}
			for _, r := range packager.DefaultLadder() {
				e := errs[r.Name]
				mid := e.mean(20, 76)
				if mid > 0.2 {
					t.Errorf("%s: mid-segment error %.4f: that is another sound", r.Name, mid)
				}
				for _, span := range [][2]int{{0, 2}, {2, 6}, {94, 96}} {
					if got := e.mean(span[0], span[1]) / mid; got > 1.5 {
						t.Errorf("%s: frames %d to %d of a segment are %.2f times as far from the sound as mid-segment", r.Name, span[0], span[1], got)
					}
				}
			}
		})
	}
}

// A joinError is the RMS of the error, summed by the place of a 20 ms block in its
// segment.
type joinError struct{ sum, n [96]float64 }

func (e *joinError) mean(from, to int) float64 {
	var sum, n float64
	for i := from; i < to; i++ {
		sum += e.sum[i]
		n += e.n[i]
	}
	return sum / n
}

func measureJoins(t *testing.T, sound []float32, errs map[string]*joinError) {
	t.Helper()
	n := len(sound) / 2 / int(packager.SegmentSamples)
	sink := run(t, "low", nil, sound[:n*int(packager.SegmentSamples)*2])
	for _, r := range packager.DefaultLadder() {
		if errs[r.Name] == nil {
			errs[r.Name] = &joinError{}
		}
		got := decode(t, sink.file(r.Name, n))
		// The first segment is what a decoder settles in.
		for b := 96; b < n*96-2; b++ {
			if 2*(b+1)*960 > len(got) {
				t.Fatalf("%s: decoded %d samples of %d", r.Name, len(got)/2, n*int(packager.SegmentSamples))
			}
			e, level := blockError(sound[2*b*960:2*(b+1)*960], got[2*b*960:2*(b+1)*960])
			if level > 1e-3 { // pauses say nothing
				errs[r.Name].sum[b%96] += e
				errs[r.Name].n[b%96]++
			}
		}
	}
}

// blockError returns the RMS of the difference of two stereo blocks, as mono, and
// the RMS of the first.
func blockError(want, got []float32) (diff, level float64) {
	for i := 0; i < len(want); i += 2 {
		m := float64(want[i]+want[i+1]) / 2
		d := float64(got[i]+got[i+1])/2 - m
		diff += d * d
		level += m * m
	}
	n := float64(len(want) / 2)
	return math.Sqrt(diff / n), math.Sqrt(level / n)
}

// conversation returns the first seconds of the demonstration's speech.
func conversation(t *testing.T, seconds string) []float32 {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-i", "../infra/demo/conversation.ogg",
		"-t", seconds, "-ar", "48000", "-ac", "2", "-f", "f32le", "pipe:1").Output()
	if err != nil {
		t.Fatal(err)
	}
	return pcmtest.Samples(out)
}
