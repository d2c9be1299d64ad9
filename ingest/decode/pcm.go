package decode

import (
	"encoding/binary"
	"fmt"
	"math"

	"longwave/ingest/pcm"
)

// width returns the bytes of one sample of a raw codec; 0 for the others.
func (c Codec) width() int {
	switch c {
	case S16LE:
		return 2
	case S24LE:
		return 3
	case S32LE, F32LE:
		return 4
	default:
		return 0
	}
}

func checkPCM(f Format) error {
	if f.Rate < 8000 || f.Rate > 384_000 || f.Channels < 1 || f.Channels > 8 {
		return fmt.Errorf("%w: %v with %d Hz and %d channels; 8000 to 384000 Hz and 1 to 8 channels can be", ErrNotAudio, f.Codec, f.Rate, f.Channels)
	}
	return nil
}

// raw decodes PCM at our rate with one or two channels.
type raw struct {
	format Format
	out    out
	rest   []byte // the start of a sample whose end has not come
	buf    []float32
}

func (r *raw) Decode(data []byte) error {
	size := r.format.Codec.width() * r.format.Channels
	if len(r.rest) > 0 {
		n := min(size-len(r.rest), len(data))
		r.rest, data = append(r.rest, data[:n]...), data[n:]
		if len(r.rest) < size {
			return nil
		}
		if err := r.give(r.rest); err != nil {
			return err
		}
		r.rest = r.rest[:0]
	}
	whole := len(data) / size * size
	r.rest = append(r.rest, data[whole:]...)
	for data = data[:whole]; len(data) > 0; {
		n := min(len(data), pcm.FrameSamples*size)
		if err := r.give(data[:n]); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

// give converts whole samples of all channels.
func (r *raw) give(data []byte) error {
	r.buf = r.buf[:0]
	w := r.format.Codec.width()
	for ; len(data) > 0; data = data[w:] {
		v := sample(r.format.Codec, data)
		r.buf = append(r.buf, v)
		if r.format.Channels == 1 {
			r.buf = append(r.buf, v)
		}
	}
	return r.out(r.buf)
}

func sample(c Codec, b []byte) float32 {
	switch c {
	case S16LE:
		return float32(int16(binary.LittleEndian.Uint16(b))) / (1 << 15)
	case S24LE:
		return float32(int32(uint32(b[0])<<8|uint32(b[1])<<16|uint32(b[2])<<24)) / (1 << 31)
	case S32LE:
		return float32(int32(binary.LittleEndian.Uint32(b))) / (1 << 31)
	default:
		return math.Float32frombits(binary.LittleEndian.Uint32(b))
	}
}

// Close passes over a sample that was cut in the middle.
func (r *raw) Close() error { return nil }
