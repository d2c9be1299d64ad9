package jitter

import (
	"math"
	"slices"

	"longwave/ingest/pcm"
)

const (
	// delayWindow is over what the network is judged: 10 s.
	delayWindow = 10.0
	// delayShare of the packets are to come in time.
	delayShare = 0.97
	// delayLeast is how many must have come before the target moves: half a second.
	delayLeast = 25
	// delayEvery is how often it moves, in frames: 100 ms.
	delayEvery = 5
	// shrinkAfter is for how many times that it must be too much before it falls: 5 s.
	shrinkAfter = 50
	// framing is what a packet must be early because sound is taken by the frame.
	framing = pcm.FrameSamples + 48
	// lossy is the share of packets lost above which the delay is one packet longer, so
	// that the copy in the next one comes in time.
	lossy = 0.01

	// The delay becomes shorter, or longer where there is no gap to use, by playing faster
	// or slower: in pauses by 5 ms a second (8.6 cents), else by 2 (3.5 cents).
	leanQuiet = 5000e-6
	leanSound = 2000e-6
	leanGain  = 0.25    // of the error, a second
	leanSlew  = 5000e-6 // a second
	leanLeast = 0.001   // seconds of error that are left alone

	// skipOverDelay is the error that is not chased but cut: 300 ms.
	skipOverDelay = 0.300
	// skipWithin is how many times delayEvery a quiet moment is waited for: 10 s.
	skipWithin = 100
)

// A sighting is how much there was before a packet when it came, and when that was.
type sighting struct {
	margin, now, lead float64 // seconds; see [trough]
}

// delays are the sightings of the last 10 s, one for each 20 ms that were sent.
type delays struct {
	seen  [slotCount]sighting
	n     int
	next  int
	until int64 // end of the 20 ms of the newest
	work  [slotCount]float64
}

// add takes the sighting of a packet that was sent at ts. Of the packets of 20 ms the
// latest counts.
func (d *delays) add(s sighting, ts int64) {
	if d.n > 0 && ts < d.until && ts >= d.until-pcm.FrameSamples {
		last := &d.seen[(d.next+slotCount-1)%slotCount]
		if s.margin < last.margin {
			*last = s
		}
		return
	}
	d.until = ts + pcm.FrameSamples
	d.seen[d.next] = s
	d.next = (d.next + 1) % slotCount
	d.n = min(d.n+1, slotCount)
}

func (d *delays) clear() { d.n, d.next, d.until = 0, 0, 0 }

// measure returns the margin as it would be now of a fast packet of the last so many
// seconds, and how much later than that a late one is; n is how many were seen. Those
// that no delay would have saved do not count.
func (d *delays) measure(beyond, over, now, lead, rate float64) (fast, late float64, n int) {
	w := d.work[:0]
	for i := range d.n {
		s := d.seen[(d.next+slotCount-1-i)%slotCount]
		if now-s.now > over {
			break
		}
		w = append(w, s.margin+rate*(now-s.now)-(lead-s.lead))
	}
	if len(w) == 0 {
		return 0, 0, 0
	}
	slices.Sort(w)
	fast = w[len(w)-1-tail(len(w))]
	for fast-w[0] > beyond {
		w = w[1:]
	}
	return fast, fast - w[tail(len(w))], len(w)
}

// tail is how many of n packets may come too late.
func tail(n int) int { return int(float64(n) * (1 - delayShare)) }

// A pace decides how long packets are kept and how fast they are played. All times are
// in seconds. The clock of the sender is followed by [Drift]; what the target asks for
// comes on top of that, and the drift is not told, so one does not fight the other.
type pace struct {
	drift    Drift
	delays   delays
	least    float64 // bounds of the target
	most     float64
	target   float64
	delay    float64 // of a fast packet, from when it came until it is heard
	raw      float64 // the target that the network of the last 10 s asks for
	lean     float64 // in force
	frames   int
	spare    int     // looks at which the target was more than needed, in a row
	excess   int     // looks at which the delay was far too long, in a row
	lossRate float64 // a moving average over some seconds
	dur      float64 // of a packet
}

// begin starts to play with the target as the delay.
func (p *pace) begin() {
	p.drift.Restart()
	p.delays.clear()
	p.delay, p.raw, p.excess = p.target, p.target, 0
}

// observe takes the margin of a packet.
func (p *pace) observe(margin, ts int64) {
	s := min(max(float64(margin)/pcm.Rate, -1), 3)
	p.delays.add(sighting{margin: s, now: p.drift.now, lead: p.drift.lead}, ts)
}

// played says that a packet of n samples was due, and whether it was there.
func (p *pace) played(n int, missing int64) {
	p.dur = float64(n) / pcm.Rate
	for range missing + 1 {
		p.lossRate -= p.lossRate / 256
	}
	p.lossRate += float64(missing) / 256
}

// step returns the ratio for the next frame; calm tells that nobody speaks.
func (p *pace) step(calm bool) float64 {
	most := leanSound
	if calm {
		most = leanQuiet
	}
	if p.frames++; p.frames%delayEvery == 0 {
		p.look(most)
	}
	if p.drift.frames == blockFrames-1 { // a block of its ends: of packets the fast ones are the steady ones
		if fast, _, n := p.delays.measure(p.most, blockSeconds, p.drift.now, p.drift.lead, p.drift.rate); n > 0 {
			p.drift.Observe(pcm.Pos(fast * pcm.Rate))
		}
	}
	e := p.delay - p.target
	e -= clamp(e, leanLeast)
	p.lean += clamp(clamp(leanGain*e, most)-p.lean, leanSlew*frameSeconds)
	p.drift.Lean(p.lean)
	p.delay -= p.lean * frameSeconds
	return p.drift.Step()
}

// look moves the target: up at once, down when it was too much for a while, as fast as
// the delay can follow.
func (p *pace) look(most float64) {
	fast, late, n := p.delays.measure(p.most, delayWindow, p.drift.now, p.drift.lead, p.drift.rate)
	if n == 0 {
		return
	}
	p.delay = fast
	if n < delayLeast {
		return
	}
	p.raw = late + float64(framing)/pcm.Rate
	if p.lossRate > lossy {
		p.raw += p.dur
	}
	p.raw = min(max(p.raw, p.least), p.most)
	switch {
	case p.raw > p.target-leanLeast:
		p.target, p.spare = max(p.target, p.raw), 0
	case p.spare < shrinkAfter:
		p.spare++
	default:
		p.target = max(p.raw, min(p.target, p.delay)-most*frameSeconds*delayEvery)
	}
	if p.delay-p.raw > skipOverDelay {
		p.excess++
	} else {
		p.excess = 0
	}
}

// lack is how many samples the delay is too short by, if that is worth mending at once.
func (p *pace) lack() int {
	if n := int(math.Ceil((p.target - p.delay) * pcm.Rate)); n > fadeLen {
		return n
	}
	return 0
}

// wait says that n samples were played that are not the sender's time.
func (p *pace) wait(n int) { p.cut(-n) }

// cut says that n samples of the sender's time were left out.
func (p *pace) cut(n int) {
	s := float64(n) / pcm.Rate
	p.drift.Shift(pcm.Pos(n))
	p.delays.shift(s)
	p.delay -= s
}

func (d *delays) shift(s float64) {
	for i := range d.n {
		d.seen[i].margin -= s
	}
}

// surplus returns how many samples should be left out at once: when the delay was far
// too long for a second and nobody speaks, or for ten.
func (p *pace) surplus(calm bool) int {
	if p.excess < skipWithin/10 || !calm && p.excess < skipWithin {
		return 0
	}
	p.excess = 0
	p.target = p.raw
	return int((p.delay - p.raw) * pcm.Rate)
}
