package decode

import "fmt"

// A Codec says what the bytes of a source are.
type Codec uint8

// The codecs that a source may bring. The comment says what one call of
// [Decoder.Decode] is given.
const (
	Opus      Codec = iota + 1 // one Opus packet (RFC 6716); nil: one was lost
	OggOpus                    // a run of bytes of an Ogg stream (RFC 7845)
	OggVorbis                  // the same
	OggFLAC                    // the same
	ADTS                       // a run of bytes: AAC with ADTS headers (ISO 14496-3 1.A.2.2)
	MP3                        // a run of bytes: MPEG audio layer II or III
	FLAC                       // a run of bytes of a native FLAC stream (RFC 9639)
	WAV                        // a run of bytes of a RIFF WAVE file
	S16LE                      // interleaved samples, whole or not
	S24LE                      // the same
	S32LE                      // the same
	F32LE                      // the same
)

var codecNames = [...]string{
	Opus: "opus", OggOpus: "ogg-opus", OggVorbis: "ogg-vorbis", OggFLAC: "ogg-flac",
	ADTS: "aac", MP3: "mp3", FLAC: "flac", WAV: "wav", S16LE: "s16le", S24LE: "s24le", S32LE: "s32le", F32LE: "f32le",
}

// String returns the codec's name: a closed set, fit for a metric's label.
func (c Codec) String() string {
	if int(c) < len(codecNames) && codecNames[c] != "" {
		return codecNames[c]
	}
	return "unknown"
}

// A Format is what a decoder must know before the first byte.
type Format struct {
	Codec Codec
	// Rate is the number of samples a second and channel. [S16LE] to
	// [F32LE] need it; for the other codecs it is what the first header says, or 0.
	Rate int
	// Channels is the same for the number of channels.
	Channels int
}

// String returns the format in words for the log: "mp3 44100 Hz 2 ch".
func (f Format) String() string {
	if f.Rate == 0 || f.Channels == 0 {
		return f.Codec.String()
	}
	return fmt.Sprintf("%s %d Hz %d ch", f.Codec, f.Rate, f.Channels)
}
