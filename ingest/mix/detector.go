package mix

import (
	"math"
	"slices"

	"longwave/ingest/loudness"
	"longwave/ingest/pcm"
)

const (
	voiceMargin = 9.0   // dB that a voice is above the noise
	voiceLeast  = -54.0 // LUFS under which nothing is a voice

	voiceOn  = 6        // frames: 120 ms
	voiceOff = 30       // frames: 600 ms
	voiceGap = pcm.Rate // between one change and the next

	// Within 400 ms the level of speech moves by 13 dB and more, in 99 of 100 cases;
	// that of noise, low rumble at the worst, by 5 dB at most.
	voiceMoves = 7.0 // dB
	voiceSpan  = 20  // frames
	attack     = 2   // frames after silence that say nothing: anything begins with a step

	floorSeconds = 10
	nothing      = math.MaxFloat64 // no level
	unheard      = -68.0           // the noise of a lane of which nothing is known
)

// A detector tells a voice from noise, hum and tones, by the energy of the frames and
// how it moves.
type detector struct {
	floor    floor
	levels   [voiceSpan]float64 // of the last frames, LUFS
	at       int
	fresh    int    // frames since the last silence
	low      int    // frames since the last one over the noise
	above    uint32 // a bit a frame, the newest is the lowest: there is a voice
	heard    uint32 // the same: came from the source
	rise     int    // frames above less frames not, while nobody speaks
	calm     int    // frames that were not above, while somebody does
	speaking bool
	changed  pcm.Pos // when speaking last did
	began    pcm.Pos // of the sound: where the voice began,
	ended    pcm.Pos // and where it last ended
}

func newDetector() detector { return detector{changed: -voiceGap} }

// step takes in a frame: its K-weighted energy, where it came from, and where in the
// programme it will be.
func (d *detector) step(energy float64, fill pcm.Fill, pos pcm.Pos) {
	heard := fill == pcm.Heard
	d.floor.step(energy, heard, pos)
	d.heard = d.heard<<1 | bit(heard)
	above := false
	switch level := loudness.LUFS(energy); {
	case heard:
		over := level > max(d.floor.level+voiceMargin, voiceLeast)
		d.follow(level, over)
		above = over && d.moves()
	case fill == pcm.Silent:
		d.fresh = 0
	}
	d.above = d.above<<1 | bit(above)
	if d.speaking {
		d.listen(above, pos)
	} else {
		d.wait(above, pos)
	}
}

// follow keeps the levels since the last silence.
func (d *detector) follow(level float64, over bool) {
	d.levels[d.at] = level
	d.at = (d.at + 1) % voiceSpan
	d.low++
	if over {
		d.low = 0
	}
	if d.fresh > 0 || over {
		d.fresh++
	}
	if d.low >= voiceSpan {
		d.fresh = 0
	}
}

// moves reports that the level moves as that of a voice does.
func (d *detector) moves() bool {
	low, high := nothing, -nothing
	for i := range min(d.fresh-attack, voiceSpan) {
		level := d.levels[(d.at-1-i+2*voiceSpan)%voiceSpan]
		low, high = min(low, level), max(high, level)
	}
	return high-low >= voiceMoves
}

// wait is for somebody to speak.
func (d *detector) wait(above bool, pos pcm.Pos) {
	switch {
	case !above:
		d.rise = max(d.rise-1, 0)
		return
	case d.rise == 0:
		d.began = pos
	}
	d.rise = min(d.rise+1, voiceOn)
	if d.rise == voiceOn && pos-d.changed >= voiceGap {
		d.speaking, d.changed = true, pos
		d.calm, d.ended = 0, pos+pcm.FrameSamples
	}
}

// listen is for the voice to end.
func (d *detector) listen(above bool, pos pcm.Pos) {
	d.calm++
	if above {
		d.calm, d.ended = 0, pos+pcm.FrameSamples
	}
	if d.calm >= voiceOff && pos-d.changed >= voiceGap {
		d.speaking, d.changed, d.rise = false, pos, 0
	}
}

// voiced reports that there is a voice in the last frame.
func (d *detector) voiced() bool { return d.above&1 != 0 }

// whole reports that all of the last block came from the source.
func (d *detector) whole() bool { return d.heard&blockBits == blockBits }

func bit(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}

// A floor is the level of a lane's noise: the least of the last ten seconds.
type floor struct {
	level   float64               // LUFS
	seconds [floorSeconds]float64 // least of each
	second  pcm.Pos               // the newest, since the epoch
	frames  [3]float64            // energies, newest last, of which each level is the mean
	n       int                   // how many there are
}

func (f *floor) step(energy float64, heard bool, pos pcm.Pos) {
	f.turn(pos.Floor(pcm.Rate) / pcm.Rate)
	if !heard {
		f.n = 0
	} else {
		copy(f.frames[:], f.frames[1:])
		f.frames[len(f.frames)-1] = energy
		f.n = min(f.n+1, len(f.frames))
		var sum float64
		for _, e := range f.frames[len(f.frames)-f.n:] {
			sum += e
		}
		now := f.least(f.second)
		*now = min(*now, loudness.LUFS(sum/float64(f.n)))
	}
	f.level = slices.Min(f.seconds[:])
	if f.level == nothing {
		f.level = unheard
	}
	f.level = math.Round(f.level*16) / 16
}

// turn goes on to another second and forgets the oldest.
func (f *floor) turn(second pcm.Pos) {
	begins := f.second == 0
	if second < f.second || second-f.second > floorSeconds {
		f.second = second - floorSeconds
	}
	for f.second < second {
		f.second++
		*f.least(f.second) = nothing
	}
	if begins { // what comes first may be a voice
		*f.least(second) = unheard
	}
}

// least is where the least level of a second is kept.
func (f *floor) least(second pcm.Pos) *float64 {
	return &f.seconds[second-second.Floor(floorSeconds)]
}
