package decode

import (
	"encoding/binary"
	"fmt"
	"math"
)

// wav reads the chunks of a RIFF WAVE file and gives the samples to a decoder of
// raw PCM. A length of the data that is not known, as a pipe writes it, means to
// the end.
type wav struct {
	make   func(Format) (Decoder, error)
	buf    []byte
	began  bool // the RIFF header was read
	format Format
	skip   int64 // bytes of a chunk to pass over
	left   int64 // bytes of sound that are still to come
	to     Decoder
}

func (w *wav) Decode(data []byte) error {
	if w.to != nil {
		return w.give(data)
	}
	w.buf = append(w.buf, data...)
	for w.to == nil {
		n := min(w.skip, int64(len(w.buf)))
		w.buf, w.skip = w.buf[n:], w.skip-n
		if w.skip > 0 {
			return nil
		}
		if more, err := w.chunk(); err != nil || more {
			return err
		}
	}
	data, w.buf = w.buf, nil
	return w.give(data)
}

// chunk reads the chunk header at the start of the buffer; more means that it
// is not whole.
func (w *wav) chunk() (more bool, err error) {
	b := w.buf
	if !w.began {
		if len(b) < 12 {
			return true, nil
		}
		w.began, w.buf = true, b[12:]
		return false, nil
	}
	if len(b) < 8 {
		return true, nil
	}
	size := int64(binary.LittleEndian.Uint32(b[4:]))
	switch string(b[:4]) {
	case "fmt ":
		if size < 16 || size > 1024 {
			return false, fmt.Errorf("%w: WAV format of %d bytes", ErrNotAudio, size)
		}
		if int64(len(b)) < 8+size {
			return true, nil
		}
		if w.format, err = wavFormat(b[8 : 8+size]); err != nil {
			return false, err
		}
	case "data":
		if w.format.Codec == 0 {
			return false, fmt.Errorf("%w: WAV without a format before its data", ErrNotAudio)
		}
		if w.left = size; size == 0 || size >= 0x7ffff000 {
			w.left = math.MaxInt64
		}
		w.buf = b[8:]
		w.to, err = w.make(w.format)
		return false, err
	}
	w.buf, w.skip = b[8:], size+size&1
	return false, nil
}

// wavFormat reads a fmt chunk: WAVEFORMATEX or WAVEFORMATEXTENSIBLE.
func wavFormat(b []byte) (Format, error) {
	tag, bits := binary.LittleEndian.Uint16(b), binary.LittleEndian.Uint16(b[14:])
	if tag == 0xfffe && len(b) >= 26 {
		tag = binary.LittleEndian.Uint16(b[24:])
	}
	f := Format{Rate: int(binary.LittleEndian.Uint32(b[4:])), Channels: int(binary.LittleEndian.Uint16(b[2:]))}
	switch {
	case tag == 1 && bits == 16:
		f.Codec = S16LE
	case tag == 1 && bits == 24:
		f.Codec = S24LE
	case tag == 1 && bits == 32:
		f.Codec = S32LE
	case tag == 3 && bits == 32:
		f.Codec = F32LE
	default:
		return f, fmt.Errorf("%w: WAV with format %d and %d bits; integers of 16, 24 or 32 bits and floats of 32 can be", ErrNotAudio, tag, bits)
	}
	return f, checkPCM(f)
}

func (w *wav) give(data []byte) error {
	n := min(w.left, int64(len(data)))
	w.left -= n
	return w.to.Decode(data[:n])
}

func (w *wav) Close() error {
	if w.to == nil {
		return nil
	}
	return w.to.Close()
}
