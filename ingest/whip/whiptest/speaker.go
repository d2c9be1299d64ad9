package whiptest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/hraban/opus"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

const (
	rate    = 48_000
	samples = 960 // of a packet
)

// A Voice is what a speaker says; the zero value is silence.
type Voice struct {
	Hz, Amp float64
	Stereo  bool
	Bitrate int // bit/s; 0: 32,000, stereo 128,000
	// PPM is how much faster the speaker's clock is than ours.
	PPM float64
	// Sound, when there is one, is asked for instead of the tone: mono samples from a
	// sample on.
	Sound func(from int64, dst []float32)
}

// A Speaker sends a voice by WHIP.
type Speaker struct {
	*Client
	voice     Voice
	out       *track
	red       bool
	before    []byte     // the last packet, for RED
	next      rtp.Packet // its header goes on from run to run
	connected chan struct{}
}

// Dial connects a speaker to a WHIP address. Run lets them speak.
func Dial(ctx context.Context, address, token string, v Voice, o Options) (*Speaker, error) {
	pc, err := newPC(o)
	if err != nil {
		return nil, err
	}
	s := &Speaker{voice: v, red: o.RED, connected: make(chan struct{})}
	s.next.Header = rtp.Header{Version: 2, SequenceNumber: 65_500, Timestamp: math.MaxUint32 - rate} // about to overflow
	if err := s.dial(ctx, pc, address, token, o); err != nil {
		return nil, errors.Join(err, pc.Close())
	}
	return s, nil
}

func (s *Speaker) dial(ctx context.Context, pc *webrtc.PeerConnection, address, token string, o Options) error {
	mime := webrtc.MimeTypeOpus
	if s.red {
		mime = "audio/red"
	}
	rtp, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: mime, ClockRate: rate, Channels: 2}, "audio", "whiptest")
	if err != nil {
		return fmt.Errorf("make a track: %w", err)
	}
	s.out = &track{TrackLocalStaticRTP: rtp}
	video := func() error {
		_, err := pc.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
		return err
	}
	if o.Video == "first" {
		err = video()
	}
	var t *webrtc.RTPTransceiver
	if err == nil {
		t, err = pc.AddTransceiverFromTrack(s.out, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	}
	if err == nil && o.Video == "last" {
		err = video()
	}
	if err != nil {
		return fmt.Errorf("add tracks: %w", err)
	}
	go func() {
		for {
			if _, _, err := t.Sender().ReadRTCP(); err != nil {
				return
			}
		}
	}()
	var once sync.Once
	pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		if state == webrtc.PeerConnectionStateConnected {
			once.Do(func() { close(s.connected) })
		}
	})
	s.Client, err = dial(ctx, pc, address, token, o)
	return err
}

// Connected is closed when media's keys are there.
func (s *Speaker) Connected() <-chan struct{} { return s.connected }

// Run speaks, in the speaker's own time, until ctx ends or the connection does.
func (s *Speaker) Run(ctx context.Context) error {
	select {
	case <-s.connected:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	enc, err := s.encoder()
	if err != nil {
		return err
	}
	period := time.Duration(float64(samples) / rate / (1 + s.voice.PPM*1e-6) * float64(time.Second))
	began := time.Now()
	p := &s.next
	p.Marker = true
	buf := make([]byte, 4000)
	for i := int64(0); ; i++ {
		wait := time.NewTimer(time.Until(began.Add(time.Duration(i+1) * period)))
		select {
		case <-wait.C:
		case <-ctx.Done():
			return nil
		}
		n, err := enc.EncodeFloat32(s.frame(i), buf)
		if err != nil {
			return fmt.Errorf("encode: %w", err)
		}
		p.Payload = s.payload(buf[:n])
		if err := s.Send(p); err != nil {
			return err
		}
		p.Marker = false
		p.SequenceNumber++
		p.Timestamp += samples
	}
}

// A track remembers where its packets go.
type track struct {
	*webrtc.TrackLocalStaticRTP
	mu sync.Mutex
	to webrtc.TrackLocalWriter
}

// Bind implements [webrtc.TrackLocal].
func (t *track) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	t.mu.Lock()
	t.to = c.WriteStream()
	t.mu.Unlock()
	return t.TrackLocalStaticRTP.Bind(c)
}

// SendRaw sends a packet with whatever SSRC and payload type it has.
func (s *Speaker) SendRaw(p *rtp.Packet) error {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	if s.out.to == nil {
		return errors.New("send: not connected")
	}
	if _, err := s.out.to.WriteRTP(&p.Header, p.Payload); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

// Send sends a packet of the speaker's track, whatever is in it.
func (s *Speaker) Send(p *rtp.Packet) error {
	if err := s.out.WriteRTP(p); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

func (s *Speaker) encoder() (*opus.Encoder, error) {
	channels, bitrate, app := 1, 32_000, opus.AppVoIP
	if s.voice.Stereo {
		channels, bitrate, app = 2, 128_000, opus.AppAudio
	}
	if s.voice.Bitrate != 0 {
		bitrate = s.voice.Bitrate
	}
	e, err := opus.NewEncoder(rate, channels, app)
	if err != nil {
		return nil, fmt.Errorf("open the encoder: %w", err)
	}
	if err := errors.Join(e.SetBitrate(bitrate), e.SetInBandFEC(true), e.SetPacketLossPerc(10)); err != nil {
		return nil, fmt.Errorf("set up the encoder: %w", err)
	}
	return e, nil
}

// frame returns the i-th frame of the voice: in stereo the left is the tone and the
// right is silent.
func (s *Speaker) frame(i int64) []float32 {
	mono := make([]float32, samples)
	if s.voice.Sound != nil {
		s.voice.Sound(i*samples, mono)
	} else {
		for j := range mono {
			mono[j] = float32(s.voice.Amp * math.Sin(2*math.Pi*s.voice.Hz*float64(i*samples+int64(j))/rate))
		}
	}
	if !s.voice.Stereo {
		return mono
	}
	both := make([]float32, 2*samples)
	for j, x := range mono {
		both[2*j] = x
	}
	return both
}

// payload returns a packet's payload: with RED the last one before the new one, RFC
// 2198 section 3.
func (s *Speaker) payload(b []byte) []byte {
	if !s.red {
		return b
	}
	var out []byte
	if n := len(s.before); n > 0 && n < 1024 {
		out = append(out, 0x80|opusType, byte(samples>>6), byte(samples<<2&0xff)|byte(n>>8), byte(n))
	}
	out = append(out, opusType)
	if n := len(s.before); n > 0 && n < 1024 {
		out = append(out, s.before...)
	}
	s.before = append(s.before[:0], b...)
	return append(out, b...)
}
