package parting_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"longwave/ingest"
	"longwave/ingest/decode"
	"longwave/ingest/parting"
)

const token = "canary-token"

func TestTell(t *testing.T) {
	for _, c := range []struct {
		onLane bool
		result string
		level  string
		says   string
	}{
		{true, parting.Ended, "INFO", "source ended"},
		{true, parting.Closed, "INFO", "source ended"},
		{true, parting.Broken, "WARN", "source lost"},
		{true, "stalled", "WARN", "source lost"},
		{true, "undecodable", "WARN", "source lost"},
		{false, parting.Ended, "INFO", "source ended"},
		{false, parting.Closed, "INFO", "source ended"},
		{false, parting.Broken, "INFO", "source ended"},
		{false, "stalled", "WARN", "source refused"},
		{false, "unauthorized", "WARN", "source refused"},
	} {
		var out bytes.Buffer
		s := parting.Source{
			Claim:  ingest.Claim{Station: "talk", Transport: "rtmp", Remote: "192.0.2.1:1", Token: token},
			Format: decode.Format{Codec: decode.ADTS, Rate: 48000, Channels: 2}, OnLane: c.onLane, Result: c.result,
		}
		s.Tell(t.Context(), slog.New(slog.NewTextHandler(&out, nil)), errors.New("because of "+token))
		want := fmt.Sprintf(`level=%s msg=%q transport=rtmp station=talk remote=192.0.2.1:1 format="aac 48000 Hz 2 ch" result=%s reason="because of …"`, c.level, c.says, c.result)
		if got := strings.TrimSpace(out.String()); !strings.HasSuffix(got, want) {
			t.Errorf("on a lane %v, %s:\n%s, want\n%s", c.onLane, c.result, got, want)
		}
	}
}

func TestReason(t *testing.T) {
	reset := &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	for _, c := range []struct {
		why  error
		want string
	}{
		{io.EOF, "the client closed the connection"},
		{fmt.Errorf("read the sound: %w", reset), "the connection broke: read: connection reset by peer"},
		{&net.OpError{Op: "read", Net: "tcp", Err: os.ErrDeadlineExceeded}, "no sound for too long"},
		{fmt.Errorf("no format within 30s: %w", os.ErrDeadlineExceeded), "no format within 30s"},
		{fmt.Errorf("open the lane: %w", ingest.ErrTakenOver), "the same token has connected again"},
		{ingest.ErrRemoved, "removed by the host"},
		{fmt.Errorf("station %q: the programme ends: %w", "talk", ingest.ErrClosed), "the programme ends"},
		{ingest.ErrUnauthorized, "no valid token"},
		{fmt.Errorf("expired at noon: %w", ingest.ErrForbidden), "expired at noon: token not valid here"},
		{fmt.Errorf("wrong passphrase: %w", ingest.ErrUnauthorized), "wrong passphrase: no valid token"},
		{errors.New("one\ntwo " + token), "one two …"},
	} {
		if got := parting.Reason(ingest.Claim{Token: token}, c.why); got != c.want {
			t.Errorf("%v: %q, want %q", c.why, got, c.want)
		}
	}
}
