package pull

import (
	"context"
	"fmt"
	"time"

	"longwave/ingest"
	"longwave/ingest/decode"
	"longwave/ingest/pcm"
)

// mostDamaged is how many segments in a row may be unreadable.
const mostDamaged = 10

// A programme is what is played of a playlist.
type programme struct {
	*Puller
	lane    lane // nil until the first segment
	format  decode.Format
	pace    pacer
	damaged int // in a row
}

// play pushes the segments that come, as time passes, until there are no more.
func (p *Puller) play(ctx context.Context, segments <-chan segment) (err error) {
	g := programme{Puller: p}
	defer func() {
		if g.lane != nil {
			err = worse(err, p.unseat(g.lane))
		}
	}()
	for {
		select {
		case s, ok := <-segments:
			if !ok {
				return nil
			}
			if err := g.segment(ctx, s); err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// segment plays one segment; for one that is not there time passes.
func (g *programme) segment(ctx context.Context, s segment) error {
	if s.lost != "" {
		g.m.segments.WithLabelValues(s.lost).Inc()
		g.pace.skip(s.lasts)
		return nil
	}
	f, units, err := demux(s, g.format)
	if err != nil {
		g.m.segments.WithLabelValues(segmentDamaged).Inc()
		g.pace.skip(s.lasts)
		if g.damaged++; g.damaged >= mostDamaged || g.lane == nil {
			return fmt.Errorf("read a segment: %w", err)
		}
		return nil
	}
	g.damaged = 0
	if err := g.on(ctx, f); err != nil {
		return err
	}
	g.pace.begin(s.known)
	for _, u := range units {
		if err := g.pace.wait(ctx, u.time); err != nil {
			return err
		}
		if err := g.lane.Push(ingest.Packet{Data: u.data, PTS: -1, Arrival: time.Now()}); err != nil {
			return fmt.Errorf("decode: %w", err)
		}
	}
	g.m.segments.WithLabelValues(segmentPlayed).Inc()
	return nil
}

// on makes sure that there is a lane for sound of format f.
func (g *programme) on(ctx context.Context, f decode.Format) error {
	if g.lane != nil && f == g.format {
		return nil
	}
	if g.lane != nil {
		l := g.lane
		g.lane = nil
		if err := g.unseat(l); err != nil {
			return err
		}
	}
	l, err := g.seat(ctx, f)
	if err != nil {
		return err
	}
	g.lane, g.format = l, f
	return nil
}

const (
	// lead is how long before it is due sound is pushed: what the lane holds.
	lead = 2 * time.Second
	// mostRate is how much faster or slower than our clock a live source is taken.
	mostRate = 500e-6
	// settling is how many segments tell how long before they are due they are usual
	// to come; so many more are averaged from then on.
	settling = 20
)

// A pacer says when sound is due. A live source's clock is not ours: what comes a little
// sooner every hour is taken a little faster, as the lane then follows.
type pacer struct {
	due    time.Time // of what comes next; zero before the first
	rate   float64   // of our time to the source's, less 1
	count  int       // segments that told their margin
	usual  float64   // margin in seconds
	margin float64   // of late
}

// skip lets time pass without sound.
func (p *pacer) skip(d time.Duration) {
	if !p.due.IsZero() {
		p.due = p.due.Add(d)
	}
}

// begin starts a segment that stood in the playlist since known; zero: nobody knows.
func (p *pacer) begin(known time.Time) {
	if p.due.IsZero() || time.Since(p.due) > 0 { // the first, or the lane is dry: as far ahead as at first
		*p = pacer{due: time.Now()}
		return
	}
	if known.IsZero() {
		return
	}
	m := p.due.Sub(known).Seconds()
	if p.count++; p.count <= settling {
		p.usual += (m - p.usual) / float64(p.count)
		p.margin = p.usual
		return
	}
	p.margin += (m - p.margin) / settling
	p.rate = max(min((p.usual-p.margin)*mostRate, mostRate), -mostRate)
}

// wait returns when sound that lasts d may be pushed.
func (p *pacer) wait(ctx context.Context, d time.Duration) error {
	at := p.due.Add(-lead)
	p.due = p.due.Add(d + time.Duration(float64(d)*p.rate))
	left := time.Until(at)
	if left <= 0 {
		return nil
	}
	return pcm.Sleep(ctx, left)
}
