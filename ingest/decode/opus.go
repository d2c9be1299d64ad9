package decode

import (
	"fmt"

	"github.com/hraban/opus"
	"github.com/prometheus/client_golang/prometheus"

	"longwave/ingest/pcm"
)

const (
	// maxOpus is the longest packet's duration in samples: 120 ms (RFC 6716 section 3.2.5).
	maxOpus = 5760
	// grain is the step in which libopus conceals: 2.5 ms.
	grain = 120
	// maxConcealed is how long concealment goes on before it is silence: 100 ms.
	maxConcealed = 4800
	// maxBad is how many packets in a row may be damaged.
	maxBad = 50
)

// opusSamples returns the duration of a packet in samples (RFC 6716 section 3.1);
// false when it is not a packet.
func opusSamples(b []byte) (int, bool) {
	if len(b) == 0 {
		return 0, false
	}
	config := b[0] >> 3
	var frame int
	switch {
	case config < 12: // SILK
		frame = [...]int{480, 960, 1920, 2880}[config&3]
	case config < 16: // hybrid
		frame = [...]int{480, 960}[config&1]
	default: // CELT
		frame = 120 << (config & 3)
	}
	n := 1
	switch b[0] & 3 {
	case 1, 2:
		n = 2
	case 3:
		if len(b) < 2 {
			return 0, false
		}
		n = int(b[1] & 63)
	}
	return n * frame, n > 0 && n*frame <= maxOpus
}

// An opusState decodes the packets of one stream, always to stereo: libopus
// gives mono as two equal channels.
type opusState struct {
	dec       *opus.Decoder
	buf       []float32
	bad       int // damaged packets in a row
	run       int // samples concealed in a row
	concealed prometheus.Counter
	damage    prometheus.Counter
}

func newOpusState(m metrics, c Codec) (opusState, error) {
	dec, err := opus.NewDecoder(pcm.Rate, pcm.Channels)
	if err != nil {
		return opusState{}, fmt.Errorf("open Opus decoder: %w", err)
	}
	return opusState{
		dec: dec, buf: make([]float32, maxOpus*pcm.Channels),
		concealed: m.concealed, damage: m.damaged.WithLabelValues(c.String()),
	}, nil
}

// packet decodes one packet. A damaged one is concealed; many in a row are an
// error that wraps [ErrNotAudio].
func (s *opusState) packet(b []byte, duration int) ([]float32, error) {
	n, err := s.dec.DecodeFloat32(b, s.buf)
	if err == nil {
		s.bad, s.run = 0, 0
		return s.buf[:n*pcm.Channels], nil
	}
	s.damage.Add(float64(len(b)))
	if s.bad++; s.bad > maxBad {
		return nil, fmt.Errorf("%w: %d damaged Opus packets in a row: %w", ErrNotAudio, s.bad, err)
	}
	return s.conceal(duration), nil
}

// again rebuilds the packet before next, which was lost, from next's forward
// error correction, or conceals it when next has none.
func (s *opusState) again(next []byte, duration int) []float32 {
	buf := s.buf[: duration*pcm.Channels : duration*pcm.Channels]
	if s.dec.DecodeFECFloat32(next, buf) != nil {
		return s.conceal(duration)
	}
	s.concealed.Add(float64(duration) / pcm.Rate)
	return buf
}

// conceal invents n samples, at most the longest packet's duration: a fading
// continuation at first, then silence.
func (s *opusState) conceal(n int) []float32 {
	buf := s.buf[: n*pcm.Channels : n*pcm.Channels]
	clear(buf)
	s.concealed.Add(float64(n) / pcm.Rate)
	if whole := n / grain * grain * pcm.Channels; whole > 0 && s.run < maxConcealed {
		if s.dec.DecodePLCFloat32(buf[:whole:whole]) != nil {
			clear(buf)
		}
	}
	s.run += n
	return s.buf[:n*pcm.Channels]
}

// An opusPackets decodes packets that come one by one. A lost one is rebuilt
// from the next, so it comes out when that arrives.
type opusPackets struct {
	opusState
	out  out
	last int // duration of the last packet
	lost bool
}

func newOpus(out out, m metrics) (*opusPackets, error) {
	s, err := newOpusState(m, Opus)
	if err != nil {
		return nil, err
	}
	return &opusPackets{opusState: s, out: out, last: pcm.FrameSamples}, nil
}

func (d *opusPackets) Decode(data []byte) error {
	duration, ok := opusSamples(data)
	if !ok { // lost, or no packet at all
		d.damage.Add(float64(len(data)))
		if !d.lost {
			d.lost = true
			return nil
		}
		return d.out(d.conceal(d.last))
	}
	if d.lost {
		d.lost = false
		if err := d.out(d.again(data, d.last)); err != nil {
			return err
		}
	}
	d.last = duration
	samples, err := d.packet(data, duration)
	if err != nil {
		return err
	}
	return d.out(samples)
}

// Close has nothing to give out: a loss at the very end stays one.
func (d *opusPackets) Close() error { return nil }
