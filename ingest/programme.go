package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"longwave/ingest/mix"
	"longwave/ingest/pcm"
)

// ProgrammeOptions are what a [Programme] works with.
type ProgrammeOptions struct {
	Station  string
	Clock    pcm.Clock
	Start    pcm.Pos  // of the first frame
	Hold     mix.Hold // nil: near-silence
	Log      *slog.Logger
	Registry prometheus.Registerer // nil: nothing is counted in public
}

// drainTime bounds how long lanes are played out after Close.
const drainTime = 3 * time.Second

// sweepFrames is how often, in frames, lanes that were played are taken off: 0.5 s.
const sweepFrames = 25

// A Programme is the mixed sound of a station, a frame after the other, as they
// fall due. One goroutine calls Next.
type Programme struct {
	opt     ProgrammeOptions
	mixer   *mix.Mixer
	metrics *programmeMetrics

	// Of the goroutine that calls Next.
	pos   pcm.Pos
	frame [pcm.FrameLen]float32
	marks []pcm.Mark
	state string // what the last MarkState said
	told  string // what the last MarkTitle said
	dead  mix.DeadAir

	mu     sync.Mutex
	lanes  map[string]*Lane // by seat
	old    []*Lane          // without a seat, still being played
	count  int              // lanes so far
	title  string
	closed time.Time // when Close was called
}

// NewProgramme returns a programme that plays its hold until somebody speaks.
func NewProgramme(opt ProgrammeOptions) *Programme {
	p := &Programme{
		opt: opt, mixer: mix.NewMixer(mix.Options{Hold: opt.Hold}), pos: opt.Start,
		lanes: map[string]*Lane{}, marks: make([]pcm.Mark, 0, 8),
	}
	p.metrics = newProgrammeMetrics(opt.Registry, p)
	return p
}

// Next returns the next frame as soon as its last sample is due; a caller that comes
// late gets all that are due without a wait. After Close it goes on until the lanes
// were played, then returns io.EOF. The frame holds until the next call.
func (p *Programme) Next(ctx context.Context) (pcm.Frame, error) {
	end := p.pos + pcm.FrameSamples
	if err := p.opt.Clock.Wait(ctx, end); err != nil {
		return pcm.Frame{}, err
	}
	if p.pos%(sweepFrames*pcm.FrameSamples) == 0 && p.sweep() {
		return pcm.Frame{}, io.EOF
	}
	p.metrics.late.Observe(pcm.Duration(p.opt.Clock.Now() - end).Seconds())
	report := p.mixer.Mix(p.frame[:], p.pos)
	f := pcm.Frame{Pos: p.pos, Samples: p.frame[:], Marks: p.mark(report)}
	p.pos = end
	return f, nil
}

// mark returns what changed with this frame.
func (p *Programme) mark(r mix.Report) []pcm.Mark {
	p.marks = p.marks[:0]
	if r.OnAir != p.state {
		at := p.pos
		if p.state != "" {
			at = max(r.Since, p.opt.Start)
		}
		p.state = r.OnAir
		p.marks = append(p.marks, pcm.Mark{Pos: at, Kind: pcm.MarkState, Text: r.OnAir})
		p.opt.Log.Info("on air", "state", r.OnAir)
	}
	if r.DeadAir != p.dead {
		p.logDeadAir(r.DeadAir)
		p.dead = r.DeadAir
	}
	p.mu.Lock()
	title := p.title
	p.mu.Unlock()
	if title != p.told {
		p.told = title
		p.marks = append(p.marks, pcm.Mark{Pos: p.pos, Kind: pcm.MarkTitle, Text: title})
	}
	return p.marks
}

func (p *Programme) logDeadAir(d mix.DeadAir) {
	log := p.opt.Log.Warn
	if d == mix.Sounding {
		log = p.opt.Log.Info
	}
	log("dead air: speakers are connected and silent", "stage", d.String())
}

// admit gives l its seat. Whoever had it plays out what is buffered.
func (p *Programme) admit(l *Lane, most int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed.IsZero() {
		return fmt.Errorf("the programme ends: %w", ErrClosed)
	}
	before := p.lanes[l.seat]
	if before == nil && len(p.lanes) >= most {
		return fmt.Errorf("station %q has %d speakers: %w", p.opt.Station, most, ErrBusy)
	}
	if before != nil {
		before.end(errors.New("the same token connected again"))
		p.old = append(p.old, before)
		p.opt.Log.Info("seat taken over", "speaker", l.claim.Name, "remote", l.claim.Remote, "from", before.claim.Remote)
	}
	p.count++
	l.id = fmt.Sprintf("%s#%d", l.seat, p.count)
	p.lanes[l.seat] = l
	p.mixer.Add(l.id, l.stream, mix.LaneOptions{})
	p.opt.Log.Info("lane opened", "speaker", l.claim.Name, "transport", l.claim.Transport, "remote", l.claim.Remote)
	return nil
}

// sweep takes lanes off that were played, and reports that the programme is over.
func (p *Programme) sweep() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for seat, l := range p.lanes {
		if l.played() {
			p.remove(l)
			delete(p.lanes, seat)
		}
	}
	rest := p.old[:0]
	for _, l := range p.old {
		if l.played() {
			p.remove(l)
		} else {
			rest = append(rest, l)
		}
	}
	p.old = rest
	return !p.closed.IsZero() && (len(p.lanes)+len(p.old) == 0 || time.Since(p.closed) > drainTime)
}

func (p *Programme) remove(l *Lane) {
	p.mixer.Remove(l.id)
	s := l.stream.State()
	p.opt.Log.Info("lane closed", "speaker", l.claim.Name, "transport", l.claim.Transport,
		"played", pcm.Duration(pcm.Pos(s.Played)), "underruns", s.Underruns, "skipped", pcm.Duration(pcm.Pos(s.Skipped)))
	p.metrics.underruns.Add(float64(s.Underruns))
}

func (p *Programme) setTitle(s string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.title = s
}

// Close ends every lane and admits nobody any more. Next plays what they hold, for
// three seconds at most, and returns io.EOF then.
func (p *Programme) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed.IsZero() {
		return
	}
	p.closed = time.Now()
	for _, l := range p.lanes {
		l.end(errors.New("the programme ends"))
	}
}
