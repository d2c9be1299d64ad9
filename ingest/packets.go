package ingest

import (
	"context"
	"time"

	"longwave/ingest/jitter"
)

// A PacketLane is the lane of a speaker whose packets carry their own time and may be
// lost: RTP.
type PacketLane struct {
	*Lane
	packets *jitter.Packets
}

// Put takes a packet. It never blocks: what cannot be used is dropped and counted.
func (l *PacketLane) Put(p jitter.Packet) { l.packets.Put(p) }

// State returns how the packets come; Packets.Gone means none for 2 s.
func (l *PacketLane) State() jitter.State { return l.packets.State() }

// Reset says that what comes from now on is another source's.
func (l *PacketLane) Reset() { l.packets.Reset() }

// Close ends the source: what is there is still played.
func (l *PacketLane) Close() { l.end(ErrClosed) }

// OpenPackets admits a speaker who sends Opus packets by RTP. The caller must Close
// the lane.
func (g *Gate) OpenPackets(ctx context.Context, c Claim) (*PacketLane, error) {
	c, t, err := g.know(c)
	if err != nil {
		return nil, err
	}
	p := g.programmes[c.Station]
	packets, err := jitter.NewPackets(jitter.PacketOptions{Metrics: p.buffers})
	if err != nil {
		return nil, err
	}
	l := &Lane{programme: p, claim: c, seat: t.ID, opened: time.Now(), sound: packets}
	l.ctx, l.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	if err := p.admit(l, t, g.opt.Speakers); err != nil {
		return nil, err
	}
	g.metrics.opened(c.Transport)
	return &PacketLane{Lane: l, packets: packets}, nil
}
