package pcmtest

import (
	"encoding/binary"
	"math"

	"longwave/ingest/pcm"
)

// WAV returns x as a WAV file of 32-bit floats (format 3), which loses nothing.
func WAV(x []float32) []byte {
	const header = 46
	size := 4 * len(x)
	b := make([]byte, 0, header+size)
	b = append(b, "RIFF"...)
	b = binary.LittleEndian.AppendUint32(b, uint32(header-8+size))
	b = append(b, "WAVEfmt "...)
	b = binary.LittleEndian.AppendUint32(b, 18)
	b = binary.LittleEndian.AppendUint16(b, 3)
	b = binary.LittleEndian.AppendUint16(b, pcm.Channels)
	b = binary.LittleEndian.AppendUint32(b, pcm.Rate)
	b = binary.LittleEndian.AppendUint32(b, 4*pcm.Channels*pcm.Rate)
	b = binary.LittleEndian.AppendUint16(b, 4*pcm.Channels)
	b = binary.LittleEndian.AppendUint16(b, 32)
	b = binary.LittleEndian.AppendUint16(b, 0) // no extension
	b = append(b, "data"...)
	b = binary.LittleEndian.AppendUint32(b, uint32(size))
	return append(b, Bytes(x)...)
}

// Bytes returns x as little-endian 32-bit floats: ffmpeg's f32le.
func Bytes(x []float32) []byte {
	b := make([]byte, 4*len(x))
	for i, v := range x {
		binary.LittleEndian.PutUint32(b[4*i:], math.Float32bits(v))
	}
	return b
}

// Samples is the inverse of [Bytes]; an incomplete last value is left out.
func Samples(b []byte) []float32 {
	x := make([]float32, len(b)/4)
	for i := range x {
		x[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return x
}
