package jitter

import (
	"context"
	"fmt"
	"time"

	"github.com/hraban/opus"

	"longwave/ingest/pcm"
)

// A Packet is one Opus packet (RFC 6716) as RTP carried it (RFC 7587).
type Packet struct {
	Seq       uint16
	Timestamp uint32 // at 48 kHz
	Payload   []byte // kept until it is played
	Arrival   time.Time
}

// PacketOptions of [Packets]; the zero value is right for a browser.
type PacketOptions struct {
	// Min, Start and Max bound the delay: 40, 80 and 400 ms.
	Min, Start, Max time.Duration
	// Metrics counts losses and what became of them; nil does not.
	Metrics *Metrics
}

// Packets is the buffer of a speaker whose packets are lost, late, doubled and out of
// order. One goroutine pulls; all else may be called by anybody.
type Packets struct {
	stream *Stream
	dec    *opus.Decoder
}

// NewPackets returns an empty buffer.
func NewPackets(o PacketOptions) (*Packets, error) {
	dec, err := opus.NewDecoder(pcm.Rate, pcm.Channels)
	if err != nil {
		return nil, fmt.Errorf("open the Opus decoder: %w", err)
	}
	return &Packets{dec: dec, stream: NewStream(Options{Target: 80 * time.Millisecond, Metrics: o.Metrics})}, nil
}

// Put takes a packet. It never blocks: what cannot be used is dropped and counted.
func (p *Packets) Put(x Packet) {
	var buf [5760 * pcm.Channels]float32
	n, err := p.dec.DecodeFloat32(x.Payload, buf[:])
	if err != nil {
		return
	}
	_ = p.stream.Write(context.Background(), buf[:n*pcm.Channels])
}

// Pull implements the mixer's source.
func (p *Packets) Pull(dst []float32) pcm.Fill { return p.stream.Pull(dst) }

// End says that nothing more will come: what is there is still played.
func (p *Packets) End() { p.stream.End() }

// State returns the buffer's state.
func (p *Packets) State() State { return p.stream.State() }
