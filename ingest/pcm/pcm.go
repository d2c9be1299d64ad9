// Package pcm holds the words in which the stages speak of sound: a place on
// the programme's timeline ([Pos]), a run of samples ([Frame]), what is said
// about the sound ([Mark]) and the clock that tells which samples are due
// ([Clock]).
//
// There is one clock: samples at 48 kHz since the Unix epoch. It is an integer.
// The wall clock is read once, when a [Clock] starts; after that time is counted
// on the monotonic clock, so that neither a step of the wall clock nor a late
// wake-up shows in the programme.
//
// This package does not resample, mix or encode, and it imports nothing of ours.
package pcm

import "time"

const (
	// Rate is the one sample rate between decoders and encoders, in hertz.
	Rate = 48_000
	// Channels is the number of channels of the programme: left, right.
	Channels = 2
	// FrameSamples is the length of a programme frame in samples per channel: 20 ms.
	FrameSamples = 960
	// FrameLen is the number of interleaved values in a programme frame.
	FrameLen = FrameSamples * Channels
	// FrameDuration is the time that a programme frame lasts.
	FrameDuration = 20 * time.Millisecond
)

// A Pos is a place on the programme's timeline: samples per channel at [Rate]
// since the Unix epoch. Time inside the pipeline is a Pos, never a float.
type Pos int64

// At returns the position of the last sample that began at or before t.
func At(t time.Time) Pos {
	return Pos(t.Unix()*Rate + int64(t.Nanosecond())*Rate/int64(time.Second))
}

// Time returns the instant of p, in UTC, rounded down to a nanosecond.
func (p Pos) Time() time.Time {
	s, rest := floorDiv(int64(p), Rate)
	return time.Unix(s, rest*int64(time.Second)/Rate).UTC()
}

// Floor returns the greatest multiple of n samples that is not after p.
func (p Pos) Floor(n Pos) Pos {
	q, _ := floorDiv(int64(p), int64(n))
	return Pos(q) * n
}

// Ceil returns the least multiple of n samples that is not before p.
func (p Pos) Ceil(n Pos) Pos {
	f := p.Floor(n)
	if f < p {
		f += n
	}
	return f
}

// Duration returns the time that n samples per channel last.
func Duration(n Pos) time.Duration {
	s, rest := floorDiv(int64(n), Rate)
	return time.Duration(s)*time.Second + time.Duration(rest*int64(time.Second)/Rate)
}

// Samples returns the number of whole samples per channel in d.
func Samples(d time.Duration) Pos {
	s, rest := floorDiv(int64(d), int64(time.Second))
	return Pos(s*Rate + rest*Rate/int64(time.Second))
}

func floorDiv(a, b int64) (quotient, rest int64) {
	quotient, rest = a/b, a%b
	if rest < 0 {
		quotient, rest = quotient-1, rest+b
	}
	return quotient, rest
}

// A Frame is a run of interleaved samples in [-1, 1] that starts at Pos.
// len(Samples) is a multiple of [Channels]. Samples and Marks belong to the
// giver and hold until the next frame is asked for.
type Frame struct {
	Pos     Pos
	Samples []float32
	// Marks are what became known with this frame, in the order of their Pos.
	Marks []Mark
}

// End returns the position of the first sample after f.
func (f Frame) End() Pos { return f.Pos + Pos(len(f.Samples)/Channels) }

// A MarkKind says what a [Mark] is about.
type MarkKind uint8

const (
	// MarkState: what is on air changed. Text is an [OnAir] value.
	MarkState MarkKind = iota + 1
	// MarkTitle: the programme's title changed. Text is the title.
	MarkTitle
	// MarkSpeaker: ID began to speak (Text is the name) or stopped (Text is empty).
	MarkSpeaker
	// MarkChapter: a chapter begins. Text is its title.
	MarkChapter
)

// What is on air, as the Text of a [MarkState].
const (
	OnAirHold  = "hold"
	OnAirLive  = "live"
	OnAirEnded = "ended"
)

// A Mark is a fact about the programme at a position. Marks travel with the
// sound: there is no second channel from ingest to the audience.
type Mark struct {
	Pos  Pos
	Kind MarkKind
	ID   string // of what the mark is about; empty where there is only one
	Text string
}

// A Fill says how a span of samples was obtained.
type Fill uint8

const (
	// Silent: the source had nothing; the samples are zeros.
	Silent Fill = iota
	// Concealed: the samples were invented to bridge a loss.
	Concealed
	// Heard: the samples came from the source.
	Heard
)
