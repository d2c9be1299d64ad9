package mix

import (
	"cmp"
	"slices"

	"longwave/ingest/pcm"
)

// Speech says that somebody whose lane is in the programme began or ended to speak.
// That is known later than it is so, 120 ms and 600 ms: Pos is where the sound begins
// or ends, which is before the frame.
type Speech struct {
	Lane     string
	Speaking bool
	Pos      pcm.Pos // in the programme
}

// said is what was told of a lane.
type said struct {
	speaking bool
	pos      pcm.Pos // of what was told last
	onAir    bool
	since    pcm.Pos // the lane is in the programme
}

// tell appends to all what is to be said of a voice after a frame, which will be heard
// at pos. Who is muted, taken off air or leaves has ended to speak.
func (s *said) tell(all []Speech, l *lane, open bool, pos pcm.Pos) []Speech {
	if l.voice == nil {
		return all
	}
	onAir := open && l.onAir()
	if onAir && !s.onAir {
		s.since = pos
	}
	s.onAir = onAir
	ear := &l.voice.ear
	switch speaking := onAir && ear.speaking; {
	case speaking == s.speaking:
		return all
	case speaking && pos-s.pos < voiceGap:
		return all
	case speaking:
		s.pos = max(ear.began, s.since, s.pos)
	case onAir:
		s.pos = max(ear.ended, s.pos)
	default:
		s.pos = max(min(ear.ended, pos), s.pos)
	}
	s.speaking = !s.speaking
	return append(all, Speech{Lane: l.id, Speaking: s.speaking, Pos: s.pos})
}

// Speech returns who began or ended to speak with the last frame, in the order of
// their positions. It belongs to the goroutine that mixes and holds until the next frame.
func (m *Mixer) Speech() []Speech { return m.speech }

func sortSpeech(all []Speech) {
	if len(all) > 1 {
		slices.SortStableFunc(all, func(a, b Speech) int { return cmp.Compare(a.Pos, b.Pos) })
	}
}
