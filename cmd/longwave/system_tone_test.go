package main_test

import (
	"math"
	"math/cmplx"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"longwave/cmd/longwave/systemtest"
	"longwave/ingest/decode/decodetest"
	"longwave/ingest/icecast/icecasttest"
	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
)

// toneAmp is the amplitude of the tone of decodetest: ffmpeg's sine.
const toneAmp = 0.125

// holdFile writes a hold of faint noise, 46 dB under the tone of decodetest.
func holdFile(t *testing.T) string {
	t.Helper()
	x := make([]float32, 4*pcm.FrameLen*50)
	pcmtest.Noise(x, 0.001, 1)
	path := filepath.Join(t.TempDir(), "hold.wav")
	if err := os.WriteFile(path, pcmtest.WAV(x), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// toneFile writes d of the tone of decodetest, the same on both sides.
func toneFile(t *testing.T, d time.Duration) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tone.wav")
	b := decodetest.Encode(t, d, "-af", "pan=stereo|c0=c0|c1=c0", "-f", "wav")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A pushed is a tone on its way to a station.
type pushed struct {
	t      *testing.T
	length time.Duration
	from   int64 // the segment in which it began at the earliest
	err    chan error
}

// startTone pushes the tone with ffmpeg as Opus.
func startTone(t *testing.T, n *systemtest.Node, station string, length time.Duration) *pushed {
	t.Helper()
	return push(t, icecasttest.Source{
		Client: icecasttest.FFmpeg, Codec: icecasttest.Opus, URL: n.URL + "/ice/" + station,
		Token: n.Token(station, "--name", "Tone"), File: toneFile(t, length), Duration: length,
	})
}

// push runs a broadcaster's client.
func push(t *testing.T, s icecasttest.Source) *pushed {
	t.Helper()
	p := &pushed{t: t, length: s.Duration, from: now(), err: make(chan error, 1)}
	go func() { p.err <- icecasttest.Push(t.Context(), t, s) }()
	return p
}

// wait waits until all of the tone was played and returns the segments that hold it,
// from one to before another.
func (p *pushed) wait() (from, to int64) {
	p.t.Helper()
	if err := <-p.err; err != nil {
		p.t.Error(err)
	}
	// What was sent last is heard after the jitter buffer, 1.5 s, and is stored with
	// its segment.
	return p.from, now() + 3
}

// A window are segments and how much of a tone is to be in them.
type window struct {
	from, to int64
	length   time.Duration
}

// judgeTone decodes what the store has of a rendition in a window: it must hold the
// tone, once, all of it within 20 ms, without a jump and without a hole. How long it
// lasts in the programme is another matter: a sender on a loaded machine is late, and
// the drift control follows it by up to 2,000 ppm.
func judgeTone(t *testing.T, n *systemtest.Node, station, rendition string, w window) {
	t.Helper()
	x := n.Stored(station, rendition, w.from, min(w.to, n.Last(station, rendition)+1)).Decode(t)
	begin, end := findTone(x)
	const (
		block    = pcm.Rate / 100
		margin   = pcm.Rate / 20
		mostPPM  = 2000
		mostJump = 0.25 // radians: 1.5 samples; a step of 2,000 ppm is 0.16
	)
	sent, lasts := int(pcm.Samples(w.length)), end-begin
	if lasts < 4*margin {
		t.Errorf("%s: the tone lasts %d samples, %d were sent", station, lasts, sent)
		return
	}
	middle := x[pcm.Channels*(begin+margin) : pcm.Channels*(end-margin)]
	if jumps := pcmtest.Jumps(middle, 0, decodetest.Hz, mostJump); len(jumps) > 0 {
		t.Errorf("%s: the tone jumps %d times, first at %+v", station, len(jumps), jumps[0])
	}
	worst := 100.0
	for b := range slices.Chunk(middle[:len(middle)/(pcm.Channels*block)*pcm.Channels*block], pcm.Channels*block) {
		for channel := range pcm.Channels {
			worst = min(worst, pcmtest.SNR(b, channel, decodetest.Hz))
		}
	}
	if worst < 20 {
		t.Errorf("%s: at its worst the tone is %.1f dB over the rest", station, worst)
	}
	came := lasts + stretch(middle)
	if d := came - sent; max(d, -d) > pcm.FrameSamples {
		t.Errorf("%s: %d samples of the tone came, %d were sent", station, came, sent)
	}
	if d := lasts - sent; max(d, -d) > pcm.FrameSamples+sent*mostPPM/1_000_000 {
		t.Errorf("%s: the tone lasts %d samples, %d were sent", station, lasts, sent)
	}
	t.Logf("%s/%s: %d samples of tone came in %d, %d were sent; %.1f dB over the rest at its worst", station, rendition, came, lasts, sent, worst)
}

// stretch returns how many samples more the tone has gone through than its length
// says: the turns that it made, by phase from block to block, at its nominal pitch.
func stretch(x []float32) int {
	const block = pcm.Rate / 100
	var turned float64
	var last complex128
	expected := cmplx.Rect(1, -2*math.Pi*decodetest.Hz*block/pcm.Rate)
	for b := range slices.Chunk(x, pcm.Channels*block) {
		if len(b) < pcm.Channels*block {
			break
		}
		var y complex128
		for i := range block {
			y += complex(float64(b[pcm.Channels*i]), 0) * cmplx.Rect(1, -2*math.Pi*decodetest.Hz*float64(i)/pcm.Rate)
		}
		if last != 0 {
			turned += cmplx.Phase(y / last * expected)
		}
		last = y
	}
	return int(math.Round(turned / (2 * math.Pi * decodetest.Hz) * pcm.Rate))
}

// findTone returns where the tone begins and ends, to 2.5 ms.
func findTone(x []float32) (begin, end int) {
	const block = pcm.Rate / 400 // three turns
	begin = -1
	for at := 0; pcm.Channels*(at+block) <= len(x); at += block {
		if pcmtest.Goertzel(x[pcm.Channels*at:pcm.Channels*(at+block)], 0, decodetest.Hz) < toneAmp/2 {
			continue
		}
		if begin < 0 {
			begin = at
		}
		end = at + block
	}
	return begin, end
}
