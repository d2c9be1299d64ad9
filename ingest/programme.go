package ingest

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"longwave/ingest/feed"
	"longwave/ingest/jitter"
	"longwave/ingest/mix"
	"longwave/ingest/pcm"
	"longwave/ingest/token"
)

// ProgrammeOptions are what a [Programme] works with.
type ProgrammeOptions struct {
	Station  string
	Clock    pcm.Clock
	Start    pcm.Pos      // of the first frame
	Hold     mix.Hold     // nil: near-silence
	Loudness float64      // of a conversation of live voices, in LUFS; 0: -18
	Feeds    feed.Options // of groups; the metrics are the programme's
	Log      *slog.Logger
	Registry prometheus.Registerer // labelled with the station; nil: nothing is counted in public
}

// sweepFrames is how often, in frames, lanes that were played are taken off: 0.5 s.
const sweepFrames = 25

// A Programme is the mixed sound of a station, a frame after the other, as they
// fall due. One goroutine calls Next.
type Programme struct {
	opt     ProgrammeOptions
	mixer   *mix.Mixer
	buffers *jitter.Metrics
	late    prometheus.Histogram

	// Of the goroutine that calls Next.
	pos   pcm.Pos
	frame [pcm.FrameLen]float32
	marks []pcm.Mark
	state string // what the last MarkState said
	told  string // what the last MarkTitle said
	// speaking is who speaks, by lane.
	speaking map[string]string
	dead     mix.DeadAir
	tardy    lateness

	desk *Desk
}

// NewProgramme returns a programme that plays its hold until somebody speaks.
func NewProgramme(opt ProgrammeOptions) *Programme {
	opt.Feeds.Metrics = feed.NewMetrics(opt.Registry)
	mixer := mix.NewMixer(mix.Options{Hold: opt.Hold, TargetLUFS: opt.Loudness, Metrics: opt.Registry})
	return &Programme{
		opt: opt, mixer: mixer, pos: opt.Start, desk: newDesk(mixer, opt.Feeds, opt.Log),
		buffers: jitter.NewMetrics(opt.Registry), late: newLateness(opt.Registry),
		marks: make([]pcm.Mark, 0, 8), speaking: map[string]string{},
	}
}

// Next returns the next frame as soon as its last sample is due; a caller that comes
// late gets all that are due without a wait. After Close it goes on until the lanes
// were played, then returns io.EOF. The frame holds until the next call.
func (p *Programme) Next(ctx context.Context) (pcm.Frame, error) {
	end := p.pos + pcm.FrameSamples
	if err := p.opt.Clock.Wait(ctx, end); err != nil {
		return pcm.Frame{}, err
	}
	if p.pos%(sweepFrames*pcm.FrameSamples) == 0 && p.desk.sweep() {
		return pcm.Frame{}, io.EOF
	}
	late := pcm.Duration(p.opt.Clock.Now() - end)
	p.late.Observe(late.Seconds())
	p.tardy.see(late, p.opt.Log)
	if p.tardy.woke(late) {
		time.Sleep(wakeTime) // no more can be lost by that than is late already
	}
	p.desk.finishHandovers()
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
		p.desk.dead(r.DeadAir)
		p.dead = r.DeadAir
	}
	if title, ok := p.desk.title(); ok && title != p.told {
		p.told = title
		p.marks = append(p.marks, pcm.Mark{Pos: p.pos, Kind: pcm.MarkTitle, Text: title})
	}
	p.markSpeech()
	return p.marks
}

// markSpeech marks who began and ended to speak, in step with the sound: some of it is
// already in the programme by then. Who speaks in a lane is remembered until the end, for
// the lane may be gone or somebody else's.
func (p *Programme) markSpeech() {
	for _, x := range p.mixer.Speech() {
		m := pcm.Mark{Pos: x.Pos, Kind: pcm.MarkSpeaker, ID: p.speaking[x.Lane]}
		delete(p.speaking, x.Lane)
		if x.Speaking {
			m.ID, m.Text = p.desk.who(x.Lane)
			p.speaking[x.Lane] = m.ID
		}
		if m.ID != "" {
			p.marks = append(p.marks, m)
		}
	}
	slices.SortStableFunc(p.marks, func(a, b pcm.Mark) int { return cmp.Compare(a.Pos, b.Pos) })
}

func (p *Programme) logDeadAir(d mix.DeadAir) {
	log := p.opt.Log.Warn
	if d == mix.Sounding {
		log = p.opt.Log.Info
	}
	log("dead air: speakers are connected and silent", "stage", d.String())
}

// admit puts l on the mixer.
func (p *Programme) admit(l *Lane, t token.Token, most int) error {
	if err := p.desk.admit(l, t, most); err != nil {
		return fmt.Errorf("station %q: %w", p.opt.Station, err)
	}
	return nil
}

// Desk is where the programme's host works.
func (p *Programme) Desk() *Desk { return p.desk }

// Late is by how much frames are mixed after they were due, the worst of the last
// seconds: listeners hear everything so much later, and it fades within half a minute
// once this machine keeps up.
func (p *Programme) Late() time.Duration { return time.Duration(p.tardy.recent.Load()) }

// Meters are the programme's loudness and state.
func (p *Programme) Meters() mix.Snapshot { return p.mixer.Snapshot() }

// Close ends every lane and admits nobody any more. Next plays what they hold, for
// three seconds at most, and returns io.EOF then.
func (p *Programme) Close() { p.desk.close() }
