package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/go-chi/chi/v5"
	"golang.org/x/sync/errgroup"

	"longwave/ingest/token"
	"longwave/origin"
	"longwave/origin/receive"
)

// originCmd serves the audience alone.
type originCmd struct {
	common
	Listen  string `placeholder:"ADDR" help:"Address of the listener (default :8080)."`
	Metrics string `placeholder:"ADDR" help:"Address of the listener for metrics and health, or off (default 127.0.0.1:9464)."`
	Public  string `placeholder:"URL" help:"Address under which the audience reaches the listener."`
}

// Run implements the command.
func (c *originCmd) Run() error {
	cfg, err := (&serveCmd{common: c.common, Listen: c.Listen, Metrics: c.Metrics, Public: c.Public}).settings()
	if err != nil {
		return err
	}
	log, err := newLog(cfg.Log, stderr)
	if err != nil {
		return err
	}
	signals := notify()
	o, err := newOutpost(context.Background(), cfg, log)
	if err != nil {
		return err
	}
	if err := o.printAddresses(); err != nil {
		return err
	}
	return drained(signals, log, o.run)
}

// An outpost is the audience's side alone. It keeps nothing on disk.
type outpost struct {
	face
	receive *receive.Server
}

// newOutpost opens what can be wrong.
func newOutpost(ctx context.Context, cfg Config, log *slog.Logger) (*outpost, error) {
	o := &outpost{face: newFace(cfg, log)}
	signer, err := openSigner(cfg.SecretFile)
	if err != nil {
		return nil, err
	}
	if err := o.openTLS(ctx, true); err != nil {
		return nil, err
	}
	var names []string
	for _, s := range cfg.Stations {
		names = append(names, s.Name)
	}
	o.receive = receive.New(receive.Options{
		Live: o.live, Tokens: originTokens{signer}, Stations: names, Log: log, Registry: o.registry,
	})
	r := chi.NewRouter()
	r.Handle(receive.Prefix+"*", o.receive)
	audience, err := o.serveAudience(r, origin.Options{HideStanding: true})
	if err != nil {
		return nil, err
	}
	return o, o.openListeners(ctx, audience)
}

// run serves until stop is closed.
func (o *outpost) run(ctx context.Context, stop <-chan struct{}) error {
	ctx, end := context.WithCancel(ctx)
	defer end()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return o.live.Run(ctx) })
	group.Go(func() error { return o.receive.Run(ctx) })
	if o.tls != nil {
		group.Go(func() error { return o.tls.Run(ctx) })
	}
	for _, l := range o.listeners {
		group.Go(l.serve)
	}
	select {
	case <-stop:
	case <-ctx.Done():
	}
	o.closeListeners(ctx, func(context.Context) error { return nil })
	end()
	if err := group.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// printAddresses tells a person what to open and where to push.
func (o *outpost) printAddresses() error {
	for _, s := range o.cfg.Stations {
		if _, err := fmt.Printf("\n%s\n  listen    %s/%s/\n  push      %s%s%s/ (longwave token --role origin --station %[5]s)\n",
			s.Title, o.cfg.Public, s.Name, o.cfg.Public, receive.Prefix, s.Name); err != nil {
			return err
		}
	}
	return nil
}

// originTokens reads the tokens of package token for package receive.
type originTokens struct{ signer *token.Signer }

// Origin implements receive.Tokens.
func (t originTokens) Origin(text string, now time.Time) (string, error) {
	k, err := t.signer.Parse(text, now)
	if err != nil {
		return "", err
	}
	if k.Role != token.Origin {
		return "", fmt.Errorf("a token with the role %s pushes nothing: make one with --role origin", k.Role)
	}
	return k.Station, nil
}
