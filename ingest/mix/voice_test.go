package mix_test

import (
	"bytes"
	"fmt"
	"math"
	"os/exec"
	"slices"
	"testing"

	"longwave/ingest/loudness"
	"longwave/ingest/mix"
	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
)

var aVoice = mix.LaneOptions{Voice: true}

// throughAAC encodes as the programme's renditions are, and decodes.
func throughAAC(t *testing.T, x []float32) []float32 {
	t.Helper()
	run := func(in []byte, args ...string) []byte {
		cmd := exec.CommandContext(t.Context(), "ffmpeg", append([]string{"-v", "error"}, args...)...)
		cmd.Stdin = bytes.NewReader(in)
		var told bytes.Buffer
		cmd.Stderr = &told
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("ffmpeg: %v: %s", err, &told)
		}
		return out
	}
	raw := []string{"-f", "f32le", "-ar", "48000", "-ac", "2"}
	coded := run(pcmtest.Bytes(x), append(raw, "-i", "pipe:0", "-c:a", "aac", "-aac_coder", "fast", "-b:a", "96k", "-f", "adts", "pipe:1")...)
	return pcmtest.Samples(run(coded, append([]string{"-f", "aac", "-i", "pipe:0"}, append(raw, "pipe:1")...)...))
}

// TestConversation: two voices that differ by 20 dB are as loud as each other after ten
// seconds, and the programme is as loud as it shall be. ffmpeg is the judge, of what
// comes out of an AAC decoder.
func TestConversation(t *testing.T) {
	for _, tt := range []struct {
		voices [2]float64
		target float64 // as an option
		want   float64
	}{
		{[2]float64{-16, -36}, 0, -18},
		{[2]float64{-46, -26}, -16, -16},
		{[2]float64{-8, -28}, -23, -23},
	} {
		t.Run(fmt.Sprintf("%v at %v", tt.voices, tt.want), func(t *testing.T) {
			t.Parallel()
			k := newTalk(t, 60, tt.voices)
			d := newDesk(mix.Options{TargetLUFS: tt.target})
			d.Add("a", &record{x: k.tracks[0]}, aVoice)
			d.Add("b", &record{x: k.tracks[1]}, aVoice)
			d.run(len(k.tracks[0]) / pcm.FrameLen)
			x := throughAAC(t, d.out)
			lufs, peak := judge(t, x)
			one, _ := judge(t, k.said(x, 0, 10*pcm.Rate))
			two, _ := judge(t, k.said(x, 1, 10*pcm.Rate))
			t.Logf("I %.1f LUFS, %.1f dBTP; the voices %.1f and %.1f LUFS", lufs, peak, one, two)
			if math.Abs(one-two) > 1.5 {
				t.Errorf("the voices are at %.1f and %.1f LUFS, want at most 1.5 LU between them", one, two)
			}
			if math.Abs(lufs-tt.want) > 1 {
				t.Errorf("the programme is at %.1f LUFS, want %.0f within 1", lufs, tt.want)
			}
			if peak > -1 {
				t.Errorf("true peak %.1f dBTP, want at most -1", peak)
			}
		})
	}
}

// TestGainIsSlow: a voice's gain moves at its rates, only while somebody speaks, and a
// pause leaves it where it is.
func TestGainIsSlow(t *testing.T) {
	k := newTalk(t, 60, [2]float64{-20, -20})
	x := k.tracks[0]
	amplify(x[len(x)/2:], -18)
	x = append(x, make([]float32, 10*pcm.Rate*2)...)
	pcmtest.Noise(x[len(x)-10*pcm.Rate*2:], 0.001, 3)
	n := len(x) / pcm.FrameLen
	d := newDesk(mix.Options{})
	d.Add("a", &record{x: x}, aVoice)
	var gain []float64
	for range n {
		d.run(1)
		gain = append(gain, d.Levels(nil)[0].AutoDB)
	}
	for i := 500; i < n; i++ { // it is no newcomer any more
		if step := gain[i] - gain[i-1]; step > 3*0.0201 || step < -10*0.0201 {
			t.Fatalf("frame %d: the gain moved by %.3f dB", i, step)
		}
	}
	if low, high := gain[n/2-300], gain[n-501]; math.Abs(high-low-18) > 3 {
		t.Errorf("for a voice 18 dB lower the gain went from %.1f to %.1f dB", low, high)
	}
	if gain[n-1] != gain[n-450] {
		t.Errorf("in a pause the gain went from %.2f to %.2f dB", gain[n-450], gain[n-1])
	}
	if pcmtest.Peak(d.last(100)) > 0.02 {
		t.Errorf("in the pause there is a peak of %.3f", pcmtest.Peak(d.last(100)))
	}
}

// TestBackAsLoud: who comes back after a lost connection is as loud as before from the
// first word on.
func TestBackAsLoud(t *testing.T) {
	k := newTalk(t, 20, [2]float64{-40, -40})
	d := newDesk(mix.Options{})
	d.Add("a", &record{x: k.tracks[0]}, aVoice)
	d.run(500)
	was, ok := d.Level("a")
	if !ok || was.AutoDB < 15 {
		t.Fatalf("%+v, %v", was, ok)
	}
	d.Add("a", &record{x: k.tracks[0]}, aVoice) // the seat is taken over
	d.run(2)
	if l, _ := d.Level("a"); l.AutoDB != was.AutoDB {
		t.Errorf("taken over with %.1f dB, had %.1f", l.AutoDB, was.AutoDB)
	}
	d.Remove("a")
	if l, ok := d.Level("a"); ok {
		t.Errorf("gone: %+v", l)
	}
	d.run(2)
	for db, want := range map[float64]float64{was.AutoDB: was.AutoDB, 90: 0, math.NaN(): 0} {
		d.Add("b", &record{x: k.tracks[0]}, mix.LaneOptions{Voice: true, AutoDB: db})
		if l, _ := d.Level("b"); l.AutoDB != want {
			t.Errorf("back with %.1f dB, want %.1f", l.AutoDB, want)
		}
		d.Remove("b")
	}
}

// TestNoVoice: what is no voice is left as loud as it is and is told of by nobody:
// tones, hum, hiss, also when they begin after silence.
func TestNoVoice(t *testing.T) {
	n := 30 * pcm.Rate * 2
	hiss, rumble := make([]float32, n), make([]float32, n)
	pcmtest.Noise(hiss, 0.02, 1)
	pcmtest.Noise(rumble, 0.05, 2)
	for i := 2; i < n; i++ {
		rumble[i] = 0.02*rumble[i] + 0.98*rumble[i-2]
	}
	sounds := map[string][]float32{"hiss": hiss, "rumble": rumble}
	for _, hz := range []float64{100, 110, 440, 600, 997, 5000} {
		sounds[fmt.Sprintf("%v Hz", hz)] = pcmtest.Tone{Hz: hz, Amp: 0.125}.Make(n / 2)
	}
	for name, x := range sounds {
		for _, before := range []int{0, 3 * pcm.Rate} {
			t.Run(fmt.Sprintf("%s after %d", name, before), func(t *testing.T) {
				d := newDesk(mix.Options{})
				d.Add("a", &record{x: append(make([]float32, 2*before), x...)}, aVoice)
				for range 1000 {
					d.run(1)
					l, s := d.Levels(nil)[0], d.Snapshot()
					if l.AutoDB != 0 || s.VoicesDB != 0 || l.Speaking || len(d.Speech()) != 0 {
						t.Fatalf("after %d frames: %+v, %.2f dB on the bus, %v", len(d.out)/pcm.FrameLen, l, s.VoicesDB, d.Speech())
					}
				}
			})
		}
	}
}

func TestHighPass(t *testing.T) {
	for hz, want := range map[float64]float64{20: -24.1, 40: -12.3, 80: -3.01, 160: -0.26, 1000: 0} {
		d := newDesk(mix.Options{})
		d.Add("a", &speaker{tone: pcmtest.Tone{Hz: hz, Amp: 0.5}}, aVoice)
		d.run(100)
		got := pcmtest.DB(pcmtest.Goertzel(d.last(50), 0, hz) / 0.5)
		if math.Abs(got-want) > 0.05 {
			t.Errorf("%v Hz: %.2f dB, want %.2f", hz, got, want)
		}
	}
}

// TestFeedIsLeftAlone: what is no voice passes as it is, whatever the voices need.
func TestFeedIsLeftAlone(t *testing.T) {
	k := newTalk(t, 15, [2]float64{-36, -36})
	d := newDesk(mix.Options{})
	d.Add("a", &record{x: k.tracks[0]}, aVoice)
	d.run(500)
	if s := d.Snapshot(); s.VoicesDB == 0 {
		t.Fatal("the voices' gain did not move")
	}
	d.SetOnAir("a", false)
	d.run(2)
	d.out = nil
	feed := slices.Clone(k.tracks[1][:100*pcm.FrameLen])
	d.Add("feed", &record{x: feed}, mix.LaneOptions{})
	d.run(100)
	off := int(mix.Latency) * pcm.Channels
	for i := 2 * pcm.FrameLen; i < len(d.out)-off; i++ {
		if math.Abs(float64(d.out[off+i]-feed[i])) > 1.01*pcm.DitherPeak {
			t.Fatalf("value %d: %v, want %v", i, d.out[off+i], feed[i])
		}
	}
	if l := d.Levels(nil)[1]; l.ID != "feed" || l.AutoDB != 0 || l.Speaking {
		t.Errorf("%+v", l)
	}
}

// TestFaderMeansWhatItSays: the gains that level do not work against a fader.
func TestFaderMeansWhatItSays(t *testing.T) {
	k := newTalk(t, 60, [2]float64{-30, -30})
	loud := func(gain float64) float64 {
		d := newDesk(mix.Options{})
		d.Add("a", &record{x: k.tracks[0]}, mix.LaneOptions{Voice: true, GainDB: gain})
		d.run(len(k.tracks[0]) / pcm.FrameLen)
		return integrated(k.said(d.out, 0, 20*pcm.Rate))
	}
	if diff := loud(0) - loud(-12); math.Abs(diff-12) > 0.5 { // the limiter takes a little of the louder
		t.Errorf("a fader at -12 dB makes %.1f LU", -diff)
	}
}

// TestOpenMicrophone: the noise of a room that was raised together with a soft voice
// is dead air like any other silence, when its voice has gone.
func TestOpenMicrophone(t *testing.T) {
	k := newTalk(t, 12, [2]float64{-38, -38})
	amplify(k.tracks[0], -3)
	x := append(k.tracks[0], make([]float32, 2*30*pcm.Rate)...)
	pcmtest.Noise(x[len(k.tracks[0]):], 0.0016, 5)
	d := newDesk(mix.Options{})
	d.Add("a", &record{x: x}, aVoice)
	d.run(len(k.tracks[0]) / pcm.FrameLen)
	if l := d.Levels(nil)[0]; l.AutoDB < 15 {
		t.Fatalf("the voice was raised by %.1f dB only", l.AutoDB)
	}
	r := d.run(500)
	if s := d.Snapshot(); s.Loudness.Momentary < -48 {
		t.Fatalf("the noise is at %.1f LUFS: too low for this test", s.Loudness.Momentary)
	}
	if r.DeadAir != mix.Warned {
		t.Errorf("after 10 s of noise: %v", r.DeadAir)
	}
}

// TestTwinsOfVoices: a mixer that heard nothing of the first minute makes the same
// samples as one that did.
func TestTwinsOfVoices(t *testing.T) {
	k := newTalk(t, 150, [2]float64{-16, -33})
	n := len(k.tracks[0]) / pcm.FrameLen
	begin := func(d *desk, frame int) {
		for i, id := range []string{"a", "b"} {
			d.Add(id, &record{x: k.tracks[i], at: frame * pcm.FrameLen}, aVoice)
		}
	}
	one, two := newDesk(mix.Options{}), newDesk(mix.Options{})
	begin(one, 0)
	one.run(50 * 50)
	two.pos = one.pos
	begin(two, 50*50)
	one.run(n - 50*50)
	two.run(n - 50*50)
	if one.Snapshot().VoicesDB == 0 || pcmtest.Peak(one.last(500)) < 0.5 {
		t.Error("nothing was levelled")
	}
	// The bus knows the last 30 s in which somebody spoke.
	if !slices.Equal(one.last(500), two.last(500)) {
		a, b := one.Levels(nil), two.Levels(nil)
		t.Errorf("they differ: %+v and %+v, %v and %v dB on the bus", a, b, one.Snapshot().VoicesDB, two.Snapshot().VoicesDB)
	}
}

// TestRecent: with all blocks it tells what the meter tells.
func TestRecent(t *testing.T) {
	k := newTalk(t, 20, [2]float64{-20, -27})
	for _, x := range k.tracks {
		var w loudness.KWeight
		r := loudness.NewRecent(2048)
		var frames []float64
		for i := 0; i+pcm.FrameLen <= len(x); i += pcm.FrameLen {
			frames = append(frames, w.Energy(x[i:i+pcm.FrameLen]))
			if n := len(frames); n >= loudness.BlockFrames && n%loudness.HopFrames == 0 {
				var sum float64
				for _, e := range frames[n-loudness.BlockFrames:] {
					sum += e
				}
				r.Add(sum / loudness.BlockFrames)
			}
		}
		if got, want := r.LUFS(), integrated(x); math.Abs(got-want) > 0.15 {
			t.Errorf("%.2f LUFS, want %.2f", got, want)
		}
	}
}
