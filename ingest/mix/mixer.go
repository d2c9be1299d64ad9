package mix

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"longwave/ingest/loudness"
	"longwave/ingest/pcm"
)

// DefaultHoldAfter is for how long nobody must be heard before the hold comes: a
// gap in a speaker's network is not the end of a conversation.
const DefaultHoldAfter = 500 * time.Millisecond

// Options of a [Mixer]; the zero value mixes without a hold.
type Options struct {
	// Hold plays when nobody is heard. nil leaves near-silence.
	Hold Hold
	// HoldAfter is for how long nobody must be heard before the hold comes. 0 is
	// [DefaultHoldAfter]; a negative value brings it with the next frame.
	HoldAfter time.Duration
	// HoldUnder lets the hold play on under voices, 12 dB down.
	HoldUnder bool
	// TargetLUFS is the loudness of a conversation of live voices. 0 is
	// [DefaultTargetLUFS]; -16 and -23 are usual, too.
	TargetLUFS float64
	// Metrics is where the figures of [Snapshot] are published; nil is nowhere.
	Metrics prometheus.Registerer
}

// A Report is what Mix says about the frame it made.
type Report struct {
	OnAir   string  // [pcm.OnAirHold] or [pcm.OnAirLive]
	Since   pcm.Pos // where in the programme that began
	DeadAir DeadAir
}

// A Snapshot is the state of the programme for those who watch it.
type Snapshot struct {
	Report
	Loudness loudness.Reading // not more than 100 ms old
	// LimiterDB is by how much the limiter turned down the last frame, at most: 0 or less.
	LimiterDB float64
	// VoicesDB is the slow gain of all live voices that brings them to the target.
	VoicesDB float64
	Lanes    int
	Speaking int    // lanes in the programme in which somebody speaks
	Faults   uint64 // frames of all lanes so far that held no numbers
}

// A Mixer makes the programme. One goroutine calls Mix and Speech; all else may be
// called by anybody at any time.
type Mixer struct {
	desk
	plan   atomic.Pointer[plan]
	closed atomic.Bool // the programme's fader is down
	reset  atomic.Bool // begin the loudness anew
	faults atomic.Uint64
	board  board

	// Of the goroutine that mixes.
	seen   *plan
	active []*lane // by id; with those that leave
	voices bus
	feeds  loudness.KWeight
	air    air
	bed    bed
	out    output
	speech []Speech
}

// A board is what was last shown.
type board struct {
	mu sync.Mutex
	Snapshot
}

// NewMixer returns a mixer without lanes: the hold plays.
func NewMixer(o Options) *Mixer {
	if o.HoldAfter == 0 {
		o.HoldAfter = DefaultHoldAfter
	}
	if o.TargetLUFS == 0 {
		o.TargetLUFS = DefaultTargetLUFS
	}
	m := &Mixer{
		desk:   desk{lanes: make(map[string]*lane), returns: make(map[string]*route)},
		active: make([]*lane, 0, 64),
		speech: make([]Speech, 0, 64),
		voices: newBus(o.TargetLUFS),
		air:    air{holdAfter: int(max(o.HoldAfter, 0) / frame)},
		bed:    bed{hold: o.Hold, under: o.HoldUnder, duck: 1, lanes: crossLen},
		out:    output{limiter: newLimiter()},
	}
	m.plan.Store(&plan{})
	m.board.Snapshot = Snapshot{Report: Report{OnAir: pcm.OnAirHold}, Loudness: m.out.meter.Reading()}
	register(o.Metrics, m.Snapshot)
	return m
}

// ResetLoudness begins a new integrated loudness and a new highest true peak: a
// broadcast begins.
func (m *Mixer) ResetLoudness() { m.reset.Store(true) }

// Levels appends the meters of all lanes to dst, by id.
func (m *Mixer) Levels(dst []LaneLevel) []LaneLevel {
	for _, l := range m.plan.Load().lanes {
		dst = append(dst, l.shown())
	}
	return dst
}

// Level returns the meter of a lane, and whether there is one.
func (m *Mixer) Level(id string) (l LaneLevel, ok bool) {
	for _, l := range m.plan.Load().lanes {
		if l.id == id {
			return l.shown(), true
		}
	}
	return LaneLevel{}, false
}

// Snapshot returns the state after the last frame.
func (m *Mixer) Snapshot() Snapshot {
	m.board.mu.Lock()
	defer m.board.mu.Unlock()
	s := m.board.Snapshot
	s.Lanes, s.Faults = len(m.plan.Load().lanes), m.faults.Load()
	return s
}

// Latency returns how much later than its lanes the programme is: always [Latency].
func (m *Mixer) Latency() pcm.Pos { return Latency }

// Mix fills dst, one frame ([pcm.FrameLen] values), with the programme at pos.
// It pulls one frame from every lane and gives one to every return. Frames follow each
// other without a gap; a gap in pos is heard only where the hold jumps to its new
// place. It waits for nobody: what others change is taken over with the next frame.
func (m *Mixer) Mix(dst []float32, pos pcm.Pos) Report {
	m.adopt()
	if m.reset.CompareAndSwap(true, false) {
		m.out.meter.Reset()
	}
	due := pos + Latency // what goes into the limiter now is heard then
	// First who is on air, then the programme's fader: whoever closes it and takes somebody
	// on air after that, as when the doors open, lets none of them through.
	for _, l := range m.active {
		l.part = l.share()
	}
	open := !m.closed.Load()
	t := m.sum(dst, due, open)
	for _, s := range m.seen.sends {
		s.send()
	}
	m.active = slices.DeleteFunc(m.active, (*lane).gone)

	m.air.step(sight{heard: t.heard, open: open, energy: t.sound}, due)
	m.bed.mix(dst, due, &m.air)
	m.out.process(dst, pos)
	return m.show()
}

// sum fills dst with the lanes in the programme, whether its fader is open or not.
func (m *Mixer) sum(dst []float32, due pcm.Pos, open bool) tally {
	var t tally
	clear(dst)
	clear(m.voices.buf[:])
	m.speech = m.speech[:0]
	for _, l := range m.active {
		l.step(due)
		m.speech = l.said.tell(m.speech, l, open, due)
		if l.last == pcm.Silent {
			continue
		}
		t.heard = t.heard || l.onAir()
		if l.voice == nil {
			t.feeds = true
			l.air.addTo(dst, l.out[:])
			continue
		}
		t.voices = true
		l.air.addTo(m.voices.buf[:], l.out[:])
		if l.onAir() {
			t.add(l.voice, l.gain.target)
		}
	}
	sortSpeech(m.speech)
	if t.feeds {
		t.sound += m.feeds.Energy(dst)
	} else {
		m.feeds = loudness.KWeight{}
	}
	m.voices.addTo(dst, &t, due)
	return t
}

// show publishes the state; who looks at it just now sees the one before.
func (m *Mixer) show() Report {
	r := Report{OnAir: pcm.OnAirHold, Since: m.air.since, DeadAir: m.air.stage}
	if m.air.live {
		r.OnAir = pcm.OnAirLive
	}
	s := Snapshot{Report: r, Loudness: m.out.reading, VoicesDB: m.voices.gain}
	s.LimiterDB = 20 * math.Log10(float64(m.out.limiter.floor))
	for _, l := range m.active {
		s.Speaking += int(bit(l.said.speaking))
	}
	if m.board.mu.TryLock() {
		m.board.Snapshot = s
		m.board.mu.Unlock()
	}
	return r
}

// An output is what follows the sum: the programme as it goes out, and its meter.
type output struct {
	limiter *limiter
	meter   loudness.Meter
	reading loudness.Reading
	frames  int
}

// process works on the programme at pos in place. The integrated loudness is worked out
// every 100 ms.
func (o *output) process(x []float32, pos pcm.Pos) {
	o.limiter.process(x)
	pcm.AddDither(x, pos)
	o.meter.Add(x)
	if o.frames%5 == 0 {
		o.reading = o.meter.Reading()
	}
	o.frames++
}
