package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	earTime   = 60 * time.Second // of listening
	earSettle = 10 * time.Second // of it that the delay leaves out
)

// A hearing is what acoustic/meter.mjs reports.
type hearing struct {
	StartUp *float64 `json:"startUpMs"`
	Tones   int      `json:"tones"`
	Delay   struct {
		Count int      `json:"count"`
		P50   *float64 `json:"p50"`
		P95   *float64 `json:"p95"`
		Min   *float64 `json:"min"`
		Max   *float64 `json:"max"`
	} `json:"mouthToEarMs"`
	Gap  float64 `json:"gapMs"`
	Gaps []struct {
		Second float64 `json:"second"`
		MS     float64 `json:"ms"`
	} `json:"gaps"`
	Player struct {
		Target  *float64 `json:"target"`
		Latency struct {
			P50 *float64 `json:"p50"`
		} `json:"latency"`
	} `json:"player"`
	Messages []string `json:"messages"`

	span time.Duration // of listening
}

func measureLow(ctx context.Context, b *bench) error  { return b.listen(ctx, "low", 1.45) }
func measureFast(ctx context.Context, b *bench) error { return b.listen(ctx, "fast", 0.60) }

// listen puts the acoustic ruler into a node's standard input, plays the station in
// a browser, and follows the live edge meanwhile.
func (b *bench) listen(ctx context.Context, profile string, target float64) error {
	n, bursts, err := b.ruled(ctx, nodeOptions{profile: profile})
	if err != nil {
		return err
	}
	defer bursts.stop()
	defer n.stop()
	if err := errors.Join(n.ready(ctx), pause(ctx, 4*time.Second)); err != nil {
		return err
	}
	begin, err := now()
	if err != nil {
		return err
	}
	var h hearing
	var edges []edge
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) { h, err = b.meter(gctx, n.url(""), earTime); return err })
	g.Go(func() (err error) { edges, err = n.follow(gctx, earTime); return err })
	if err := g.Wait(); err != nil {
		return err
	}
	end, err := now()
	if err != nil {
		return err
	}
	ld := end.since(begin)
	b.reportEar("mouth to ear, profile "+profile, target, h, ld)
	b.reportEdge(profile, edges, ld)
	return b.reportMemory(n, ld)
}

// ruled starts a node that plays the acoustic ruler, and the ruler.
func (b *bench) ruled(ctx context.Context, o nodeOptions) (*node, *child, error) {
	ruler, in, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	defer ruler.Close()
	cmd := exec.CommandContext(ctx, filepath.Join(b.root, "bin", "bursts"))
	cmd.Stdout = in
	bursts, err := b.start("bursts", cmd)
	in.Close()
	if err != nil {
		return nil, nil, err
	}
	o.play, o.stdin = "-", ruler
	n, err := b.serve(ctx, o)
	if err != nil {
		bursts.stop()
	}
	return n, bursts, err
}

// meter runs the acoustic meter on a page for some time.
func (b *bench) meter(ctx context.Context, page string, span time.Duration) (hearing, error) {
	h, err := b.hearing(ctx, page, "--seconds", strconv.Itoa(int(span.Seconds())), "--settle", strconv.Itoa(int(earSettle.Seconds())))
	if err != nil {
		return h, err
	}
	h.span = span
	if h.Delay.P50 == nil || h.StartUp == nil {
		return h, fmt.Errorf("acoustic meter: %d tones, none after it had settled", h.Tones)
	}
	return h, nil
}

// hearing runs the acoustic meter on a page.
func (b *bench) hearing(ctx context.Context, page string, args ...string) (hearing, error) {
	var h hearing
	args = append([]string{filepath.Join(b.root, "infra", "bench", "acoustic", "meter.mjs"), "--url", page}, args...)
	cmd := exec.CommandContext(ctx, "node", args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it ends its browser
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		return h, fmt.Errorf("acoustic meter: %w", err)
	}
	if err := json.Unmarshal(out, &h); err != nil {
		return h, fmt.Errorf("acoustic meter: %w", err)
	}
	return h, nil
}

// reportEar enters what was heard; target is of the delay, in s.
func (b *bench) reportEar(name string, target float64, h hearing, ld load) {
	notes := fmt.Sprintf("standard input to Chromium's output, %d tones", h.Delay.Count)
	if h.Delay.P95 != nil && h.Delay.Min != nil && h.Delay.Max != nil {
		notes += fmt.Sprintf("; p95 %s, %s to %s ms", number(*h.Delay.P95), number(*h.Delay.Min), number(*h.Delay.Max))
	}
	if p := h.Player; p.Latency.P50 != nil && p.Target != nil {
		notes += fmt.Sprintf("; player says %s s, wants %s", number(*p.Latency.P50), number(*p.Target))
	}
	b.enter(figure{Name: name + ": p50", Value: round(*h.Delay.P50/1000, 3), Unit: "s", Target: &target, Notes: notes, load: ld})
	gaps := []string{"audible silence after the first sound"}
	for _, g := range h.Gaps {
		gaps = append(gaps, fmt.Sprintf("%.0f ms at %.0f s", g.MS, g.Second))
	}
	b.enter(figure{Name: name + fmt.Sprintf(": gaps in %.0f s", h.span.Seconds()), Value: h.Gap, Unit: "ms", Target: new(0.0), Notes: strings.Join(gaps, "; "), load: ld})
	b.enter(figure{Name: name + ": click to first sound", Value: *h.StartUp, Unit: "ms", load: ld})
}

// reportMemory enters what a node takes that has run for more than a minute.
func (b *bench) reportMemory(n *node, ld load) error {
	rss, err := resident(n.pid())
	if err != nil {
		return err
	}
	files := field(fmt.Sprintf("/proc/%d/status", n.pid()), "RssFile")
	b.enter(figure{
		Name: "memory with one station", Value: round(float64(rss)/(1<<20), 1), Unit: "MiB", Target: new(120.0), Steady: true, load: ld,
		Notes: fmt.Sprintf("resident, of it %s of program and library files; %.0f s after its start, one listener", files, time.Since(n.started).Seconds()),
	})
	return nil
}
