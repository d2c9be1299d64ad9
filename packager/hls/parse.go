package hls

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A SyntaxError says why a playlist cannot be read, and where.
type SyntaxError struct {
	Line   int    // from 1; 0 means the playlist as a whole
	Tag    string // without '#'; may be empty
	Reason string
}

func (e *SyntaxError) Error() string {
	var b strings.Builder
	if e.Line > 0 {
		b.WriteString("line " + strconv.Itoa(e.Line) + ": ")
	}
	if e.Tag != "" {
		b.WriteString(e.Tag + ": ")
	}
	return b.String() + e.Reason
}

// Limits of what is read, so that numbers never overflow.
const (
	maxMSN  = 1 << 60
	maxSkip = 1 << 30
)

// IsMultivariant reports whether b looks like a multivariant playlist: it has one of
// the tags that only those have (section 4.4.6).
func IsMultivariant(b []byte) bool {
	for line := range strings.Lines(string(b)) {
		tag, _, _ := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
		if multivariantTag(tag) {
			return true
		}
	}
	return false
}

func multivariantTag(tag string) bool {
	switch tag {
	case "#EXT-X-STREAM-INF", "#EXT-X-MEDIA", "#EXT-X-I-FRAME-STREAM-INF",
		"#EXT-X-SESSION-DATA", "#EXT-X-SESSION-KEY", "#EXT-X-CONTENT-STEERING":
		return true
	}
	return false
}

// ParseMedia reads a media playlist. It ignores tags and attributes that it does not
// know, as section 6.3.1 demands; what it knows must be well formed. Byte ranges
// without an offset get the one that they imply. Errors are of type [*SyntaxError].
//
// The result shares no memory with b.
func ParseMedia(b []byte) (*Media, error) {
	p := mediaParser{m: new(Media)}
	if err := readLines(b, &p.pos, p.line); err != nil {
		return nil, err
	}
	if err := p.finish(); err != nil {
		return nil, err
	}
	return p.m, nil
}

// A place is where a parser is.
type place struct {
	line int
	tag  string
}

func (p *place) errorf(reason string) error {
	return &SyntaxError{Line: p.line, Tag: p.tag, Reason: reason}
}

// readLines checks what holds for every playlist (section 4.1) and hands f each tag
// with its value, and each URI line with an empty tag.
func readLines(b []byte, pos *place, f func(tag, value string) error) error {
	if !utf8.Valid(b) {
		return pos.errorf("not UTF-8")
	}
	text := string(b)
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		pos.line++
		pos.tag = ""
		if i := strings.IndexFunc(line, isControl); i >= 0 {
			return pos.errorf("control character at column " + strconv.Itoa(i+1))
		}
		var err error
		switch {
		case pos.line == 1:
			if line != "#EXTM3U" {
				return pos.errorf("#EXTM3U expected")
			}
		case strings.HasPrefix(line, "#EXT"):
			tag, value, _ := strings.Cut(line, ":")
			pos.tag = tag[1:]
			err = f(pos.tag, value)
		case strings.TrimSpace(line) == "" || line[0] == '#':
		default:
			err = f("", line)
		}
		if err != nil {
			return err
		}
	}
	pos.tag = ""
	if pos.line == 0 {
		return pos.errorf("empty file")
	}
	return nil
}

// isControl reports the characters that section 4.1 forbids in a playlist. A tab
// divides the IDs of RECENTLY-REMOVED-DATERANGES.
func isControl(r rune) bool {
	return r < ' ' && r != '\t' || 0x7f <= r && r < 0xa0
}

// A mediaParser is the state of [ParseMedia].
type mediaParser struct {
	m       *Media
	pos     place
	seen    uint // bits of the tags that may stand once
	attrs   attrList
	seg     Segment // what is known of the segment whose URI has not come yet
	current Map
	started bool // seg has a tag
	hasInf  bool // seg has its EXTINF
	ranges  implied
	parts   implied
}

// once holds the tags that stand at most once (sections 4.4.1.2, 4.4.2, 4.4.3 and
// 4.4.5); the position of a tag is its bit in seen.
var once = [...]string{
	"EXT-X-VERSION", "EXT-X-TARGETDURATION", "EXT-X-MEDIA-SEQUENCE",
	"EXT-X-DISCONTINUITY-SEQUENCE", "EXT-X-PLAYLIST-TYPE", "EXT-X-PART-INF",
	"EXT-X-SERVER-CONTROL", "EXT-X-INDEPENDENT-SEGMENTS", "EXT-X-SKIP", "EXT-X-ENDLIST",
}

func (p *mediaParser) line(tag, value string) error {
	if tag == "" {
		return p.uri(value)
	}
	for i, t := range once {
		if t != tag {
			continue
		}
		if p.seen&(1<<i) != 0 {
			return p.pos.errorf("stands twice")
		}
		p.seen |= 1 << i
	}
	switch tag {
	case "EXT-X-VERSION", "EXT-X-TARGETDURATION", "EXT-X-MEDIA-SEQUENCE", "EXT-X-DISCONTINUITY-SEQUENCE":
		return p.number(tag, value)
	case "EXT-X-PLAYLIST-TYPE":
		if value != TypeEvent && value != TypeVOD {
			return p.pos.errorf("neither EVENT nor VOD")
		}
		p.m.PlaylistType = value
	case "EXT-X-INDEPENDENT-SEGMENTS":
		p.m.IndependentSegments = true
	case "EXT-X-ENDLIST":
		p.m.EndList = true
	case "EXTINF", "EXT-X-PROGRAM-DATE-TIME", "EXT-X-GAP", "EXT-X-DISCONTINUITY", "EXT-X-BYTERANGE":
		return p.segmentTag(tag, value)
	case "EXT-X-MAP", "EXT-X-PART", "EXT-X-SERVER-CONTROL", "EXT-X-PART-INF", "EXT-X-SKIP", "EXT-X-KEY",
		"EXT-X-PRELOAD-HINT", "EXT-X-RENDITION-REPORT", "EXT-X-DATERANGE":
		return p.attrTag(tag, value)
	case "EXT-X-DEFINE":
		return p.pos.errorf("variables are not supported")
	case "EXT-X-I-FRAMES-ONLY":
		return p.pos.errorf("I-frame playlists are not supported")
	default:
		if multivariantTag("#" + tag) {
			return p.pos.errorf("not a tag of a media playlist")
		}
	}
	return nil
}

// number reads the tags whose value is a decimal-integer.
func (p *mediaParser) number(tag, value string) error {
	n, ok := parseInt(value)
	if !ok {
		return p.pos.errorf("not a decimal integer")
	}
	late := len(p.m.Segments) > 0 || len(p.seg.Parts) > 0
	switch tag {
	case "EXT-X-VERSION":
		if n > 1000 {
			return p.pos.errorf("no such version")
		}
		p.m.Version = int(n)
	case "EXT-X-TARGETDURATION":
		if n < 1 || n > maxSeconds {
			return p.pos.errorf("out of range")
		}
		p.m.TargetDuration = time.Duration(n) * time.Second
	case "EXT-X-MEDIA-SEQUENCE":
		if late {
			return p.pos.errorf("stands after the first segment")
		}
		p.m.MediaSequence = n
	case "EXT-X-DISCONTINUITY-SEQUENCE":
		if late || p.seg.Discontinuity {
			return p.pos.errorf("stands after the first segment")
		}
		p.m.DiscontinuitySequence = n
	}
	if n > maxMSN {
		return p.pos.errorf("out of range")
	}
	return nil
}

// segmentTag reads the tags of a segment that are no attribute-lists.
func (p *mediaParser) segmentTag(tag, value string) error {
	p.started = true
	switch tag {
	case "EXTINF":
		seconds, title, _ := strings.Cut(value, ",")
		d, ok := parseSeconds(strings.TrimSpace(seconds))
		if !ok {
			return p.pos.errorf("not a duration")
		}
		if strings.TrimSpace(title) == "" {
			title = ""
		}
		p.seg.Duration, p.seg.Title, p.hasInf = d, title, true
	case "EXT-X-PROGRAM-DATE-TIME":
		t, ok := parseTime(value)
		if !ok {
			return p.pos.errorf("not a date and time")
		}
		p.seg.PDT = t
	case "EXT-X-GAP":
		p.seg.Gap = true
	case "EXT-X-DISCONTINUITY":
		p.seg.Discontinuity = true
	case "EXT-X-BYTERANGE":
		var ok bool
		if p.seg.ByteRange, ok = parseByteRange(value); !ok {
			return p.pos.errorf("not a byte range")
		}
	}
	return nil
}

// uri ends a segment.
func (p *mediaParser) uri(uri string) error {
	if !p.hasInf {
		return p.pos.errorf("URI without EXTINF")
	}
	p.seg.URI = uri
	p.seg.Map = p.current
	if !p.ranges.resolve(&p.seg.ByteRange, uri) {
		return p.pos.errorf("byte range without an offset does not follow one of the same resource")
	}
	p.m.Segments = append(p.m.Segments, p.seg)
	p.seg, p.started, p.hasInf, p.parts = Segment{}, false, false, implied{}
	return nil
}

func (p *mediaParser) finish() error {
	p.pos = place{}
	m := p.m
	switch {
	case m.TargetDuration == 0:
		return p.pos.errorf("EXT-X-TARGETDURATION is missing")
	case p.hasInf:
		return p.pos.errorf("EXTINF without a URI at the end")
	case p.seg.ByteRange != ByteRange{}:
		return p.pos.errorf("EXT-X-BYTERANGE without a URI at the end")
	case p.started:
		p.seg.Map = p.current
		m.Open = p.seg
	}
	return nil
}

// An implied keeps the end of the last byte range, from which one without an
// offset goes on (section 4.4.4.2).
type implied struct {
	uri string
	end int64
}

// resolve fills in the offset of r, a byte range of uri.
func (i *implied) resolve(r *ByteRange, uri string) bool {
	switch {
	case *r == ByteRange{}:
		*i = implied{}
		return true
	case r.Start >= 0:
	case i.uri != uri || uri == "":
		return false
	default:
		r.Start = i.end
	}
	if r.Start > maxMSN {
		return false
	}
	*i = implied{uri: uri, end: r.Start + r.Length}
	return true
}

// parseByteRange reads "<n>[@<o>]"; a missing offset becomes -1.
func parseByteRange(s string) (ByteRange, bool) {
	length, start, hasStart := strings.Cut(s, "@")
	r := ByteRange{Start: -1}
	var ok bool
	if r.Length, ok = parseInt(length); !ok || r.Length == 0 || r.Length > maxMSN {
		return r, false
	}
	if hasStart {
		r.Start, ok = parseInt(start)
	}
	return r, ok && r.Start <= maxMSN
}
