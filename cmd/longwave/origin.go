package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"golang.org/x/sync/errgroup"

	"longwave/cmd/longwave/config"
	"longwave/ingest/token"
	"longwave/origin"
	"longwave/origin/follow"
	"longwave/origin/receive"
	"longwave/origin/store"
	"longwave/origin/store/disk"
	"longwave/origin/store/s3"
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
	line := openLogLine(stderr)
	defer line.close()
	log, err := newLog(cfg.Log, line)
	if err != nil {
		return err
	}
	if keys := idle(cfg); len(keys) > 0 {
		log.Warn("an origin has no use for these keys", "keys", strings.Join(keys, ", "))
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

// idle returns the keys of a configuration that somebody might expect an origin to act
// on, and that it does not.
func idle(cfg config.Config) []string {
	var keys []string
	if len(cfg.Push) > 0 {
		keys = append(keys, "push")
	}
	for _, s := range cfg.Stations {
		if s.Play != "" {
			keys = append(keys, "play")
		}
		if s.Pull != "" {
			keys = append(keys, "pull")
		}
	}
	if cfg.Store.Kind == "s3" && !cfg.Origin.Follow {
		keys = append(keys, "store (set origin.follow to serve what is there)")
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// An outpost is the audience's side alone. It keeps nothing on disk.
type outpost struct {
	face
	feed func(context.Context) error // receives or follows
}

// newOutpost opens what can be wrong.
func newOutpost(ctx context.Context, cfg config.Config, log *slog.Logger) (*outpost, error) {
	o := &outpost{face: newFace(cfg, log)}
	if err := o.openTLS(ctx, true); err != nil {
		return nil, err
	}
	r := chi.NewRouter()
	if err := o.openFeed(ctx, r); err != nil {
		return nil, err
	}
	audience, err := o.serveAudience(r, origin.Options{HideStanding: true})
	if err != nil {
		return nil, err
	}
	return o, o.openListeners(ctx, audience)
}

// openFeed makes what the audience's side lives on: a receiver of what is pushed, or a
// follower of a store.
func (o *outpost) openFeed(ctx context.Context, r chi.Router) error {
	var names []string
	for _, s := range o.cfg.Stations {
		names = append(names, s.Name)
	}
	if o.cfg.Origin.Follow {
		from, err := openFollowed(ctx, o.cfg)
		if err != nil {
			return err
		}
		o.feed = follow.New(follow.Options{
			Store: from, Live: o.live, Stations: names, Log: o.log, Registry: o.registry,
		}).Run
		return nil
	}
	signer, err := openSigner(o.cfg.SecretFile)
	if err != nil {
		return err
	}
	server := receive.New(receive.Options{
		Live: o.live, Tokens: originTokens{signer}, Stations: names, Log: o.log, Registry: o.registry,
	})
	r.Handle(receive.Prefix+"*", server)
	o.feed = server.Run
	return nil
}

// openFollowed opens the store that another node writes. It is only read.
func openFollowed(ctx context.Context, cfg config.Config) (store.Getter, error) {
	c := cfg.Store.S3
	var from store.Getter
	var err error
	if cfg.Store.Kind == "s3" {
		from, err = s3.New(ctx, s3.Options{
			Bucket: c.Bucket, Prefix: c.Prefix, Region: c.Region, Endpoint: c.Endpoint,
			PathStyle: *c.PathStyle, CredentialsFile: c.CredentialsFile,
		})
	} else {
		from, err = disk.Open(disk.Options{Dir: filepath.Join(cfg.Data, "store")})
	}
	if err != nil {
		return nil, usageError{err}
	}
	return from, nil
}

// run serves until it is to stop. What is on air goes on elsewhere, whatever the signal.
func (o *outpost) run(ctx context.Context, stop *stop) error {
	ctx, end := context.WithCancel(ctx)
	defer end()
	group, ctx := errgroup.WithContext(ctx)
	o.start(ctx, group)
	group.Go(func() error { return o.feed(ctx) })
	group.Go(func() error {
		newSupervisor(o.log).tell(ctx, stop.asked, func() bool { return true }) // what is on air is others' part
		return nil
	})
	select {
	case <-stop.asked:
	case <-ctx.Done():
	}
	o.drain(ctx)
	end()
	if err := group.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// drain goes on for a while, so that load balancers and CDNs notice and go elsewhere,
// then lets go of those who wait. The playlists say nothing of it: the stream goes on,
// only not here.
func (o *outpost) drain(ctx context.Context) {
	o.ending.Store(true)
	for _, l := range o.listeners {
		l.server.SetKeepAlivesEnabled(false)
	}
	select {
	case <-time.After(lingerTime):
	case <-ctx.Done():
	}
	o.closeListeners(ctx, closeTime, func(context.Context) error {
		o.live.Release()
		return nil
	})
}

// printAddresses tells a person what to open and where to push.
func (o *outpost) printAddresses() error {
	for _, s := range o.cfg.Stations {
		text := fmt.Sprintf("\n%s\n  listen    %s/%s/\n", s.Title, o.cfg.Public, s.Name)
		if !o.cfg.Origin.Follow {
			text += fmt.Sprintf("  push      %s%s%s/ with a token: longwave token --role origin --station %[3]s\n", o.cfg.Public, receive.Prefix, s.Name)
		}
		if _, err := fmt.Print(text); err != nil {
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
