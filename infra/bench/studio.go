package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	studioAlone  = 14 * time.Second // for the return, without the load of a listener
	studioTime   = 14 * time.Second // of listening, for each profile
	studioSettle = 8 * time.Second  // of both that the delays leave out
)

// delays is a distribution of delays in ms; there are none where count is 0.
type delays struct {
	Count int      `json:"count"`
	P50   *float64 `json:"p50"`
	P95   *float64 `json:"p95"`
	Min   *float64 `json:"min"`
	Max   *float64 `json:"max"`
}

func (d delays) String() string {
	if d.Count == 0 {
		return "nothing"
	}
	return fmt.Sprintf("%d bursts, %s to %s ms", d.Count, number(*d.Min), number(*d.Max))
}

// A studioHearing is what acoustic/studio.mjs reports.
type studioHearing struct {
	Return   delays   `json:"returnMs"`
	Air      delays   `json:"airMs"`
	Held     float64  `json:"heldMs"` // by the listening browser's own buffer
	Messages []string `json:"messages"`
}

// measureStudio lets a speaker say the ruler in a browser, with another speaker and a
// listener in another one, through the pages themselves.
func measureStudio(ctx context.Context, b *bench) error {
	for _, p := range []struct {
		profile string
		bound   float64
		alone   time.Duration
	}{{"low", 1.65, studioAlone}, {"fast", 0.9, time.Second}} { // the return is one for all profiles
		begin, err := now()
		if err != nil {
			return err
		}
		h, err := b.hearStudio(ctx, p.profile, p.alone)
		if err != nil {
			return err
		}
		b.reportStudio(begin, p.profile, p.bound, h)
	}
	return nil
}

func (b *bench) hearStudio(ctx context.Context, profile string, alone time.Duration) (studioHearing, error) {
	var h studioHearing
	n, err := b.serve(ctx, nodeOptions{profile: profile})
	if err != nil {
		return h, err
	}
	defer n.stop()
	if err := n.ready(ctx); err != nil {
		return h, err
	}
	settings := map[string]any{"listen": n.url(""), "alone": alone.Seconds(), "seconds": studioTime.Seconds(), "settle": studioSettle.Seconds()}
	for seat, name := range map[string]string{"mouth": "Maren", "ear": "Arthur"} {
		// Hosts are on air at once. As music the level of the bursts stays what it is.
		token, err := b.token(ctx, n, "host", name, "--music")
		if err != nil {
			return h, err
		}
		settings[seat] = n.studio(token)
	}
	if err := b.script(ctx, "studio.mjs", settings, &h); err != nil {
		return h, err
	}
	if h.Air.Count == 0 || h.Return.Count == 0 && alone > studioSettle {
		return h, fmt.Errorf("the return had %s, the programme %s: %s", h.Return, h.Air, strings.Join(h.Messages, "; "))
	}
	return h, nil
}

func (b *bench) reportStudio(begin moment, profile string, bound float64, h studioHearing) {
	if h.Return.Count > 0 {
		b.add(begin, figure{
			Name: "browser to browser through the return: p50", Value: *h.Return.P50, Unit: "ms", Target: new(250.0),
			Notes: fmt.Sprintf("Chromium's microphone to Chromium's output; %s; of it about %s ms in the other Chromium's own buffer", h.Return, number(round(h.Held, 1))),
		})
		b.add(begin, figure{Name: "browser to browser through the return: p95", Value: *h.Return.P95, Unit: "ms"})
	}
	b.add(begin, figure{
		Name: "speaker's mouth to listener's ear, profile " + profile + ": p50", Value: round(*h.Air.P50/1000, 3), Unit: "s", Target: &bound,
		Notes: fmt.Sprintf("through WHIP, the station's page listens; %s; p95 %s", h.Air, number(*h.Air.P95)),
	})
}

// token makes a key as a host does at the command line.
func (b *bench) token(ctx context.Context, n *node, role, name string, more ...string) (string, error) {
	args := append([]string{"token", "--config", n.config(), "--data", n.data, "--station", station, "--role", role, "--name", name}, more...)
	out, err := exec.CommandContext(ctx, filepath.Join(b.root, "bin", "longwave"), args...).Output()
	if err != nil {
		return "", fmt.Errorf("make a token: %w", withOutput(err))
	}
	return strings.TrimSpace(string(out)), nil
}

// studio is the address of the studio for the holder of a token.
func (n *node) studio(token string) string { return n.base + "/studio/" + station + "#" + token }

// script runs one of the programs in acoustic/, which drive browsers, and reads what
// it reports.
func (b *bench) script(ctx context.Context, name string, settings, report any) error {
	asked, err := json.Marshal(settings)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "node", filepath.Join(b.root, "infra", "bench", "acoustic", name), string(asked))
	cmd.Env = append(os.Environ(), "TMPDIR="+b.tmp)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it ends its browsers
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, report)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, withOutput(err))
	}
	return nil
}

// withOutput adds to a program's end what it said.
func withOutput(err error) error {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return fmt.Errorf("%w: %s", err, exit.Stderr)
	}
	return err
}
