package packager

import (
	"context"
	"time"

	"longwave/ingest/pcm"
)

// keepWait bounds how long a round waits for a local store to have a segment before
// it is named. It is far above what a disk takes, and below what a listener could
// notice.
const keepWait = 100 * time.Millisecond

// publish puts the parts of this round, then what names them.
func (p *Packager) publish(ctx context.Context) {
	segments := false
	for _, f := range p.done {
		if f.chunk.segment != nil {
			o := Object{Key: p.key(f.window, Key{Kind: Segment, MSN: f.chunk.msn}), Data: f.chunk.segment}
			p.rates.measure(f.window.rend.rung.Name, len(o.Data))
			for _, s := range p.outlets {
				s.send(o)
			}
			segments = true
		}
	}
	if segments {
		p.awaitLocal()
	}
	for _, f := range p.done {
		p.list(ctx, f.window, f.chunk)
	}
	for _, f := range p.done {
		p.putLive(ctx, Object{Key: p.mediaKey(f.window), Data: p.livePlaylist(f.window).Append(nil)})
	}
	if segments && p.rates.changed() {
		p.putMultivariants(ctx)
	}
	if p.opt.Now != nil {
		now := p.opt.Now()
		for _, f := range p.done {
			p.metrics.edge.Observe(pcm.Duration(now - f.chunk.newestAU).Seconds())
		}
	}
}

// list puts a part, and the segment that it closes, into the live window.
func (p *Packager) list(ctx context.Context, w *window, c chunk) {
	if !p.opt.Profile.Plain() {
		p.putLive(ctx, Object{Key: p.key(w, Key{Kind: Part, MSN: c.msn, Part: c.part}), Data: c.data})
		w.addPart(c)
		p.metrics.parts.WithLabelValues(w.rend.rung.Name).Inc()
	}
	p.metrics.bytes.WithLabelValues(w.rend.rung.Name).Add(float64(len(c.data)))
	if c.segment != nil {
		p.putLive(ctx, Object{Key: p.key(w, Key{Kind: Segment, MSN: c.msn}), Data: c.segment})
		w.close(c)
		p.metrics.segments.WithLabelValues(w.rend.rung.Name).Inc()
	}
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

// awaitLocal waits until the local stores have what they were sent. A disk that
// does not come up with it in time is not waited for again until it has caught up.
func (p *Packager) awaitLocal() {
	timeout := time.NewTimer(keepWait)
	defer timeout.Stop()
	for _, s := range p.outlets {
		for s.outlet.Local() && !s.slow && s.pending > 0 {
			select {
			case a := <-s.outlet.Acks():
				p.acknowledge(s, a)
			case <-timeout.C:
				s.slow = true
				p.metrics.slow.Inc()
				p.opt.Log.Warn("the local store is slow: segments are named before they are kept", "waited", keepWait)
			}
		}
	}
}

// drain waits for the stores to have everything, and for the playlists that say
// that it is the end.
func (p *Packager) drain(ctx context.Context) error {
	for _, s := range p.outlets {
		if err := p.empty(ctx, s); err != nil {
			return err
		}
		for i, w := range p.windows {
			p.sendPlaylist(s, i, w)
		}
		if err := p.empty(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// empty waits until s has acknowledged all that it was sent.
func (p *Packager) empty(ctx context.Context, s *shop) error {
	for s.pending > 0 {
		select {
		case a := <-s.outlet.Acks():
			p.acknowledge(s, a)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
