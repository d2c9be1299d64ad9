package feed

import "longwave/ingest/pcm"

// lineFrames is the length of a line in frames: the longest delay, the frame that is
// due, the one after it, and what the aligner compares.
const lineFrames = 160

// A line holds the last frames of a member, so that they can be heard later.
type line struct {
	samples []float32
	fills   []pcm.Fill
	n       int // frames that came, and one round of silence before
}

func newLine(frames int) line {
	return line{samples: make([]float32, frames*pcm.FrameLen), fills: make([]pcm.Fill, frames), n: frames}
}

// slot returns where the next frame goes: fill it, then push.
func (l *line) slot() []float32 {
	at := l.n % len(l.fills) * pcm.FrameLen
	return l.samples[at : at+pcm.FrameLen]
}

func (l *line) push(f pcm.Fill) {
	l.fills[l.n%len(l.fills)] = f
	l.n++
}

// read fills dst with what begins back samples before the end.
func (l *line) read(dst []float32, back int) {
	at := (l.n*pcm.FrameSamples - back) * pcm.Channels % len(l.samples)
	n := copy(dst, l.samples[at:])
	copy(dst[n:], l.samples)
}

// fill returns the worst and the best of how the frame was obtained that begins back
// samples before the end.
func (l *line) fill(back int) (least, most pcm.Fill) {
	at := l.n*pcm.FrameSamples - back
	a := l.fills[at/pcm.FrameSamples%len(l.fills)]
	b := a
	if at%pcm.FrameSamples != 0 {
		b = l.fills[(at/pcm.FrameSamples+1)%len(l.fills)]
	}
	return min(a, b), max(a, b)
}

// mono fills dst with the sum of both channels from back samples before the end on.
func (l *line) mono(dst []float32, back int) {
	at := (l.n*pcm.FrameSamples - back) * pcm.Channels % len(l.samples)
	for i := range dst {
		dst[i] = l.samples[at] + l.samples[at+1]
		if at += pcm.Channels; at == len(l.samples) {
			at = 0
		}
	}
}
