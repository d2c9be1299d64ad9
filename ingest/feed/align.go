package feed

import (
	"longwave/ingest/loudness"
	"longwave/ingest/pcm"
)

const (
	// mostDelay is the farthest that two members may be apart: 2 s.
	mostDelay = 2 * pcm.Rate
	// inStep is how far apart members are that are at the same place: 1 ms.
	inStep = pcm.Rate / 1000

	// The first look: 6 s of trace within 2 s.
	coarseLen, coarseShift = 1200, mostDelay / pointLen
	coarseHeight           = 0.7
	coarseOver             = 0.15
	coarseNear             = 40 // points: 200 ms, about a syllable

	// The second look: 100 ms of sound within 7.5 ms.
	fineLen, fineShift = 4800, 360
	fineHeight         = 0.5

	// rest is how long the aligner waits between two comparisons, in frames.
	rest = 50
	// small is a change of a known offset that is believed at once: 20 ms. Any other
	// needs a second look that agrees.
	small = pcm.Rate / 50
	// doubts is how many comparisons in a row may fail before a known offset is forgotten.
	doubts = 10
	// patient is for how long, in frames, a member is not gone back to because its place
	// is being looked for: 30 s.
	patient = 1500
	// quietAgain is how many frames lie between two changes of the delay that is heard.
	quietAgain = 4
	// quietShare is the share of its mean energy below which a member is quiet: -26 dB.
	quietShare = 1.0 / 400
)

// A place is what is known of where a member is in the programme.
type place struct {
	known  bool
	late   int // samples behind some member: the same for all that are known
	maybe  int // what the last comparison said, when it has to be seen again
	seen   bool
	failed int // comparisons in a row
}

// An aligner finds out how far members are apart, one pair at a time, and holds back
// those that are ahead.
type aligner struct {
	off    bool
	scan   *scan // made when there are two members
	ref    *member
	other  *member
	fine   bool
	coarse int  // samples by which other is behind ref, roughly
	wait   int  // frames until the next comparison
	turn   int  // whose turn it is
	worked bool // members of this group were found to be the same programme
	count  *Metrics

	needless int // frames in which nobody was as late as the one that is heard is held
}

// together reports that a and b are known to be at the same place.
func (al *aligner) together(a, b *member) bool {
	if a == nil || b == nil || !a.place.known || !b.place.known {
		return false
	}
	d := a.place.late + a.delay - b.place.late - b.delay
	return near(d, 0, inStep)
}

// settled reports that m can be heard instead of the heard one as far as it is a matter
// of time: it is at the same place, or it has no known place although there was enough
// time to find it.
func (al *aligner) settled(heard, m *member) bool {
	return !al.worked || al.together(heard, m) || m.health.good > m.health.holdOff+patient
}

// step does a frame's share of the work. It runs after the members were pulled.
func (al *aligner) step(active []*member, heard *member) {
	if al.off || heard == nil || len(active) < 2 {
		al.drop()
		return
	}
	if al.scan == nil {
		al.scan = &scan{}
	}
	for _, m := range active {
		if m.health.missing > bridged { // its buffer will fill anew
			m.place = place{}
		}
	}
	al.compare(active, heard)
	al.hold(active, heard)
}

// drop forgets the comparison that is going on.
func (al *aligner) drop() { al.ref, al.other, al.wait = nil, nil, rest }

// compare goes on with a comparison, or begins the next.
func (al *aligner) compare(active []*member, heard *member) {
	if al.other == nil {
		if al.wait--; al.wait <= 0 {
			al.begin(active, heard)
		}
		return
	}
	if al.ref != heard || !al.ref.comparable() || !al.other.comparable() {
		al.drop()
		return
	}
	if !al.scan.step() {
		return
	}
	if !al.fine {
		al.refine(active)
		return
	}
	at, height, _ := al.scan.peak(0)
	al.result(active, al.coarse+at, height >= fineHeight && at > -fineShift && at < fineShift)
}

// comparable: enough of its sound has come in one piece.
func (m *member) comparable() bool {
	return !m.gone && m.health.good*pointsPerFrame >= tracePoints && m.health.voiced > 0
}

// begin takes the next member and starts to look for the heard one's sound in its.
func (al *aligner) begin(active []*member, heard *member) {
	al.turn++
	m := active[al.turn%len(active)]
	if m == heard || !m.comparable() || !heard.comparable() {
		return
	}
	al.ref, al.other, al.fine = heard, m, false
	s := al.scan
	s.start(coarseLen, coarseShift)
	heard.trace.read(s.a, coarseLen+coarseShift)
	m.trace.read(s.b, coarseLen+2*coarseShift)
	s.begin()
}

// refine looks at the sound itself where the traces agree.
func (al *aligner) refine(active []*member) {
	at, height, over := al.scan.peak(coarseNear)
	if height < coarseHeight || over < coarseOver {
		al.result(active, 0, false)
		return
	}
	al.fine, al.coarse = true, at*pointLen
	// Where in ref it was loud: what other had at the same time or, when it is behind,
	// has had since. Both are in their lines still.
	const margin = fineShift/pointLen + 1
	from := lineFrames*pointsPerFrame - margin + min(at, 0)
	to := max(at, 0) + margin
	back := al.ref.trace.loudest(fineLen/pointLen, from, to) * pointLen
	s := al.scan
	s.start(fineLen, fineShift)
	al.ref.line.mono(s.a, back)
	al.other.line.mono(s.b, back-al.coarse+fineShift)
	s.begin()
}

// result takes note of a comparison: other is behind ref by late samples.
func (al *aligner) result(active []*member, late int, sure bool) {
	ref, m := al.ref, al.other
	al.drop()
	al.count.compared(sure)
	if !sure {
		m.place.seen = false
		if m.place.failed++; m.place.failed > doubts {
			m.place = place{}
		}
		return
	}
	m.place.failed = 0
	switch {
	case ref.place.known && m.place.known && near(ref.place.late+late, m.place.late, small):
	case m.place.seen && near(late, m.place.maybe, inStep):
	default:
		m.place.seen, m.place.maybe = true, late
		return
	}
	if !ref.place.known {
		for _, x := range active { // they are known against each other, but not against ref
			x.place = place{}
		}
	}
	al.worked = true
	ref.place.known = true
	m.place = place{known: true, late: ref.place.late + late}
}

func near(a, b, within int) bool { return a-b <= within && b-a <= within }

// hold sets the delays: who is not heard is put where the heard one is, and that one
// is slowly held back until it is where the last is.
func (al *aligner) hold(active []*member, heard *member) {
	if !heard.place.known {
		return
	}
	last := heard.place.late
	for _, m := range active {
		if m.place.known {
			last = max(last, m.place.late)
		}
	}
	want := min(last-heard.place.late, mostDelay)
	if want >= heard.delay {
		al.needless = 0
	} else if al.needless++; al.needless < forgive { // who was behind may be back
		want = heard.delay
	}
	heard.want = want
	at := heard.place.late + heard.delay
	for _, m := range active {
		if m != heard && m.place.known {
			m.delay = min(max(at-m.place.late, 0), mostDelay)
			m.want = m.delay
		}
	}
}

// follow brings the delay of a member that is heard nearer to what it should be, where
// dst, which is due, and what would be due then are quiet. It fills dst anew then.
func (m *member) follow(dst, scratch []float32) {
	m.since++
	d := m.want - m.delay
	if d == 0 || m.since < quietAgain || m.trace == nil {
		return
	}
	d = max(min(d, pcm.FrameSamples), -pcm.FrameSamples)
	quiet := max(m.trace.mean*quietShare, traceFloor)
	m.line.read(scratch, m.delay+d+2*pcm.FrameSamples)
	if energy(dst) > quiet || energy(scratch) > quiet {
		return
	}
	crossfade(scratch, dst, &rising)
	copy(dst, scratch)
	m.delay += d
	m.since = 0
}

// energy is the mean square of x.
func energy(x []float32) float64 {
	r := float64(loudness.RMS(x))
	return r * r
}
