package config

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Push names another origin that gets everything as it is made.
type Push struct {
	// URL is its address: of a longwave origin, or of any server that takes HLS by PUT.
	// No default.
	URL string `yaml:"url"`
	// TokenFile holds the token that is shown there. Default: one is signed with
	// secret_file, which the other side has too.
	TokenFile string `yaml:"token_file"`
	// Stations are the names of those that are pushed. Default: all.
	Stations []string `yaml:"stations"`
	// Join is false for a server that is not longwave: files go to {url}/{station}/, and
	// segments are sent beside their parts. Default true.
	Join *bool `yaml:"join"`
	// Parts is false for a server or CDN that knows no parts: it gets plain playlists
	// and whole segments. Default true.
	Parts *bool `yaml:"parts"`
}

// Shield is about who may ask the audience's side: the CDNs alone, when it is set.
type Shield struct {
	// Header is the name of the header that a CDN shows a secret in. Default
	// X-Longwave-Shield.
	Header string `yaml:"header"`
	// SecretFile holds the secrets, one a line: any of them is taken, so that a new one
	// can be added before the old one goes. It is read again when it changes. Default:
	// nobody is asked.
	SecretFile string `yaml:"secret_file"`
	// ClientCA is a PEM file: a certificate of this authority is as good as a secret.
	// Default: none.
	ClientCA string `yaml:"client_ca"`
}

// Origin is about longwave origin.
type Origin struct {
	// Follow reads the store instead of being pushed to: its plain playlists, every
	// second. Default false.
	Follow bool `yaml:"follow"`
}

// checkPush completes what is about other origins and says what is wrong with it.
func (c *Config) checkPush() error {
	seen := map[string]bool{}
	for i := range c.Push {
		p := &c.Push[i]
		u, err := url.Parse(p.URL)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" {
			return errors.New("push.url: write the whole address, as in https://origin-b.example.org")
		}
		p.URL = strings.TrimSuffix(p.URL, "/")
		if seen[p.URL] {
			return fmt.Errorf("push.url %q stands twice", u.Redacted())
		}
		seen[p.URL] = true
		yes := true
		for _, b := range []**bool{&p.Join, &p.Parts} {
			if *b == nil {
				*b = &yes
			}
		}
		for _, s := range p.Stations {
			if !slices.ContainsFunc(c.Stations, func(o Station) bool { return o.Name == s }) {
				return fmt.Errorf("push.stations: there is no station %q", s)
			}
		}
	}
	return nil
}
