package whiptest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hraban/opus"
	"github.com/pion/webrtc/v4"
)

// A Frame is what a listener heard in one packet.
type Frame struct {
	Samples []float32 // 48 kHz, stereo interleaved
	Arrival time.Time
	Seq     uint16
	Time    uint32 // RTP timestamp
	Bytes   int    // of the payload
}

// A Listener hears a return by WHEP. It does not wait for what is late nor fill in
// what is lost.
type Listener struct {
	*Client
	frames chan Frame
	ended  chan struct{}
}

// heldFrames is how much a listener holds for a reader that is late: 10 s. Then the
// oldest goes.
const heldFrames = 500

// Listen connects a listener to a WHEP address.
func Listen(ctx context.Context, address, token string, o Options) (*Listener, error) {
	pc, err := newPC(o)
	if err != nil {
		return nil, err
	}
	l := &Listener{frames: make(chan Frame, heldFrames), ended: make(chan struct{})}
	if _, err := pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
		return nil, errors.Join(fmt.Errorf("add a track: %w", err), pc.Close())
	}
	pc.OnTrack(func(t *webrtc.TrackRemote, r *webrtc.RTPReceiver) {
		go func() {
			for {
				if _, _, err := r.ReadRTCP(); err != nil {
					return
				}
			}
		}()
		l.receive(t)
	})
	if l.Client, err = dial(ctx, pc, address, token, o); err != nil {
		return nil, errors.Join(err, pc.Close())
	}
	return l, nil
}

func (l *Listener) receive(t *webrtc.TrackRemote) {
	defer close(l.ended)
	dec, err := opus.NewDecoder(rate, 2)
	if err != nil {
		return
	}
	var buf [5760 * 2]float32
	for {
		p, _, err := t.ReadRTP()
		if err != nil {
			return
		}
		n, err := dec.DecodeFloat32(p.Payload, buf[:])
		if err != nil {
			continue
		}
		f := Frame{
			Samples: append([]float32(nil), buf[:2*n]...), Arrival: time.Now(),
			Seq: p.SequenceNumber, Time: p.Timestamp, Bytes: len(p.Payload),
		}
		for full := true; full; {
			select {
			case l.frames <- f:
				full = false
			default:
				select {
				case <-l.frames:
				default:
				}
			}
		}
	}
}

// ErrEnded means that a connection has ended.
var ErrEnded = errors.New("the connection has ended")

// Next waits for the next packet.
func (l *Listener) Next(ctx context.Context) (Frame, error) {
	select {
	case f := <-l.frames:
		return f, nil
	case <-l.ended:
		return Frame{}, ErrEnded
	case <-ctx.Done():
		return Frame{}, context.Cause(ctx)
	}
}

// Hear returns the sound of the next packets.
func (l *Listener) Hear(ctx context.Context, lasts time.Duration) ([]float32, error) {
	var out []float32
	for len(out) < int(lasts*rate/time.Second)*2 {
		f, err := l.Next(ctx)
		if err != nil {
			return out, err
		}
		out = append(out, f.Samples...)
	}
	return out, nil
}
