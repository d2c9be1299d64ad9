// Package opus encodes by libopus (RFC 6716), in process.
//
// Constrained VBR: an access unit may borrow from the next ones, but a second keeps
// to the bitrate. The kind of signal is set and not left to libopus, which needs
// seconds to make up its mind and would change the coding at the start of segments.
package opus

/*
#cgo pkg-config: opus
#include "encoder.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"longwave/ingest/pcm"
	"longwave/packager/encode"
)

// maxPacket is the size of the largest packet of one frame, in bytes (RFC 6716
// section 3.4, requirement R2).
const maxPacket = 1275

// speechBitrate is the bitrate, in bit/s a channel, up to which a rendition is
// coded as speech (SILK and hybrid frames): below it CELT costs intelligibility,
// above it is nearer to the sound for voices too.
const speechBitrate = 32_000

// The first frames after a reset are pre-roll, which nobody hears: what counts is the
// state that they leave. So most of them are coded with the least effort, a fifth of
// the time; in the others the full effort takes over. At the joins there is no
// difference to pre-roll that is coded with the full effort throughout.
const (
	preRoll    = 64 // frames
	quickRoll  = 48 // of them, the first
	leastCare  = 0  // OPUS_SET_COMPLEXITY
	utmostCare = 10
)

// A Coder encodes with one libopus encoder, which is cleared for each segment.
type Coder struct {
	enc       *C.OpusEncoder
	channels  int
	lookahead int
	fed       int // frames since Reset, counted to just above quickRoll
	out       [maxPacket]byte
}

// New returns a coder for 1 or 2 channels at bitrate bit/s.
func New(channels, bitrate int) (*Coder, error) {
	signal := C.int(C.OPUS_SIGNAL_MUSIC)
	if bitrate/channels <= speechBitrate {
		signal = C.OPUS_SIGNAL_VOICE
	}
	var code C.int
	enc := C.lw_opus_new(pcm.Rate, C.int(channels), C.int(bitrate), signal, &code)
	if enc == nil {
		return nil, fmt.Errorf("opus: open encoder (%d channels, %d bit/s): %w", channels, bitrate, opusError(code))
	}
	c := &Coder{enc: enc, channels: channels, lookahead: int(C.lw_opus_lookahead(enc))}
	runtime.SetFinalizer(c, func(c *Coder) { C.opus_encoder_destroy(c.enc) })
	return c, c.Reset()
}

// Format describes the output. Speech needs eight frames of pre-roll, but on steady
// tones SILK's prediction and CELT's energy settle only after some 60. Four access
// units (80 ms) are what the Opus-in-ISOBMFF specification 1.0.0 asks a decoder to
// roll (section 4.3.6.2).
func (c *Coder) Format() encode.Format {
	return encode.Format{
		FrameSamples: pcm.FrameSamples,
		PreRoll:      preRoll,
		Codecs:       "Opus",
		SampleEntry:  "Opus",
		PreSkip:      c.lookahead,
		Roll:         4,
	}
}

// Reset implements [encode.Coder].
func (c *Coder) Reset() error {
	if code := C.lw_opus_reset(c.enc); code != C.OPUS_OK {
		return fmt.Errorf("opus: reset: %w", opusError(code))
	}
	c.fed = 0
	return c.setCare(leastCare)
}

func (c *Coder) setCare(care C.int) error {
	if code := C.lw_opus_effort(c.enc, care); code != C.OPUS_OK {
		return fmt.Errorf("opus: set complexity %d: %w", care, opusError(code))
	}
	return nil
}

// Encode implements [encode.Coder].
func (c *Coder) Encode(samples []float32) ([]byte, error) {
	if len(samples) != pcm.FrameSamples*c.channels {
		return nil, fmt.Errorf("opus: encode: frame of %d values, not %d", len(samples), pcm.FrameSamples*c.channels)
	}
	if c.fed <= quickRoll {
		if c.fed == quickRoll {
			if err := c.setCare(utmostCare); err != nil {
				return nil, err
			}
		}
		c.fed++
	}
	n := C.opus_encode_float(c.enc, (*C.float)(unsafe.Pointer(&samples[0])), pcm.FrameSamples,
		(*C.uchar)(&c.out[0]), C.opus_int32(len(c.out)))
	if n < 0 {
		return nil, fmt.Errorf("opus: encode: %w", opusError(n))
	}
	return c.out[:n], nil
}

func opusError(code C.int) error { return errors.New(C.GoString(C.opus_strerror(code))) }
