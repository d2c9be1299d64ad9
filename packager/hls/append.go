package hls

import (
	"strconv"
	"time"
)

// Append appends the playlist to dst and returns the longer slice. It allocates
// nothing but what dst needs. A Media with a [Skip] is rendered as the delta
// update that it is.
//
// URIs and titles are written as they are: they must hold neither line breaks nor,
// in tags, double quotes. Texts of Date Ranges are made legal, see [DateRange].
func (m *Media) Append(dst []byte) []byte {
	return m.append(dst, m.Skip, 0)
}

// AppendDelta appends the delta update of a full playlist (sections 4.4.5.2 and
// 6.2.5.1) and reports true. It appends nothing and reports false where the server
// answers with the full playlist instead: the playlist offers no delta updates, has
// ended, or has no segment beyond the skip boundary.
//
// A segment is left out when all of it is further than the skip boundary from the
// end of the last complete segment. The Date Ranges stay.
func (m *Media) AppendDelta(dst []byte) ([]byte, bool) {
	n := m.skippable()
	if n == 0 {
		return dst, false
	}
	return m.append(dst, Skip{Segments: n}, n), true
}

// skippable returns how many of m.Segments a delta update leaves out.
func (m *Media) skippable() int {
	if m.Control.CanSkipUntil <= 0 || m.EndList || m.Skip.Segments > 0 {
		return 0
	}
	var fromEnd time.Duration // from the end of the playlist to that of segment n-1
	for n := len(m.Segments); n > 0; n-- {
		if fromEnd > m.Control.CanSkipUntil {
			return n
		}
		fromEnd += m.Segments[n-1].Duration
	}
	return 0
}

// append renders m without its first n segments, in whose place skip stands.
func (m *Media) append(dst []byte, skip Skip, n int) []byte {
	dst = m.appendHeader(dst, skip)
	for i := range m.DateRanges {
		dst = m.DateRanges[i].append(dst)
	}
	var current Map
	if n > 0 {
		current = m.Segments[n-1].Map
	}
	for i := n; i < len(m.Segments); i++ {
		dst = m.Segments[i].append(dst, current)
		current = m.Segments[i].Map
		dst = m.Segments[i].appendURI(dst)
	}
	dst = m.Open.append(dst, current)
	for i := range m.Hints {
		dst = m.Hints[i].append(dst)
	}
	for i := range m.Reports {
		dst = m.Reports[i].append(dst)
	}
	if m.EndList {
		dst = append(dst, "#EXT-X-ENDLIST\n"...)
	}
	return dst
}

func (m *Media) appendHeader(dst []byte, skip Skip) []byte {
	dst = append(dst, "#EXTM3U\n"...)
	version := m.Version
	if skip.Segments > 0 && version > 0 {
		version = max(version, 9)
	}
	if version > 0 {
		dst = appendIntTag(dst, "#EXT-X-VERSION:", int64(version))
	}
	seconds := (max(m.TargetDuration, 0) + time.Second - 1) / time.Second
	dst = appendIntTag(dst, "#EXT-X-TARGETDURATION:", int64(seconds))
	dst = m.Control.append(dst)
	if m.PartTarget > 0 {
		dst = append(dst, "#EXT-X-PART-INF:PART-TARGET="...)
		dst = append(appendSeconds(dst, m.PartTarget), '\n')
	}
	dst = appendIntTag(dst, "#EXT-X-MEDIA-SEQUENCE:", m.MediaSequence)
	if m.DiscontinuitySequence != 0 {
		dst = appendIntTag(dst, "#EXT-X-DISCONTINUITY-SEQUENCE:", m.DiscontinuitySequence)
	}
	if m.PlaylistType != "" {
		dst = append(dst, "#EXT-X-PLAYLIST-TYPE:"...)
		dst = append(append(dst, m.PlaylistType...), '\n')
	}
	if m.IndependentSegments {
		dst = append(dst, "#EXT-X-INDEPENDENT-SEGMENTS\n"...)
	}
	return skip.append(dst)
}

func appendIntTag(dst []byte, tag string, n int64) []byte {
	dst = append(dst, tag...)
	return append(strconv.AppendInt(dst, n, 10), '\n')
}

func (c *ServerControl) append(dst []byte) []byte {
	if (*c == ServerControl{}) {
		return dst
	}
	dst = append(dst, "#EXT-X-SERVER-CONTROL:"...)
	first := len(dst)
	if c.CanBlockReload {
		dst = append(dst, "CAN-BLOCK-RELOAD=YES,"...)
	}
	if c.CanSkipUntil > 0 {
		dst = append(dst, "CAN-SKIP-UNTIL="...)
		dst = append(appendSeconds(dst, c.CanSkipUntil), ',')
	}
	if c.CanSkipDateRanges {
		dst = append(dst, "CAN-SKIP-DATERANGES=YES,"...)
	}
	if c.HoldBack > 0 {
		dst = append(dst, "HOLD-BACK="...)
		dst = append(appendSeconds(dst, c.HoldBack), ',')
	}
	if c.PartHoldBack > 0 {
		dst = append(dst, "PART-HOLD-BACK="...)
		dst = append(appendSeconds(dst, c.PartHoldBack), ',')
	}
	if len(dst) == first { // negative durations only
		return dst[:first-len("#EXT-X-SERVER-CONTROL:")]
	}
	dst[len(dst)-1] = '\n'
	return dst
}

func (s *Skip) append(dst []byte) []byte {
	if s.Segments <= 0 && s.RemovedDateRanges == nil {
		return dst
	}
	dst = append(dst, "#EXT-X-SKIP:SKIPPED-SEGMENTS="...)
	dst = strconv.AppendInt(dst, int64(s.Segments), 10)
	if s.RemovedDateRanges != nil {
		dst = append(dst, `,RECENTLY-REMOVED-DATERANGES="`...)
		for i, id := range s.RemovedDateRanges {
			if i > 0 {
				dst = append(dst, '\t')
			}
			dst = append(dst, id...)
		}
		dst = append(dst, '"')
	}
	return append(dst, '\n')
}

// append writes the tags that stand before the first part (section 4.4.4.9), then
// the parts.
func (s *Segment) append(dst []byte, current Map) []byte {
	if s.Discontinuity {
		dst = append(dst, "#EXT-X-DISCONTINUITY\n"...)
	}
	if s.Map.URI != "" && s.Map != current {
		dst = append(dst, `#EXT-X-MAP:URI="`...)
		dst = append(append(dst, s.Map.URI...), '"')
		if (s.Map.ByteRange != ByteRange{}) {
			dst = s.Map.ByteRange.append(append(dst, `,BYTERANGE="`...))
			dst = append(dst, '"')
		}
		dst = append(dst, '\n')
	}
	if !s.PDT.IsZero() {
		dst = append(dst, "#EXT-X-PROGRAM-DATE-TIME:"...)
		dst = append(appendTime(dst, s.PDT), '\n')
	}
	if s.Gap {
		dst = append(dst, "#EXT-X-GAP\n"...)
	}
	for i := range s.Parts {
		dst = s.Parts[i].append(dst)
	}
	return dst
}

// appendURI writes what makes the segment complete.
func (s *Segment) appendURI(dst []byte) []byte {
	dst = append(dst, "#EXTINF:"...)
	dst = append(appendSeconds(dst, s.Duration), ',')
	dst = append(append(dst, s.Title...), '\n')
	if (s.ByteRange != ByteRange{}) {
		dst = s.ByteRange.append(append(dst, "#EXT-X-BYTERANGE:"...))
		dst = append(dst, '\n')
	}
	return append(append(dst, s.URI...), '\n')
}

func (b *ByteRange) append(dst []byte) []byte {
	dst = append(strconv.AppendInt(dst, b.Length, 10), '@')
	return strconv.AppendInt(dst, b.Start, 10)
}

func (p *Part) append(dst []byte) []byte {
	dst = append(dst, "#EXT-X-PART:DURATION="...)
	dst = appendSeconds(dst, p.Duration)
	dst = append(dst, `,URI="`...)
	dst = append(append(dst, p.URI...), '"')
	if (p.ByteRange != ByteRange{}) {
		dst = p.ByteRange.append(append(dst, `,BYTERANGE="`...))
		dst = append(dst, '"')
	}
	if p.Independent {
		dst = append(dst, ",INDEPENDENT=YES"...)
	}
	if p.Gap {
		dst = append(dst, ",GAP=YES"...)
	}
	return append(dst, '\n')
}

func (h *PreloadHint) append(dst []byte) []byte {
	dst = append(append(dst, "#EXT-X-PRELOAD-HINT:TYPE="...), h.Type...)
	dst = append(dst, `,URI="`...)
	dst = append(append(dst, h.URI...), '"')
	if h.ByteRange.Start != 0 {
		dst = append(dst, ",BYTERANGE-START="...)
		dst = strconv.AppendInt(dst, h.ByteRange.Start, 10)
	}
	if h.ByteRange.Length != 0 {
		dst = append(dst, ",BYTERANGE-LENGTH="...)
		dst = strconv.AppendInt(dst, h.ByteRange.Length, 10)
	}
	return append(dst, '\n')
}

func (r *RenditionReport) append(dst []byte) []byte {
	dst = append(dst, `#EXT-X-RENDITION-REPORT:URI="`...)
	dst = append(append(dst, r.URI...), '"')
	if r.Last.MSN >= 0 {
		dst = append(dst, ",LAST-MSN="...)
		dst = strconv.AppendInt(dst, r.Last.MSN, 10)
	}
	if r.Last.Part >= 0 {
		dst = append(dst, ",LAST-PART="...)
		dst = strconv.AppendInt(dst, int64(r.Last.Part), 10)
	}
	return append(dst, '\n')
}
