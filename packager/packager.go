package packager

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"longwave/ingest/pcm"
)

// Options are what a [Packager] works with. Fields without a default must be set.
type Options struct {
	Station string
	Profile Profile
	Ladder  []Rung // default: DefaultLadder()
	// Start is where the first segment begins, First the first frame of the source, in that
	// segment; see [Begin]. First may be left out where it is Start.
	Start, First pcm.Pos
	// Begun is told of each segment before its first part is published, a part's length
	// before as a rule. It must not block. Nil: nobody is told.
	Begun func(msn int64)
	// Live is the origin's window in this process. Its Put must not block.
	Live Sink
	// Outlets lead to the stores; there may be none.
	Outlets []Outlet
	// Pathways are the ways to listeners, the preferred of each kind first. Without any
	// of a kind, the multivariant playlists of that kind have relative URIs.
	Pathways []Pathway
	// Steering is the SERVER-URI of the steering manifest (rfc8216bis section 4.4.6.6).
	// Default: [SteeringFile] where there is a choice of pathways, otherwise none.
	Steering string
	// Best returns the pathways of a kind that listeners are steered to now, the best first.
	// The multivariant playlists begin with these. It must not block. Nil: the order stays.
	Best func(plain bool) []string
	// Past reads what an earlier run kept; nil when there is no store.
	Past Reader
	// Now is the programme's time, for measuring how late the live edge is.
	Now      func() pcm.Pos
	Log      *slog.Logger
	Registry prometheus.Registerer // nil: nothing is counted in public
}

// A Packager turns frames into objects. It is one goroutine: encoding, cutting and
// listing happen in the order of the sound, so nothing is locked and every number
// is a function of time.
type Packager struct {
	opt     Options
	metrics *metrics
	tape    *tape
	windows []*window // one a rendition, in the order of the ladder
	outlets []*shop
	marks   logbook
	rates   rates
	done    []finished        // parts of this round
	closing []finished        // whose segments wait for a local store to have them
	slow    slowness          // of the local stores
	leaving bool              // the segment under way is the last
	ended   bool              // and nobody goes on after it
	begun   int64             // the newest segment that was announced
	best    map[bool][]string // what Best said last, by plain

	sheddable []int // of windows, in the order in which slow stores are spared them
}

// A finished part waits for the others of its round before it is listed.
type finished struct {
	window *window
	chunk  chunk
}

// New opens the codecs of every rendition.
func New(opt Options) (*Packager, error) {
	if opt.Ladder == nil {
		opt.Ladder = DefaultLadder()
	}
	if opt.Start%SegmentSamples != 0 {
		return nil, fmt.Errorf("start %d is not at a segment", opt.Start)
	}
	if !slices.ContainsFunc(opt.Ladder, func(r Rung) bool { return r.Codec == "aac" }) {
		return nil, errors.New("the ladder has no AAC rendition: many players know nothing else")
	}
	if err := errors.Join(CheckPathways(opt.Pathways), checkSteering(opt.Steering)); err != nil {
		return nil, err
	}
	if opt.First == 0 {
		opt.First = opt.Start
	}
	if opt.First < opt.Start || opt.First%pcm.FrameSamples != 0 {
		return nil, fmt.Errorf("the source begins at %d, not in the segment at %d", opt.First, opt.Start)
	}
	if opt.Best == nil {
		opt.Best = func(bool) []string { return nil }
	}
	if opt.Begun == nil {
		opt.Begun = func(int64) {}
	}
	p := &Packager{opt: opt, metrics: newMetrics(opt.Registry, opt.Ladder), tape: newTape(opt.Start - SegmentSamples), rates: rates{}, best: map[bool][]string{}}
	for _, rung := range opt.Ladder {
		r, err := newRendition(opt.Station, rung, opt.Profile, opt.Start)
		if err != nil {
			return nil, err
		}
		p.windows = append(p.windows, newWindow(r, MSN(opt.Start)-windowSegments))
		p.rates[rung.Name] = rung.estimate()
	}
	p.sheddable = sheddable(p.windows)
	for _, o := range opt.Outlets {
		p.outlets = append(p.outlets, newShop(o, p.windows))
	}
	return p, nil
}

// ErrHandOver is what a source returns when this run ends and another one, of the same
// data folder, goes on.
var ErrHandOver = errors.New("another run goes on")

// Run publishes the past, then packages src until it ends: with io.EOF, which is announced
// to listeners, or with [ErrHandOver], which is not. In both cases the segment under way is
// brought to its full length, and the stores are waited for, those elsewhere not for long.
// When ctx ends all stays as it is. An error of a codec ends it; a store that fails does not.
func (p *Packager) Run(ctx context.Context, src Source) error {
	if err := p.resume(ctx); err != nil {
		return fmt.Errorf("station %s: %w", p.opt.Station, err)
	}
	if err := p.hush(ctx, p.opt.First); err != nil { // the first segment rolls in on near-silence
		return err
	}
	for {
		f, err := src.Next(ctx)
		switch {
		case errors.Is(err, io.EOF):
			return p.finish(ctx, true)
		case errors.Is(err, ErrHandOver):
			return p.finish(ctx, false)
		case err != nil:
			return err
		}
		if f.Pos != p.tape.end {
			return fmt.Errorf("station %s: frame at %d, expected at %d", p.opt.Station, f.Pos, p.tape.end)
		}
		for _, m := range f.Marks {
			p.marks.note(m, f.Pos)
		}
		if err := p.round(ctx, f.Samples); err != nil {
			return err
		}
	}
}

// round codes a run of sound and publishes what it finishes.
func (p *Packager) round(ctx context.Context, samples []float32) error {
	begin := time.Now()
	p.tape.record(samples)
	for _, w := range p.windows {
		if err := w.rend.advance(p.tape, func(_ *rendition, c chunk) {
			p.done = append(p.done, finished{w, c})
		}); err != nil {
			return fmt.Errorf("station %s: %w", p.opt.Station, err)
		}
	}
	p.metrics.encode.Observe(time.Since(begin).Seconds())
	p.collect()
	switch {
	case len(p.done) > 0:
		p.publish(ctx)
		p.done = p.done[:0]
	case len(p.closing) > 0 && p.keptLocally():
		late := slices.Clone(p.closing)
		p.closeSegments(ctx, false)
		for _, f := range late {
			p.putLive(ctx, Object{Key: p.mediaKey(f.window), Data: p.livePlaylist(f.window).Append(nil)})
		}
	}
	return nil
}

// finish brings the last segment to its full length with near-silence, so that the
// numbers of whoever goes on later fit, and says that this is the end, if it is.
func (p *Packager) finish(ctx context.Context, over bool) error {
	if over {
		p.marks.note(pcm.Mark{Pos: p.tape.end, Kind: pcm.MarkState, Text: pcm.OnAirEnded}, p.tape.end)
	}
	p.leaving = true
	end := p.tape.end.Ceil(SegmentSamples)
	if err := p.hush(ctx, end); err != nil {
		return err
	}
	for p.unfinished(end) {
		if err := p.hush(ctx, p.tape.end+pcm.FrameSamples); err != nil {
			return err
		}
	}
	p.closeSegments(ctx, true)
	p.ended = over
	for _, w := range p.windows {
		p.putLive(ctx, Object{Key: p.mediaKey(w), Data: p.livePlaylist(w).Append(nil)})
	}
	return p.drain(ctx)
}

// hush packages near-silence up to pos.
func (p *Packager) hush(ctx context.Context, pos pcm.Pos) error {
	frame := make([]float32, pcm.FrameLen)
	for p.tape.end < pos {
		pcm.Dither(frame, p.tape.end)
		if err := p.round(ctx, frame); err != nil {
			return err
		}
	}
	return nil
}

// unfinished reports whether a coder still looks ahead for the end of the segment
// that ends at end.
func (p *Packager) unfinished(end pcm.Pos) bool {
	for _, w := range p.windows {
		if w.rend.out.au < end {
			return true
		}
	}
	return false
}

func (p *Packager) key(w *window, k Key) Key {
	k.Station, k.Rendition = p.opt.Station, w.rend.rung.Name
	return k
}

func (p *Packager) mediaKey(w *window) Key { return p.key(w, Key{Kind: Media}) }
