package mix

import (
	"cmp"
	"math"
	"slices"
	"strings"
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
	// Metrics is where the figures of [Snapshot] are published; nil is nowhere.
	Metrics prometheus.Registerer
}

// A Report is what Mix says about the frame it made.
type Report struct {
	OnAir   string  // [pcm.OnAirHold] or [pcm.OnAirLive]
	Since   pcm.Pos // where in the programme that began
	DeadAir DeadAir
}

// Speech says that somebody in a lane that is on air began or ended to speak.
type Speech struct {
	Lane     string
	Speaking bool
	Pos      pcm.Pos // in the programme
}

// A Snapshot is the state of the programme for those who watch it.
type Snapshot struct {
	Report
	Loudness loudness.Reading // not more than 100 ms old
	// LimiterDB is by how much the limiter turned down the last frame, at most: 0 or less.
	LimiterDB float64
	Lanes     int
}

// A Mixer makes the programme. One goroutine calls Mix; all else may be called
// by anybody at any time.
type Mixer struct {
	mu      sync.Mutex
	lanes   map[string]*lane
	pending []*lane // added since the last frame
	returns returns
	reset   bool
	shown   Snapshot
	closed  atomic.Bool // the programme's fader is down

	// Of the goroutine that mixes.
	active  []*lane // by id; with those that leave
	weight  loudness.KWeight
	air     air
	bed     bed
	under   bool
	limiter *limiter
	speech  []Speech
	meter   loudness.Meter
	reading loudness.Reading
	frames  int
}

// NewMixer returns a mixer without lanes: the hold plays.
func NewMixer(o Options) *Mixer {
	if o.HoldAfter == 0 {
		o.HoldAfter = DefaultHoldAfter
	}
	m := &Mixer{
		lanes:   make(map[string]*lane),
		returns: make(returns),
		active:  make([]*lane, 0, 64),
		air:     air{holdAfter: int(max(o.HoldAfter, 0) / frame)},
		bed:     bed{hold: o.Hold, duck: 1},
		under:   o.HoldUnder,
		limiter: newLimiter(),
	}
	m.shown = Snapshot{Report: Report{OnAir: pcm.OnAirHold}, Loudness: m.meter.Reading()}
	register(o.Metrics, m.Snapshot)
	return m
}

// Add puts a lane on the mixer from the next frame on. A lane of the same id
// leaves in its favour: 10 ms out, 10 ms in.
func (m *Mixer) Add(id string, src Source, o LaneOptions) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if old := m.lanes[id]; old != nil {
		old.leaving.Store(true)
	}
	l := newLane(id, src, o)
	m.lanes[id] = l
	m.pending = append(m.pending, l)
}

// Remove takes a lane off with the next frame, and reports whether there was one.
func (m *Mixer) Remove(id string) bool {
	return m.change(id, func(l *lane) {
		l.leaving.Store(true)
		delete(m.lanes, id)
	})
}

// SetGain moves a lane's fader; it reports whether there is such a lane.
func (m *Mixer) SetGain(id string, db float64) bool {
	return m.change(id, func(l *lane) { l.gainDB = db; l.aim() })
}

// SetOnAir takes a lane into the programme or out of it, in 10 ms; its returns are not
// changed. It reports whether there is such a lane.
func (m *Mixer) SetOnAir(id string, on bool) bool {
	return m.change(id, func(l *lane) { l.offAir.Store(!on) })
}

// SetOpen moves the fader of the whole programme: closed, the hold plays whoever
// speaks, and the returns go on.
func (m *Mixer) SetOpen(open bool) { m.closed.Store(!open) }

// SetMute mutes a lane or lets it be heard; it reports whether there is such a lane.
func (m *Mixer) SetMute(id string, muted bool) bool {
	return m.change(id, func(l *lane) { l.muted = muted; l.aim() })
}

func (m *Mixer) change(id string, do func(*lane)) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.lanes[id]
	if l == nil {
		return false
	}
	do(l)
	return true
}

// ResetLoudness begins a new integrated loudness and a new highest true peak: a
// broadcast begins.
func (m *Mixer) ResetLoudness() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reset = true
}

// Levels appends the meters of all lanes to dst, by id.
func (m *Mixer) Levels(dst []LaneLevel) []LaneLevel {
	m.mu.Lock()
	defer m.mu.Unlock()
	from := len(dst)
	for _, l := range m.lanes {
		dst = append(dst, l.level())
	}
	slices.SortFunc(dst[from:], func(a, b LaneLevel) int { return cmp.Compare(a.ID, b.ID) })
	return dst
}

// Snapshot returns the state after the last frame.
func (m *Mixer) Snapshot() Snapshot {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.shown
	s.Lanes = len(m.lanes)
	return s
}

// Latency returns how much later than its lanes the programme is: always [Latency].
func (m *Mixer) Latency() pcm.Pos { return Latency }

// Mix fills dst, one frame ([pcm.FrameLen] values), with the programme at pos.
// It pulls one frame from every lane. Frames follow each other without a gap; a
// gap in pos is heard only where the hold jumps to its new place.
func (m *Mixer) Mix(dst []float32, pos pcm.Pos) Report {
	m.adopt()
	clear(dst)
	heard := false
	for _, l := range m.active {
		if l.addTo(dst) {
			heard = true
		}
	}
	m.send()
	if m.closed.Load() {
		heard = false
		clear(dst)
	}
	m.active = slices.DeleteFunc(m.active, func(l *lane) bool { return l.gain.target == 0 && l.leaving.Load() })

	// What goes into the limiter now is heard Latency later.
	due := pos + Latency
	m.air.step(heard, m.weight.Energy(dst), due)
	m.bed.addTo(dst, due, !m.air.live || m.under, m.air.live && m.under || m.air.sounding())
	m.limiter.process(dst)
	pcm.AddDither(dst, pos)
	m.meter.Add(dst)
	return m.show()
}

// Speech returns who began or ended to speak with the last frame. It belongs to the
// goroutine that mixes and holds until the next frame.
func (m *Mixer) Speech() []Speech { return m.speech }

// adopt takes over what others asked for.
func (m *Mixer) adopt() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.reset {
		m.reset = false
		m.meter.Reset()
	}
	if len(m.pending) == 0 {
		return
	}
	m.active = append(m.active, m.pending...)
	clear(m.pending)
	m.pending = m.pending[:0]
	slices.SortStableFunc(m.active, func(a, b *lane) int { return strings.Compare(a.id, b.id) })
}

// show publishes the state. The integrated loudness is worked out every 100 ms.
func (m *Mixer) show() Report {
	r := Report{OnAir: pcm.OnAirHold, Since: m.air.since, DeadAir: m.air.stage}
	if m.air.live {
		r.OnAir = pcm.OnAirLive
	}
	if m.frames%5 == 0 {
		m.reading = m.meter.Reading()
	}
	m.frames++
	down := 20 * math.Log10(float64(m.limiter.floor))
	m.mu.Lock()
	defer m.mu.Unlock()
	m.shown = Snapshot{Report: r, Loudness: m.reading, LimiterDB: down}
	return r
}
