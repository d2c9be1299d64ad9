// Package parting says in the log how a source ended, in the same words for every
// transport that listens for encoders, so that whoever reads it knows whether there is
// something to do:
//
//	source ended     info     a goodbye, or our own doing
//	source lost      warning  it was on a lane and broke off
//	source refused   warning  it never was on a lane
//
// This package does not decide how a source ended, and does not count.
package parting

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"

	"longwave/ingest"
	"longwave/ingest/decode"
)

// The results that the transports have in common, as their metrics spell them.
const (
	Ended  = "ended"  // the client said goodbye
	Closed = "closed" // by us: taken over, removed, shut down
	Broken = "broken" // the connection failed
)

// A LaneError is what a lane said to a packet: the client's sound is at fault, not its
// connection.
type LaneError struct{ Err error }

func (e LaneError) Error() string { return e.Err.Error() }

// Unwrap returns what the lane said.
func (e LaneError) Unwrap() error { return e.Err }

// A Source is what is told of one.
type Source struct {
	Claim  ingest.Claim
	Format decode.Format // zero: not known yet
	OnLane bool          // it has been on one
	Result string        // the metrics': one of the above or another of the transport's
}

// Tell logs that a source ended, and why.
func (s Source) Tell(ctx context.Context, log *slog.Logger, why error) {
	log = log.With("transport", s.Claim.Transport, "station", s.Claim.Station, "remote", s.Claim.Remote,
		"format", s.Format.String(), "result", s.Result, "reason", Reason(s.Claim, why))
	switch {
	case s.Result == Ended, s.Result == Closed, s.Result == Broken && !s.OnLane: // as who only looks whether the port is open
		log.InfoContext(ctx, "source ended")
	case s.OnLane:
		log.WarnContext(ctx, "source lost")
	default:
		log.WarnContext(ctx, "source refused")
	}
}

// Reason is one line for people about why a source ended or does not begin. The
// token is not in it.
func Reason(c ingest.Claim, why error) string {
	op, ofNet := errors.AsType[*net.OpError](why)
	switch {
	case errors.Is(why, ingest.ErrTakenOver):
		return "the same token has connected again"
	case errors.Is(why, ingest.ErrRemoved):
		return "removed by the host"
	case errors.Is(why, ingest.ErrClosed):
		return "the programme ends"
	case why == io.EOF: //nolint:errorlint // one that is wrapped says more
		return "the client closed the connection"
	case ofNet && op.Timeout():
		return "no sound for too long"
	case ofNet:
		return "the connection broke: " + op.Err.Error()
	}
	line := strings.ReplaceAll(why.Error(), "\n", " ")
	for _, end := range []error{ingest.ErrRefused, os.ErrDeadlineExceeded} { // for programs, not for people
		line = strings.TrimSuffix(line, ": "+end.Error())
	}
	if c.Token != "" {
		line = strings.ReplaceAll(line, c.Token, "…")
	}
	return line
}
