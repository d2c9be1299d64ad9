package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/go-chi/chi/v5"
	"golang.org/x/sync/errgroup"

	"longwave/cmd/longwave/config"
	"longwave/ingest/file"
	"longwave/ingest/icecast"
	"longwave/ingest/pull"
	"longwave/ingest/rtmp"
	"longwave/ingest/srt"
	"longwave/ingest/whip"
)

// inputs are the ways by which sound comes in.
type inputs struct {
	icecast *icecast.Server
	whip    *whip.Server // nil: off, as are the next two
	rtmp    *rtmp.Server
	srt     *srt.Server
	own     []ownInput
}

// An ownInput is one of the operator's own: a file, standard input, a stream that is
// pulled.
type ownInput struct {
	station string
	input   interface{ Run(context.Context) error }
}

// openInputs takes the ports and opens the files: what is wrong is said now.
func (n *node) openInputs(ctx context.Context) error {
	in := &n.inputs
	in.icecast = icecast.New(n.gate, icecast.Options{Log: n.log, Registry: n.registry})
	for _, open := range []func(context.Context) error{n.openWHIP, n.openRTMP, n.openSRT} {
		if err := open(ctx); err != nil {
			return err
		}
	}
	return n.openOwn()
}

func (n *node) openWHIP(context.Context) error {
	c := n.cfg.RTC
	if c.Listen == "off" {
		return nil
	}
	var servers []whip.ICEServer
	for _, s := range c.ICEServers {
		credential, err := config.ReadSecret(s.CredentialFile)
		if err != nil {
			return usageError{fmt.Errorf("rtc.ice_servers %s: %w", s.URL, err)}
		}
		servers = append(servers, whip.ICEServer{URL: s.URL, Username: s.Username, Credential: credential})
	}
	s, err := whip.New(n.gate, whip.Options{
		Address: c.Listen, Public: c.Public, ICEServers: servers, Loopback: n.local(), Log: n.log, Registry: n.registry,
	})
	if err != nil {
		return n.without("rtc.listen", err)
	}
	n.inputs.whip = s
	return nil
}

func (n *node) openRTMP(ctx context.Context) error {
	if n.cfg.RTMP.Listen == "off" {
		return nil
	}
	s := rtmp.New(n.gate, rtmp.Options{Address: n.cfg.RTMP.Listen, Log: n.log, Registry: n.registry})
	if err := s.Listen(ctx); err != nil {
		return n.without("rtmp.listen", err)
	}
	n.inputs.rtmp = s
	return nil
}

func (n *node) openSRT(ctx context.Context) error {
	if n.cfg.SRT.Listen == "off" {
		return nil
	}
	passphrase, err := config.ReadSecret(n.cfg.SRT.PassphraseFile)
	if err == nil && passphrase != "" && (len(passphrase) < 10 || len(passphrase) > 79) {
		err = fmt.Errorf("%d characters, a passphrase has 10 to 79", len(passphrase))
	}
	if err != nil {
		return usageError{fmt.Errorf("srt.passphrase_file: %w", err)}
	}
	s := srt.New(n.gate, srt.Options{Address: n.cfg.SRT.Listen, Passphrase: passphrase, Log: n.log, Registry: n.registry})
	if err := s.Listen(ctx); err != nil {
		return n.without("srt.listen", err)
	}
	n.inputs.srt = s
	return nil
}

// without goes on without a port that nobody asked for: a second node on a machine, or
// another program, may have the usual one. One that the configuration names must be had.
func (n *node) without(key string, err error) error {
	usual := config.Default()
	if n.cfg.Inputs()[key] != usual.Inputs()[key] {
		return usageError{fmt.Errorf("%s: %w", key, err)}
	}
	n.log.Warn("going on without an input: set its key to another port, or to off", "key", key, "err", err)
	return nil
}

// local reports whether speakers and listeners are on this machine.
func (n *node) local() bool {
	host := n.publicHost()
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// openOwn opens the operator's own inputs.
func (n *node) openOwn() error {
	for _, s := range n.stations {
		if s.cfg.Play != "" {
			p, err := file.New(n.gate.Trusted(), file.Options{Station: s.cfg.Name, Path: s.cfg.Play, Loop: s.cfg.Loop, Log: n.log})
			if err != nil {
				return usageError{err}
			}
			n.inputs.own = append(n.inputs.own, ownInput{s.cfg.Name, p})
		}
		if s.cfg.Pull != "" {
			o := pull.Options{Station: s.cfg.Name, URL: s.cfg.Pull, Name: "relay", Log: n.log, Registry: n.registry}
			if s.cfg.PullPrivate {
				o.AllowPrivate = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
			}
			p, err := pull.New(n.gate.Trusted(), o)
			if err != nil {
				return usageError{fmt.Errorf("station %s: pull: %w", s.cfg.Name, err)}
			}
			n.inputs.own = append(n.inputs.own, ownInput{s.cfg.Name, p})
		}
	}
	return nil
}

// routes mounts the inputs that come by HTTP.
func (in *inputs) routes(r chi.Router) {
	in.icecast.Routes(r)
	if in.whip != nil {
		in.whip.Routes(r)
	}
}

// start runs what must run.
func (in *inputs) start(ctx context.Context, group *errgroup.Group, n *node) {
	if in.whip != nil {
		group.Go(func() error { return in.whip.Run(ctx) })
	}
	if in.rtmp != nil {
		group.Go(func() error { return in.rtmp.Run(ctx) })
	}
	if in.srt != nil {
		group.Go(func() error { return in.srt.Run(ctx) })
	}
	for _, o := range in.own {
		group.Go(func() error {
			if err := o.input.Run(ctx); err != nil && ctx.Err() == nil {
				n.log.Error("an input of this station is off the air: the hold plays", "station", o.station, "err", err)
			}
			return nil
		})
	}
}

// close lets go of everybody who is connected by HTTP.
func (in *inputs) close(ctx context.Context) error {
	err := in.icecast.Shutdown(ctx)
	if in.whip != nil {
		err = errors.Join(err, in.whip.Shutdown(ctx))
	}
	return err
}
