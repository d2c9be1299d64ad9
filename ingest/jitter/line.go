package jitter

import "longwave/ingest/pcm"

const (
	// jump is what a timestamp may be off from what the sequence number or the clock
	// makes of it: 1 s.
	jump = pcm.Rate
	// drifted is how far count and clock may be apart if the count is to be believed at
	// a seam: 300 ms.
	drifted = 3 * pcm.Rate / 10
	// kin is how far the second packet of another line may be from its first.
	kin = 8
)

// A spot is where a packet belongs. Times are in samples.
type spot struct {
	wire  uint16 // as it was sent
	stamp uint32 // the same
	seq   int64  // on the line
	ts    int64  // the same
	at    int64  // arrival
	dur   int64
}

// A line makes one line of what a sender numbers in 16 bits and times in 32. A
// sender that begins to count anew, or whose time jumps, is joined to it where the
// clock says, so nobody behind it notices. A single packet that does not fit is none of ours.
type line struct {
	newest spot
	begun  bool
	anew   bool // the next packet begins another line
	doubt  bool // there is an odd one
	odd    spot // the last packet that did not fit
}

// place works out where on the line s belongs; false: nowhere.
func (l *line) place(s *spot) bool {
	switch {
	case !l.begun:
		l.begun, l.newest = true, *s
		return true
	case l.anew:
		l.join(s)
		return true
	}
	n := &l.newest
	d := count(s, n)
	s.seq, s.ts = n.seq+d, n.ts+since(s, n)
	if d > 0 && fits(s, n) {
		if d >= slotCount { // a long outage, or the numbers jumped and the time did not
			s.seq = n.seq + max((s.ts-n.ts)/n.dur, 1)
		}
		l.newest = *s
		return true
	}
	if d <= 0 && d > -slotCount && near(s.ts-n.ts, d*n.dur, jump) {
		return true
	}
	if d := count(s, &l.odd); l.doubt && d > 0 && d <= kin && fits(s, &l.odd) {
		l.join(s)
		return true
	}
	l.doubt, l.odd = true, *s
	return false
}

// fits reports whether s may be sent after n: by the count of packets or by the clock.
func fits(s, n *spot) bool {
	d, dt := count(s, n), since(s, n)
	return near(dt, s.at-n.at, jump) || d < slotCount && near(dt, d*n.dur, jump)
}

// join goes on with the line at s, whatever its numbers are.
func (l *line) join(s *spot) {
	n := &l.newest
	d, gap := count(s, n), max(s.at-n.at, n.dur)
	if l.anew || d <= 0 || d >= slotCount {
		d = 1
	}
	s.seq, s.ts = n.seq+d, n.ts+gap
	if near(d*n.dur, gap, drifted) {
		s.ts = n.ts + d*n.dur
	}
	l.newest, l.doubt, l.anew = *s, false, false
}

// move puts the newest packet, and with it all that follow, to another time.
func (l *line) move(s *spot, ts int64) {
	s.ts = ts
	l.newest.ts = ts
}

func count(a, b *spot) int64 { return int64(int16(a.wire - b.wire)) }

func since(a, b *spot) int64 { return int64(int32(a.stamp - b.stamp)) }

func near(a, b, within int64) bool { return a-b <= within && b-a <= within }
