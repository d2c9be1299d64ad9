package packager

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"longwave/ingest/pcm"
	"longwave/packager/hls"
)

// The classes of EXT-X-DATERANGE (rfc8216bis section 4.4.5.1) in which a playlist
// tells what a programme's marks say.
const (
	ClassOnAir   = "longwave.onair"   // X-STATE: hold, live or ended
	ClassTitle   = "longwave.title"   // X-TITLE
	ClassSpeaker = "longwave.speaker" // X-SPEAKER: the name; X-SPEAKER-ID
	ClassChapter = "longwave.chapter" // X-TITLE
)

// maxSpans bounds what a programme can say at one time: the oldest go first.
const maxSpans = 64

// A span is a mark with its end, and where the programme was when either was told.
type span struct {
	pcm.Mark
	end           pcm.Pos // zero while it lasts
	told, endTold pcm.Pos
}

// everything is an edge behind all that was told.
const everything pcm.Pos = math.MaxInt64

// A logbook holds the marks that playlists still tell of.
type logbook struct {
	spans []span
	fresh bool // something was noted that the stores' playlists do not tell yet
}

// note enters a mark that came with the frame at told.
func (l *logbook) note(m pcm.Mark, told pcm.Pos) {
	for i := range l.spans {
		s := &l.spans[i]
		if s.end == 0 && s.Kind == m.Kind && s.ID == m.ID {
			if s.Text == m.Text {
				return
			}
			s.end, s.endTold = max(m.Pos, s.Pos+1), told
		}
	}
	l.fresh = true
	if m.Kind == pcm.MarkSpeaker && m.Text == "" { // stopped: the end is all there is to say
		return
	}
	l.spans = append(l.spans, span{Mark: m, told: told})
	if drop := len(l.spans) - maxSpans; drop > 0 {
		l.spans = slices.Delete(l.spans, 0, drop)
	}
}

// since returns the marks that hold at pos or later, as they were told before edge: two
// playlists that end there tell the same, whichever is written later.
func (l *logbook) since(pos, edge pcm.Pos) []hls.DateRange {
	var ranges []hls.DateRange
	for _, s := range l.spans {
		if s.told >= edge {
			continue
		}
		if s.endTold >= edge {
			s.end = 0
		}
		if s.end == 0 || s.end > pos {
			ranges = append(ranges, s.dateRange())
		}
	}
	return ranges
}

// forget drops the marks that ended before pos.
func (l *logbook) forget(pos pcm.Pos) {
	l.spans = slices.DeleteFunc(l.spans, func(s span) bool { return s.end != 0 && s.end <= pos })
}

// recall enters what the playlist of an earlier run told, which ended at pos: a range
// may not go while its time is listed (rfc8216bis section 6.2.1). Nobody of that run
// still speaks.
func (l *logbook) recall(ranges []hls.DateRange, pos pcm.Pos) {
	for _, d := range ranges {
		m, ok := parseMark(d)
		if !ok {
			continue
		}
		l.note(m, 0)
		if m.Kind == pcm.MarkSpeaker {
			end := pos
			if d.HasDuration {
				end = m.Pos + pcm.Samples(d.Duration)
			}
			l.spans[len(l.spans)-1].end = max(end, m.Pos+1)
		}
	}
}

// parseMark is the inverse of [span.dateRange].
func parseMark(d hls.DateRange) (pcm.Mark, bool) {
	pos, err := strconv.ParseInt(d.ID[strings.LastIndexByte(d.ID, '-')+1:], 10, 64)
	m := pcm.Mark{Pos: pcm.Pos(pos)}
	switch d.Class {
	case ClassOnAir:
		m.Kind = pcm.MarkState
	case ClassTitle:
		m.Kind = pcm.MarkTitle
	case ClassChapter:
		m.Kind = pcm.MarkChapter
	case ClassSpeaker:
		m.Kind = pcm.MarkSpeaker
	default:
		return m, false
	}
	for _, a := range d.Attrs {
		if a.Name == "X-SPEAKER-ID" {
			m.ID = a.Value
		} else {
			m.Text = a.Value
		}
	}
	return m, err == nil && m.Text != ""
}

func (s span) dateRange() hls.DateRange {
	d := hls.DateRange{Start: s.Pos.Time().Truncate(time.Millisecond)}
	name := ""
	switch s.Kind {
	case pcm.MarkState:
		name, d.Class, d.EndOnNext = "onair", ClassOnAir, true
		d.Attrs = []hls.Attr{{Name: "X-STATE", Value: s.Text}}
	case pcm.MarkTitle:
		name, d.Class, d.EndOnNext = "title", ClassTitle, true
		d.Attrs = []hls.Attr{{Name: "X-TITLE", Value: s.Text}}
	case pcm.MarkChapter:
		name, d.Class, d.EndOnNext = "chapter", ClassChapter, true
		d.Attrs = []hls.Attr{{Name: "X-TITLE", Value: s.Text}}
	case pcm.MarkSpeaker:
		name, d.Class = "speaker-"+s.ID, ClassSpeaker
		d.Attrs = []hls.Attr{{Name: "X-SPEAKER", Value: s.Text}, {Name: "X-SPEAKER-ID", Value: s.ID}}
		if s.end != 0 {
			d.Duration, d.HasDuration = pcm.Duration(s.end-s.Pos), true
		}
	}
	d.ID = name + "-" + strconv.FormatInt(int64(s.Pos), 10)
	return d
}
