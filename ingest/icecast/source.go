package icecast

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/go-chi/chi/v5"

	"longwave/ingest"
	"longwave/ingest/decode"
	"longwave/ingest/parting"
	"longwave/ingest/titles"
)

// source handles PUT and SOURCE: it lasts as long as the client sends.
func (s *Server) source(w http.ResponseWriter, r *http.Request) {
	c := claim(r)
	if !s.admit(w, r, c) {
		return
	}
	t, err := take(w, r, s.o.Silence)
	if err != nil {
		s.m.ended.WithLabelValues("unknown", resultBroken).Inc()
		parting.Source{Claim: c, Result: resultBroken}.Tell(r.Context(), s.o.Log, err)
		return
	}
	src := source{Server: s, claim: c, in: t}
	if s.enter(t) {
		defer s.leave(t)
		err = src.run(r.Context())
	} else {
		err = errStopped
	}
	status, result := src.verdict(err)
	s.m.ended.WithLabelValues(src.codec(), result).Inc()
	end := parting.Source{Claim: c, Format: src.format, OnLane: src.onLane, Result: result}
	end.Tell(r.Context(), s.o.Log, err)
	t.answer(status, parting.Reason(c, err))
}

func claim(r *http.Request) ingest.Claim {
	name := r.Header.Get("Ice-Name")
	if name == "" {
		name = r.Header.Get("Icy-Name")
	}
	return ingest.Claim{
		Station: chi.URLParam(r, "station"), Token: credentials(r),
		Transport: "icecast", Remote: r.RemoteAddr, Name: titles.Clean(name),
	}
}

// A source is one client's sound on its way to a lane.
type source struct {
	*Server
	claim  ingest.Claim
	in     *intake
	format decode.Format
	onLane bool // it has been on one
}

// sniffWithin bounds how long a client may take to show what it sends.
const sniffWithin = 30 * time.Second

// run carries the sound until there is no more; its error says why.
func (s *source) run(ctx context.Context) error {
	at := seat{s.claim.Station, s.claim.Token}
	defer s.expect(at)()
	var prefix []byte
	var err error
	if s.format, prefix, err = decode.SniffReader(until{s.in, time.Now().Add(sniffWithin)}); err != nil {
		return err
	}
	// The lane plays out what it holds after this request has ended.
	l, err := s.open(context.WithoutCancel(ctx), s.claim, s.format)
	if err != nil {
		return err
	}
	unseat := s.seated(at, l)
	defer unseat()
	s.onLane = true
	active := s.m.active.WithLabelValues(s.codec())
	active.Inc()
	defer active.Dec()
	s.o.Log.InfoContext(ctx, "source on a lane", "transport", s.claim.Transport, "station", s.claim.Station, "remote", s.claim.Remote, "format", s.format.String())
	err = s.carry(l, prefix)
	if closeErr := l.Close(); closeErr != nil && errors.Is(err, io.EOF) {
		err = parting.LaneError{Err: closeErr}
	}
	return err
}

func (s *source) carry(l lane, prefix []byte) error {
	received := s.m.bytes.WithLabelValues(s.codec())
	buf := make([]byte, 16<<10)
	data, readErr := prefix, error(nil)
	for {
		if len(data) > 0 {
			received.Add(float64(len(data)))
			if err := l.Push(ingest.Packet{Data: data, PTS: -1, Arrival: time.Now()}); err != nil {
				return parting.LaneError{Err: err}
			}
		}
		if readErr != nil {
			return readErr
		}
		var n int
		n, readErr = s.in.Read(buf)
		data = bytes.Clone(buf[:n])
	}
}

func (s *source) codec() string { return s.format.Codec.String() }

// verdict returns what the client is answered and the metrics' result.
func (s *source) verdict(err error) (status int, result string) {
	_, ofLane := errors.AsType[parting.LaneError](err)
	switch {
	case errors.Is(err, errStopped), errors.Is(err, ingest.ErrClosed):
		return http.StatusServiceUnavailable, resultClosed
	case ofLane:
		return http.StatusUnsupportedMediaType, resultUndecodable
	case errors.Is(err, decode.ErrNotAudio), errors.Is(err, ingest.ErrRefused), errors.Is(err, ingest.ErrBusy):
		return verdict(err)
	case errors.Is(err, io.EOF):
		return http.StatusOK, resultEnded
	case errors.Is(err, os.ErrDeadlineExceeded):
		return http.StatusRequestTimeout, resultStalled
	}
	return http.StatusOK, resultBroken // the connection is gone: nobody hears the answer
}

// until is a reader that fails after a time.
type until struct {
	io.Reader
	end time.Time
}

func (u until) Read(b []byte) (int, error) {
	if time.Now().After(u.end) {
		return 0, fmt.Errorf("no format within %v: %w", sniffWithin, os.ErrDeadlineExceeded)
	}
	return u.Reader.Read(b)
}
