package hls

import "strconv"

// The spellings of CODECS (RFC 6381) that we write. Opus is spelled as its
// registration and Safari do.
const (
	CodecOpus  = "Opus"
	CodecAACLC = "mp4a.40.2"
)

// A Multivariant is a multivariant playlist (section 4.4.6).
type Multivariant struct {
	// Version is EXT-X-VERSION. Zero is not written.
	Version int
	// IndependentSegments is EXT-X-INDEPENDENT-SEGMENTS, for all media playlists.
	IndependentSegments bool
	// Steering is EXT-X-CONTENT-STEERING; zero is not written (section 4.4.6.6).
	Steering ContentSteering
	// Renditions are EXT-X-MEDIA tags (section 4.4.6.1).
	Renditions []Rendition
	// Variants are in the order of writing: players begin with the first.
	Variants []Variant
}

// A Variant is EXT-X-STREAM-INF with its URI (section 4.4.6.2). Empty strings and
// zeros are not written.
type Variant struct {
	URI string
	// Bandwidth is the peak segment bit rate in bit/s, overhead included. Required.
	Bandwidth int64
	// AverageBandwidth is the average segment bit rate in bit/s.
	AverageBandwidth int64
	// Codecs is the list of formats (RFC 6381).
	Codecs string
	// StableID is STABLE-VARIANT-ID: the same on every pathway.
	StableID string
	// PathwayID is PATHWAY-ID; empty means ".".
	PathwayID string
	// Audio is the GROUP-ID of the renditions to be played with this variant.
	Audio string
}

// A Rendition is EXT-X-MEDIA (section 4.4.6.1).
type Rendition struct {
	Type    string // AUDIO, VIDEO, SUBTITLES or CLOSED-CAPTIONS
	GroupID string
	Name    string // written through [Text]
	// Language is a tag of RFC 5646.
	Language string
	// URI is empty when the rendition is in the variant itself.
	URI      string
	StableID string // STABLE-RENDITION-ID
	// Channels is CHANNELS: the count, then parameters ("2", "16/JOC"). It is the
	// only place where the standard has a number of channels.
	Channels   string
	Default    bool
	Autoselect bool
}

// A ContentSteering is EXT-X-CONTENT-STEERING.
type ContentSteering struct {
	ServerURI string
	PathwayID string // of the pathway to begin with
}

// Append appends the playlist to dst and returns the longer slice. URIs and
// identifiers are written as they are.
func (m *Multivariant) Append(dst []byte) []byte {
	dst = append(dst, "#EXTM3U\n"...)
	if m.Version > 0 {
		dst = appendIntTag(dst, "#EXT-X-VERSION:", int64(m.Version))
	}
	if m.IndependentSegments {
		dst = append(dst, "#EXT-X-INDEPENDENT-SEGMENTS\n"...)
	}
	if m.Steering.ServerURI != "" {
		dst = append(dst, "#EXT-X-CONTENT-STEERING:"...)
		dst = appendString(dst, "SERVER-URI", m.Steering.ServerURI)
		dst = appendString(dst, "PATHWAY-ID", m.Steering.PathwayID)
		dst[len(dst)-1] = '\n'
	}
	for i := range m.Renditions {
		dst = m.Renditions[i].append(dst)
	}
	for i := range m.Variants {
		dst = m.Variants[i].append(dst)
	}
	return dst
}

func (v *Variant) append(dst []byte) []byte {
	dst = append(dst, "#EXT-X-STREAM-INF:BANDWIDTH="...)
	dst = append(strconv.AppendInt(dst, v.Bandwidth, 10), ',')
	if v.AverageBandwidth > 0 {
		dst = append(dst, "AVERAGE-BANDWIDTH="...)
		dst = append(strconv.AppendInt(dst, v.AverageBandwidth, 10), ',')
	}
	dst = appendString(dst, "CODECS", v.Codecs)
	dst = appendString(dst, "AUDIO", v.Audio)
	dst = appendString(dst, "STABLE-VARIANT-ID", v.StableID)
	dst = appendString(dst, "PATHWAY-ID", v.PathwayID)
	dst[len(dst)-1] = '\n'
	return append(append(dst, v.URI...), '\n')
}

func (r *Rendition) append(dst []byte) []byte {
	dst = append(append(dst, "#EXT-X-MEDIA:TYPE="...), r.Type...)
	dst = append(dst, ',')
	dst = appendString(dst, "GROUP-ID", r.GroupID)
	if hasText(r.Name) {
		dst = append(appendQuoted(dst, "NAME", r.Name), ',')
	}
	dst = appendString(dst, "LANGUAGE", r.Language)
	if r.Default {
		dst = append(dst, "DEFAULT=YES,"...)
	}
	if r.Autoselect {
		dst = append(dst, "AUTOSELECT=YES,"...)
	}
	dst = appendString(dst, "CHANNELS", r.Channels)
	dst = appendString(dst, "STABLE-RENDITION-ID", r.StableID)
	dst = appendString(dst, "URI", r.URI)
	dst[len(dst)-1] = '\n'
	return dst
}

// appendString writes name="value" and a comma, or nothing for an empty value.
func appendString(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	dst = append(append(dst, name...), '=', '"')
	return append(append(dst, value...), '"', ',')
}

// ParseMultivariant reads a multivariant playlist. It ignores what it does not
// know, trick-play variants (EXT-X-I-FRAME-STREAM-INF) and session data included.
// Errors are of type [*SyntaxError]. The result shares no memory with b.
func ParseMultivariant(b []byte) (*Multivariant, error) {
	p := multivariantParser{m: new(Multivariant)}
	if err := readLines(b, &p.pos, p.line); err != nil {
		return nil, err
	}
	if p.variant != nil || p.ignored {
		p.pos = place{}
		return nil, p.pos.errorf("EXT-X-STREAM-INF without a URI at the end")
	}
	return p.m, nil
}

// A multivariantParser is the state of [ParseMultivariant].
type multivariantParser struct {
	m       *Multivariant
	pos     place
	seen    uint
	attrs   attrList
	variant *Variant // whose URI is to come
	ignored bool     // the same, but of a variant to be ignored
}

var onceMultivariant = [...]string{"EXT-X-VERSION", "EXT-X-INDEPENDENT-SEGMENTS", "EXT-X-CONTENT-STEERING"}

func (p *multivariantParser) line(tag, value string) error {
	if tag == "" {
		return p.uri(value)
	}
	for i, t := range onceMultivariant {
		if t == tag {
			if p.seen&(1<<i) != 0 {
				return p.pos.errorf("stands twice")
			}
			p.seen |= 1 << i
		}
	}
	switch tag {
	case "EXT-X-VERSION":
		n, ok := parseInt(value)
		if !ok || n > 1000 {
			return p.pos.errorf("no such version")
		}
		p.m.Version = int(n)
	case "EXT-X-INDEPENDENT-SEGMENTS":
		p.m.IndependentSegments = true
	case "EXT-X-CONTENT-STEERING", "EXT-X-MEDIA", "EXT-X-STREAM-INF":
		return p.attrTag(tag, value)
	case "EXT-X-DEFINE":
		return p.pos.errorf("variables are not supported")
	case "EXTINF", "EXT-X-TARGETDURATION", "EXT-X-MEDIA-SEQUENCE", "EXT-X-PART", "EXT-X-PART-INF",
		"EXT-X-SERVER-CONTROL", "EXT-X-ENDLIST", "EXT-X-MAP", "EXT-X-PLAYLIST-TYPE":
		return p.pos.errorf("not a tag of a multivariant playlist")
	}
	return nil
}

func (p *multivariantParser) attrTag(tag, value string) error {
	var reason string
	if p.attrs, reason = parseAttrs(value, p.attrs); reason != "" {
		return p.pos.errorf(reason)
	}
	if p.attrs.required() {
		p.ignored = p.ignored || tag == "EXT-X-STREAM-INF"
		return nil
	}
	r := attrReader{list: p.attrs}
	switch tag {
	case "EXT-X-CONTENT-STEERING":
		p.m.Steering = ContentSteering{ServerURI: r.quoted("SERVER-URI"), PathwayID: r.optional("PATHWAY-ID")}
	case "EXT-X-MEDIA":
		p.m.Renditions = append(p.m.Renditions, parseRendition(&r))
	case "EXT-X-STREAM-INF":
		if p.variant != nil || p.ignored {
			r.fail("the variant before has no URI")
		}
		p.variant = &Variant{
			Bandwidth:        r.integer("BANDWIDTH", -1),
			AverageBandwidth: r.integer("AVERAGE-BANDWIDTH", 0),
			Codecs:           r.optional("CODECS"),
			StableID:         r.optional("STABLE-VARIANT-ID"),
			PathwayID:        r.optional("PATHWAY-ID"),
			Audio:            r.optional("AUDIO"),
		}
		if p.variant.Bandwidth < 0 {
			r.fail("BANDWIDTH is missing")
		}
	}
	if r.reason != "" {
		return p.pos.errorf(r.reason)
	}
	return nil
}

func parseRendition(r *attrReader) Rendition {
	t, ok := r.list.get("TYPE")
	if !ok {
		r.fail("TYPE is missing")
	}
	return Rendition{
		Type:       t.value,
		GroupID:    r.quoted("GROUP-ID"),
		Name:       Text(r.quoted("NAME")),
		Language:   r.optional("LANGUAGE"),
		URI:        r.optional("URI"),
		StableID:   r.optional("STABLE-RENDITION-ID"),
		Channels:   r.optional("CHANNELS"),
		Default:    r.yes("DEFAULT"),
		Autoselect: r.yes("AUTOSELECT"),
	}
}

func (p *multivariantParser) uri(uri string) error {
	switch {
	case p.ignored:
		p.ignored = false // so is its URI (section 6.3.1)
	case p.variant == nil:
		return p.pos.errorf("URI without EXT-X-STREAM-INF")
	default:
		p.variant.URI = uri
		p.m.Variants = append(p.m.Variants, *p.variant)
		p.variant = nil
	}
	return nil
}
