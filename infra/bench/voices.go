package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
	"longwave/ingest/whip/whiptest"
)

const (
	voicesTurn    = 4 * time.Second // each speaks so long, in turn
	voicesTurns   = 8
	voicesSettled = 10 * time.Second // from the first word until they are as loud as each other
	ownHz         = 3003.0           // where nothing of the others' humming is, also when it is limited
	ownSettle     = 3 * time.Second
	ownTime       = 5 * time.Second
)

// Two who talk: the second one is 20 dB below the first.
var voicesTexts = []struct {
	name, voice, text string
	db                float64
}{
	{"Maren", "en-gb-x-rp+f2", "Good evening. This is the lighthouse hour. Arthur keeps the light at Farrow Point. A lighthouse with a radio station in it. How did that begin? And what do you play when nobody is in the room?", -6},
	{"Arthur", "en-gb-scotland+m3", "With the fog, really. When you cannot see the light, you can still hear a voice. So one winter I read out the weather, every evening at eight. And people stayed to listen. In thirty years, nobody has noticed.", -26},
}

// measureVoices lets two synthetic voices talk in turn, and then one more speaker send
// a tone, who listens for it in their own return.
func measureVoices(ctx context.Context, b *bench) error {
	begin, err := now()
	if err != nil {
		return err
	}
	ctx, s, err := b.openStage(ctx, nodeOptions{profile: "low"})
	if err != nil {
		return err
	}
	defer s.close()
	start := time.Now().Add(4 * time.Second)
	var guest string // who hears the tone
	for i, v := range voicesTexts {
		words, err := b.speech(ctx, v.name, v.voice, v.text, v.db)
		if err != nil {
			return err
		}
		if guest, err = s.enter(ctx, v.name, whiptest.Voice{Sound: inTurn(words, start, i)}, whiptest.Options{}); err != nil {
			return err
		}
	}
	if err := s.onAir(ctx, len(voicesTexts)); err != nil {
		return err
	}
	if time.Now().After(start) {
		return errors.New("the speakers came too late: the machine is too busy")
	}
	end := start.Add(voicesTurns * voicesTurn)
	r, err := s.record(ctx, start, end)
	if err != nil {
		return err
	}
	if err := b.reportVoices(ctx, begin, r, start); err != nil {
		return err
	}
	return b.ownVoice(ctx, s, guest)
}

// speech makes a voice say a text, with its peak at db dB full scale.
func (b *bench) speech(ctx context.Context, name, voice, text string, db float64) ([]float32, error) {
	said, wav := filepath.Join(b.tmp, name+"-said.wav"), filepath.Join(b.tmp, name+".wav")
	err := errors.Join(
		command(ctx, "espeak-ng", "-v", voice, "-s", "155", "-w", said, text),
		command(ctx, "sox", "-R", said, "-r", "48000", "-c", "2", "-e", "floating-point", "-b", "32", "-t", "raw", wav, "norm", strconv.FormatFloat(db, 'f', -1, 64)),
	)
	if err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(wav)
	if err != nil {
		return nil, err
	}
	return pcmtest.Samples(raw), nil
}

// inTurn says words, again and again, in every second turn from start on, and hums once
// all turns are over: in what words and their coding leave at every frequency nothing
// could be found that is 60 dB below.
func inTurn(words []float32, start time.Time, who int) func(int64, []float32) {
	var once sync.Once
	var offset pcm.Pos
	return func(from int64, dst []float32) {
		once.Do(func() { offset = pcm.Samples(time.Since(start)) - pcm.Pos(from) })
		turn := pcm.Samples(voicesTurn)
		for i := range dst {
			at := offset + pcm.Pos(from) + pcm.Pos(i)
			switch said := int(at / turn); {
			case at >= 0 && said >= voicesTurns:
				dst[i] = hum(at, who)
			case at >= 0 && said%len(voicesTexts) == who:
				dst[i] = words[pcm.Channels*int(at)%len(words)]
			default:
				dst[i] = 0
			}
		}
	}
}

// hum is a voice with its mouth closed: some harmonics below 1 kHz, as loud as the words
// were.
func hum(at pcm.Pos, who int) float32 {
	var x float64
	hz, amp := []float64{110, 170}[who], math.Pow(10, (voicesTexts[who].db-14)/20)
	for k := 1.0; k <= 5; k++ {
		x += amp / k * math.Sin(2*math.Pi*hz*k*float64(at)/pcm.Rate)
	}
	return float32(x)
}

func (b *bench) reportVoices(ctx context.Context, begin moment, r recording, start time.Time) error {
	const edge = 400 * time.Millisecond // at a turn's ends, for the way here
	turns := make([][]float32, len(voicesTexts))
	for i := range voicesTurns {
		if at := start.Add(time.Duration(i) * voicesTurn); at.Sub(start) >= voicesSettled {
			turns[i%len(turns)] = append(turns[i%len(turns)], r.span(at.Add(edge), at.Add(voicesTurn-edge))...)
		}
	}
	end := start.Add(voicesTurns * voicesTurn)
	var heard [4]loudness // first voice, second voice, all once settled, all
	for i, x := range [][]float32{turns[0], turns[1], r.span(start.Add(voicesSettled), end), r.span(start, end)} {
		var err error
		if heard[i], err = measureLoudness(ctx, x); err != nil {
			return err
		}
	}
	b.add(begin, figure{
		Name: "two voices 20 dB apart, after 10 s", Value: round(math.Abs(heard[0].integrated-heard[1].integrated), 1), Unit: "LU", Target: new(3.0), Steady: true,
		Notes: fmt.Sprintf("%.1f and %.1f LUFS in %s, by ffmpeg's ebur128", heard[0].integrated, heard[1].integrated, recorded),
	})
	b.add(begin, figure{
		Name: "the programme's distance from -18 LUFS", Value: round(math.Abs(heard[2].integrated+18), 1), Unit: "LU", Target: new(1.0), Steady: true,
		Notes: fmt.Sprintf("integrated %.1f LUFS from the tenth second on, %.1f with those before", heard[2].integrated, heard[3].integrated),
	})
	b.add(begin, figure{
		Name: "true peak of the programme", Value: heard[3].peak, Unit: "dBTP", Target: new(-1.0), Steady: true,
		Notes: "all of it, decoded from " + recorded,
	})
	return nil
}

// A loudness is what EBU R 128 says of some sound.
type loudness struct {
	integrated float64 // LUFS
	peak       float64 // dBTP
}

func measureLoudness(ctx context.Context, x []float32) (loudness, error) {
	cmd := exec.CommandContext(ctx, "ffmpeg", "-hide_banner", "-nostats", "-f", "f32le", "-ar", "48000", "-ac", "2", "-i", "pipe:0",
		"-af", "ebur128=peak=true:framelog=verbose", "-f", "null", "-")
	cmd.Stdin = bytes.NewReader(pcmtest.Bytes(x))
	out, err := cmd.CombinedOutput()
	if err != nil {
		return loudness{}, fmt.Errorf("ebur128: %w: %s", err, out)
	}
	return parseLoudness(string(out))
}

var ebur128 = regexp.MustCompile(`(?s)Integrated loudness:\s+I:\s+(\S+) LUFS.*True peak:\s+Peak:\s+(\S+) dBFS`)

// parseLoudness reads ffmpeg's summary.
func parseLoudness(out string) (loudness, error) {
	m := ebur128.FindStringSubmatch(out)
	if m == nil {
		return loudness{}, fmt.Errorf("ebur128 says no loudness: %q", out)
	}
	integrated, err := strconv.ParseFloat(m[1], 64)
	peak, err2 := strconv.ParseFloat(m[2], 64) // "-inf" is a number, too
	return loudness{integrated, peak}, errors.Join(err, err2)
}

// ownVoice compares a speaker's tone in their own return and in another one's, while
// the others talk on.
func (b *bench) ownVoice(ctx context.Context, s *stage, guest string) error {
	begin, err := now()
	if err != nil {
		return err
	}
	own, err := s.enter(ctx, "Tone", whiptest.Voice{Hz: ownHz, Amp: 0.2}, whiptest.Options{})
	if err != nil {
		return err
	}
	if err := s.onAir(ctx, len(voicesTexts)+1); err != nil {
		return err
	}
	var level, beside, whole [2]float64
	g, gctx := errgroup.WithContext(ctx)
	for i, token := range []string{own, guest} {
		g.Go(func() error {
			l, err := s.hear(gctx, token)
			if err != nil {
				return err
			}
			defer func() { _ = l.Vanish() }()
			x, err := l.Hear(gctx, ownSettle+ownTime)
			if err != nil {
				return err
			}
			x = x[pcm.Channels*int(pcm.Samples(ownSettle)):]
			level[i], beside[i] = pcmtest.DB(pcmtest.Goertzel(x, 0, ownHz)), pcmtest.DB(pcmtest.Goertzel(x, 0, ownHz+4))
			whole[i] = pcmtest.DB(pcmtest.RMS(x))
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if level[1] < -40 || whole[0] < -40 {
		return fmt.Errorf("the tone is at %.0f dB in another return, the voices at %.0f dB in its own: nothing to compare", level[1], whole[0])
	}
	b.add(begin, figure{
		Name: "own voice in own return", Value: round(level[0]-level[1], 1), Unit: "dB", Target: new(-60.0), Steady: true,
		Notes: fmt.Sprintf("a tone of %.0f Hz against the same in another return, while two others hum at %.0f dB; of those there is %.1f dB beside it", ownHz, whole[0], beside[0]-level[1]),
	})
	return nil
}
