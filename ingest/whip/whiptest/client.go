package whiptest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/pion/logging"
	"github.com/pion/transport/v4"
	"github.com/pion/transport/v4/stdnet"
	"github.com/pion/webrtc/v4"
)

// A Client is one WebRTC connection that was set up by WHIP or WHEP.
type Client struct {
	PC       *webrtc.PeerConnection
	Resource string // the session's URL
	ETag     string
	Answer   string // as it came
	Header   http.Header

	token string
}

// Transport says by what a client reaches the server.
type Transport string

// The transports.
const (
	UDP Transport = "udp"
	TCP Transport = "tcp"
)

// Options of a client; the zero value is a client by UDP.
type Options struct {
	Transport Transport
	// RED offers redundant audio; NACK asks for it to be negotiated.
	RED, NACK bool
	// Video offers a video section too: "first" or "last".
	Video string
	// Relay is the line to the server; nil: straight.
	Relay *Relay
	// Network uses every address of this host, by IPv4 and IPv6, instead of loopback
	// alone; with an empty Transport by UDP and TCP.
	Network bool
	// ICEServers are STUN and TURN servers; Relayed uses TURN and nothing else.
	ICEServers []webrtc.ICEServer
	Relayed    bool
}

// newPC returns a connection that uses loopback alone, or what o says.
func newPC(o Options) (*webrtc.PeerConnection, error) {
	m := &webrtc.MediaEngine{}
	if err := register(m, o); err != nil {
		return nil, err
	}
	e := webrtc.SettingEngine{LoggerFactory: &logging.DefaultLoggerFactory{Writer: io.Discard}}
	e.SetDTLSRetransmissionInterval(50 * time.Millisecond) // as browsers do
	e.SetRelayAcceptanceMinWait(0)                         // likewise; pion's own is 2 s
	var types []webrtc.NetworkType
	if o.Transport != TCP {
		types = append(types, webrtc.NetworkTypeUDP4)
	}
	if o.Transport == TCP || o.Network && o.Transport == "" {
		types = append(types, webrtc.NetworkTypeTCP4)
	}
	if o.Network {
		for _, t := range types {
			types = append(types, map[webrtc.NetworkType]webrtc.NetworkType{webrtc.NetworkTypeUDP4: webrtc.NetworkTypeUDP6, webrtc.NetworkTypeTCP4: webrtc.NetworkTypeTCP6}[t])
		}
		own, err := stdnet.NewNet()
		if err != nil {
			return nil, fmt.Errorf("list network interfaces: %w", err)
		}
		e.SetNet(&roaming{own})
	} else {
		e.SetIncludeLoopbackCandidate(true)
		e.SetInterfaceFilter(func(name string) bool { return strings.HasPrefix(name, "lo") })
	}
	e.SetNetworkTypes(types)
	c := webrtc.Configuration{ICEServers: o.ICEServers}
	if o.Relayed {
		c.ICETransportPolicy = webrtc.ICETransportPolicyRelay
	}
	pc, err := webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithSettingEngine(e), webrtc.WithInterceptorRegistry(interceptors())).
		NewPeerConnection(c)
	if err != nil {
		return nil, fmt.Errorf("make a connection: %w", err)
	}
	return pc, nil
}

// roaming is a host's network that is looked at anew each time, as browsers do: another
// one may have come.
type roaming struct{ *stdnet.Net }

// Interfaces implements [transport.Net].
func (r *roaming) Interfaces() ([]*transport.Interface, error) {
	if err := r.UpdateInterfaces(); err != nil {
		return nil, fmt.Errorf("list network interfaces: %w", err)
	}
	return r.Net.Interfaces()
}

// dial sends pc's offer to a WHIP or WHEP address and takes the answer.
func dial(ctx context.Context, pc *webrtc.PeerConnection, address, token string, o Options) (*Client, error) {
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		return nil, fmt.Errorf("make an offer: %w", err)
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(offer); err != nil {
		return nil, fmt.Errorf("make an offer: %w", err)
	}
	<-gathered
	c := &Client{PC: pc, token: token}
	text := pc.LocalDescription().SDP
	if o.Relay != nil { // else the server would find a way around it
		text = candidates.ReplaceAllString(text, "")
	}
	status, body, err := c.do(ctx, http.MethodPost, address, text, "Content-Type", "application/sdp")
	if err != nil {
		return nil, err
	}
	if status != http.StatusCreated {
		return nil, &StatusError{status, strings.TrimSpace(body)}
	}
	c.Answer, c.ETag = body, c.Header.Get("ETag")
	at, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("address: %w", err)
	}
	at, err = at.Parse(c.Header.Get("Location"))
	if err != nil {
		return nil, fmt.Errorf("location: %w", err)
	}
	c.Resource = at.String()
	if o.Relay != nil {
		body = o.Relay.through(body)
	}
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: body}); err != nil {
		return nil, fmt.Errorf("take the answer: %w", err)
	}
	return c, nil
}

// A StatusError is an answer that is not 201.
type StatusError struct {
	Status int
	Text   string
}

func (e *StatusError) Error() string { return fmt.Sprintf("answered %d: %s", e.Status, e.Text) }

// do makes a request; header has name and value of one field after the other.
func (c *Client) do(ctx context.Context, method, address, body string, header ...string) (int, string, error) {
	r, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		return 0, "", fmt.Errorf("%s: %w", method, err)
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", fmt.Errorf("%s: %w", method, err)
	}
	defer func() { _ = a.Body.Close() }()
	b, err := io.ReadAll(a.Body)
	if err != nil {
		return 0, "", fmt.Errorf("%s: %w", method, err)
	}
	c.Header = a.Header
	return a.StatusCode, string(b), nil
}

// Patch sends a fragment to the session and returns what it answered.
func (c *Client) Patch(ctx context.Context, match, fragment string) (status int, body string, err error) {
	return c.do(ctx, http.MethodPatch, c.Resource, fragment, "Content-Type", "application/trickle-ice-sdpfrag", "If-Match", match)
}

// Delete says goodbye.
func (c *Client) Delete(ctx context.Context) error {
	status, body, err := c.do(ctx, http.MethodDelete, c.Resource, "")
	if err == nil && status != http.StatusOK {
		err = &StatusError{status, body}
	}
	return errors.Join(err, c.PC.Close())
}

// Vanish ends the connection without a word: neither HTTP nor DTLS.
func (c *Client) Vanish() error { return c.PC.Close() }

// RestartICE begins a new ICE session by PATCH, as a browser does that has another
// network.
func (c *Client) RestartICE(ctx context.Context) error {
	offer, err := c.PC.CreateOffer(&webrtc.OfferOptions{ICERestart: true})
	if err != nil {
		return fmt.Errorf("make an offer: %w", err)
	}
	gathered := webrtc.GatheringCompletePromise(c.PC)
	if err := c.PC.SetLocalDescription(offer); err != nil {
		return fmt.Errorf("make an offer: %w", err)
	}
	<-gathered
	status, body, err := c.Patch(ctx, "*", fragment(c.PC.LocalDescription().SDP))
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return &StatusError{status, body}
	}
	c.ETag = c.Header.Get("ETag")
	c.Answer = renewed(c.Answer, body)
	if err := c.PC.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: c.Answer}); err != nil {
		return fmt.Errorf("take the answer: %w", err)
	}
	return nil
}

// iceLines are what a fragment has of an offer.
var iceLines = regexp.MustCompile(`(?m)^(a=ice-(ufrag|pwd):|a=candidate:|a=mid:|m=).*\r?\n`)

// fragment returns the ICE session of an offer's first media section.
func fragment(offer string) string {
	lines := iceLines.FindAllString(offer, -1)
	var head, rest []string
	sections := 0
	for _, l := range lines {
		if strings.HasPrefix(l, "m=") {
			sections++
		}
		switch {
		case sections > 1:
		case strings.HasPrefix(l, "a=ice-"):
			head = append(head, l)
		default:
			rest = append(rest, l)
		}
	}
	return strings.Join(head, "") + strings.Join(rest, "") + "a=end-of-candidates\r\n"
}

// renewed returns an answer with the credentials and candidates of a fragment.
func renewed(answer, fragment string) string {
	var fresh []string
	for _, l := range iceLines.FindAllString(fragment, -1) {
		if !strings.HasPrefix(l, "m=") && !strings.HasPrefix(l, "a=mid:") {
			fresh = append(fresh, l)
		}
	}
	answer = regexp.MustCompile(`(?m)^a=(ice-ufrag|ice-pwd|candidate):.*\r?\n`).ReplaceAllString(answer, "")
	return regexp.MustCompile(`(?m)^a=mid:.*\r?\n`).ReplaceAllStringFunc(answer, func(mid string) string { return mid + strings.Join(fresh, "") })
}
