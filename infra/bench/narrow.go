package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"longwave/cmd/longwave/systemtest/netns"
)

const (
	narrowTime   = time.Minute
	narrowFactor = 1.2 // of what the ladder needs
	narrowAfter  = 15 * time.Second
	narrowLowest = "opus-24"
)

// narrowUplink has an origin behind a line on which the whole ladder, with its playlists
// and all headers, has not room for a minute. One listens to the lowest rendition there
// (bare hls.js: our page would move up), another one to the page.
func (b *bench) narrowUplink(ctx context.Context, row faultRow) error {
	return b.onStand(ctx, func(t testing.TB) error { return b.narrow(t, row) }) //nolint:contextcheck // the stand's is made of it
}

func (b *bench) narrow(t testing.TB, row faultRow) error {
	ctx := t.Context()
	network := netns.New(t)
	studio, world := network.Host("studio"), network.Host("world")
	up, _ := network.Connect(studio, world, []string{"192.0.2.1/24"}, []string{"192.0.2.2/24"})
	secret := filepath.Join(t.TempDir(), "secret.key")
	if err := os.WriteFile(secret, []byte("a secret that two nodes have"), 0o600); err != nil {
		return err
	}
	shared := fmt.Sprintf("secret_file: %q", secret)
	origin, err := b.serve(ctx, nodeOptions{command: "origin", on: world, more: []string{shared}})
	if err != nil {
		return err
	}
	defer origin.stop()
	push := "push: [{url: \"http://192.0.2.2" + origin.base[strings.LastIndex(origin.base, ":"):] + "\"}]"
	n, bursts, err := b.ruled(ctx, nodeOptions{profile: row.profile, on: studio, more: []string{shared, push}})
	if err != nil {
		return err
	}
	defer bursts.stop()
	defer n.stop()
	if err := errors.Join(n.ready(ctx), origin.ready(ctx), pause(ctx, 12*time.Second)); err != nil {
		return err
	}
	rate, err := n.ladderRate()
	if err != nil {
		return err
	}
	h := &narrowLine{b: b, row: row, origin: origin, up: up, rate: rate}
	return h.listen(ctx)
}

// A narrowLine is the line between a node and an origin.
type narrowLine struct {
	b      *bench
	row    faultRow
	origin *node
	up     *netns.Port
	rate   float64 // of the ladder, in bytes a second
}

// listen hears twice at the origin while the line is narrow.
func (l *narrowLine) listen(ctx context.Context) error {
	const beginning = (faultSecond + 4) * time.Second // the browsers start meanwhile
	begin, err := now()
	if err != nil {
		return err
	}
	seconds := fmt.Sprint(int((beginning + narrowTime + narrowAfter).Seconds()))
	var lowest, page hearing
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		lowest, err = l.b.hearing(gctx, l.origin.url(narrowLowest+"/live.m3u8"), "--player", "bare", "--seconds", seconds)
		return err
	})
	g.Go(func() (err error) {
		page, err = l.b.hearing(gctx, l.origin.url(""), "--seconds", seconds)
		return err
	})
	g.Go(func() error {
		if err := pause(gctx, beginning); err != nil {
			return err
		}
		l.up.Throttle(int(narrowFactor*8*l.rate), 300*time.Millisecond) //nolint:contextcheck // it has that of the stand
		defer l.up.Unthrottle()                                         //nolint:contextcheck // it has that of the stand
		return pause(gctx, narrowTime)
	})
	if err := g.Wait(); err != nil {
		return err
	}
	name := fmt.Sprintf("uplink of %.1f times the ladder for %.0f s, profile %s: ", narrowFactor, narrowTime.Seconds(), l.row.profile)
	silence, notes := lowest.silence()
	l.b.add(begin, figure{
		Name: name + "silence in " + narrowLowest, Value: silence, Unit: "ms", Target: &l.row.bound,
		Notes: fmt.Sprintf("bare hls.js at an origin that is pushed to over %.0f kbit/s, headers and playlists included; %s", narrowFactor*8*l.rate/1000, notes),
	})
	silence, notes = page.silence()
	l.b.add(begin, figure{Name: name + "silence on the page", Value: silence, Unit: "ms", Notes: "which chooses its rendition; " + notes})
	return nil
}
