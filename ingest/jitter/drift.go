package jitter

import (
	"slices"
	"time"

	"longwave/ingest/pcm"
)

// The law of [Drift]: proportional and integral, on the error in seconds. A
// sender's clock is within some hundred ppm of ours for as long as it lives, so
// the loop is fast for half a minute, to take the difference in, and then ever
// slower, so that the jitter of arrivals does not become a jitter of pitch. For
// the same reason it is the slower the less the margins agree with each other.
const (
	driftBlocks = 5

	fastGain = 0.1  // Kp at first, per second
	slowGain = 0.02 // Kp in the end
	fastFor  = 30.0 // seconds from the set point on; the gain falls as 1/time after
	damping  = 0.3  // Ki is damping * Kp * Kp
	errMax   = 0.02 // seconds: what a larger error counts as
	unsure   = 0.01 // seconds by which margins differ when they count half

	maxDeviation = 2000e-6 // of the ratio from 1
	// Clocks of real senders are within 500 ppm, and to come to rest takes a little more.
	// Beyond that it is more likely that the machine is late, and following it would
	// stretch the sound: so for a minute no more is believed.
	firstDeviation = 850e-6
	trustAfter     = 60.0   // seconds from the set point on
	maxSlew        = 200e-6 // a second
	reanchor       = 0.300  // seconds: a larger error is not chased

	frameSeconds = float64(pcm.FrameSamples) / pcm.Rate
)

// A Drift finds the ratio at which a sender's sound must be played so that its
// margin stays where it settled: what has arrived less what has been played. It
// works for arrivals of any kind, single packets or bursts: of every block of
// time (2 s) it keeps the smallest margin, which is the one that counts, and it
// steers by the median of the last five, so that one late arrival changes nothing.
//
// A smallest margin is some seconds old when it is used. It is carried forward
// by what is known to have happened since: how far the playout went, and how far
// the sender went at the speed it is believed to have.
//
// The set point is the first such median. Until then, for 10 s, the ratio is 1.
// The zero Drift is ready for use. It does no locking.
type Drift struct {
	now    float64 // seconds played
	lead   float64 // seconds by which the ratio has advanced the playout so far
	block  trough
	blocks [driftBlocks]trough
	filled int // of blocks
	frames int // played of this block

	settled  bool
	setPoint float64 // seconds
	setAt    float64 // value of now

	rate float64 // what the sender is believed to deviate from our clock
	want float64 // deviation of the ratio that the law asks for
	dev  float64 // deviation in force
	lean float64 // deviation on purpose
}

// A trough is the smallest margin of a block, and when it was.
type trough struct {
	margin, now, lead float64 // seconds
	seen              bool
}

// blockFrames is the length of a block: longer than the 1.9 s at which Ogg
// senders burst, so that every block sees the bottom between two bursts.
const (
	blockFrames  = int(2 * time.Second / pcm.FrameDuration)
	blockSeconds = float64(blockFrames) * frameSeconds
)

// Observe says how much sound there was before an arrival, in samples.
func (d *Drift) Observe(margin pcm.Pos) {
	m := float64(margin) / pcm.Rate
	if !d.block.seen || m < d.block.margin {
		d.block = trough{margin: m, now: d.now, lead: d.lead, seen: true}
	}
}

// Step returns the ratio (input per output) for the next frame of 20 ms. It is
// called once for every frame that is played.
func (d *Drift) Step() float64 {
	if d.frames++; d.frames == blockFrames {
		d.frames = 0
		d.endBlock()
	}
	d.dev += clamp(d.want-d.dev, maxSlew*frameSeconds)
	d.now += frameSeconds
	d.lead += (d.dev + d.lean) * frameSeconds
	d.setPoint -= d.lean * frameSeconds
	return 1 + d.dev + d.lean
}

// Lean plays the frames from now on faster by a share dev of their time, so that the
// margin becomes smaller. The set point goes along: what is known of the sender's
// clock stays as it is.
func (d *Drift) Lean(dev float64) { d.lean = dev }

// Rest is [Drift.Step] while the sender's clock cannot be seen, because it waits
// for us: everything is forgotten and the ratio goes back to 1.
func (d *Drift) Rest() float64 {
	dev := d.dev + d.lean
	*d = Drift{dev: dev - clamp(dev, maxSlew*frameSeconds)}
	return 1 + d.dev
}

// Restart forgets the set point and the margins, for a new one is to come, but
// not what is known of the sender's clock.
func (d *Drift) Restart() {
	*d = Drift{rate: d.rate, want: d.rate, dev: d.dev}
}

// Shift says that n samples were taken out of what had arrived (negative: put in)
// other than by playing.
func (d *Drift) Shift(n pcm.Pos) {
	s := float64(n) / pcm.Rate
	d.block.margin -= s
	d.setPoint -= s
	for i := range d.blocks {
		d.blocks[i].margin -= s
	}
}

// Settled returns the margin as it is now, the median over 10 s, and how far
// apart the smallest margins of that time are, the lowest and the highest left
// out. It reports false while there is
// too little to go by.
func (d *Drift) Settled() (margin, spread pcm.Pos, ok bool) {
	m, s, ok := d.measure()
	return pcm.Pos(m * pcm.Rate), pcm.Pos(s * pcm.Rate), ok
}

func (d *Drift) endBlock() {
	copy(d.blocks[:], d.blocks[1:])
	d.blocks[driftBlocks-1] = d.block
	d.block = trough{}
	d.filled = min(d.filled+1, driftBlocks)
	margin, spread, ok := d.measure()
	if !ok {
		return
	}
	e := margin - d.setPoint
	switch {
	case !d.settled:
		d.settled, d.setPoint, d.setAt = true, margin, d.now
		return
	case e > reanchor || e < -reanchor:
		d.setPoint = margin
		return
	}
	kp := clamp(fastGain*fastFor/(d.now-d.setAt), fastGain)
	kp = max(kp, slowGain) / (1 + spread/unsure)
	e = clamp(e, errMax)
	most := maxDeviation
	if d.now-d.setAt < trustAfter {
		most = firstDeviation
	}
	d.rate = clamp(d.rate+damping*kp*kp*e*blockSeconds, most)
	d.want = clamp(d.rate+kp*e, most)
}

// measure carries the margins of the blocks forward to now.
func (d *Drift) measure() (median, spread float64, ok bool) {
	var all [driftBlocks]float64
	m := all[:0]
	for _, b := range d.blocks {
		if b.seen {
			m = append(m, b.margin+d.rate*(d.now-b.now)-(d.lead-b.lead))
		}
	}
	if d.filled < driftBlocks || len(m) <= driftBlocks/2 {
		return 0, 0, false
	}
	slices.Sort(m)
	return m[len(m)/2], m[len(m)-2] - m[1], true
}

func clamp(v, most float64) float64 { return min(max(v, -most), most) }
