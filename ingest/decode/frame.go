package decode

import (
	"bytes"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// A frameHeader is what the header of an AAC or MPEG audio frame says.
type frameHeader struct {
	length   int    // of the frame in bytes, header included
	rate     int    // samples a second and channel
	channels int    // 0: told elsewhere
	key      uint32 // what stays the same from frame to frame of a stream
}

// A parser reads the frame header at the start of b; false means that there is
// none. It needs headerBytes bytes.
type parser func(b []byte) (frameHeader, bool)

const headerBytes = 7

var adtsRates = [...]int{96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350}

// parseADTS reads an ADTS header (ISO 14496-3 1.A.2.2).
func parseADTS(b []byte) (frameHeader, bool) {
	if len(b) < headerBytes || b[0] != 0xff || b[1]&0xf6 != 0xf0 {
		return frameHeader{}, false
	}
	rate := int(b[2] >> 2 & 15)
	h := frameHeader{
		length:   int(b[3]&3)<<11 | int(b[4])<<3 | int(b[5])>>5,
		channels: int(b[2]&1)<<2 | int(b[3])>>6,
		key:      uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3]>>4),
	}
	if rate >= len(adtsRates) || h.length <= headerBytes {
		return frameHeader{}, false
	}
	h.rate = adtsRates[rate]
	if h.channels == 7 {
		h.channels = 8
	}
	return h, true
}

// Bit rates in kbit/s by index: MPEG-1 layer II and III, MPEG-2 both layers.
var (
	rates1L2 = [16]int{0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384}
	rates1L3 = [16]int{0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320}
	rates2   = [16]int{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160}
)

// parseMPEG reads the header of an MPEG audio frame, layer II or III (ISO 11172-3
// section 2.4.1.3). Frames of free format are refused: their length is not said.
func parseMPEG(b []byte) (frameHeader, bool) {
	if len(b) < headerBytes || b[0] != 0xff || b[1]&0xe0 != 0xe0 {
		return frameHeader{}, false
	}
	version, layer := b[1]>>3&3, b[1]>>1&3
	rateIndex, padding := b[2]>>2&3, int(b[2]>>1&1)
	if version == 1 || layer == 0 || layer == 3 || rateIndex == 3 {
		return frameHeader{}, false
	}
	rate := [...]int{44100, 48000, 32000}[rateIndex]
	table, per := &rates1L3, 144
	switch {
	case version != 3: // MPEG-2, or 2.5 when 0
		table = &rates2
		rate /= 2
		if version == 0 {
			rate /= 2
		}
		if layer == 1 {
			per = 72
		}
	case layer == 2:
		table = &rates1L2
	}
	kbps := table[b[2]>>4]
	if kbps == 0 {
		return frameHeader{}, false
	}
	h := frameHeader{length: per*1000*kbps/rate + padding, rate: rate, channels: 2}
	if b[3]>>6 == 3 {
		h.channels = 1
	}
	h.key = uint32(b[1]&0xfe)<<8 | uint32(b[2]&0x0c)
	return h, true
}

// consecutive reports whether n frames of one kind follow each other from the
// start of b, and the first one's header. More says that b is too short to tell.
func consecutive(b []byte, parse parser, n int) (first frameHeader, ok, more bool) {
	for i := range n {
		if len(b) < headerBytes {
			return first, false, true
		}
		h, valid := parse(b)
		if !valid || i > 0 && h.key != first.key {
			return first, false, false
		}
		if i == 0 {
			first = h
		}
		b = b[min(h.length, len(b)):]
	}
	return first, true, false
}

// id3Len returns the length of the ID3v2 tag at the start of b: 0 when there is
// none. It needs 10 bytes.
func id3Len(b []byte) int {
	if len(b) < 10 || !bytes.HasPrefix(b, []byte("ID3")) || (b[6]|b[7]|b[8]|b[9])&0x80 != 0 {
		return 0
	}
	n := 10 + int(b[6])<<21 + int(b[7])<<14 + int(b[8])<<7 + int(b[9])
	if b[5]&0x10 != 0 {
		n += 10 // footer
	}
	return n
}

// maxBetween is how many bytes may pass without a frame before a source is no
// longer taken for audio.
const maxBetween = 64 << 10

// A framer cuts a run of bytes into whole frames and leaves out what is between.
type framer struct {
	parse  parser
	buf    []byte
	drop   int  // bytes of a tag that are still to come
	synced bool // the last frame ended where the buffer begins
	key    uint32
	lost   int // bytes left out since the last frame
}

// take returns the whole frames that b completes, one after the other, and the
// number of bytes that it left out.
func (f *framer) take(b []byte) (frames []byte, left int) {
	f.buf = append(f.buf, b...)
	for {
		n := min(f.drop, len(f.buf))
		f.drop -= n
		f.buf = f.buf[n:]
		if f.drop > 0 || len(f.buf) < 10 {
			return frames, left
		}
		if f.drop = id3Len(f.buf); f.drop > 0 {
			continue
		}
		h, ok := f.parse(f.buf)
		if ok && (!f.synced || h.key != f.key) { // one header alone may be chance
			var more bool
			if _, ok, more = consecutive(f.buf, f.parse, 2); more {
				return frames, left
			}
		}
		if !ok {
			n := f.next()
			f.synced, f.lost, left = false, f.lost+n, left+n
			f.buf = f.buf[n:]
			continue
		}
		if len(f.buf) < h.length {
			return frames, left
		}
		frames = append(frames, f.buf[:h.length]...)
		f.buf = f.buf[h.length:]
		f.synced, f.key, f.lost = true, h.key, 0
	}
}

// next returns how far it is to the next place where a frame or tag may start.
func (f *framer) next() int {
	for i := 1; i < len(f.buf); i++ {
		if f.buf[i] == 0xff || f.buf[i] == 'I' {
			return i
		}
	}
	return len(f.buf)
}

// rest returns the last frame when it is whole but was too short to be told
// from the start of a longer header.
func (f *framer) rest() []byte {
	h, ok := f.parse(f.buf)
	if !ok || !f.synced || f.drop > 0 || len(f.buf) < h.length {
		return nil
	}
	return f.buf[:h.length]
}

// A framePipe gives ffmpeg whole frames.
type framePipe struct {
	framer
	codec  Codec
	to     feed
	damage prometheus.Counter
}

func (p *framePipe) Decode(data []byte) error {
	frames, left := p.take(data)
	p.damage.Add(float64(left))
	if p.lost > maxBetween {
		return fmt.Errorf("%w: no %v frame in %d bytes", ErrNotAudio, p.codec, p.lost)
	}
	if len(frames) == 0 {
		return nil
	}
	return p.to.Write(frames)
}

func (p *framePipe) Close() error {
	if last := p.rest(); last != nil {
		if err := p.to.Write(last); err != nil {
			return err
		}
	}
	return p.to.Close()
}

// A pipe gives ffmpeg the bytes as they come.
type pipe struct{ to feed }

func (p pipe) Decode(data []byte) error { return p.to.Write(data) }
func (p pipe) Close() error             { return p.to.Close() }
