// Package aac encodes AAC-LC (ISO/IEC 14496-3) by libavcodec, in process.
//
// The ffmpeg command would add 75 to 430 ms and could not be brought back to a
// known state; here a segment begins with an encoder that was just opened, which
// takes a fraction of a millisecond, so its bytes depend on its sound alone.
package aac

/*
#cgo pkg-config: libavcodec libavutil
#include "aac.h"
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

// maxUnit is the size of the largest access unit, in bytes: 6144 bits a channel
// (ISO/IEC 14496-3 section 4.5.3.1).
const maxUnit = 2 * 6144 / 8

// frameSamples is the length of an AAC-LC frame in samples.
const frameSamples = 1024

// delay is how many frames libavcodec's encoder looks ahead: its window spans two
// frames, and it looks one frame further to choose the window's shape.
const delay = 2

// A Coder encodes with a libavcodec encoder that is opened anew for each segment.
type Coder struct {
	channels, bitrate int
	c                 *C.struct_lw_aac
	config            []byte
	fed               int // frames since Reset, counted up to delay
	out               [maxUnit]byte
	code              C.int // of the last Reset; a variable of its own would be allocated
}

// New returns a coder for 1 or 2 channels at bitrate bit/s. libavcodec's encoder
// overshoots at low bitrates: declare what was measured, not what was asked for.
func New(channels, bitrate int) (*Coder, error) {
	c := &Coder{channels: channels, bitrate: bitrate}
	if err := c.Reset(); err != nil {
		return nil, err
	}
	if n := int(C.lw_aac_frame_size(c.c)); n != frameSamples {
		return nil, fmt.Errorf("aac: libavcodec wants frames of %d samples, not %d", n, frameSamples)
	}
	n := C.lw_aac_config(c.c, (*C.uint8_t)(&c.out[0]), C.int(len(c.out)))
	if n < 2 {
		return nil, errors.New("aac: libavcodec gave no AudioSpecificConfig")
	}
	c.config = append([]byte(nil), c.out[:n]...)
	runtime.SetFinalizer(c, func(c *Coder) { C.lw_aac_free(c.c) })
	return c, nil
}

// Format describes the output. Speech needs four frames of pre-roll, but on steady
// tones the encoder's sharing out of bits settles only after some forty. One access
// unit is what the overlap of the windows asks a decoder to roll.
func (c *Coder) Format() encode.Format {
	return encode.Format{
		FrameSamples: pcm.Pos(frameSamples),
		PreRoll:      48,
		Delay:        delay,
		Codecs:       "mp4a.40.2",
		SampleEntry:  "mp4a",
		Config:       c.config,
		Roll:         1,
	}
}

// Reset implements [encode.Coder].
func (c *Coder) Reset() error {
	fresh := C.lw_aac_new(pcm.Rate, C.int(c.channels), C.int64_t(c.bitrate), &c.code)
	if fresh == nil {
		return fmt.Errorf("aac: open libavcodec's encoder (%d channels, %d bit/s): %w", c.channels, c.bitrate, avError(c.code))
	}
	C.lw_aac_free(c.c)
	c.c, c.fed = fresh, 0
	return nil
}

// Encode implements [encode.Coder].
func (c *Coder) Encode(samples []float32) ([]byte, error) {
	if len(samples) != frameSamples*c.channels {
		return nil, fmt.Errorf("aac: encode: frame of %d values, not %d", len(samples), frameSamples*c.channels)
	}
	n := C.lw_aac_encode(c.c, (*C.float)(unsafe.Pointer(&samples[0])), (*C.uint8_t)(&c.out[0]), C.int(len(c.out)))
	if n < 0 {
		return nil, fmt.Errorf("aac: encode: %w", avError(n))
	}
	if c.fed < delay { // what comes now is priming: the sound before the first frame
		c.fed++
		return nil, nil
	}
	return c.out[:n], nil
}

func avError(code C.int) error {
	var buf [128]byte
	C.lw_aac_error(code, (*C.char)(unsafe.Pointer(&buf[0])), C.int(len(buf)))
	return errors.New(C.GoString((*C.char)(unsafe.Pointer(&buf[0]))))
}
