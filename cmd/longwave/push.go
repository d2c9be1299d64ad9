package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	"longwave/cmd/longwave/config"
	"longwave/ingest/token"
	"longwave/packager"
	"longwave/packager/relay"
)

// openRelays makes the ways to other origins.
func (n *node) openRelays() error {
	for _, c := range n.cfg.Push {
		u, err := url.Parse(c.URL)
		if err != nil {
			return usageError{err}
		}
		tokens, err := n.pushTokens(c)
		if err != nil {
			return usageError{fmt.Errorf("push to %s: %w", u.Host, err)}
		}
		n.relays = append(n.relays, relay.New(relay.Options{
			Name: pushName(n.cfg.Push, u), URL: c.URL, Token: tokens, Stations: c.Stations, Foreign: !*c.Join, Plain: !*c.Parts,
			Past: n.storage, Log: n.log, Registry: n.registry,
		}))
	}
	return nil
}

// pushName is what another origin is called in the log and in figures: its host, and more
// where two have the same.
func pushName(all []config.Push, u *url.URL) string {
	same := 0
	for _, p := range all {
		if o, err := url.Parse(p.URL); err == nil && o.Host == u.Host {
			same++
		}
	}
	if same < 2 {
		return u.Host
	}
	return u.Redacted()
}

// sink is where the packagers' objects go at once: to the listeners here, and to other
// origins.
func (n *node) sink() packager.Sink {
	all := fanOut{n.live}
	for _, r := range n.relays {
		all = append(all, r)
	}
	return all
}

// A fanOut puts an object into several sinks that do not block.
type fanOut []packager.Sink

// Put implements [packager.Sink].
func (f fanOut) Put(ctx context.Context, o packager.Object) error {
	var err error
	for _, s := range f {
		err = errors.Join(err, s.Put(ctx, o))
	}
	return err
}

// pushTokens returns where the token for a station comes from.
func (n *node) pushTokens(c config.Push) (func(string) (string, error), error) {
	switch {
	case c.TokenFile != "":
		text, err := config.ReadSecret(c.TokenFile)
		if err != nil {
			return nil, err
		}
		return func(string) (string, error) { return text, nil }, nil
	case !*c.Join:
		return nil, nil
	}
	s := &signedTokens{signer: n.signer, made: map[string]madeToken{}}
	return s.token, nil
}

// signedTokens makes tokens as they are needed. They are short: who sees one go by has
// little of it.
type signedTokens struct {
	signer *token.Signer

	mu   sync.Mutex
	made map[string]madeToken // by station
}

type madeToken struct {
	text string
	at   time.Time
}

const (
	tokenLife  = time.Hour
	tokenFresh = tokenLife / 2
)

func (s *signedTokens) token(station string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.made[station]; time.Since(t.at) < tokenFresh {
		return t.text, nil
	}
	text, err := s.signer.Sign(newToken(station, token.Origin, "", tokenLife))
	if err == nil {
		s.made[station] = madeToken{text, time.Now().Round(0)} // by the wall clock, as the token itself is
	}
	return text, err
}
