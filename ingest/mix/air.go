package mix

import (
	"time"

	"longwave/ingest/loudness"
	"longwave/ingest/pcm"
)

// A DeadAir says for how long the lanes have been silent although somebody is
// connected and on air.
type DeadAir uint8

// The stages of dead air.
const (
	Sounding DeadAir = iota
	Warned           // for 5 s
	Alarmed          // for 15 s
	Replaced         // for 30 s: the hold plays
)

// String returns the stage's name in lower case.
func (d DeadAir) String() string { return [...]string{"sounding", "warned", "alarmed", "replaced"}[d] }

const (
	// deadLUFS is the momentary loudness under which the lanes count as silent.
	deadLUFS = -50.0

	momentary   = 20                            // frames: 400 ms
	warnAfter   = int(5 * time.Second / frame)  // frames, as all below
	alarmAfter  = int(15 * time.Second / frame) //
	replaceWhen = int(30 * time.Second / frame) //
	returnAfter = int(300 * time.Millisecond / frame)

	frame = pcm.FrameDuration
)

// An air decides what is on air: the lanes or the hold. All it knows of time is
// the number of frames.
type air struct {
	holdAfter int // frames without anybody before the hold comes

	begun  bool
	first  bool // the last frame was the first
	open   bool // the programme's fader
	empty  bool // nobody was heard in the frame before
	live   bool
	since  pcm.Pos
	stage  DeadAir
	absent int // frames for which nobody was heard
	dead   int // frames for which somebody was, but silent
	voice  int // frames with sound less frames without, while Replaced

	energy [momentary]float64 // K-weighted, of the lanes' last frames
	at     int
}

// A sight is what an air sees of a frame.
type sight struct {
	heard  bool    // a lane is
	open   bool    // the programme's fader is
	energy float64 // K-weighted, of all lanes that are heard
}

// step takes in a frame and where in the programme it will be.
func (a *air) step(s sight, pos pcm.Pos) {
	a.first = !a.begun
	if !a.begun {
		a.begun, a.since = true, pos
	}
	a.open = s.open
	a.energy[a.at] = s.energy
	a.at = (a.at + 1) % momentary
	a.empty = a.absent > 0
	a.absent++
	if s.heard {
		a.absent = 0
	}
	gone := a.absent > a.holdAfter
	was := a.live
	switch {
	case !s.open || a.live && gone:
		a.live, a.stage, a.dead = false, Sounding, 0
	case a.stage == Replaced:
		a.replaced(s.energy, gone)
	case a.live:
		a.watch()
	case s.heard:
		a.live = true
	}
	if a.live != was {
		a.since = pos
	}
}

// watch climbs the ladder of dead air.
func (a *air) watch() {
	var sum float64
	for _, e := range a.energy {
		sum += e
	}
	a.dead++
	if loudness.LUFS(sum/momentary) >= deadLUFS {
		a.dead = 0
	}
	switch {
	case a.dead >= replaceWhen:
		a.stage, a.live, a.voice = Replaced, false, 0
	case a.dead >= alarmAfter:
		a.stage = Alarmed
	case a.dead >= warnAfter:
		a.stage = Warned
	default:
		a.stage = Sounding
	}
}

// replaced waits for a voice. When the silent lanes go, the next one to come is
// believed at once again.
func (a *air) replaced(energy float64, gone bool) {
	if loudness.LUFS(energy) >= deadLUFS {
		a.voice++
	} else if a.voice > 0 {
		a.voice--
	}
	if gone {
		a.stage, a.dead = Sounding, 0
	} else if a.voice >= returnAfter {
		a.stage, a.dead, a.live = Sounding, 0, true
	}
}

// sounding reports that a voice is there while the hold plays in its place.
func (a *air) sounding() bool { return a.stage == Replaced && a.voice > 2 }
