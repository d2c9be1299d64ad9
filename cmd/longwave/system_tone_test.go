package main_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"longwave/cmd/longwave/systemtest"
	"longwave/ingest/decode/decodetest"
	"longwave/ingest/icecast/icecasttest"
	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
)

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
// tone, once, within 20 ms of its length and without a jump. Its pitch may follow the
// drift control, which goes to 2,000 ppm.
func judgeTone(t *testing.T, n *systemtest.Node, station, rendition string, w window) {
	t.Helper()
	x := n.Stored(station, rendition, w.from, min(w.to, n.Last(station, rendition)+1)).Decode(t)
	r := decodetest.Judge(x, decodetest.Hz)
	const edge = 480 // as far as Judge is unsure of an end
	sent, came := int(pcm.Samples(w.length)), r.Tone+2*edge
	t.Logf("%s/%s: %d samples of tone from %d, %d were sent; %.1f dB, noise %.1f dB", station, rendition, came, r.Begin, sent, r.LevelDB, r.NoiseDB)
	if d := came - sent; max(d, -d) > pcm.FrameSamples+edge {
		t.Errorf("%s: the tone lasts %d samples, %d were sent", station, came, sent)
	}
	const margin = pcm.Rate / 20
	middle := x[pcm.Channels*(r.Begin+margin) : pcm.Channels*(r.Begin+r.Tone-margin)]
	if jumps := pcmtest.Jumps(middle, 0, decodetest.Hz, 0.1); len(jumps) > 0 { // 0.6 of a sample
		t.Errorf("%s: the tone jumps %d times, first at %+v", station, len(jumps), jumps[0])
	}
	if r.NoiseDB > -25 {
		t.Errorf("%s: noise at %.1f dB", station, r.NoiseDB)
	}
	if !r.SameSides {
		t.Errorf("%s: left differs from right", station)
	}
}
