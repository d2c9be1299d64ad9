package rtmp

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/bluenviron/gortmplib"
	"github.com/bluenviron/gortmplib/pkg/amf0"
	"github.com/bluenviron/gortmplib/pkg/message"

	"longwave/ingest"
	"longwave/ingest/decode"
	"longwave/ingest/parting"
	"longwave/ingest/pcm"
	"longwave/ingest/units"
)

const (
	// application is the first part of the address's path.
	application = "live"
	// refusalDelay is how long a wrong token waits for its answer.
	refusalDelay = time.Second
	// mostDamaged is how many messages may be damaged without sound between them.
	mostDamaged = 250
)

// Why a source does not go on.
var (
	errMalformed = errors.New("the client does not speak RTMP as it should")
	errAddress   = fmt.Errorf("the address is rtmp://host/%s and the stream key is the token: %w", application, ingest.ErrUnauthorized)
	errPlay      = fmt.Errorf("there is nothing to play here, only to publish: %w", ingest.ErrForbidden)
	errPanic     = errors.New("the library failed")
	errGoodbye   = errors.New("the client ended the stream")
)

// A source is one client's sound on its way to a lane.
type source struct {
	*Server
	ctx    context.Context //nolint:containedctx // lives as long as serve runs
	wire   *wire
	conn   gortmplib.ServerConn
	claim  ingest.Claim
	format decode.Format

	lane    lane // nil before the first sound
	track   *units.Track
	number  int // of the audio track, in enhanced RTMP with several; -1: not known yet
	title   string
	damaged int // messages since the last sound
}

// serve lasts as long as the connection does.
func (s *Server) serve(ctx context.Context, w *wire, remote string) {
	src := &source{
		Server: s, ctx: ctx, wire: w, conn: gortmplib.ServerConn{RW: w}, number: -1,
		claim: ingest.Claim{Transport: "rtmp", Remote: remote},
	}
	defer w.part()
	err := src.run() //nolint:contextcheck // the source carries it
	if src.lane != nil {
		s.m.active.WithLabelValues(src.codec()).Dec()
		if closeErr := src.lane.Close(); closeErr != nil && errors.Is(err, errGoodbye) {
			err = parting.LaneError{Err: closeErr}
		}
	}
	result := verdict(err)
	s.m.ended.WithLabelValues(src.codec(), result).Inc()
	end := parting.Source{Claim: src.claim, Format: src.format, OnLane: src.lane != nil, Result: result}
	end.Tell(ctx, s.o.Log, err)
}

// run carries the sound until there is no more; its error says why.
func (s *source) run() (err error) {
	defer func() {
		if v := recover(); v != nil { // of the library, which reads what anybody sends
			s.o.Log.ErrorContext(s.ctx, "rtmp panics", "remote", s.claim.Remote, "reason", v, "stack", string(debug.Stack()))
			err = errPanic
		}
	}()
	if err := s.greet(); err != nil {
		return err
	}
	t, err := s.check(s.claim)
	s.claim.Station = t.Station
	if err != nil {
		_ = pcm.Sleep(s.ctx, refusalDelay)
		return s.refuse(err)
	}
	s.wire.shown()
	if err := s.wire.flush(); err != nil {
		return err
	}
	if err := s.wire.within(s.o.Silence); err != nil {
		return err
	}
	for {
		if err := s.read(); err != nil {
			return s.refuse(err)
		}
	}
}

// greet does the handshake and learns the token.
func (s *source) greet() error {
	if err := s.wire.within(s.o.Handshake); err != nil {
		return err
	}
	err := s.conn.Initialize()
	if err == nil {
		err = s.conn.Accept()
	}
	switch {
	case s.wire.failed != nil:
		return s.wire.failed
	case err != nil: // its text may hold the token
		return errMalformed
	case !s.conn.Publish:
		return s.refuse(errPlay)
	}
	key, ok := streamKey(s.conn.URL)
	if !ok {
		return s.refuse(errAddress)
	}
	s.claim.Token = key
	return nil
}

// streamKey returns the token in an address.
func streamKey(u *url.URL) (key string, ok bool) {
	app, key, _ := strings.Cut(strings.Trim(u.Path, "/"), "/")
	return key, app == application && key != ""
}

// read reads one message.
func (s *source) read() error {
	m, err := s.conn.Read()
	switch {
	case s.wire.failed != nil:
		return s.wire.failed
	case err != nil:
		return s.damage(err)
	}
	return s.message(m)
}

// damage leaves a message out that could not be understood, unless it goes on.
func (s *source) damage(err error) error {
	s.m.damaged.Inc()
	if s.damaged++; s.damaged > mostDamaged {
		return fmt.Errorf("%w: %w", errMalformed, err)
	}
	return nil
}

// message does what a message says.
func (s *source) message(m message.Message) error {
	switch m := m.(type) {
	case *message.Audio:
		return s.audio(m)
	case *message.AudioExSequenceStart, *message.AudioExCodedFrames:
		return s.numbered(0, m)
	case *message.AudioExMultitrack:
		return s.numbered(int(m.TrackID), m.Wrapped)
	case *message.DataAMF0:
		if t := titleOf(m.Payload); t != "" && t != s.title {
			s.title = t
			s.tell()
		}
	case *message.CommandAMF0:
		switch m.Name {
		case "deleteStream", "closeStream":
			return errGoodbye
		}
	}
	return nil
}

// tell tells the lane the title.
func (s *source) tell() {
	if s.lane != nil && s.title != "" {
		s.lane.Title(s.title)
	}
}

// refuse tells the client why it is closed, where it is our doing. It stands in for the
// answer that the library has written to a request to publish and not sent.
func (s *source) refuse(err error) error {
	switch verdict(err) {
	case resultEnded, resultBroken, resultMalformed:
		return err
	}
	s.wire.out.Reset()
	_ = s.conn.Write(&message.CommandAMF0{
		ChunkStreamID: 8, MessageStreamID: 0x1000000, Name: "onStatus", // a chunk stream of its own: no header of what was taken back is missed
		Arguments: []any{nil, amf0.Object{
			{Key: "level", Value: "error"},
			{Key: "code", Value: "NetStream.Publish.BadName"},
			{Key: "description", Value: parting.Reason(s.claim, err)},
		}},
	})
	return err
}

func (s *source) codec() string { return s.format.Codec.String() }

// verdict returns the metrics' result.
func verdict(err error) string {
	_, ofLane := errors.AsType[parting.LaneError](err)
	switch {
	case errors.Is(err, errStopped), errors.Is(err, ingest.ErrClosed):
		return resultClosed
	case ofLane, errors.Is(err, decode.ErrNotAudio):
		return resultUndecodable
	case errors.Is(err, units.ErrUnsupported):
		return resultUnsupported
	case errors.Is(err, ingest.ErrUnauthorized):
		return resultUnauthorized
	case errors.Is(err, ingest.ErrRefused):
		return resultForbidden
	case errors.Is(err, ingest.ErrBusy), errors.Is(err, errCrowded):
		return resultBusy
	case errors.Is(err, errMalformed), errors.Is(err, errFraming), errors.Is(err, errTooMuch), errors.Is(err, errPanic):
		return resultMalformed
	case errors.Is(err, os.ErrDeadlineExceeded):
		return resultStalled
	case errors.Is(err, errGoodbye):
		return resultEnded
	}
	return resultBroken
}
