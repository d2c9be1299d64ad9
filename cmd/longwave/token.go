package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"longwave/cmd/longwave/config"
	"longwave/ingest/token"
)

// tokenCmd makes a key.
type tokenCmd struct {
	common
	Station string        `default:"talk" help:"Station that the key is for."`
	Role    string        `default:"speaker" help:"What it opens: host, speaker, captioner or origin."`
	Name    string        `help:"Name of whoever gets it; listeners see a speaker's."`
	Expires time.Duration `default:"24h" help:"How long it is valid, as in 6h; 0 for ever."`

	Music    bool   `help:"The sound is music: stereo, 128 kbit/s, nothing is done to it."`
	Feed     bool   `help:"The sound is a finished programme (OBS, playout): it is not levelled like a voice."`
	Group    string `help:"Name of a group of feeds that carry the same sound: one of them is on air."`
	Priority int    `help:"Place in the group, 0 to 7: the lowest one that is healthy is taken."`
}

// Run implements the command.
func (c *tokenCmd) Run() error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	if !hasStation(cfg, c.Station) {
		return usageError{fmt.Errorf("there is no station %q in the configuration", c.Station)}
	}
	role, err := token.ParseRole(c.Role)
	if err != nil {
		return usageError{err}
	}
	signer, err := openSigner(cfg.SecretFile)
	if err != nil {
		return err
	}
	t := newToken(c.Station, role, c.Name, c.Expires)
	t.Music, t.Feed, t.Group, t.Priority = c.Music, c.Feed, c.Group, c.Priority
	text, err := signer.Sign(t)
	if err != nil {
		return usageError{err}
	}
	fmt.Println(text)
	return nil
}

func newToken(station string, role token.Role, name string, valid time.Duration) token.Token {
	t := token.Token{Station: station, Role: role, Name: name}
	if valid > 0 {
		t.Expires = time.Now().Add(valid)
	}
	return t
}

func hasStation(cfg config.Config, name string) bool {
	for _, s := range cfg.Stations {
		if s.Name == name {
			return true
		}
	}
	return false
}

// openSigner reads the secret that signs tokens, and makes one at the first start.
func openSigner(path string) (*token.Signer, error) {
	secret, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		secret, err = makeSecret(path)
	}
	if err != nil {
		return nil, usageError{fmt.Errorf("the secret that signs tokens: %w", err)}
	}
	s, err := token.NewSigner(secret)
	if err != nil {
		return nil, usageError{fmt.Errorf("%s: %w", path, err)}
	}
	return s, nil
}

// makeSecret writes a new secret; when somebody else just did, theirs is taken.
func makeSecret(path string) ([]byte, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	secret := make([]byte, 32)
	rand.Read(secret) // never fails: see crypto/rand
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return os.ReadFile(path)
	}
	if err != nil {
		return nil, err
	}
	_, err = f.Write(secret)
	return secret, errors.Join(err, f.Sync(), f.Close())
}
