package feed

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"time"

	"longwave/ingest/mix"
	"longwave/ingest/pcm"
)

// The defaults of [Options].
const (
	DefaultSilence     = 15 * time.Second
	DefaultSilenceLUFS = -55
	DefaultLoss        = 500 * time.Millisecond
	DefaultHoldOff     = 5 * time.Second
)

// Options of a [Group]; the zero value is right for programme feeds.
type Options struct {
	// Silence is for how long the member that is heard may be silent while another
	// one is not. 0 is [DefaultSilence]; a negative value is for ever.
	Silence time.Duration
	// SilenceLUFS is the momentary loudness below which a member is silent. 0 is
	// [DefaultSilenceLUFS].
	SilenceLUFS float64
	// Loss is for how long nothing but concealment may come from the member that is
	// heard. 0 is [DefaultLoss].
	Loss time.Duration
	// HoldOff is for how long a better member must be healthy before it is gone back
	// to. It doubles with each time that member is left within two minutes, up to twelve
	// times this. 0 is [DefaultHoldOff].
	HoldOff time.Duration
	// NoAlign leaves every member at its own place in time.
	NoAlign bool
	// Metrics counts switches; nil does not.
	Metrics *Metrics
}

// A Reason is why another member is heard.
type Reason uint8

// The reasons of a [Switch].
const (
	First  Reason = iota + 1 // nobody was heard before
	Lost                     // the sound of the one that was heard ended
	Silent                   // it was silent while another was not
	Better                   // a member of better priority is healthy
	Left                     // the one that was heard was removed
)

var reasons = [...]string{First: "first", Lost: "lost", Silent: "silent", Better: "better", Left: "left"}

// String returns the reason's name: a closed set, fit for a metric's label.
func (r Reason) String() string { return reasons[r] }

// A Switch is a change of the member that is heard.
type Switch struct {
	From, To string // ids; To is empty when nobody is left
	Reason   Reason
	At       time.Time
}

// mostSwitches is how many are kept for [Group.Switches]; older ones go first.
const mostSwitches = 64

// A Group is a source made of several. One goroutine calls Pull; all else may be
// called by anybody at any time.
type Group struct {
	opt    Options
	limits limits

	mu       sync.Mutex
	known    map[string]*member // those that were not removed
	pending  []*member          // added since the last frame
	switches []Switch
	current  string

	// Of the goroutine that pulls.
	active  []*member // best priority first; with those that leave
	heard   *member   // nil: nobody
	align   aligner
	scratch [pcm.FrameLen]float32
}

// New returns a group without members: silence.
func New(o Options) *Group {
	o.Silence = cmp.Or(o.Silence, DefaultSilence)
	o.SilenceLUFS = cmp.Or(o.SilenceLUFS, DefaultSilenceLUFS)
	o.Loss = cmp.Or(o.Loss, DefaultLoss)
	o.HoldOff = cmp.Or(o.HoldOff, DefaultHoldOff)
	return &Group{
		opt: o,
		limits: limits{
			silence: frames(o.Silence),
			floor:   math.Pow(10, (o.SilenceLUFS+0.691)/10),
			loss:    max(frames(o.Loss), 1),
			holdOff: max(frames(o.HoldOff), 1),
		},
		known:    make(map[string]*member),
		switches: make([]Switch, 0, mostSwitches),
		align:    aligner{off: o.NoAlign, wait: rest, count: o.Metrics},
	}
}

// frames returns how many frames last d; a negative d is for ever.
func frames(d time.Duration) int {
	if d < 0 {
		return math.MaxInt
	}
	return int(d / pcm.FrameDuration)
}

// Add puts a member into the group from the next frame on; 0 is the best priority.
// A member of the same id leaves in its favour.
func (g *Group) Add(id string, src mix.Source, priority int) {
	m := newMember(id, src, priority, !g.opt.NoAlign)
	g.mu.Lock()
	defer g.mu.Unlock()
	if old := g.known[id]; old != nil {
		old.leaving.Store(true)
	}
	g.known[id] = m
	g.pending = append(g.pending, m)
}

// Remove takes a member out with the next frame and reports whether there was one.
// Its source is not pulled again after the frame that is being made.
func (g *Group) Remove(id string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	m := g.known[id]
	if m == nil {
		return false
	}
	m.leaving.Store(true)
	delete(g.known, id)
	return true
}

// Current returns the id of the member that is heard; empty when nobody is.
func (g *Group) Current() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.current
}

// Members returns the members with their state after the last frame, by priority
// and id.
func (g *Group) Members() []Member {
	g.mu.Lock()
	defer g.mu.Unlock()
	list := make([]Member, 0, len(g.known))
	for _, m := range g.known {
		s := m.show()
		s.Heard = m.id == g.current
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b Member) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.ID, b.ID))
	})
	return list
}

// Switches appends to dst what switched since it was last asked, oldest first; of
// more than 64 the oldest are lost.
func (g *Group) Switches(dst []Switch) []Switch {
	g.mu.Lock()
	defer g.mu.Unlock()
	dst = append(dst, g.switches...)
	g.switches = g.switches[:0]
	return dst
}

// Pull fills dst, one frame ([pcm.FrameLen] values), with the sound of the best
// member, and says how it was obtained. It implements [mix.Source].
func (g *Group) Pull(dst []float32) pcm.Fill {
	g.adopt()
	for _, m := range g.active {
		m.pull(g.limits)
	}
	g.align.step(g.active, g.heard)
	before := g.heard
	next, why := g.choose()
	fill := g.play(dst, before, next)
	if next != before {
		g.moved(before, next, why)
	}
	g.active = slices.DeleteFunc(g.active, func(m *member) bool { return m.gone })
	return fill
}

// adopt takes over what others asked for.
func (g *Group) adopt() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, m := range g.active {
		m.gone = m.leaving.Load() // for this one frame it is still there, to be left
	}
	if len(g.pending) == 0 {
		return
	}
	g.active = append(g.active, g.pending...)
	clear(g.pending)
	g.pending = g.pending[:0]
	slices.SortStableFunc(g.active, func(a, b *member) int { return cmp.Compare(a.priority, b.priority) })
}

// play fills dst with next's sound, or with the way from before to next.
func (g *Group) play(dst []float32, before, next *member) pcm.Fill {
	fill := read(next, dst)
	out := g.scratch[:]
	if next == before {
		if next != nil {
			next.follow(dst, out)
		}
		return fill
	}
	fill = max(fill, read(before, out))
	shape := &risingPower
	if g.align.together(before, next) {
		shape = &rising
	}
	crossfade(dst, out, shape)
	return fill
}

// crossfade goes from what is in from to what is in dst, in dst.
func crossfade(dst, from []float32, shape *[pcm.FrameSamples]float32) {
	for i, up := range shape {
		down := shape[len(shape)-1-i]
		dst[2*i] = up*dst[2*i] + down*from[2*i]
		dst[2*i+1] = up*dst[2*i+1] + down*from[2*i+1]
	}
}

// read fills dst with m's sound that is due; nil is silence.
func read(m *member, dst []float32) pcm.Fill {
	if m == nil {
		clear(dst)
		return pcm.Silent
	}
	return m.out(dst)
}

// Crossfades over one frame: of the same sound twice the amplitudes add up to one,
// of different sound the powers.
var rising, risingPower = crossfades()

func crossfades() (linear, power [pcm.FrameSamples]float32) {
	for i := range linear {
		at := (float64(i) + 0.5) / pcm.FrameSamples
		linear[i] = float32(at)
		power[i] = float32(math.Sin(at * math.Pi / 2))
	}
	return linear, power
}

// moved notes that next is heard instead of before.
func (g *Group) moved(before, next *member, why Reason) {
	s := Switch{Reason: why, At: time.Now()}
	if before != nil {
		s.From = before.id
		before.health.left(why, g.limits)
	}
	if next != nil {
		s.To = next.id
	}
	g.heard = next
	g.opt.Metrics.switched(why)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.current = s.To
	if len(g.switches) == mostSwitches {
		copy(g.switches, g.switches[1:])
		g.switches = g.switches[:mostSwitches-1]
	}
	g.switches = append(g.switches, s)
}
