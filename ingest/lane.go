package ingest

import (
	"context"
	"slices"
	"sync"
	"time"

	"longwave/ingest/decode"
	"longwave/ingest/jitter"
	"longwave/ingest/mix"
	"longwave/ingest/pcm"
)

// A sound is a lane's buffer as the desk sees it.
type sound interface {
	mix.Source
	End() // nothing more will come: what is there is still played
	State() jitter.State
}

// A Lane is a speaker's way to the mixer. One goroutine pushes; the other methods
// may be called by anybody.
type Lane struct {
	programme *Programme
	claim     Claim
	seat      string // who owns it: a token's ID
	id        string // of this connection, for the mixer
	group     string // that it is a feed of; empty: none
	opened    time.Time
	sound     sound
	stream    *jitter.Stream  // nil for packets that carry their own time
	dec       decode.Decoder  // the same
	ctx       context.Context //nolint:containedctx // lives as long as the lane does
	cancel    context.CancelCauseFunc
	ending    sync.Once

	mu     sync.Mutex
	titles []title // not heard yet; guarded by mu
}

// buffers are what transports need ahead that are no network: a file is read as fast
// as it is played, and whoever writes to standard input keeps the time. Others have
// the default for TCP.
var buffers = map[string]jitter.Options{
	"file":  {Target: jitter.FileTarget, Capacity: time.Second},
	"stdin": {Target: jitter.PipeTarget, Trim: true},
	"rtmp":  {Target: 400 * time.Millisecond, Trim: true},
	"srt":   {Target: 250 * time.Millisecond, Trim: true},
	"pull":  {Capacity: 20 * time.Second}, // HLS comes in segments of up to 10 s
}

// mostBurst bounds what a sender can have us keep ahead.
const mostBurst = time.Second

func newLane(ctx context.Context, p *Programme, c Claim, seat string) *Lane {
	opt := buffers[c.Transport]
	if opt.Target > 0 {
		opt.Target += min(max(c.Burst, 0), mostBurst)
	}
	opt.Metrics = p.buffers
	opt.Late = p.behind
	opt.Patient = c.Transport == "stdin" // for nobody from outside the mixer waits
	stream := jitter.NewStream(opt)
	l := &Lane{programme: p, claim: c, seat: seat, opened: time.Now(), stream: stream, sound: stream}
	l.ctx, l.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	return l
}

// behind returns how late the frame is that the programme mixes. Only the goroutine
// that calls [Programme.Next] calls it, from [jitter.Stream.Pull].
func (p *Programme) behind() time.Duration {
	return -p.opt.Clock.Until(p.pos + pcm.FrameSamples)
}

// decode starts the lane's decoder, which lives as long as the lane does.
func (l *Lane) decode(f decode.Format, opt decode.Options) error {
	var err error
	opt.Title = l.Title
	l.dec, err = decode.New(l.ctx, f, l.write, opt)
	return err
}

// Push carries one packet. It blocks while the lane holds as much as it may, so
// that a sender that is faster than time is slowed down. [ErrClosed] and errors of
// the decoder end the source.
func (l *Lane) Push(p Packet) error {
	if err := context.Cause(l.ctx); err != nil {
		return err
	}
	err := l.dec.Decode(p.Data)
	if cause := context.Cause(l.ctx); err != nil && cause != nil {
		return cause // the decoder's error is only what ending it looks like
	}
	return err
}

// write takes samples from the decoder.
func (l *Lane) write(samples []float32) error { return l.stream.Write(l.ctx, samples) }

// Title says what the sound that is pushed from now on is. The programme is told when
// that sound is heard.
func (l *Lane) Title(s string) {
	at := l.sound.State().Written
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.titles) == mostTitles {
		l.titles = slices.Delete(l.titles, 0, 1)
	}
	l.titles = append(l.titles, title{at, s})
}

// A title holds from a sample of the lane on.
type title struct {
	at   int64
	text string
}

// mostTitles is how many titles may wait to be heard.
const mostTitles = 64

// due returns the newest title whose sound is heard.
func (l *Lane) due() (text string, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.titles) == 0 {
		return "", false
	}
	s := l.sound.State()
	heard := s.Written - int64(s.Level)
	for len(l.titles) > 0 && l.titles[0].at <= heard {
		text, ok = l.titles[0].text, true
		l.titles = slices.Delete(l.titles, 0, 1)
	}
	return text, ok
}

// Close ends the source: what was pushed is still played. It returns the error of
// a decoder that failed at the last moment.
func (l *Lane) Close() error {
	ended := l.ctx.Err() != nil // from our side: then the decoder has nothing to say
	err := l.dec.Close()
	if ended {
		err = nil
	}
	l.end(ErrClosed)
	return err
}

// end lets no more sound in; why is what Push returns from now on.
func (l *Lane) end(why error) {
	l.ending.Do(func() {
		l.sound.End()
		l.cancel(why)
	})
}

// played reports that nothing of the lane is left to be heard.
func (l *Lane) played() bool { return l.sound.State().Phase == jitter.Ended }

// Done is closed when the lane was ended by us or by Close; Err says why.
func (l *Lane) Done() <-chan struct{} { return l.ctx.Done() }

// Err is why the lane ended: [ErrClosed] when another connection took the seat or the
// programme ends, [ErrRemoved] when the host removed the speaker; nil before.
func (l *Lane) Err() error { return context.Cause(l.ctx) }
