package config

import (
	"fmt"
	"strings"

	"longwave/packager"
)

// Pathway is one way on which listeners are reached: a CDN before an origin or a
// bucket.
type Pathway struct {
	// ID names it in playlists and figures, as in cdn-a. It never changes.
	ID string `yaml:"id"`
	// URL is the address under which listeners reach it; a station is at {url}/{name}/.
	URL string `yaml:"url"`
	// Plain says that it reads the store: no parts, and a delay of 6 s and more. Default
	// false: it reads an origin.
	Plain bool `yaml:"plain"`
	// Node is the node that feeds it, where twins do. Default: this one.
	Node string `yaml:"node"`
}

func (c *Config) checkPathways() error {
	for i := range c.Pathways {
		c.Pathways[i].URL = strings.TrimSuffix(c.Pathways[i].URL, "/")
		if n := c.Pathways[i].Node; n != "" && c.Node == "" {
			return fmt.Errorf("pathway %s belongs to node %q: say with the key node which one this is", c.Pathways[i].ID, n)
		}
	}
	return packager.CheckPathways(c.Ways())
}

// Ways returns the pathways as playlists name them.
func (c *Config) Ways() []packager.Pathway {
	var list []packager.Pathway
	for _, p := range c.Pathways {
		list = append(list, packager.Pathway{ID: p.ID, URL: p.URL, Plain: p.Plain})
	}
	return list
}

// Hosts are the addresses of a station that its page may go to, the plain ones last.
func (c *Config) Hosts(station string) []string {
	var live, plain []string
	for _, p := range c.Pathways {
		at := p.URL + "/" + station + "/"
		if p.Plain {
			plain = append(plain, at)
		} else {
			live = append(live, at)
		}
	}
	return append(live, plain...)
}
