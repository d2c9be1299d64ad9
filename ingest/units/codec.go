package units

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg1audio"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/opus"

	"longwave/ingest/decode"
	"longwave/ingest/pcm"
)

// ErrUnsupported is wrapped by errors that mean: sound of this kind is not taken.
// Their text says what to send instead.
var ErrUnsupported = errors.New("sound that is not supported")

// errUnit means that a unit is none of its codec.
var errUnit = errors.New("not an access unit")

// A Codec says what the units of a track are. Make it with [AAC], [Opus] or [MPEG].
type Codec struct {
	Format decode.Format
	coder
}

// A coder knows the units of a codec.
type coder interface {
	// length returns how long a unit lasts, in samples at rate.
	length(unit []byte) (samples, rate int64, err error)
	// wrap returns what the decoder is given for a unit.
	wrap(unit []byte) []byte
	// silence returns what the decoder is given for a lost unit, in the stead of one
	// like last.
	silence(last []byte) []byte
}

// Duration returns how long units last together, as far as they are units.
func (c Codec) Duration(all [][]byte) (d time.Duration) {
	for _, unit := range all {
		if samples, rate, err := c.length(unit); err == nil {
			d += time.Duration(samples) * time.Second / time.Duration(rate)
		}
	}
	return d
}

const (
	adtsHeader = 7
	mostAAC    = 1<<13 - 1 - adtsHeader // the length has 13 bits, with the header
	mostOpus   = 5760                   // samples: 120 ms (RFC 6716 section 3.2.5)
)

var aacRates = []int{96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350}

// AAC returns the codec of raw AAC access units that c describes (ISO 14496-3
// 1.6.2.1). HE-AAC goes as the AAC-LC that it is at half the rate: its decoder finds
// the rest in the units.
func AAC(c mpeg4audio.AudioSpecificConfig) (Codec, error) {
	rate := slices.Index(aacRates, c.SampleRate)
	switch {
	case c.Type < 1 || c.Type > 4: // ADTS has two bits for it
		return Codec{}, fmt.Errorf("AAC object type %d: %w, send AAC-LC", c.Type, ErrUnsupported)
	case rate < 0:
		return Codec{}, fmt.Errorf("AAC at %d Hz: %w, send 48000 or 44100", c.SampleRate, ErrUnsupported)
	case c.ChannelConfig == 0 || c.ChannelConfig > 7:
		return Codec{}, fmt.Errorf("AAC with channels of its own layout: %w, send mono or stereo", ErrUnsupported)
	case c.FrameLengthFlag:
		return Codec{}, fmt.Errorf("AAC with 960 samples a frame: %w, send 1024", ErrUnsupported)
	}
	a := &aac{rate: int64(c.SampleRate)}
	channels := int(c.ChannelConfig)
	a.head = [adtsHeader]byte{
		0xff, 0xf1, // MPEG-4, no checksum
		byte(c.Type-1)<<6 | byte(rate)<<2 | byte(channels>>2),
		byte(channels&3) << 6, 0, 0x1f, 0xfc, // fullness: variable rate
	}
	a.quiet = a.wrap(silentAAC(channels))
	if channels == 7 {
		channels = 8
	}
	return Codec{decode.Format{Codec: decode.ADTS, Rate: c.SampleRate, Channels: channels}, a}, nil
}

// aac gives units ADTS headers (ISO 14496-3 1.A.2.2), so that a decoder that is
// started in the middle finds its way.
type aac struct {
	rate  int64
	head  [adtsHeader]byte
	quiet []byte
}

func (a *aac) length(unit []byte) (samples, rate int64, err error) {
	if len(unit) == 0 || len(unit) > mostAAC {
		return 0, 0, fmt.Errorf("%d bytes of AAC: %w", len(unit), errUnit)
	}
	return 1024, a.rate, nil
}

func (a *aac) wrap(unit []byte) []byte {
	n := adtsHeader + len(unit)
	b := append(make([]byte, 0, n), a.head[:]...)
	b[3] |= byte(n >> 11)
	b[4] = byte(n >> 3)
	b[5] |= byte(n << 5)
	return append(b, unit...)
}

func (a *aac) silence([]byte) []byte { return a.quiet }

// silentAAC returns a unit without a single spectral line (ISO 14496-3 4.4.2.1). The
// units beside it overlap it by half, so sound fades out and in.
func silentAAC(channels int) []byte {
	const single, pair, low, end = 0, 1, 3, 7 // elements
	layout := [...][]int{
		1: {single}, 2: {pair}, 3: {single, pair}, 4: {single, pair, single},
		5: {single, pair, pair}, 6: {single, pair, pair, low}, 7: {single, pair, pair, pair, low},
	}[channels]
	var b bitWriter
	var tags [8]int
	for _, element := range layout {
		b.put(element, 3)
		b.put(tags[element], 4)
		tags[element]++
		if element == pair {
			b.put(0, 1) // each channel has a window of its own
			b.silentChannel()
		}
		b.silentChannel()
	}
	b.put(end, 3)
	return b.bytes
}

// silentChannel writes an individual channel stream without bands.
func (b *bitWriter) silentChannel() {
	b.put(100, 8) // global gain, of nothing
	b.put(0, 11)  // long window, sine, 0 bands, no prediction
	b.put(0, 3)   // no pulses, noise shaping or gain control
}

// A bitWriter writes the most significant bit first.
type bitWriter struct {
	bytes []byte
	used  int // bits
}

func (b *bitWriter) put(v, bits int) {
	for i := bits - 1; i >= 0; i-- {
		if b.used%8 == 0 {
			b.bytes = append(b.bytes, 0)
		}
		b.bytes[len(b.bytes)-1] |= byte(v>>i&1) << (7 - b.used%8)
		b.used++
	}
}

// Opus returns the codec of Opus packets (RFC 6716) of a stream with so many
// channels, or 0 where that is not known.
func Opus(channels int) (Codec, error) {
	if channels > pcm.Channels {
		return Codec{}, fmt.Errorf("Opus with %d channels: %w, send mono or stereo", channels, ErrUnsupported)
	}
	return Codec{decode.Format{Codec: decode.Opus, Rate: pcm.Rate, Channels: channels}, opusPackets{}}, nil
}

type opusPackets struct{}

func (opusPackets) length(unit []byte) (samples, rate int64, err error) {
	n := opus.PacketDuration2(unit)
	if n <= 0 || n > mostOpus {
		return 0, 0, fmt.Errorf("%d bytes of Opus: %w", len(unit), errUnit)
	}
	return n, pcm.Rate, nil
}

func (opusPackets) wrap(unit []byte) []byte { return unit }

// silence is the decoder's to invent: it conceals, and uses the next packet's forward
// error correction.
func (opusPackets) silence([]byte) []byte { return nil }

// MPEG returns the codec of whole MPEG audio frames, layer II or III (ISO 11172-3).
func MPEG() Codec { return Codec{decode.Format{Codec: decode.MP3}, mpeg{}} }

type mpeg struct{}

func (mpeg) length(unit []byte) (samples, rate int64, err error) {
	for len(unit) > 0 {
		var h mpeg1audio.FrameHeader
		if err := h.Unmarshal(unit); err != nil {
			return 0, 0, fmt.Errorf("%w: %w", errUnit, err)
		}
		n := h.FrameLen()
		if n < 4 || n > len(unit) || h.SampleRate == 0 {
			return 0, 0, fmt.Errorf("%d bytes of MPEG audio: %w", len(unit), errUnit)
		}
		samples, rate, unit = samples+int64(h.SampleCount()), int64(h.SampleRate), unit[n:]
	}
	if samples == 0 {
		return 0, 0, errUnit
	}
	return samples, rate, nil
}

func (mpeg) wrap(unit []byte) []byte { return unit }

// silence is the last frame's header and nothing in it: no bits for any band.
func (mpeg) silence(last []byte) []byte {
	b := make([]byte, len(last))
	if len(last) >= 4 {
		copy(b, last[:4])
		b[1] |= 1 // no checksum
	}
	return b
}
