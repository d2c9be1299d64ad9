package file

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	"longwave/ingest"
	"longwave/ingest/decode"
)

// wavHeader is how many bytes tell WAV from raw samples.
const wavHeader = 12

// live pushes standard input as it comes. A read cannot be interrupted, so when
// ctx ends it is left behind: the process is about to end too.
func (p *Player) live(ctx context.Context) error {
	packets := make(chan ingest.Packet)
	failed := make(chan error, 1)
	go func() { failed <- read(ctx, p.o.Stdin, packets) }()
	var l lane
	for {
		select {
		case k := <-packets:
			if l == nil {
				f := p.o.Format
				if isWAV(k.Data) {
					f = decode.Format{Codec: decode.WAV}
				}
				var err error
				if l, err = p.lane(ctx, "stdin", f); err != nil {
					return err
				}
			}
			if err := l.Push(k); err != nil {
				return p.end(ctx, l, err)
			}
		case err := <-failed:
			if l == nil {
				return fmt.Errorf("play standard input: nothing came: %w", err)
			}
			return p.end(ctx, l, err)
		case <-ctx.Done():
			if l == nil {
				return context.Cause(ctx)
			}
			return p.end(ctx, l, context.Cause(ctx))
		}
	}
}

func isWAV(b []byte) bool {
	return len(b) >= wavHeader && bytes.HasPrefix(b, []byte("RIFF")) && string(b[8:wavHeader]) == "WAVE"
}

// read sends what r holds until its end (io.EOF) or an error. The first packet
// is long enough to be told from WAV.
func read(ctx context.Context, r io.Reader, packets chan<- ingest.Packet) error {
	buf := make([]byte, 16<<10)
	least := wavHeader
	for {
		n, err := io.ReadAtLeast(r, buf, least)
		least = 1
		if n > 0 {
			select {
			case packets <- ingest.Packet{Data: bytes.Clone(buf[:n]), PTS: -1, Arrival: time.Now()}:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		if eof(err) {
			return io.EOF
		}
		if err != nil {
			return err
		}
	}
}
