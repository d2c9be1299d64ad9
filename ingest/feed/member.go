package feed

import (
	"math"
	"sync/atomic"

	"longwave/ingest/loudness"
	"longwave/ingest/mix"
	"longwave/ingest/pcm"
)

// A Health says how a member is.
type Health uint8

// The states of a member.
const (
	Waiting Health = iota // no sound has come yet
	Healthy
	Missing // nothing comes, or concealment only
	Mute    // what comes is silence
)

// String returns the state's name in lower case.
func (h Health) String() string { return [...]string{"waiting", "healthy", "missing", "mute"}[h] }

// A Member is one feed of a group as the desk shows it.
type Member struct {
	ID       string
	Priority int
	Health   Health
	Heard    bool
	// Delay is by how much it is held back to be in step with the others, in samples.
	Delay pcm.Pos
}

// A member is a source and what is known of it.
type member struct {
	id       string
	src      mix.Source
	priority int
	leaving  atomic.Bool // set by anybody

	// Told to anybody.
	state atomic.Uint32 // a Health
	held  atomic.Int64  // samples

	// Of the goroutine that pulls.
	gone   bool // leaves with this frame
	line   line
	delay  int // samples by which it is held back
	want   int // and by which it should be
	since  int // frames since the delay was last changed while it was heard
	place  place
	weight loudness.KWeight
	health health
	trace  *trace // nil when members are not aligned
}

func newMember(id string, src mix.Source, priority int, align bool) *member {
	m := &member{id: id, src: src, priority: priority, line: newLine(2)}
	if align {
		m.line, m.trace = newLine(lineFrames), &trace{}
	}
	return m
}

// pull takes the member's next frame and judges what will be heard of it after the
// one that is due.
func (m *member) pull(l limits) {
	frame := m.line.slot()
	fill := pcm.Silent
	if m.gone {
		clear(frame)
	} else {
		fill = m.src.Pull(frame)
	}
	energy := m.weight.Energy(frame)
	if !(energy < mostEnergy) { // true for what is not a number, too
		clear(frame)
		m.weight = loudness.KWeight{}
		fill, energy = pcm.Silent, 0
	}
	m.line.push(fill)
	if m.trace != nil {
		m.trace.push(frame)
	}
	m.judge(energy, l)
}

// mostEnergy (+40 dB) is where samples are no sound but the garbage of a broken decoder.
const mostEnergy = 1e4

// judge brings health up to date with a frame that has come.
func (m *member) judge(energy float64, l limits) {
	least, _ := m.line.fill(m.delay + pcm.FrameSamples) // the frame after the one that is due
	_, due := m.line.fill(m.delay + 2*pcm.FrameSamples)
	h := &m.health
	h.step(least, l)
	h.alive = least == pcm.Heard && due == pcm.Heard
	h.listen(energy, l)
	state := Healthy
	switch {
	case h.holdOff == 0:
		state = Waiting
	case h.missing > 0:
		state = Missing
	case h.mute:
		state = Mute
	}
	m.state.Store(uint32(state))
	m.held.Store(int64(m.delay))
}

// out fills dst with the frame that is due.
func (m *member) out(dst []float32) pcm.Fill {
	back := m.delay + 2*pcm.FrameSamples
	m.line.read(dst, back)
	_, most := m.line.fill(back)
	return most
}

func (m *member) show() Member {
	return Member{ID: m.id, Priority: m.priority, Health: Health(m.state.Load()), Delay: pcm.Pos(m.held.Load())}
}

// limits are a group's options in frames.
type limits struct {
	silence, loss, holdOff int
	floor                  float64 // energy of silence
}

// health counts, in frames, how a member has been.
type health struct {
	alive   bool
	mute    bool // silent for longer than it may be; for 3 s where it never was not
	last    pcm.Fill
	missing int // in a row without sound of the sender's
	good    int // since it was last missing or mute

	loud   int // with sound, less without, between 0 and 2*wake
	quiet  int // since there was sound
	voiced int // since there has been sound without a long pause
	opened bool

	holdOff int // of good until it is gone back to; 0 before its first sound
	away    int // since it was last left for a fault
}

const (
	// wake is how much sound ends a silence: 100 ms. A click does not.
	wake = 5
	// pause is how much silence is a part of speech: 2 s.
	pause = 100
	// forgive is after how long a fault is forgotten: 2 min.
	forgive = 6000
	// mostHoldOff is how often the hold-off may be as long as at first.
	mostHoldOff = 12
	// bridged is how many concealed frames in a row are no fault: 60 ms.
	bridged = soon
)

// step counts the frame that will be heard next.
func (h *health) step(f pcm.Fill, l limits) {
	h.last = f
	h.away = min(h.away+1, math.MaxInt-1)
	if f == pcm.Heard {
		if h.holdOff == 0 { // its first sound
			h.holdOff, h.away, h.quiet = l.holdOff, forgive, 0
		}
		h.missing = 0
		h.good++
	} else {
		h.missing++
	}
	h.mute = h.quiet >= l.silence || !h.opened && h.quiet >= proven && l.silence < math.MaxInt
	if f == pcm.Silent || h.missing > bridged || h.mute {
		h.good = 0
	}
}

// listen counts sound and silence as they come in.
func (h *health) listen(energy float64, l limits) {
	if energy >= l.floor {
		h.loud = min(h.loud+1, 2*wake)
	} else {
		h.loud = max(h.loud-1, 0)
	}
	h.quiet++
	if h.loud >= wake {
		h.quiet = 0
	}
	switch {
	case h.quiet >= pause:
		h.voiced = 0
	case h.quiet == 0 || h.voiced > 0:
		h.voiced++
		h.opened = true
	}
}

// lost reports that its sound is over: its next frame is empty, or has been invented
// for as long as patience.
func (h *health) lost(patience int) bool { return h.last == pcm.Silent || h.missing >= patience }

// left notes that another member is heard instead.
func (h *health) left(why Reason, l limits) {
	if why != Lost && why != Silent {
		return
	}
	if h.away < forgive {
		h.holdOff = min(2*h.holdOff, mostHoldOff*l.holdOff)
	} else {
		h.holdOff = l.holdOff
	}
	h.away, h.good = 0, 0
}
