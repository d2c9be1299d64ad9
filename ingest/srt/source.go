package srt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"sync"
	"time"

	gosrt "github.com/datarhei/gosrt"

	"longwave/ingest"
	"longwave/ingest/decode"
	"longwave/ingest/parting"
	"longwave/ingest/pcm"
	"longwave/ingest/units"
)

const (
	// refusalDelay is how long a wrong token waits for its answer.
	refusalDelay = time.Second
	// vanishedAfter is how long nothing at all may come: no word of the protocol either.
	vanishedAfter = 5 * time.Second
	// mostDamaged is how many pieces in a row may be damaged.
	mostDamaged = 500
	// mostHeld is how many packets the library may hold back: those that say they
	// are of the future stay in its memory until then.
	mostHeld = 16 << 10
)

// Why a source does not go on.
var (
	errPassphrase = fmt.Errorf("wrong passphrase: %w", ingest.ErrUnauthorized)
	errPlain      = fmt.Errorf("a passphrase is needed: %w", ingest.ErrUnauthorized)
	errEncrypted  = fmt.Errorf("no passphrase is set here: %w", ingest.ErrUnauthorized)
	errHandshake  = errors.New("the handshake failed")
	errHeld       = errors.New("too many packets of the future")
	errPanic      = errors.New("the library failed")
	errVanished   = fmt.Errorf("nothing has come from the client for %v", vanishedAfter)
	errSilent     = fmt.Errorf("no sound for too long: %w", os.ErrDeadlineExceeded)
)

// A source is one caller's sound on its way to a lane.
type source struct {
	*Server
	ctx    context.Context //nolint:containedctx // lives as long as serve runs
	claim  ingest.Claim
	trust  func() // called when the token was shown
	format decode.Format

	lane    lane // nil before the first sound
	track   *units.Track
	damaged int // pieces in a row

	mu    sync.Mutex
	conn  gosrt.Conn
	why   error     // it is to end; nil: it is not
	sound time.Time // when the last came
}

// serve lasts as long as the connection does.
func (s *source) serve(req gosrt.ConnRequest) {
	err := s.run(req)
	if s.lane != nil {
		s.m.active.WithLabelValues(s.codec()).Dec()
		if closeErr := s.lane.Close(); closeErr != nil && errors.Is(err, io.EOF) {
			err = parting.LaneError{Err: closeErr}
		}
	}
	result := verdict(err)
	s.m.ended.WithLabelValues(s.codec(), result).Inc()
	end := parting.Source{Claim: s.claim, Format: s.format, OnLane: s.lane != nil, Result: result}
	end.Tell(s.ctx, s.o.Log, err)
}

// run carries the sound until there is no more; its error says why.
func (s *source) run(req gosrt.ConnRequest) (err error) {
	defer func() {
		if v := recover(); v != nil { // of the demuxer, which reads what anybody sends
			s.o.Log.ErrorContext(s.ctx, "srt panics", "remote", s.claim.Remote, "reason", v, "stack", string(debug.Stack()))
			err = errPanic
		}
	}()
	if err := s.greet(req); err != nil {
		req.Reject(rejection(err))
		return err
	}
	s.trust()
	conn, err := req.Accept()
	if err != nil {
		return errHandshake
	}
	defer func() { _ = conn.Close() }()
	if !s.connected(conn) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.why
	}
	done := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() { s.watch(done) })
	defer watch.Wait()
	defer close(done)
	s.byes.expect(conn.SocketId())
	err = s.carry(conn)
	if said := s.byes.forget(conn.SocketId()); !said && errors.Is(err, io.EOF) {
		err = errVanished
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return cmp.Or(s.why, err)
}

// greet checks the token, which costs little, and then the passphrase, which does not.
func (s *source) greet(req gosrt.ConnRequest) error {
	station, key, err := parseStreamID(req.StreamId())
	switch {
	case errors.Is(err, errMode):
		return fmt.Errorf("%w: %w", err, ingest.ErrForbidden)
	case err != nil:
		return fmt.Errorf("%w: %w", err, ingest.ErrUnauthorized)
	}
	s.claim.Station, s.claim.Token = station, key
	t, err := s.check(s.claim)
	if err != nil {
		_ = pcm.Sleep(s.ctx, refusalDelay)
		return err
	}
	s.claim.Station = t.Station
	switch encrypted := req.IsEncrypted(); {
	case s.o.Passphrase == "" && encrypted:
		return errEncrypted
	case s.o.Passphrase == "":
		return nil
	case !encrypted:
		return errPlain
	}
	if req.SetPassphrase(s.o.Passphrase) != nil {
		return errPassphrase
	}
	return nil
}

// rejection is what the caller is told.
func rejection(err error) gosrt.RejectionReason {
	switch {
	case errors.Is(err, errPassphrase):
		return gosrt.REJ_BADSECRET
	case errors.Is(err, errPlain), errors.Is(err, errEncrypted):
		return gosrt.REJ_UNSECURE
	case errors.Is(err, errMode):
		return gosrt.REJX_BAD_MODE
	case errors.Is(err, ingest.ErrUnauthorized):
		return gosrt.REJX_UNAUTHORIZED
	case errors.Is(err, ingest.ErrRefused):
		return gosrt.REJX_FORBIDDEN
	}
	return gosrt.REJ_PEER
}

// connected notes the connection; false when it is to end already.
func (s *source) connected(c gosrt.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn, s.sound = c, time.Now()
	return s.why == nil
}

// end ends the source, now or when it is connected; the first reason holds.
func (s *source) end(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.why == nil {
		s.why = why
	}
	if s.conn != nil {
		_ = s.conn.Close()
	}
}

// watch ends the source when no sound comes: the library knows no deadlines. Once a
// second is enough.
func (s *source) watch(done <-chan struct{}) {
	t := time.NewTicker(min(time.Second, s.o.Silence))
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-done:
			return
		}
		var x gosrt.Statistics
		s.mu.Lock()
		silent := time.Since(s.sound) > s.o.Silence
		s.conn.Stats(&x)
		s.mu.Unlock()
		switch {
		case silent:
			s.end(errSilent)
		case x.Instantaneous.PktRecvBuf > mostHeld:
			s.end(errHeld)
		}
	}
}

// heard notes that sound came.
func (s *source) heard() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sound = time.Now()
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
	case errors.Is(err, errGarbage), errors.Is(err, errMalformed), errors.Is(err, errHeld), errors.Is(err, errPanic), errors.Is(err, errHandshake):
		return resultMalformed
	case errors.Is(err, os.ErrDeadlineExceeded):
		return resultStalled
	case errors.Is(err, io.EOF):
		return resultEnded
	}
	return resultBroken
}
