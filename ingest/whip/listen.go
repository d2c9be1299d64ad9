package whip

import (
	"context"
	"errors"
	"net"
	"strconv"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"longwave/ingest"
	"longwave/ingest/jitter"
)

// wokeLate is by how much a time-out is late when it tells of this machine and not of the
// speaker.
const wokeLate = 100 * time.Millisecond

// A voice is a speaker's packets on their way to a lane. One goroutine uses it.
type voice struct {
	*session
	ctx   context.Context //nolint:containedctx // of the goroutine
	lane  *ingest.PacketLane
	leave context.CancelFunc // of who watches the lane
}

// listen carries a speaker's packets until the connection or ctx ends.
func (x *session) listen(ctx context.Context, t incoming) {
	go drain(t.RTPReceiver)
	v := &voice{session: x, ctx: ctx}
	defer v.away()
	opus, red := x.ice.payloadTypes()
	in := newInlet(opus, red, x.music, v.put, x.m)
	buf := make([]byte, receiveMTU)
	var deadline time.Time
	for ctx.Err() == nil {
		now := time.Now()
		if deadline.Sub(now) < awayAfter {
			deadline = now.Add(awayAfter + awayAfter/8) // not for every packet
			_ = t.TrackRemote.SetReadDeadline(deadline)
		}
		n, _, err := t.TrackRemote.Read(buf)
		now = time.Now()
		switch {
		case isTimeout(err) && now.Sub(deadline) > wokeLate:
			deadline = time.Time{} // this machine stood still: what came meanwhile is on its way
			continue
		case isTimeout(err):
			v.away()
			continue
		case errors.Is(err, webrtc.ErrCodecNotFound):
			if !in.drop(packetMalformed, now) {
				x.end(resultFlooded)
			}
			continue
		case err != nil:
			return // the connection says why
		}
		x.heard.Store(now.UnixNano())
		if !in.take(buf[:n], now) {
			x.end(resultFlooded)
			return
		}
	}
}

func isTimeout(err error) bool {
	t, ok := errors.AsType[net.Error](err)
	return ok && t.Timeout()
}

// drain reads the reports that come with a track, so that the interceptors see them.
func drain(r interface {
	ReadRTCP() ([]rtcp.Packet, interceptor.Attributes, error)
},
) {
	for {
		if _, _, err := r.ReadRTCP(); err != nil {
			return
		}
	}
}

// put opens the lane with the first packet, and with the first after a silence.
func (v *voice) put(p jitter.Packet) {
	if v.lane == nil && !v.open() {
		return
	}
	v.lane.Put(p)
}

func (v *voice) open() bool {
	if v.ctx.Err() != nil {
		return false
	}
	lane, err := v.gate.OpenPackets(v.ctx, v.claim)
	if err != nil {
		_, result := verdict(err)
		v.log().Warn("speaker refused", "reason", err)
		v.end(result)
		return false
	}
	v.lane = lane
	v.sounds.Store(true)
	ctx, cancel := context.WithCancel(v.ctx)
	v.leave = cancel
	go v.observe(ctx, lane)
	return true
}

// observe ends the session when its lane is ended by somebody else.
func (v *voice) observe(ctx context.Context, lane *ingest.PacketLane) {
	select {
	case <-ctx.Done():
		return
	case <-lane.Done():
	}
	switch {
	case ctx.Err() != nil:
	case errors.Is(lane.Err(), ingest.ErrRemoved):
		v.end(resultRemoved)
	case errors.Is(lane.Err(), ingest.ErrTakenOver):
		v.end(resultTakenOver)
	default:
		v.end(resultClosed)
	}
}

// away closes the lane: what it holds is still played, and the seat stays.
func (v *voice) away() {
	if v.lane == nil {
		return
	}
	v.leave()
	v.lane.Close()
	v.lane = nil
	v.sounds.Store(false)
}

// number returns a payload type of an SDP, 0 for none.
func number(pt string) uint8 {
	n, err := strconv.ParseUint(pt, 10, 7)
	if err != nil {
		return 0
	}
	return uint8(n)
}
