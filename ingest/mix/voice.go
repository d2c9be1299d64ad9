package mix

import (
	"math"

	"longwave/ingest/loudness"
	"longwave/ingest/pcm"
)

// A voice is what is done to the sound of a live voice before its fader: high-pass,
// and a gain that brings it to [VoiceLUFS].
type voice struct {
	pass   highpass
	weight loudness.KWeight
	ear    detector
	auto   leveller
	energy float64 // K-weighted, of the last frame before the gain
}

func newVoice(gain float64) *voice { return &voice{ear: newDetector(), auto: newLeveller(gain)} }

// process works on a frame in place; pos is where in the programme it will be heard.
func (v *voice) process(x []float32, fill pcm.Fill, pos pcm.Pos) {
	v.pass.process(x)
	v.energy = float64(float32(v.weight.Energy(x))) // as [highpass.settle]
	v.ear.step(v.energy, fill, pos)
	from := v.auto.linear
	v.auto.step(v.energy, &v.ear, pos)
	glide(x, from, v.auto.linear)
}

// rest stands for a frame that the source did not have.
func (v *voice) rest(pos pcm.Pos) {
	v.pass, v.weight, v.energy = highpass{}, loudness.KWeight{}, 0
	v.ear.step(0, pcm.Silent, pos)
	v.auto.step(0, &v.ear, pos)
}

// power is the frame's energy behind the gain, before the fader.
func (v *voice) power() float64 {
	g := float64(v.auto.linear)
	return v.energy * g * g
}

// sound is the same for who asks whether there is anything to hear: the noise of a
// room does not count as more than it is because somebody in it speaks softly.
func (v *voice) sound() float64 {
	if v.ear.speaking {
		return v.power()
	}
	return min(v.energy, v.power())
}

// highpassHz is under every voice, and over footsteps, hum and breath on a microphone.
const highpassHz = 80

// hp are the coefficients of a Butterworth high-pass of second order by the bilinear
// transform: numerator b, -2b, b, denominator 1, a1, a2.
var hp = func() (c struct{ b, a1, a2 float64 }) {
	k := math.Tan(math.Pi * highpassHz / pcm.Rate)
	d := 1 + math.Sqrt2*k + k*k
	c.b = 1 / d
	c.a1 = 2 * (k*k - 1) / d
	c.a2 = (1 - math.Sqrt2*k + k*k) / d
	return c
}()

// A highpass is that filter for both channels, in transposed direct form II. The zero
// highpass is at rest.
type highpass struct{ l1, l2, r1, r2 float64 }

func (h *highpass) process(x []float32) {
	b, b2, a1, a2 := hp.b, -2*hp.b, hp.a1, hp.a2
	s := *h
	for i := 0; i+1 < len(x); i += pcm.Channels {
		l, r := float64(x[i]), float64(x[i+1])
		y, z := b*l+s.l1, b*r+s.r1
		s.l1, s.r1 = b2*l-a1*y+s.l2, b2*r-a1*z+s.r2
		s.l2, s.r2 = b*l-a2*y, b*r-a2*z
		x[i], x[i+1] = float32(y), float32(z)
	}
	s.settle()
	*h = s
}

// settle rounds the state to 24 bits, so that two filters with another past but the
// same present become the same filter, and ends the decay into denormal numbers.
func (h *highpass) settle() {
	for _, s := range []*float64{&h.l1, &h.l2, &h.r1, &h.r2} {
		if *s = float64(float32(*s)); math.Abs(*s) < 1e-30 {
			*s = 0
		}
	}
}
