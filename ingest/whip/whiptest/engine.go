package whiptest

import (
	"fmt"

	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/nack"
	"github.com/pion/interceptor/pkg/report"
	"github.com/pion/webrtc/v4"
)

// Payload types of the offers.
const (
	opusType = 111
	redType  = 63
)

func register(m *webrtc.MediaEngine, o Options) error {
	opus := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48_000, Channels: 2, SDPFmtpLine: "minptime=10;useinbandfec=1"}
	if o.NACK {
		opus.RTCPFeedback = []webrtc.RTCPFeedback{{Type: "nack"}}
	}
	codecs := map[webrtc.RTPCodecType][]webrtc.RTPCodecParameters{
		webrtc.RTPCodecTypeAudio: {{RTPCodecCapability: opus, PayloadType: opusType}},
		webrtc.RTPCodecTypeVideo: {{RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90_000}, PayloadType: 96}},
	}
	if o.RED {
		red := webrtc.RTPCodecCapability{MimeType: "audio/red", ClockRate: 48_000, Channels: 2, SDPFmtpLine: "111/111"}
		codecs[webrtc.RTPCodecTypeAudio] = append(codecs[webrtc.RTPCodecTypeAudio], webrtc.RTPCodecParameters{RTPCodecCapability: red, PayloadType: redType})
	}
	for kind, list := range codecs {
		for _, c := range list {
			if err := m.RegisterCodec(c, kind); err != nil {
				return fmt.Errorf("register %s: %w", c.MimeType, err)
			}
		}
	}
	return nil
}

// interceptors are what a browser has for audio: it answers NACK and reports.
func interceptors() *interceptor.Registry {
	r := &interceptor.Registry{}
	if f, err := nack.NewResponderInterceptor(); err == nil {
		r.Add(f)
	}
	if f, err := nack.NewGeneratorInterceptor(); err == nil {
		r.Add(f)
	}
	if f, err := report.NewReceiverInterceptor(); err == nil {
		r.Add(f)
	}
	if f, err := report.NewSenderInterceptor(); err == nil {
		r.Add(f)
	}
	return r
}
