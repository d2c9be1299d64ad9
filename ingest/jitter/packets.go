package jitter

import (
	"sync"
	"time"

	"longwave/ingest/pcm"
	"longwave/ingest/resample"
)

// PacketOptions of [Packets]; the zero value is right for a browser.
type PacketOptions struct {
	// Min, Start and Max bound the delay: 40, 80 and 400 ms.
	Min, Start, Max time.Duration
	// Metrics counts losses and what became of them; nil does not.
	Metrics *Metrics
}

const (
	leastDelay = 40 * time.Millisecond
	startDelay = 80 * time.Millisecond
	mostDelay  = 400 * time.Millisecond
	// tellEvery is how often the metrics are brought up to date, in frames.
	tellEvery = 50
)

// Packets is the buffer of a speaker whose packets are lost, late, doubled and out of
// order. It plays on the sender's time: a packet is heard a delay after it was sent,
// and what is not there by then is repaired, bridged or silence. One goroutine pulls;
// all else may be called by anybody.
type Packets struct {
	epoch   time.Time
	metrics *Metrics

	mu   sync.Mutex
	play playout

	// Only Pull uses these.
	voice  *voice
	out    *resample.Resampler
	fill   pcm.Fill // of the last frame
	frames int
	told   State
}

// NewPackets returns an empty buffer.
func NewPackets(o PacketOptions) (*Packets, error) {
	v, err := newVoice()
	if err != nil {
		return nil, err
	}
	if o.Min <= 0 {
		o.Min = leastDelay
	}
	if o.Start <= 0 {
		o.Start = startDelay
	}
	if o.Max <= 0 {
		o.Max = mostDelay
	}
	o.Max = max(o.Max, o.Min)
	p := &Packets{epoch: time.Now(), metrics: o.Metrics, voice: v, out: resample.New()}
	p.play.pace = pace{
		least: o.Min.Seconds(), most: o.Max.Seconds(),
		target: min(max(o.Start, o.Min), o.Max).Seconds(),
	}
	return p, nil
}

// clock is a time as the playout counts it.
func (p *Packets) clock(t time.Time) int64 { return int64(pcm.Samples(t.Sub(p.epoch))) }

// Put takes a packet. It does not block: what cannot be used is dropped and counted.
// The order in which packets are put does not matter, but for their first: the sound
// begins where they follow each other for as long as the delay is.
func (p *Packets) Put(x Packet) {
	f, ok := parseOpus(x.Payload)
	if x.Arrival.IsZero() {
		x.Arrival = time.Now()
	}
	p.mu.Lock()
	r := packetMalformed
	if ok {
		r = p.play.put(&x, f, p.clock(x.Arrival))
	}
	p.play.count.add(r)
	p.mu.Unlock()
	p.metrics.packet(r)
}

// Reset says that another source begins, whose numbers and times have nothing to do
// with those of before. It is found out without that, too, after one packet that is lost.
func (p *Packets) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.play.line.anew = p.play.line.begun
}

// Pull fills dst, one frame of 20 ms, with the next sound. Heard means that at least
// some of it is the sender's, Concealed that all of it was made up, Silent that it is
// zeros. It does not block, and does not allocate.
func (p *Packets) Pull(dst []float32) pcm.Fill { return p.pull(dst, p.clock(time.Now())) }

func (p *Packets) pull(dst []float32, now int64) pcm.Fill {
	p.mu.Lock()
	ratio, ok := p.play.frame(now)
	p.mu.Unlock()
	if p.frames++; p.frames%tellEvery == 0 {
		p.tell()
	}
	if !ok {
		return p.nothing(dst)
	}
	p.out.SetRatio(ratio)
	need := p.out.Need(len(dst) / pcm.Channels)
	fill := p.voice.left()
	for p.voice.n < need {
		p.mu.Lock()
		o := p.play.next()
		p.mu.Unlock()
		fill = max(fill, p.voice.decode(o))
	}
	p.voice.play(need, p.out)
	p.mu.Lock()
	p.play.made(p.voice.n, p.voice.n-p.voice.silent, p.voice.calm)
	p.mu.Unlock()
	p.out.Next(dst)
	before := p.fill
	if p.fill = fill; fill == pcm.Silent && before != pcm.Silent && rms(dst) > 0 {
		return pcm.Concealed // what the resampler still held
	}
	return fill
}

// nothing is a frame of a stream that does not play.
func (p *Packets) nothing(dst []float32) pcm.Fill {
	clear(dst)
	if p.fill != pcm.Silent || p.voice.n > 0 {
		p.fill = pcm.Silent
		p.voice.clear()
		p.out.Reset()
		p.tell()
	}
	return pcm.Silent
}

// End says that nothing more will come: what is there is still played.
func (p *Packets) End() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.play.ended = true
}

// tell brings the metrics up to date.
func (p *Packets) tell() {
	s := p.State()
	p.metrics.tell(&p.told, &s)
	p.told = s
}

// A PacketState is what [State] tells of [Packets] in addition.
type PacketState struct {
	// Delay is from when a packet that the network did not hold up comes until it is
	// heard; it follows [State]'s Target.
	Delay time.Duration
	// Gone reports that packets came once and then none for two seconds.
	Gone bool

	Received     int64 // packets that could be used
	Lost         int64 // not there when they were due, whatever became of it then
	RecoveredRED int64 // of those, there as a copy in another packet
	RecoveredFEC int64 // of those, rebuilt from the next
	Late         int64 // came after they had been due
	Duplicates   int64
	Refused      int64 // malformed, strange to the stream, or too many
	Reanchored   int64 // times the playout was put to another time

	Concealed pcm.Pos // sound that was made up
}

func (s *PacketState) add(r packetResult) {
	switch r {
	case packetCarried:
		s.Received++
	case packetLate:
		s.Late++
	case packetDuplicate:
		s.Duplicates++
	default:
		s.Refused++
	}
}

// State returns what the buffer is doing.
func (p *Packets) State() State {
	now := p.clock(time.Now())
	p.mu.Lock()
	defer p.mu.Unlock()
	play := &p.play
	st := State{
		Phase: play.phase(now), Level: pcm.Pos(play.slots.level),
		Target: pcm.Pos(play.pace.target * pcm.Rate), Ratio: 1 + play.pace.drift.dev + play.pace.drift.lean,
		Written: play.sum.written, Played: play.sum.played, Skipped: play.sum.skipped, Dropped: play.sum.dropped,
		Underruns: play.sum.underruns, Packets: play.count,
	}
	st.Packets.Concealed = pcm.Pos(play.sum.concealed)
	st.Packets.Delay = time.Duration(play.pace.delay * float64(time.Second))
	if play.line.begun {
		st.LastWrite = p.epoch.Add(pcm.Duration(pcm.Pos(play.last)))
		st.Packets.Gone = now-play.last >= goneAfter
	}
	return st
}

func (p *playout) phase(now int64) Phase {
	switch {
	case p.done:
		return Ended
	case p.line.begun && now-p.last >= stallAfter:
		return Stalled
	case p.active:
		return Playing
	case p.pace.frames > 0:
		return Stalled
	}
	return Filling
}
