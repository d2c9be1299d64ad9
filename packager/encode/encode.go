// Package encode holds what the packager asks of a codec. The codecs are below it.
package encode

import "longwave/ingest/pcm"

// A Coder codes one rendition, a codec frame at a time. One goroutine uses it.
//
// A segment begins with Reset. The first frames that are fed then are pre-roll:
// sound before the segment that brings the coder into the state it would have
// had, whose access units are thrown away. So the bytes of a segment depend on
// its own sound and on nothing that was encoded before.
type Coder interface {
	// Reset forgets all that was encoded.
	Reset() error
	// Encode codes one frame of interleaved samples, [Format.FrameSamples] of each
	// channel. The first [Format.Delay] calls after Reset return nothing; from
	// then on the access unit of the frame that was fed Delay calls ago. It holds
	// until the next call.
	Encode(samples []float32) ([]byte, error)
}

// A Format is what follows from the choice of a codec, and what has to be known
// to feed a [Coder] and to describe its output.
type Format struct {
	FrameSamples pcm.Pos // samples of each channel in an access unit
	PreRoll      int     // frames to feed before the first frame of a segment
	Delay        int     // frames that the coder looks ahead
	Codecs       string  // RFC 6381, for EXT-X-STREAM-INF
	SampleEntry  string  // "Opus" or "mp4a"
	Config       []byte  // mp4a: AudioSpecificConfig (ISO/IEC 14496-3 section 1.6)
	PreSkip      int     // Opus: samples of encoder delay (RFC 7845 section 5.1)
	Roll         int     // access units that a decoder needs before sound is right (ISO/IEC 14496-12 section 10.1)
}
