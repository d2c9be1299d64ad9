package packager

import (
	"context"
	"log/slog"
	"reflect"
	"slices"
	"time"

	"longwave/ingest/pcm"
)

// keepWait bounds how long a round waits for a local store to have a segment before
// its last part is listed. A disk that takes longer holds up the segment's own line in
// the playlist, not the parts.
const keepWait = 20 * time.Millisecond

// publish puts the parts of this round, then what names them.
func (p *Packager) publish(ctx context.Context) {
	p.closeSegments(ctx, p.overdue())
	p.keepMarks()
	p.announce()
	p.sendSegments(ctx)
	for _, f := range p.done {
		p.listPart(ctx, f.window, f.chunk)
	}
	p.marks.forget(SegmentPos(p.oldest() - windowSegments)) // stores may be behind
	p.awaitLocal(keepWait)
	p.closeSegments(ctx, false)
	for _, f := range p.done {
		p.putLive(ctx, Object{Key: p.mediaKey(f.window), Data: p.livePlaylist(f.window).Append(nil)})
	}
	if steered, rated := p.steered(), p.rates.changed(); steered || rated {
		p.putMultivariants(ctx)
	}
	if p.opt.Now != nil && !p.leaving { // what comes then is ahead of its time
		now := p.opt.Now()
		for _, f := range p.done {
			p.metrics.edge.Observe(pcm.Duration(now - f.chunk.newestAU).Seconds())
		}
	}
}

// sendSegments sends the stores the segments that ended in this round.
func (p *Packager) sendSegments(ctx context.Context) {
	asked := false
	for _, f := range p.done {
		if f.chunk.segment == nil {
			continue
		}
		if !asked {
			asked = true
			p.spare(ctx)
		}
		i := slices.Index(p.windows, f.window)
		o := Object{
			Key: p.key(f.window, Key{Kind: Segment, MSN: f.chunk.msn}), Data: f.chunk.segment,
			Basic: p.basic(i),
		}
		p.rates.measure(f.window.rend.rung.Name, len(o.Data))
		for _, s := range p.outlets {
			s.sendSegment(i, o)
		}
		p.closing = append(p.closing, f)
	}
}

// announce tells of the segment that comes after one that is done.
func (p *Packager) announce() {
	if p.leaving {
		return
	}
	for _, f := range p.done {
		if next := f.chunk.msn + 1; f.chunk.segment != nil && next > p.begun {
			p.begun = next
			p.opt.Begun(next)
		}
	}
}

// overdue reports that a rendition has a part to list whose last segment still waits
// for the local stores. Other renditions' parts do not hurry it.
func (p *Packager) overdue() bool {
	return slices.ContainsFunc(p.closing, func(c finished) bool {
		return slices.ContainsFunc(p.done, func(f finished) bool { return f.window == c.window })
	})
}

// A slowness is whether the local stores had the last segments in time. The log is told
// when they begin to be late, and when they were in time for a minute, not each time.
type slowness struct {
	last bool
	told bool
	good int // in time, one after the other
}

// slowCalm is how many closings there are in a minute, of Opus and AAC apart.
const slowCalm = 2 * int(time.Minute/TargetDuration)

func (s *slowness) note(ctx context.Context, slow bool, log *slog.Logger) {
	s.last = slow
	switch {
	case slow && !s.told:
		log.WarnContext(ctx, "the local store is slow: segments are named before they are kept")
		s.told, s.good = true, 0
	case slow:
		s.good = 0
	case s.told:
		if s.good++; s.good >= slowCalm {
			log.InfoContext(ctx, "the local store has kept up for a minute")
			s.told = false
		}
	}
}

// closeSegments lists the segments that wait for the local stores to have them: when
// they have, or by force, because the next part is here.
func (p *Packager) closeSegments(ctx context.Context, force bool) {
	slow := !p.keptLocally()
	if len(p.closing) == 0 || slow && !force {
		return
	}
	if slow {
		p.metrics.slow.Inc()
	}
	p.slow.note(ctx, slow, p.opt.Log)
	for _, f := range p.closing {
		name := f.window.rend.rung.Name
		p.putLive(ctx, Object{Key: p.key(f.window, Key{Kind: Segment, MSN: f.chunk.msn}), Data: f.chunk.segment})
		f.window.close(f.chunk)
		p.metrics.segments.WithLabelValues(name).Inc()
	}
	p.closing = p.closing[:0]
}

// listPart puts a part into the live window.
func (p *Packager) listPart(ctx context.Context, w *window, c chunk) {
	name := w.rend.rung.Name
	p.metrics.bytes.WithLabelValues(name).Add(float64(len(c.data)))
	if p.opt.Profile.Plain() {
		return
	}
	p.putLive(ctx, Object{Key: p.key(w, Key{Kind: Part, MSN: c.msn, Part: c.part}), Data: c.data})
	w.addPart(c)
	p.metrics.parts.WithLabelValues(name).Inc()
}

func (p *Packager) putLive(ctx context.Context, o Object) {
	if err := p.opt.Live.Put(ctx, o); err != nil {
		p.opt.Log.ErrorContext(ctx, "live window refused an object", "key", o.Key.String(), "err", err)
	}
}

// collect takes in what the stores have acknowledged since, without waiting.
func (p *Packager) collect() {
	for _, s := range p.outlets {
		for more := true; more; {
			select {
			case a := <-s.outlet.Acks():
				p.acknowledge(s, a)
			default:
				more = false
			}
		}
	}
}

// keepMarks has the local stores' playlists tell what was noted before listeners are
// told, so that it is still told after a restart. Other stores hear of it with the
// next segment: some take one version of an object a second.
func (p *Packager) keepMarks() {
	if !p.marks.fresh {
		return
	}
	p.marks.fresh = false
	for _, s := range p.outlets {
		if s.outlet.Local() && s.opened {
			for i, w := range p.windows {
				p.sendPlaylist(s, i, w)
			}
		}
	}
}

// keptLocally reports that the local stores have all that they were sent.
func (p *Packager) keptLocally() bool {
	for _, s := range p.outlets {
		if s.outlet.Local() && s.media > 0 {
			return false
		}
	}
	return true
}

// awaitLocal waits until the local stores have the segments that they were sent, but
// not after most, nor for a store that was too slow the last time.
func (p *Packager) awaitLocal(most time.Duration) {
	if p.slow.last || p.keptLocally() {
		return
	}
	timeout := time.NewTimer(most)
	defer timeout.Stop()
	for _, s := range p.outlets {
		for s.outlet.Local() && s.media > 0 {
			select {
			case a := <-s.outlet.Acks():
				p.acknowledge(s, a)
			case <-timeout.C:
				return
			}
		}
	}
}

// How long the end waits for all stores elsewhere together: what they lack then is on this
// machine, and the next run sends it. Where one takes over at once the wait is silence.
const (
	endWait      = 3 * time.Second
	handOverWait = 500 * time.Millisecond
)

// drain waits for each store to have everything, and then for the playlists that name all
// of it and say whether it is the end. A store that takes nothing does not hold up the
// others.
func (p *Packager) drain(ctx context.Context) error {
	wait := handOverWait
	if p.ended {
		wait = endWait
	}
	brief, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	receive := func(c any) reflect.SelectCase {
		return reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(c)}
	}
	from := []reflect.SelectCase{receive(ctx.Done()), receive(brief.Done())}
	for _, s := range p.outlets {
		from = append(from, receive(s.outlet.Acks()))
	}
	for p.lacks(brief.Err() != nil) {
		switch i, a, _ := reflect.Select(from); i {
		case 0:
			return context.Cause(ctx)
		case 1:
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			from[1].Chan = reflect.Value{} // once
		default:
			p.acknowledge(p.outlets[i-2], a.Interface().(Ack))
		}
	}
	return nil
}

// lacks reports whether a store that is waited for lacks something: all of them, or when it
// is late those on this machine. One that has everything, or is waited for no more, is sent
// its last playlists.
func (p *Packager) lacks(late bool) bool {
	lacks := false
	for _, s := range p.outlets {
		awaited := s.outlet.Local() || !late
		if !s.told && (s.pending == 0 || !awaited) {
			s.told = true
			for i, w := range p.windows {
				if s.joins(i) {
					p.sendPlaylist(s, i, w)
				}
			}
		}
		lacks = lacks || awaited && s.pending > 0
	}
	return lacks
}
