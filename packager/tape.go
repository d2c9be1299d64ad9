package packager

import "longwave/ingest/pcm"

// tapeLen is how much sound a tape keeps, in samples of each channel: a codec frame
// that waits for its end, and the programme frame that brings it.
const tapeLen = 4_096

// A tape is the newest sound of the programme, in stereo and mixed down to mono,
// as the coders read it: any run of samples within the last tapeLen is one slice.
type tape struct {
	end    pcm.Pos // of the sound
	stereo []float32
	mono   []float32
}

// newTape returns an empty tape on which the sound of pos comes next.
func newTape(pos pcm.Pos) *tape {
	return &tape{
		end:    pos,
		stereo: make([]float32, 0, 2*pcm.Channels*tapeLen),
		mono:   make([]float32, 0, 2*tapeLen),
	}
}

// record appends interleaved stereo samples, at most tapeLen of each channel.
func (t *tape) record(samples []float32) {
	n := len(samples) / pcm.Channels
	if len(t.mono)+n > cap(t.mono) {
		keep := len(t.mono) - tapeLen
		t.mono = t.mono[:copy(t.mono, t.mono[keep:])]
		t.stereo = t.stereo[:copy(t.stereo, t.stereo[keep*pcm.Channels:])]
	}
	t.stereo = append(t.stereo, samples...)
	for i := range n {
		t.mono = append(t.mono, (samples[2*i]+samples[2*i+1])/2)
	}
	t.end += pcm.Pos(n)
}

// read returns n samples of each channel from pos on, which must be on the tape.
// The slice holds until the next record.
func (t *tape) read(pos, n pcm.Pos, channels int) []float32 {
	from := pcm.Pos(len(t.mono)) - (t.end - pos)
	if channels == 1 {
		return t.mono[from : from+n]
	}
	return t.stereo[from*pcm.Channels : (from+n)*pcm.Channels]
}
