package mix_test

import (
	"bytes"
	"math"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"testing"

	"longwave/ingest/loudness"
	"longwave/ingest/mix"
	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
)

// texts are what two people say to each other, by turns.
var texts = []string{
	"Good evening. This is the lighthouse hour, and with me at the table is the keeper of the light.",
	"Good evening. Thank you for having me. It is warm in here.",
	"A lighthouse with a radio station in it. How did that begin?",
	"With the fog, really. When you cannot see the light, you can still hear a voice. So one winter I read out the weather.",
	"And people stayed to listen?",
	"At eight sharp. A lamp that comes on late is no use to anybody. I thought the same should hold for the voice.",
	"What do you play when nobody is in the room? The sea is not kind to cables.",
	"A little music, and the sound of the bell. Never silence. Silence makes a sailor turn the set off.",
}

// A talk is a conversation: each of two voices with silence while the other speaks, at
// the loudness that it was asked for.
type talk struct {
	tracks [2][]float32
	turns  []turn
}

// A turn is what one says, in samples per channel.
type turn struct{ who, from, to int }

// spokenTexts are the texts, each voice at -20 LUFS.
var spokenTexts = sync.OnceValues(func() (phrases [][]float32, err error) {
	for i, text := range texts {
		voice := []string{"-v", "en-gb-x-rp+f2", "-s", "158", "-p", "58"}
		if i%2 == 1 {
			voice = []string{"-v", "en-gb-scotland+m3", "-s", "148", "-p", "30"}
		}
		wav, err := exec.Command("espeak-ng", append(voice, "--stdout", text)...).Output()
		if err != nil {
			return nil, err
		}
		cmd := exec.Command("ffmpeg", "-v", "error", "-i", "pipe:0", "-af", "pan=stereo|c0=c0|c1=c0", "-ar", "48000", "-f", "f32le", "pipe:1")
		cmd.Stdin = bytes.NewReader(wav)
		raw, err := cmd.Output()
		if err != nil {
			return nil, err
		}
		phrases = append(phrases, trim(pcmtest.Samples(raw)))
	}
	for who := range 2 {
		voice := slices.Concat(phrases[who], phrases[who+2], phrases[who+4], phrases[who+6])
		db := -20 - integrated(voice)
		for i := who; i < len(phrases); i += 2 {
			amplify(phrases[i], db)
		}
	}
	return phrases, nil
})

// trim cuts off what is silent before and after the words.
func trim(x []float32) []float32 {
	gaps := pcmtest.Gaps(x, 0.005, 1)
	from, to := 0, len(x)/2
	if gaps[0].At == 0 {
		from = gaps[0].Len
	}
	if last := gaps[len(gaps)-1]; last.At+last.Len == to {
		to = last.At
	}
	return x[2*from : 2*to]
}

// newTalk makes a conversation of at least so many seconds; the voices are at these
// loudnesses, and each is in a room whose noise is 45 LU under it.
func newTalk(t testing.TB, seconds int, lufs [2]float64) talk {
	t.Helper()
	phrases, err := spokenTexts()
	if err != nil {
		t.Fatal(err)
	}
	var k talk
	for i := 0; len(k.tracks[0])/2 < seconds*pcm.Rate; i++ {
		phrase := phrases[i%len(phrases)]
		pause := make([]float32, 2*(pcm.Rate/3+i%5*pcm.Rate/10))
		from := len(k.tracks[0]) / 2
		k.turns = append(k.turns, turn{i % 2, from, from + len(phrase)/2})
		k.tracks[i%2] = append(append(k.tracks[i%2], phrase...), pause...)
		k.tracks[1-i%2] = append(append(k.tracks[1-i%2], make([]float32, len(phrase))...), pause...)
	}
	for i, x := range k.tracks {
		x = x[:len(x)/pcm.FrameLen*pcm.FrameLen]
		amplify(x, lufs[i]+20)
		room := make([]float32, len(x))
		pcmtest.Noise(room, math.Pow(10, (lufs[i]-45-noiseLUFS)/20), uint64(i)+7)
		for at := range x {
			x[at] += room[at]
		}
		k.tracks[i] = x
	}
	return k
}

// noiseLUFS is the loudness of noise with an amplitude of 1.
var noiseLUFS = func() float64 {
	x := make([]float32, 2*pcm.Rate)
	pcmtest.Noise(x, 1, 1)
	return integrated(x)
}()

func amplify(x []float32, db float64) {
	g := float32(math.Pow(10, db/20))
	for i := range x {
		x[i] *= g
	}
}

func integrated(x []float32) float64 {
	var m loudness.Meter
	for i := 0; i+pcm.FrameLen <= len(x); i += pcm.FrameLen {
		m.Add(x[i : i+pcm.FrameLen])
	}
	return m.Reading().Integrated
}

// A record plays samples once.
type record struct {
	x  []float32
	at int
}

func (r *record) Pull(dst []float32) pcm.Fill {
	n := copy(dst, r.x[min(r.at, len(r.x)):])
	r.at += len(dst)
	clear(dst[n:])
	if n == 0 {
		return pcm.Silent
	}
	return pcm.Heard
}

// said returns the parts of x in which one of both speaks, from a time on.
func (k talk) said(x []float32, who, from int) []float32 {
	var all []float32
	late := int(mix.Latency)
	for _, s := range k.turns {
		if s.who == who && s.from >= from && 2*(s.to+late) <= len(x) {
			all = append(all, x[2*(s.from+late):2*(s.to+late)]...)
		}
	}
	return all
}

// judge is what ffmpeg's ebur128 says: integrated loudness and true peak.
func judge(t *testing.T, x []float32) (lufs, peak float64) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "ffmpeg", "-f", "f32le", "-ar", "48000", "-ac", "2", "-i", "pipe:0",
		"-af", "ebur128=peak=true:framelog=verbose", "-f", "null", "-")
	cmd.Stdin = bytes.NewReader(pcmtest.Bytes(x))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("ffmpeg: %v: %s", err, out)
	}
	find := func(pattern string) float64 {
		m := regexp.MustCompile(pattern).FindAllSubmatch(out, -1)
		if m == nil {
			t.Fatalf("ffmpeg says nothing like %s: %s", pattern, out)
		}
		v, err := strconv.ParseFloat(string(m[len(m)-1][1]), 64)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	return find(`I:\s+(-?[0-9.]+) LUFS`), find(`Peak:\s+(-?[0-9.]+) dBFS`)
}
