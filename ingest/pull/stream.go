package pull

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"longwave/ingest"
	"longwave/ingest/decode"
)

// A stream is sound that comes in one body.
type stream struct {
	*Puller
	lane  lane // nil until the format is known
	title string
}

// titled takes a title that was found in the stream: all sound before it was pushed.
func (s *stream) titled(title string) {
	s.title = title
	if s.lane != nil {
		s.lane.Title(title)
	}
}

// run carries in to a lane; it returns nil when r said how long it is and all of it came.
func (s *stream) run(ctx context.Context, in io.Reader, r *response) (err error) {
	f, prefix, err := decode.SniffReader(until{in, time.Now().Add(sniffWithin)})
	if err != nil {
		return fmt.Errorf("read %s: %w", shown(r.url), err)
	}
	l, err := s.seat(ctx, f)
	if err != nil {
		return err
	}
	s.lane = l
	defer func() { err = worse(err, s.unseat(l)) }()
	if s.title != "" {
		l.Title(s.title)
	}
	if err := s.carry(l, in, prefix); !errors.Is(err, io.EOF) {
		return err
	}
	if r.length < 0 {
		return errEnded
	}
	return nil
}

// carry pushes prefix and what comes from in until its end, io.EOF.
func (s *stream) carry(l lane, in io.Reader, prefix []byte) error {
	buf := make([]byte, 16<<10)
	data, readErr := prefix, error(nil)
	for {
		if len(data) > 0 {
			if err := l.Push(ingest.Packet{Data: data, PTS: -1, Arrival: time.Now()}); err != nil {
				return fmt.Errorf("decode: %w", err)
			}
		}
		if readErr != nil {
			return readErr
		}
		var n int
		n, readErr = in.Read(buf)
		data = bytes.Clone(buf[:n])
	}
}

// worse is the first error, unless that says only that it ended.
func worse(err, closing error) error {
	if closing != nil && (err == nil || errors.Is(err, errEnded)) {
		return closing
	}
	return err
}

// sniffWithin bounds how long a source may take to show what it sends.
const sniffWithin = 30 * time.Second

// until is a reader that fails after a time.
type until struct {
	io.Reader
	end time.Time
}

func (u until) Read(b []byte) (int, error) {
	if time.Now().After(u.end) {
		return 0, fmt.Errorf("no format within %v: %w", sniffWithin, errSlow)
	}
	return u.Reader.Read(b)
}
