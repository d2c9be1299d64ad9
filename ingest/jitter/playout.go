package jitter

import "longwave/ingest/pcm"

const (
	// stallAfter is how long nothing comes before a sender counts as stalled: 500 ms.
	stallAfter = pcm.Rate / 2
	// goneAfter is how long nothing comes before they count as gone: 2 s. Then what comes
	// next begins as at first.
	goneAfter = 2 * pcm.Rate
	// beginWithin is how long an unbroken beginning is waited for: 1 s.
	beginWithin = pcm.Rate
	// lateFor is how long all packets are late before it is the way that has become
	// longer: 60 ms.
	lateFor = 6 * pcm.Rate / 100
	// mostAhead is how far ahead of the playout packets are kept: 4 s, for a machine that
	// stood still for so long finds them all at once when it wakes.
	mostAhead = 4 * pcm.Rate
	// mostWaited is for how long the playout waits in one gap, so that the delay grows: 40 ms.
	mostWaited = 4 * pcm.Rate / 100
	// pauseMost is how long the noise between words is made up when the sender said that
	// nobody speaks: as long as he is not stalled.
	pauseMost = stallAfter
	// concealMost is how long a loss is bridged: 100 ms.
	concealMost = pcm.Rate / 10
	// dueSlack is how much of the lateness of a frame is believed to be for good: a share
	// of it a frame.
	dueSlack = 1.0 / 5000
)

// An opKind says how a run of samples is made.
type opKind uint8

const (
	opSilence opKind = iota
	opConceal        // invented
	opRepair         // from the packet that follows it
	opPacket
)

// An op is what is to be decoded next.
type op struct {
	kind    opKind
	n       int    // samples that are taken of it, at the end
	payload []byte // of opPacket, and of opRepair the next
	dur     int    // of what it decodes to
	join    bool   // what is before it does not lead up to it
	pause   bool   // nobody speaks: no loss is concealed but noise made up
	last    bool   // nothing follows: fade out
}

// A start is what is known of the beginning of a stream that does not play yet.
type start struct {
	since int64 // arrival of the first packet
	first int64 // sender's time of the first packet of the unbroken run
	seq   int64 // its number
	fast  int64 // least of arrival less sender's time, of the run
	until int64 // end of the run
	begun bool
}

// A playout knows which packet is due when. It lives on the sender's time: losses and
// pauses consume it as packets do. Arrivals are in samples of our clock. It does not
// decode. The mutex of [Packets] guards it.
type playout struct {
	line  line
	slots slots
	pace  pace
	start start
	head  cursor
	late  struct{ since, packets int64 } // packets in a row that came too late
	last  int64                          // arrival of the newest packet

	active  bool // the time runs
	stalled bool
	ended   bool // by End
	over    bool // the end was decoded
	done    bool // and played

	count PacketState
	sum   sums
}

// sums are samples per channel, and what else [State] tells.
type sums struct {
	written, dropped, skipped, played, concealed int64

	underruns int64
}

// A cursor is how far the playout is.
type cursor struct {
	at     int64 // sender's time of the next sample to be decoded
	seq    int64 // newest packet that was decoded or given up
	fed    int64 // sender's time of the next sample to be played
	due    float64
	gap    int  // samples since the last packet
	waited int  // those of them that did not consume sender's time
	pause  bool // the last packet said that nobody speaks
	join   bool // sender's time was left out, or the line is another
	calm   bool // what was played last is quiet
}

// playing returns the sender's time that is heard at time at.
func (p *playout) playing(at int64) int64 {
	return p.head.fed - pcm.FrameSamples + at - int64(p.head.due)
}

// put takes a packet that came at a time.
func (p *playout) put(x *Packet, f format, at int64) packetResult {
	if p.ended {
		return packetExcess
	}
	s := spot{wire: x.Seq, stamp: x.Timestamp, at: at, dur: int64(f.dur)}
	before := p.line.newest
	if x.Redundant && p.line.anew || !p.line.place(&s) {
		return packetStray
	}
	newest := !p.slots.begun || s.seq > before.seq
	p.last = max(p.last, at)
	switch {
	case newest:
		p.sum.dropped += p.slots.advance(s.seq)
		p.arrive(&s, &before)
	case s.seq <= p.slots.newest-slotCount:
		return packetLate
	case p.slots.known(s.seq):
		return packetDuplicate
	}
	if p.active {
		if r := p.timely(&s, newest, x.Redundant); r != packetCarried {
			return r
		}
	}
	if !p.slots.put(slot{format: f, redundant: x.Redundant, seq: s.seq, ts: s.ts, payload: x.Payload}) {
		return packetExcess
	}
	p.sum.written += s.dur
	return packetCarried
}

// timely judges a packet by when it came.
func (p *playout) timely(s *spot, newest, redundant bool) packetResult {
	if !redundant {
		p.pace.observe(s.ts-p.playing(s.at), s.ts)
	}
	switch {
	case s.ts+s.dur <= p.head.at || s.seq <= p.head.seq:
		if !newest || !p.behind(s) {
			return packetLate
		}
	case newest:
		p.late.packets = 0
	}
	if s.ts-p.head.at > mostAhead {
		return packetExcess
	}
	return packetCarried
}

// behind decides about a newest packet that is late. When all have been for a while the
// line is moved, as much as makes the delay what it should be.
func (p *playout) behind(s *spot) bool {
	if p.late.packets++; p.late.packets == 1 {
		p.late.since = s.at
	}
	if p.late.packets < 2 || s.at-p.late.since < lateFor {
		return false
	}
	p.late.packets = 0
	p.line.move(s, max(p.playing(s.at)+int64(p.pace.target*pcm.Rate), p.head.at))
	p.pace.begin()
	p.count.Reanchored++
	p.sum.underruns++
	p.head.join = true
	return true
}

// arrive follows the beginning of a stream that does not play yet.
func (p *playout) arrive(s, before *spot) {
	b := &p.start
	if p.active {
		return
	}
	if !b.begun {
		*b = start{since: s.at, begun: true, first: s.ts, seq: s.seq, fast: s.at - s.ts}
	} else if s.seq != before.seq+1 && s.at-b.since < beginWithin {
		b.first, b.seq, b.fast = s.ts, s.seq, s.at-s.ts
	}
	b.fast = min(b.fast, s.at-s.ts)
	b.until = s.ts + s.dur
}

// frame begins a frame that is pulled at now and returns its ratio; false: there is
// nothing to play.
func (p *playout) frame(now int64) (ratio float64, ok bool) {
	h := &p.head
	h.due += pcm.FrameSamples
	h.due += (float64(now) - h.due) * dueSlack
	if late := float64(now) - h.due; late < 0 || late > pcm.Rate {
		h.due = float64(now)
	}
	if !p.active && !p.begin() {
		return 1, false
	}
	h.fed += pcm.FrameSamples
	quiet := now - p.last
	if stalled := quiet >= stallAfter; stalled != p.stalled {
		if p.stalled = stalled; stalled && !p.ended {
			p.sum.underruns++
		}
	}
	if quiet >= goneAfter {
		p.active, p.start.begun = false, false
		return 1, false
	}
	if n := p.pace.surplus(h.calm || h.gap > 0); n > 0 {
		p.skip(n)
	}
	return p.pace.step(h.calm || h.gap > 0), true
}

// begin starts to play when an unbroken run has lasted for the target delay.
func (p *playout) begin() bool {
	b := &p.start
	if p.over || !b.begun {
		p.done = p.ended
		return false
	}
	delay := int64(p.pace.target * pcm.Rate)
	at := int64(p.head.due) - b.fast - delay
	overdue := int64(p.head.due)-b.since >= beginWithin
	switch {
	case p.ended || overdue && at >= b.until:
		at = max(b.first, min(at, b.until))
	case at < b.first, b.until-at < delay/2 && !overdue:
		return false
	}
	p.active, p.stalled, p.late.packets = true, false, 0
	p.head = cursor{at: at, fed: at, seq: b.seq - 1, due: p.head.due}
	p.sum.dropped += p.slots.dropUntil(b.seq, at)
	p.leave()
	b.begun = false
	p.pace.begin()
	return true
}

// skip leaves out n samples of the sender's time.
func (p *playout) skip(n int) {
	p.head.at += int64(n)
	p.head.fed += int64(n)
	p.head.join = true
	p.pace.cut(n)
	p.count.Reanchored++
	p.sum.skipped += p.slots.dropUntil(p.head.seq+1, p.head.at)
	p.leave()
}

// leave gives up what was before the next packet, of which nothing counts as lost.
func (p *playout) leave() {
	if s := p.slots.after(p.head.seq); s != nil {
		p.head.seq = s.seq - 1
	}
}

// next says what is decoded next. It always gives at least one sample.
func (p *playout) next() op {
	h := &p.head
	for {
		s := p.slots.after(h.seq)
		switch {
		case p.over:
			return op{kind: opSilence, n: pcm.FrameSamples}
		case s == nil:
			return p.missing(nil)
		case s.end() <= h.at:
			p.sum.dropped += p.slots.drop(s.seq)
			h.seq = s.seq
		case s.ts > h.at:
			if t := p.slots.after(s.seq); t != nil && t.ts < s.ts {
				p.sum.dropped += p.slots.drop(s.seq) // its time cannot be
				continue
			}
			return p.missing(s)
		case h.calm && p.pace.lack() > 0 && h.waited < mostWaited:
			return p.wait(p.pace.lack())
		default:
			return p.take(s)
		}
	}
}

// take is for a packet that is due, or was begun to be.
func (p *playout) take(s *slot) op {
	h := &p.head
	o := op{kind: opPacket, payload: s.payload, dur: s.dur, n: int(s.end() - h.at), join: h.join || s.ts < h.at || h.waited > 0}
	lost := min(s.seq-h.seq-1, slotCount)
	if s.redundant {
		p.count.RecoveredRED++
		lost++
	}
	p.count.Lost += lost
	p.pace.played(s.dur, lost)
	p.sum.played += p.slots.drop(s.seq)
	*h = cursor{at: s.end(), seq: s.seq, fed: h.fed, due: h.due, pause: s.pause, calm: h.calm}
	return o
}

// missing is for when there is no packet that is due; s is the next there is.
func (p *playout) missing(s *slot) op {
	h := &p.head
	if p.ended {
		if s == nil {
			p.over = true
			return op{kind: opConceal, n: fadeLen, last: true}
		}
		if s.ts-h.at > concealMost {
			h.at, h.join = s.ts, true
			return p.take(s)
		}
	}
	if n := p.pace.lack(); n > 0 && h.waited < mostWaited {
		return p.wait(n)
	}
	step := min(max(int(p.line.newest.dur), 120), pcm.FrameSamples)
	if s != nil {
		gap := int(s.ts - h.at)
		if s.fec && s.seq > h.seq+1 {
			if gap == s.frame {
				return p.repair(s)
			}
			if gap > s.frame {
				gap -= s.frame
			}
		}
		step = min(step, gap)
	}
	h.at += int64(step)
	return p.conceal(step)
}

// repair makes the packet before s from what s holds of it.
func (p *playout) repair(s *slot) op {
	h := &p.head
	lost := min(s.seq-h.seq-1, slotCount)
	p.count.RecoveredFEC++
	p.count.Lost += lost
	p.pace.played(s.dur, lost-1)
	h.at += int64(s.frame)
	h.seq = s.seq - 1
	h.gap, h.pause = 0, false
	o := op{kind: opRepair, payload: s.payload, dur: s.frame, n: s.frame, join: h.join || h.waited > 0}
	h.join, h.waited = false, 0
	return o
}

// wait plays up to n samples that consume none of the sender's time.
func (p *playout) wait(n int) op {
	h := &p.head
	n = min(n, pcm.FrameSamples, mostWaited-h.waited)
	h.waited += n
	h.fed -= int64(n)
	p.pace.wait(n)
	return p.conceal(n)
}

// conceal invents n samples, or is silent when that has gone on for too long.
func (p *playout) conceal(n int) op {
	h := &p.head
	most := concealMost
	if h.pause {
		most = pauseMost
	}
	o := op{kind: opConceal, n: n, pause: h.pause}
	if h.gap >= most {
		o.kind = opSilence
	} else {
		p.sum.concealed += int64(n)
	}
	h.gap += n
	return o
}

// made says that the frame was made, that left samples are decoded and not played, and
// that sound of them are no silence.
func (p *playout) made(left, sound int, calm bool) {
	p.head.fed = p.head.at - int64(left)
	p.head.calm = calm
	p.done = p.done || p.over && sound <= 0
}
