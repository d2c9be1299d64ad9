// Package decodetest makes tones in every codec with the real encoders and
// judges what came out of a decoder: is it that tone, all of it, and without a
// seam.
//
// This package does not test itself and is used by tests alone.
package decodetest

import (
	"bytes"
	"fmt"
	"math"
	"math/cmplx"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"longwave/ingest/pcm"
)

// Hz is the tone. The usual frame lengths are far from whole numbers of its
// periods, so a lost or doubled frame shows as a jump of the phase.
const Hz = 1234.5

// Encode returns d of the tone as ffmpeg encodes it with args, which name codec
// and container: "-c:a", "libopus", "-f", "ogg".
func Encode(t testing.TB, d time.Duration, args ...string) []byte {
	t.Helper()
	source := fmt.Sprintf("sine=frequency=%v:sample_rate=%d:duration=%f", Hz, pcm.Rate, d.Seconds())
	all := append([]string{"-hide_banner", "-nostdin", "-v", "error", "-f", "lavfi", "-i", source}, args...)
	return FFmpeg(t, nil, append(all, "pipe:1")...)
}

// FFmpeg runs ffmpeg on in and returns what it writes to its standard output.
func FFmpeg(t testing.TB, in []byte, args ...string) []byte {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "ffmpeg", args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("ffmpeg %q: %v\n%s", args, err, stderr.String())
	}
	return stdout.Bytes()
}

// A Report is what a run of samples holds.
type Report struct {
	Samples   int   // per channel
	Tone      int   // from the tone's first to its last sample, to 2.5 ms
	Begin     int   // where the tone begins
	Jumps     []int // where the phase jumps
	LevelDB   float64
	NoiseDB   float64 // what is not the tone, against it; the edges are left out
	SameSides bool    // left equals right, to 20 dB
}

const (
	window = 960
	hop    = 120
)

// Judge measures interleaved stereo samples at 48 kHz against the tone at hz.
func Judge(samples []float32, hz float64) Report {
	left := make([]float64, len(samples)/pcm.Channels)
	r := Report{Samples: len(left)}
	var side, sum float64
	for i := range left {
		left[i] = float64(samples[pcm.Channels*i])
		d := left[i] - float64(samples[pcm.Channels*i+1])
		side, sum = side+d*d, sum+left[i]*left[i]
	}
	r.SameSides = side <= sum/100
	var at []complex128
	peak := 0.0
	for i := 0; i+window <= len(left); i += hop {
		c := demodulate(left[i:i+window], i, hz)
		at = append(at, c)
		peak = max(peak, cmplx.Abs(c))
	}
	first, last := -1, -1
	for i, c := range at {
		if cmplx.Abs(c) >= peak/2 {
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	if first < 0 || peak == 0 {
		return r
	}
	r.LevelDB = 20 * math.Log10(peak)
	r.Begin = first*hop + window/2
	r.Tone = (last-first)*hop + 1
	r.Jumps = jumps(at[first:last+1], first)
	r.NoiseDB = noise(left, at[first:last+1], first, hz)
	return r
}

// demodulate returns amplitude and phase of the tone in a window that begins at
// sample i.
func demodulate(x []float64, i int, hz float64) complex128 {
	var sum complex128
	for n, v := range x {
		w := 1 - math.Cos(2*math.Pi*float64(n)/window) // Hann, of mean 1
		sum += complex(v*w, 0) * cmplx.Rect(1, -2*math.Pi*hz*float64(i+n)/pcm.Rate)
	}
	return sum * 2 / window
}

// jumps returns where the phase differs by more than 0.1 rad from the window
// before the last that shared no sample with it.
func jumps(at []complex128, first int) (list []int) {
	const apart = window / hop
	for i := 2 * apart; i < len(at)-apart; i++ {
		if d := cmplx.Phase(at[i] / at[i-apart]); math.Abs(d) > 0.1 {
			list = append(list, (first+i)*hop)
			i += apart
		}
	}
	return list
}

// noise returns the power of what remains without the tone, against the tone.
func noise(x []float64, at []complex128, first int, hz float64) float64 {
	var rest, tone float64
	for k := window / hop; k < len(at)-window/hop; k++ {
		for n := (first+k)*hop + (window-hop)/2; n < (first+k)*hop+(window+hop)/2; n++ {
			v := real(at[k] * cmplx.Rect(1, 2*math.Pi*hz*float64(n)/pcm.Rate))
			rest += (x[n] - v) * (x[n] - v)
			tone += v * v
		}
	}
	return 10 * math.Log10(rest/tone+1e-20)
}

// Check fails the test unless samples are the tone [Hz], as long as want to
// within slack samples, without a jump, and clean to noiseDB.
func Check(t testing.TB, samples []float32, want, slack int, noiseDB float64) Report {
	t.Helper()
	r := Judge(samples, Hz)
	if d := r.Tone - want; d < -slack-window || d > slack {
		t.Errorf("the tone lasts %d samples, want %d within %d", r.Tone, want, slack)
	}
	if len(r.Jumps) > 0 {
		t.Errorf("the phase jumps at samples %v", r.Jumps[:min(5, len(r.Jumps))])
	}
	if r.NoiseDB > noiseDB {
		t.Errorf("noise is at %.1f dB, want at most %.1f", r.NoiseDB, noiseDB)
	}
	if !r.SameSides {
		t.Error("left differs from right")
	}
	return r
}

// String returns the report on one line.
func (r Report) String() string {
	return strconv.Itoa(r.Samples) + " samples, tone of " + strconv.Itoa(r.Tone) + " from " + strconv.Itoa(r.Begin) +
		fmt.Sprintf(", %.1f dB, noise %.1f dB, jumps %v", r.LevelDB, r.NoiseDB, r.Jumps)
}
