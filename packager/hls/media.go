package hls

import "time"

// The values of [Media.PlaylistType] (section 4.4.3.5). A live playlist has none.
const (
	TypeEvent = "EVENT" // segments are only appended
	TypeVOD   = "VOD"   // the playlist does not change
)

// A Media is a media playlist. Section numbers are those of rfc8216bis.
type Media struct {
	// Version is EXT-X-VERSION (section 4.4.1.2). Zero is not written and means 1.
	// [Media.MinVersion] is the lowest that the content allows.
	Version int
	// TargetDuration is EXT-X-TARGETDURATION (section 4.4.3.1): a whole number of
	// seconds. Append rounds it up.
	TargetDuration time.Duration
	// PartTarget is EXT-X-PART-INF (section 4.4.3.7). Zero: no parts.
	PartTarget time.Duration
	// Control is EXT-X-SERVER-CONTROL (section 4.4.3.8).
	Control ServerControl
	// MediaSequence is the MSN of the first segment of the playlist, also of a
	// delta update, which leaves that segment out (section 4.4.3.2).
	MediaSequence int64
	// DiscontinuitySequence is written unless zero (section 4.4.3.3).
	DiscontinuitySequence int64
	// PlaylistType is empty, TypeEvent or TypeVOD (section 4.4.3.5).
	PlaylistType string
	// IndependentSegments is EXT-X-INDEPENDENT-SEGMENTS (section 4.4.2.1).
	IndependentSegments bool
	// Skip is what a delta update leaves out; the zero Skip is a full playlist.
	Skip Skip
	// Segments are the complete segments, in order. The first one's MSN is
	// [Media.FirstMSN].
	Segments []Segment
	// Open is the segment under way: its URI and duration are not written. It is zero
	// when nothing is known of it.
	Open Segment
	// Hints are EXT-X-PRELOAD-HINT tags (section 4.4.5.3).
	Hints []PreloadHint
	// Reports are EXT-X-RENDITION-REPORT tags (section 4.4.5.4).
	Reports []RenditionReport
	// DateRanges are EXT-X-DATERANGE tags, in the order of writing (section 4.4.5.1).
	DateRanges []DateRange
	// EndList is EXT-X-ENDLIST: nothing will be added (section 4.4.3.4).
	EndList bool
}

// A ServerControl tells what the server can do (section 4.4.3.8). A zero
// duration is not written, and the zero ServerControl writes no tag.
type ServerControl struct {
	CanBlockReload    bool
	CanSkipUntil      time.Duration // the skip boundary
	CanSkipDateRanges bool
	HoldBack          time.Duration
	PartHoldBack      time.Duration
}

// A Skip is EXT-X-SKIP (section 4.4.5.2).
type Skip struct {
	// Segments is the number of segments that are left out.
	Segments int
	// RemovedDateRanges is RECENTLY-REMOVED-DATERANGES; nil is not written.
	RemovedDateRanges []string
}

// A Segment is a media segment with its tags (section 4.4.4).
type Segment struct {
	URI      string
	Title    string        // of EXTINF; no line breaks
	Duration time.Duration // of EXTINF
	// PDT is EXT-X-PROGRAM-DATE-TIME: the instant of the first sample, or zero.
	PDT time.Time
	// Map is the initialisation section that applies. It is set on every segment;
	// the tag is written where it changes. In a delta update the zero Map means the
	// one before.
	Map Map
	// Parts are the listed parts. Old segments list none.
	Parts         []Part
	ByteRange     ByteRange
	Gap           bool // EXT-X-GAP
	Discontinuity bool // EXT-X-DISCONTINUITY stands before the segment
}

// A Map is EXT-X-MAP (section 4.4.4.5).
type Map struct {
	URI       string
	ByteRange ByteRange
}

// A ByteRange is a run of bytes of a resource. The zero ByteRange is all of it.
type ByteRange struct {
	Length, Start int64
}

// A Part is EXT-X-PART (section 4.4.4.9).
type Part struct {
	URI         string
	Duration    time.Duration
	ByteRange   ByteRange
	Independent bool
	Gap         bool
}

// The values of [PreloadHint.Type].
const (
	HintPart = "PART"
	HintMap  = "MAP"
)

// A PreloadHint is EXT-X-PRELOAD-HINT (section 4.4.5.3).
type PreloadHint struct {
	Type string // HintPart or HintMap
	URI  string
	// ByteRange has a Length of zero when it is not known.
	ByteRange ByteRange
}

// A RenditionReport is EXT-X-RENDITION-REPORT (section 4.4.5.4): how far another
// rendition has come.
type RenditionReport struct {
	URI string
	// Last has an MSN of -1 or the Part [Whole] where the tag says nothing.
	Last Position
}

// FirstMSN returns the MSN of Segments[0], or the one that it would have.
func (m *Media) FirstMSN() int64 { return m.MediaSequence + int64(m.Skip.Segments) }

// OpenMSN returns the MSN of the segment under way: one more than that of the
// last complete segment.
func (m *Media) OpenMSN() int64 { return m.FirstMSN() + int64(len(m.Segments)) }

// Last returns the newest thing in the playlist. In a playlist with parts that is
// a part, as a rendition report wants it, even where its segment is complete.
// Without anything listed it is the whole segment before [Media.MediaSequence].
func (m *Media) Last() Position {
	if n := len(m.Open.Parts); n > 0 {
		return Position{m.OpenMSN(), n - 1}
	}
	p := Position{m.OpenMSN() - 1, Whole}
	if n := len(m.Segments); n > 0 && len(m.Segments[n-1].Parts) > 0 {
		p.Part = len(m.Segments[n-1].Parts) - 1
	}
	return p
}

// Next returns what a client that has m asks for with a blocking reload: the part
// after the last one, or the next segment where there are no parts.
func (m *Media) Next() Position {
	if m.PartTarget <= 0 {
		return Position{m.OpenMSN(), Whole}
	}
	return Position{m.OpenMSN(), len(m.Open.Parts)}
}

// Contains reports whether m answers a blocking reload that asks for p (section
// 6.2.5.2): it lists p or something later. A part beyond the last one of its
// complete segment is part 0 of the next segment. A playlist that has ended
// answers everything.
func (m *Media) Contains(p Position) bool {
	open := m.OpenMSN()
	switch {
	case m.EndList:
		return true
	case p.MSN > open:
		return false
	case p.MSN == open:
		return p.Part >= 0 && p.Part < len(m.Open.Parts)
	case len(m.Segments) == 0: // what is asked for is gone, and nothing followed yet
		return p.Part >= 0 && len(m.Open.Parts) > 0
	case p.MSN < open-1 || p.Part < 0:
		return true
	}
	last := &m.Segments[len(m.Segments)-1]
	return p.Part < len(last.Parts) || len(last.Parts) == 0 || len(m.Open.Parts) > 0
}

// Hint returns the URI of the part that the playlist hints at, or "".
func (m *Media) Hint() string {
	for i := range m.Hints {
		if m.Hints[i].Type == HintPart {
			return m.Hints[i].URI
		}
	}
	return ""
}

// Duration returns the length of the playlist: of its complete segments, of those
// that a delta update leaves out nothing.
func (m *Media) Duration() time.Duration {
	var d time.Duration
	for i := range m.Segments {
		d += m.Segments[i].Duration
	}
	return d
}

// MinVersion returns the lowest EXT-X-VERSION that allows what is in m (section 8),
// its delta updates included where it offers them.
func (m *Media) MinVersion() int {
	v := 3 // EXTINF with fractions
	for i := range m.Segments {
		s := &m.Segments[i]
		switch {
		case s.Map != Map{}:
			v = max(v, 6)
		case s.ByteRange != ByteRange{}:
			v = max(v, 4)
		}
	}
	if (m.Open.Map != Map{}) {
		v = max(v, 6)
	}
	if m.Control.CanSkipUntil > 0 || m.Skip.Segments > 0 {
		v = max(v, 9)
	}
	if m.Control.CanSkipDateRanges || m.Skip.RemovedDateRanges != nil {
		v = max(v, 10)
	}
	return v
}
