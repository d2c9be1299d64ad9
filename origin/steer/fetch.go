package steer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"time"
)

// maxAnswer bounds what is read of an answer: more than any segment of ours.
const maxAnswer = 4 << 20

// get fetches what a listener would, and notes in out, which may be nil, how long the
// first byte took. Its errors are faultErrors, and that of ctx.
func (p *prober) get(ctx context.Context, at string, out *Probe) ([]byte, error) {
	begin := time.Now()
	if out != nil {
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotFirstResponseByte: func() { out.FirstByte = time.Since(begin) }})
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, faultError{Refused, err.Error()}
	}
	req.Header.Set("User-Agent", "longwave-probe")
	resp, err := p.client.Do(req)
	if err != nil {
		return nil, unanswered(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	switch {
	case err != nil:
		return nil, unanswered(err)
	case resp.StatusCode != http.StatusOK:
		return nil, faultError{Status, fmt.Sprintf("%s answers %s", at, resp.Status)}
	}
	return data, nil
}

// unanswered tells a pathway that hangs from one that is not there.
func unanswered(err error) error {
	var timeout net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return faultError{Silent, "no answer in time"}
	}
	return faultError{Refused, err.Error()}
}
