package whip

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/hraban/opus"
	"github.com/pion/rtp"

	"longwave/ingest"
	"longwave/ingest/pcm"
)

// What a return is encoded with: a voice at 32 kbit/s and in-band correction for a
// line that loses some.
const (
	returnBitrate    = 32_000
	returnComplexity = 5
	returnLoss       = 8    // percent
	mostReturnPacket = 1275 // bytes
)

// speak sends a return until it, the connection or ctx ends.
func (x *session) speak(ctx context.Context) {
	go drain(x.pc.GetSenders()[0])
	enc, err := newEncoder()
	if err != nil {
		x.log().Error("return failed", "reason", err)
		x.end(resultBroken)
		return
	}
	ret, err := x.gate.OpenReturn(x.claim)
	if err != nil {
		_, result := verdict(err)
		x.log().Warn("listener refused", "reason", err)
		x.end(result)
		return
	}
	defer ret.Close()
	x.sounds.Store(true)
	err = x.send(ctx, ret, enc)
	switch {
	case ctx.Err() != nil:
	case errors.Is(err, ingest.ErrRemoved):
		x.end(resultRemoved)
	case errors.Is(err, ingest.ErrTakenOver):
		x.end(resultTakenOver)
	case errors.Is(err, ingest.ErrClosed):
		x.end(resultClosed)
	default:
		x.log().Error("return failed", "reason", err)
		x.end(resultBroken)
	}
}

func newEncoder() (*opus.Encoder, error) {
	e, err := opus.NewEncoder(pcm.Rate, 1, opus.AppVoIP)
	if err != nil {
		return nil, fmt.Errorf("open the Opus encoder: %w", err)
	}
	err = errors.Join(e.SetBitrate(returnBitrate), e.SetComplexity(returnComplexity), e.SetInBandFEC(true), e.SetPacketLossPerc(returnLoss))
	if err != nil {
		return nil, fmt.Errorf("set up the Opus encoder: %w", err)
	}
	return e, nil
}

// send sends one packet for every frame of ret, when it comes.
func (x *session) send(ctx context.Context, ret *ingest.Return, enc *opus.Encoder) error {
	var frame [pcm.FrameLen]float32
	var mono [pcm.FrameSamples]float32
	var buf [mostReturnPacket]byte
	p := rtp.Packet{Header: rtp.Header{Version: 2, Marker: true, SequenceNumber: uint16(rand.Uint32()), Timestamp: rand.Uint32()}}
	for {
		if err := ret.Next(ctx, frame[:]); err != nil {
			return err
		}
		for i := range mono {
			mono[i] = (frame[2*i] + frame[2*i+1]) / 2
		}
		n, err := enc.EncodeFloat32(mono[:], buf[:])
		if err != nil {
			return fmt.Errorf("encode a return: %w", err)
		}
		p.Payload = buf[:n]
		if err := x.out.WriteRTP(&p); err != nil {
			return fmt.Errorf("send a return: %w", err)
		}
		x.m.sent.Inc()
		p.Marker = false
		p.SequenceNumber++
		p.Timestamp += pcm.FrameSamples
	}
}
