// Package opus encodes by libopus (RFC 6716), in process.
//
// Constrained VBR, which is libopus's default: an access unit may borrow from the
// next ones but a second keeps to the bitrate.
package opus

import (
	"fmt"

	"github.com/hraban/opus"

	"longwave/ingest/pcm"
	"longwave/packager/encode"
)

// lookahead is libopus's encoder delay at 48 kHz with the AUDIO application, in
// samples (OPUS_GET_LOOKAHEAD; the same in every version since 1.1).
const lookahead = 312

// maxPacket is the size of the largest packet of one frame, in bytes (RFC 6716
// section 3.4, requirement R2).
const maxPacket = 1275

// A Coder encodes with one libopus encoder, which is cleared for each segment.
type Coder struct {
	enc *opus.Encoder
	out [maxPacket]byte
}

// New returns a coder for 1 or 2 channels at bitrate bit/s.
func New(channels, bitrate int) (*Coder, error) {
	enc, err := opus.NewEncoder(pcm.Rate, channels, opus.AppAudio)
	if err != nil {
		return nil, fmt.Errorf("opus: new encoder: %w", err)
	}
	if err := enc.SetBitrate(bitrate); err != nil {
		return nil, fmt.Errorf("opus: bitrate %d: %w", bitrate, err)
	}
	if err := enc.SetComplexity(10); err != nil {
		return nil, fmt.Errorf("opus: complexity: %w", err)
	}
	return &Coder{enc: enc}, nil
}

// Format describes the output. Eight frames of pre-roll leave no trace of the
// reset, neither in SILK nor in CELT; four access units (80 ms) are what the
// Opus-in-ISOBMFF specification 1.0.0 asks a decoder to roll (section 4.3.6.2).
func (c *Coder) Format() encode.Format {
	return encode.Format{
		FrameSamples: pcm.FrameSamples,
		PreRoll:      8,
		Codecs:       "Opus",
		SampleEntry:  "Opus",
		PreSkip:      lookahead,
		Roll:         4,
	}
}

// Reset implements [encode.Coder].
func (c *Coder) Reset() error {
	if err := c.enc.Reset(); err != nil {
		return fmt.Errorf("opus: reset: %w", err)
	}
	return nil
}

// Encode implements [encode.Coder].
func (c *Coder) Encode(samples []float32) ([]byte, error) {
	n, err := c.enc.EncodeFloat32(samples, c.out[:])
	if err != nil {
		return nil, fmt.Errorf("opus: encode: %w", err)
	}
	return c.out[:n], nil
}
