package whip

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/nack"
	"github.com/pion/interceptor/pkg/report"
	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/logging"
	"github.com/pion/transport/v4/packetio"
	"github.com/pion/webrtc/v4"
)

const (
	// receiveMTU is the longest datagram that is read.
	receiveMTU = 1460
	// handshakeAgain is when a part of the handshake for media's keys is sent again that
	// was not answered, then after twice the time and so on. With the usual second
	// it is at times not done in 10 s where a tenth of the packets is lost.
	handshakeAgain = 100 * time.Millisecond
	// streamBuffer bounds, in bytes, what waits to be read of one SSRC.
	streamBuffer = 128 << 10
	// mostSSRCs bounds the SSRCs of a session: one of sound, one of its
	// retransmissions, and some of video and of clients that change theirs.
	mostSSRCs = 16
)

// media is what the sessions share of WebRTC: sockets and a certificate.
type media struct {
	addr     *net.UDPAddr
	udp      *addresses
	tcp      ice.TCPMux
	cert     webrtc.Certificate
	settings webrtc.SettingEngine
	public   []netip.Addr
}

// listen opens the sockets.
func listen(o Options, m *metrics) (*media, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a DTLS key: %w", err)
	}
	cert, err := webrtc.GenerateCertificate(key)
	if err != nil {
		return nil, fmt.Errorf("make a DTLS certificate: %w", err)
	}
	x := &media{cert: *cert}
	for _, p := range o.Public {
		addr, err := netip.ParseAddr(p)
		if err != nil {
			return nil, fmt.Errorf("public address %q: %w", p, err)
		}
		x.public = append(x.public, addr.Unmap())
	}
	quiet := &logging.DefaultLoggerFactory{Writer: io.Discard, DefaultLogLevel: logging.LogLevelDisabled}
	x.udp = &addresses{loopback: o.Loopback, log: quiet.NewLogger("ice"), m: m, sockets: map[netip.Addr]*socket{}}
	tcp, err := x.openSockets(o.Address)
	if err != nil {
		return nil, err
	}
	x.addr = x.udp.at
	x.tcp = ice.NewTCPMuxDefault(ice.TCPMuxParams{
		Listener: newConnections(tcp), Logger: quiet.NewLogger("ice"), ReadBufferSize: 64,
		WriteBufferSize: 256 << 10, FirstStunBindTimeout: 5 * time.Second, AliveDurationForConnFromStun: connectWithin,
	})
	x.configure(o, quiet)
	return x, nil
}

func (x *media) configure(o Options, log logging.LoggerFactory) {
	e := &x.settings
	e.LoggerFactory = log
	e.SetICEUDPMux(x.udp)
	e.SetICETCPMux(x.tcp)
	e.DisableActiveTCP(true) // never connect to where a client says
	e.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	e.SetNetworkTypes([]webrtc.NetworkType{
		webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6, webrtc.NetworkTypeTCP4, webrtc.NetworkTypeTCP6,
	})
	e.SetLite(o.Lite)
	e.SetIncludeLoopbackCandidate(true) // of those that are listened on
	e.SetIPFilter(x.udp.has)
	e.SetICETimeouts(5*time.Second, 15*time.Second, 2*time.Second)
	e.SetDTLSRetransmissionInterval(handshakeAgain)
	e.SetReceiveMTU(receiveMTU)
}

func (x *media) close() {
	_ = x.udp.Close()
	_ = x.tcp.Close()
}

// openSockets listens for UDP and TCP on one number.
func (x *media) openSockets(address string) (*net.TCPListener, error) {
	at, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return nil, fmt.Errorf("media address %q: %w", address, err)
	}
	if at.IP == nil {
		at.IP = net.IPv6unspecified
	}
	for try := 0; ; try++ {
		tcp, err := net.ListenTCP("tcp", &net.TCPAddr{IP: at.IP, Zone: at.Zone, Port: at.Port})
		if err != nil {
			return nil, fmt.Errorf("listen for media at %q: %w", address, err)
		}
		x.udp.at = &net.UDPAddr{IP: at.IP, Zone: at.Zone, Port: tcp.Addr().(*net.TCPAddr).Port}
		if err = x.udp.open(); err == nil {
			return tcp, nil
		}
		_ = tcp.Close()
		x.udp.forget()
		if at.Port != 0 || try == 16 { // a number that the system chose may be taken for UDP
			return nil, fmt.Errorf("listen for media at %q: %w", address, err)
		}
	}
}

// newAPI returns what makes one session's connection; flooded is called when it has
// shown too many SSRCs.
func (x *media) newAPI(flooded func()) (*webrtc.API, error) {
	codecs, log := &webrtc.MediaEngine{}, x.settings.LoggerFactory
	if err := registerCodecs(codecs); err != nil {
		return nil, fmt.Errorf("register codecs: %w", err)
	}
	interceptors := &interceptor.Registry{}
	for _, f := range []func() (interceptor.Factory, error){
		func() (interceptor.Factory, error) {
			return nack.NewGeneratorInterceptor(nack.GeneratorSize(128), nack.GeneratorInterval(20*time.Millisecond),
				nack.GeneratorMaxNacksPerPacket(4), nack.WithGeneratorLoggerFactory(log))
		},
		func() (interceptor.Factory, error) {
			return nack.NewResponderInterceptor(nack.ResponderSize(64), nack.WithResponderLoggerFactory(log))
		},
		func() (interceptor.Factory, error) {
			return report.NewReceiverInterceptor(report.WithReceiverLoggerFactory(log))
		},
		func() (interceptor.Factory, error) {
			return report.NewSenderInterceptor(report.WithSenderLoggerFactory(log))
		},
	} {
		i, err := f()
		if err != nil {
			return nil, fmt.Errorf("make an interceptor: %w", err)
		}
		interceptors.Add(i)
	}
	if err := webrtc.ConfigureTWCCSenderWithOptions(codecs, interceptors, twcc.WithLoggerFactory(log)); err != nil {
		return nil, fmt.Errorf("configure transport-wide feedback: %w", err)
	}
	e := x.settings
	e.BufferFactory = bounded(flooded)
	return webrtc.NewAPI(webrtc.WithMediaEngine(codecs), webrtc.WithInterceptorRegistry(interceptors), webrtc.WithSettingEngine(e)), nil
}

// bounded makes the buffers of a session's SSRCs, two for each.
func bounded(flooded func()) func(packetio.BufferPacketType, uint32) io.ReadWriteCloser {
	var n atomic.Int64
	return func(packetio.BufferPacketType, uint32) io.ReadWriteCloser {
		if n.Add(1) > 2*mostSSRCs {
			flooded()
		}
		b := packetio.NewBuffer()
		b.SetLimitSize(streamBuffer)
		return b
	}
}

// registerCodecs registers what an answer can hold: Opus, RED, and video, of which
// none is received, because browsers reject an answer whose first media section is
// refused.
func registerCodecs(m *webrtc.MediaEngine) error {
	opus := webrtc.RTPCodecCapability{
		MimeType: webrtc.MimeTypeOpus, ClockRate: 48_000, Channels: 2, SDPFmtpLine: "minptime=10;useinbandfec=1",
		RTCPFeedback: []webrtc.RTCPFeedback{{Type: "nack"}},
	}
	red := webrtc.RTPCodecCapability{MimeType: mimeTypeRED, ClockRate: 48_000, Channels: 2, SDPFmtpLine: "111/111"}
	red.RTCPFeedback = opus.RTCPFeedback
	type codec struct {
		kind webrtc.RTPCodecType
		webrtc.RTPCodecParameters
	}
	codecs := []codec{
		{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecParameters{RTPCodecCapability: opus, PayloadType: 111}},
		{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecParameters{RTPCodecCapability: red, PayloadType: 63}},
	}
	for i, v := range []struct{ mime, fmtp string }{
		{webrtc.MimeTypeVP8, ""},
		{webrtc.MimeTypeVP9, "profile-id=0"},
		{webrtc.MimeTypeAV1, ""},
		{webrtc.MimeTypeH264, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"},
		{webrtc.MimeTypeH265, ""},
	} {
		codecs = append(codecs, codec{webrtc.RTPCodecTypeVideo, webrtc.RTPCodecParameters{
			RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: v.mime, ClockRate: 90_000, SDPFmtpLine: v.fmtp},
			PayloadType:        webrtc.PayloadType(96 + i),
		}})
	}
	for _, c := range codecs {
		if err := m.RegisterCodec(c.RTPCodecParameters, c.kind); err != nil {
			return err
		}
	}
	return nil
}

// mimeTypeRED is redundant audio, RFC 2198.
const mimeTypeRED = "audio/red"
