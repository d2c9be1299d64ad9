package file

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"golang.org/x/sync/errgroup"

	"longwave/ingest"
	"longwave/ingest/decode/ffmpeg"
	"longwave/ingest/pcm"
)

const (
	// blockSamples is the length of a packet: 20 ms.
	blockSamples = pcm.FrameSamples
	// ahead is how many blocks are decoded before the lane takes them: 2 s, in which
	// the next pass of a loop or a new decoder starts.
	ahead = 100
	// maxDeaths is how often the decoder may die without getting on.
	maxDeaths = 5
)

// play decodes the file ahead of what the lane takes.
func (p *Player) play(ctx context.Context, l lane) error {
	blocks := make(chan []byte, ahead)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(blocks)
		return p.decode(ctx, blocks)
	})
	g.Go(func() error { return push(ctx, l, blocks) })
	return g.Wait()
}

// push pushes each block as soon as the lane takes it.
func push(ctx context.Context, l lane, blocks <-chan []byte) error {
	var pos pcm.Pos
	for {
		select {
		case b, ok := <-blocks:
			if !ok {
				return nil
			}
			if err := l.Push(ingest.Packet{Data: b, PTS: pos, Arrival: time.Now()}); err != nil {
				return err
			}
			pos += pcm.Pos(len(b) / (4 * pcm.Channels))
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// decode sends the file's blocks, pass after pass when it loops.
func (p *Player) decode(ctx context.Context, blocks chan<- []byte) error {
	c := cutter{blocks: blocks, done: ctx.Done()}
	for {
		before := c.samples
		if err := p.pass(ctx, &c); err != nil {
			return err
		}
		if c.samples == before {
			return errors.New("no sound in it")
		}
		if !p.o.Loop {
			return c.flush()
		}
	}
}

// pass decodes the file once. A decoder that dies is started again behind the
// last sample that it gave.
func (p *Player) pass(ctx context.Context, c *cutter) error {
	begin := c.samples
	deaths := 0
	for {
		at := c.samples
		err := ffmpeg.Play(ctx, p.file, at-begin, c.take, p.ffmpegOptions())
		switch {
		case err == nil:
			return nil
		case errors.Is(err, errStopped):
			return context.Cause(ctx)
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case c.samples == 0:
			return err // nothing of it can be decoded
		case c.samples > at:
			deaths = 0
		}
		if deaths++; deaths > maxDeaths {
			return fmt.Errorf("decoder died %d times at one place: %w", deaths, err)
		}
		p.o.Log.WarnContext(ctx, "decoder died, starting it again", "path", p.o.Path, "reason", err)
	}
}

// errStopped ends a decoder because nobody takes its samples any more.
var errStopped = errors.New("stopped")

// A cutter cuts samples into blocks.
type cutter struct {
	blocks  chan<- []byte
	done    <-chan struct{}
	block   []byte
	samples pcm.Pos // taken so far
}

func (c *cutter) take(samples []float32) error {
	for _, v := range samples {
		c.block = binary.LittleEndian.AppendUint32(c.block, math.Float32bits(v))
		if len(c.block) == blockSamples*pcm.Channels*4 {
			if err := c.flush(); err != nil {
				return err
			}
		}
	}
	c.samples += pcm.Pos(len(samples) / pcm.Channels)
	return nil
}

// flush sends the block as it is.
func (c *cutter) flush() error {
	if len(c.block) == 0 {
		return nil
	}
	select {
	case c.blocks <- c.block:
		c.block = make([]byte, 0, blockSamples*pcm.Channels*4)
		return nil
	case <-c.done:
		return errStopped
	}
}

// eof reports whether err is the end of an input, also in the middle of what
// was asked for.
func eof(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }
