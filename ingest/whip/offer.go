package whip

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/pion/sdp/v3"
)

const (
	// mostSections bounds the media sections of an offer.
	mostSections = 4
	// mostFormats and mostAttributes bound a section. To answer one takes as much time as
	// formats times attributes, or more: with 64 kB of both a minute and longer. Browsers
	// have 60 numbers for formats and some 300 attributes.
	mostFormats, mostAttributes = 64, 512
	// mostCandidates bounds what a client may say of its addresses.
	mostCandidates = 32
)

var (
	errSDP          = errors.New("not an SDP offer")
	errUnacceptable = errors.New("an offer that cannot be accepted")
)

// An offer is what a client sent, with what we do not want taken out of it.
type offer struct {
	*sdp.SessionDescription
	audio *sdp.MediaDescription
}

// parseOffer reads an offer of k. It refuses what can never be answered with
// errUnacceptable, switches video off, and drops candidates that are not addresses.
func parseOffer(body []byte, k kind) (offer, error) {
	o := offer{SessionDescription: &sdp.SessionDescription{}}
	if err := o.Unmarshal(body); err != nil {
		return o, fmt.Errorf("%w: %w", errSDP, err)
	}
	if len(body) == 0 { // which the parser takes
		return o, errSDP
	}
	if n := len(o.MediaDescriptions); n > mostSections {
		return o, fmt.Errorf("%w: %d media sections", errUnacceptable, n)
	}
	for _, m := range o.MediaDescriptions {
		if f, a := len(m.MediaName.Formats), len(m.Attributes); f > mostFormats || a > mostAttributes {
			return o, fmt.Errorf("%w: a media section with %d formats and %d attributes", errSDP, f, a)
		}
		if _, ok := m.Attribute(sdp.AttrKeyMID); !ok {
			return o, fmt.Errorf("%w: a media section without a=mid", errSDP)
		}
		switch {
		case m.MediaName.Media == "video":
			setDirection(m, "inactive")
		case m.MediaName.Media != "audio":
			return o, fmt.Errorf("%w: media section %q", errUnacceptable, m.MediaName.Media)
		case o.audio != nil:
			return o, fmt.Errorf("%w: more than one audio section", errUnacceptable)
		default:
			o.audio = m
		}
	}
	if o.audio == nil || payloadType(o.audio, "opus") == "" {
		return o, fmt.Errorf("%w: no Opus audio", errUnacceptable)
	}
	if d := direction(o.SessionDescription, o.audio); d != k.offers() && d != "sendrecv" {
		return o, fmt.Errorf("%w: audio is %s, %s is for %s", errUnacceptable, d, k, k.offers())
	}
	setDirection(o.audio, k.offers())
	if n := o.keepAddresses(); n > mostCandidates {
		return o, fmt.Errorf("%w: %d candidates", errSDP, n)
	}
	return o, nil
}

// keepAddresses drops candidates that are no addresses and says how many there were.
func (o offer) keepAddresses() int {
	n := 0
	for _, m := range o.MediaDescriptions {
		m.Attributes = slices.DeleteFunc(m.Attributes, func(a sdp.Attribute) bool {
			if a.Key != sdp.AttrKeyCandidate {
				return false
			}
			n++
			return !isAddress(a.Value)
		})
	}
	return n
}

// isAddress reports that the candidate names an address of UDP or TCP and no host to
// look up.
func isAddress(candidate string) bool {
	f := strings.Fields(candidate)
	if len(f) < 8 || !strings.EqualFold(f[2], "udp") && !strings.EqualFold(f[2], "tcp") {
		return false
	}
	_, err := netip.ParseAddr(f[4])
	return err == nil
}

// isRTCP reports that a candidate is for RTCP alone, which has no port of its own here.
func isRTCP(candidate string) bool {
	f := strings.Fields(candidate)
	return len(f) > 1 && f[1] == "2"
}

var directions = []string{"sendrecv", "sendonly", "recvonly", "inactive"}

func direction(s *sdp.SessionDescription, m *sdp.MediaDescription) string {
	for _, d := range directions {
		if _, ok := m.Attribute(d); ok {
			return d
		}
	}
	for _, d := range directions {
		if _, ok := s.Attribute(d); ok {
			return d
		}
	}
	return "sendrecv"
}

func setDirection(m *sdp.MediaDescription, d string) {
	m.Attributes = slices.DeleteFunc(m.Attributes, func(a sdp.Attribute) bool { return slices.Contains(directions, a.Key) })
	m.WithPropertyAttribute(d)
}

// payloadType returns the payload type of a codec at 48 kHz with two channels, empty
// when it is not there.
func payloadType(m *sdp.MediaDescription, codec string) string {
	for _, a := range m.Attributes {
		pt, encoding, _ := strings.Cut(a.Value, " ")
		if a.Key == "rtpmap" && strings.EqualFold(encoding, codec+"/48000/2") && slices.Contains(m.MediaName.Formats, pt) {
			return pt
		}
	}
	return ""
}

// Of Opus in an answer, RFC 7587 section 6.1: what we would like to receive.
const (
	talkFmtp  = "minptime=10;useinbandfec=1"
	musicFmtp = talkFmtp + ";stereo=1;sprop-stereo=1;maxaveragebitrate=128000"
)

// shapeAnswer asks for what we would like to receive: error correction, mono or for
// music stereo at 128 kbit/s, and for voices RED first where it was offered. (In-band
// correction does not exist at music's rates, and RED would double them.) Candidates
// have the public addresses.
func shapeAnswer(text string, music bool, public []netip.Addr) (string, error) {
	var s sdp.SessionDescription
	if err := s.UnmarshalString(text); err != nil {
		return "", fmt.Errorf("read the answer: %w", err)
	}
	for _, m := range s.MediaDescriptions {
		m.Attributes = slices.DeleteFunc(m.Attributes, func(a sdp.Attribute) bool { return a.Key == sdp.AttrKeyCandidate && isRTCP(a.Value) })
		if m.MediaName.Media != "audio" {
			continue
		}
		opus, fmtp := payloadType(m, "opus"), talkFmtp
		if music {
			fmtp = musicFmtp
		}
		m.Attributes = slices.DeleteFunc(m.Attributes, func(a sdp.Attribute) bool {
			return a.Key == "fmtp" && strings.HasPrefix(a.Value, opus+" ")
		})
		m.WithValueAttribute("fmtp", opus+" "+fmtp)
		first := payloadType(m, "red")
		if music || first == "" {
			first = opus
		}
		f := slices.DeleteFunc(m.MediaName.Formats, func(pt string) bool { return pt == first })
		m.MediaName.Formats = slices.Insert(f, 0, first)
	}
	publish(&s, public)
	b, err := s.Marshal()
	if err != nil {
		return "", fmt.Errorf("write the answer: %w", err)
	}
	return string(b), nil
}
