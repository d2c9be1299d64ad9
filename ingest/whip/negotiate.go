package whip

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// iceSession is what PATCH changes: one ICE session follows another.
type iceSession struct {
	mu         sync.Mutex
	offer      offer // the newest
	ufrag      string
	etag       string
	candidates int // trickled
	opus, red  uint8
}

func (i *iceSession) payloadTypes() (opus, red uint8) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.opus, i.red
}

var errNegotiation = errors.New("the offer cannot be answered")

// negotiate answers an offer; the answer holds all our candidates.
func (x *session) negotiate(ctx context.Context, o offer) (answer, etag string, err error) {
	x.ice.mu.Lock()
	defer x.ice.mu.Unlock()
	if err := x.describe(ctx, o); err != nil {
		return "", "", err
	}
	answer, err = shapeAnswer(x.pc.LocalDescription().SDP, x.music, x.media.public)
	if err != nil {
		return "", "", err
	}
	x.ice.opus, x.ice.red = number(payloadType(o.audio, "opus")), number(payloadType(o.audio, "red"))
	x.ice.renew(o)
	return answer, x.ice.etag, nil
}

// describe makes o and our answer to it the connection's descriptions.
func (x *session) describe(ctx context.Context, o offer) error {
	text, err := o.Marshal()
	if err != nil {
		return fmt.Errorf("%w: %w", errSDP, err)
	}
	if err := x.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: string(text)}); err != nil {
		return fmt.Errorf("%w: %w", errNegotiation, err)
	}
	answer, err := x.pc.CreateAnswer(nil)
	if err != nil {
		return fmt.Errorf("%w: %w", errNegotiation, err)
	}
	gathered := webrtc.GatheringCompletePromise(x.pc)
	if err := x.pc.SetLocalDescription(answer); err != nil {
		return fmt.Errorf("%w: %w", errNegotiation, err)
	}
	late := time.NewTimer(gatherWithin)
	defer late.Stop()
	select {
	case <-gathered:
		return nil
	case <-late.C: // what is there has to do
		return nil
	case <-x.over:
		return errStopped
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (i *iceSession) renew(o offer) {
	i.offer, i.candidates = o, 0
	i.ufrag, _ = credentials(o.SessionDescription)
	i.etag = `"` + randomID() + `"`
}

// credentials returns what ICE is authenticated with.
func credentials(s *sdp.SessionDescription) (ufrag, pwd string) {
	ufrag, _ = s.Attribute("ice-ufrag")
	pwd, _ = s.Attribute("ice-pwd")
	for _, m := range s.MediaDescriptions {
		if v, ok := m.Attribute("ice-ufrag"); ok && ufrag == "" {
			ufrag = v
		}
		if v, ok := m.Attribute("ice-pwd"); ok && pwd == "" {
			pwd = v
		}
	}
	return ufrag, pwd
}

var (
	errOutdated = errors.New("this is not the ICE session of now")
	errRestart  = errors.New("ICE cannot be restarted so")
)

// patch takes a fragment: candidates of the ICE session that match names, or with "*"
// the beginning of a new one, which is answered with a fragment and an entity tag.
func (x *session) patch(ctx context.Context, match string, f fragment) (answer, etag string, err error) {
	i := &x.ice
	i.mu.Lock()
	defer i.mu.Unlock()
	fresh := f.ufrag != "" && f.ufrag != i.ufrag
	switch {
	case match != "*" && match != i.etag:
		return "", "", errOutdated
	case fresh && match != "*":
		return "", "", fmt.Errorf("%w: If-Match must be *", errRestart)
	case fresh && f.pwd == "":
		return "", "", fmt.Errorf("%w: no password", errRestart)
	case fresh:
		return x.restart(ctx, f)
	}
	for _, c := range f.candidates {
		if i.candidates++; i.candidates > mostCandidates {
			return "", "", fmt.Errorf("%w: more than %d candidates", errFragment, mostCandidates)
		}
		if err := x.pc.AddICECandidate(webrtc.ICECandidateInit{Candidate: "candidate:" + c.candidate, SDPMid: &c.mid}); err != nil {
			return "", "", fmt.Errorf("%w: %w", errFragment, err)
		}
	}
	return "", "", nil
}

// restart begins a new ICE session under the same DTLS and media.
func (x *session) restart(ctx context.Context, f fragment) (answer, etag string, err error) {
	o, err := x.ice.offer.restarted(f)
	if err != nil {
		return "", "", err
	}
	if err := x.describe(ctx, o); err != nil {
		return "", "", fmt.Errorf("%w: %w", errRestart, err)
	}
	var local sdp.SessionDescription
	if err := local.UnmarshalString(x.pc.LocalDescription().SDP); err != nil {
		return "", "", fmt.Errorf("%w: %w", errRestart, err)
	}
	publish(&local, x.media.public)
	x.ice.renew(o)
	return writeFragment(&local), x.ice.etag, nil
}

// restarted returns the offer again with a fragment's credentials and candidates.
func (o offer) restarted(f fragment) (offer, error) {
	text, err := o.Marshal()
	if err != nil {
		return offer{}, fmt.Errorf("%w: %w", errRestart, err)
	}
	again := offer{SessionDescription: &sdp.SessionDescription{}}
	if err := again.Unmarshal(text); err != nil {
		return offer{}, fmt.Errorf("%w: %w", errRestart, err)
	}
	again.Origin.SessionVersion++
	again.Attributes = replaceICE(again.Attributes, f)
	for i, m := range again.MediaDescriptions {
		m.Attributes = replaceICE(m.Attributes, f)
		if m.MediaName.Media == "audio" {
			again.audio = m
		}
		if i > 0 {
			continue
		}
		for _, c := range f.candidates {
			m.WithValueAttribute(sdp.AttrKeyCandidate, c.candidate)
		}
	}
	return again, nil
}

func replaceICE(attributes []sdp.Attribute, f fragment) []sdp.Attribute {
	var out []sdp.Attribute
	for _, a := range attributes {
		switch a.Key {
		case "ice-ufrag":
			a.Value = f.ufrag
		case "ice-pwd":
			a.Value = f.pwd
		case sdp.AttrKeyCandidate, sdp.AttrKeyEndOfCandidates:
			continue
		}
		out = append(out, a)
	}
	return out
}

// writeFragment returns the ICE session of a description, with the candidates of its
// first media section, which carries all others.
func writeFragment(s *sdp.SessionDescription) string {
	var b strings.Builder
	ufrag, pwd := credentials(s)
	fmt.Fprintf(&b, "a=ice-ufrag:%s\r\na=ice-pwd:%s\r\n", ufrag, pwd)
	m := s.MediaDescriptions[0]
	mid, _ := m.Attribute(sdp.AttrKeyMID)
	fmt.Fprintf(&b, "m=%s\r\na=mid:%s\r\n", m.MediaName.String(), mid)
	for _, a := range m.Attributes {
		if a.Key == sdp.AttrKeyCandidate && !isRTCP(a.Value) {
			fmt.Fprintf(&b, "a=candidate:%s\r\n", a.Value)
		}
	}
	b.WriteString("a=end-of-candidates\r\n")
	return b.String()
}
