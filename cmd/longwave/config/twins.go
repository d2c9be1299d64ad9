package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// checkTwins says what is wrong with the addresses of the nodes.
func (c *Config) checkTwins() error {
	seen := map[string]bool{}
	for i, text := range c.Twins {
		text = strings.TrimSuffix(text, "/")
		u, err := url.Parse(text)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || strings.ContainsAny(u.Host, ";,'*") || u.Scheme+"://"+u.Host != text {
			return fmt.Errorf("twins %q: write the address of a node and no path, as in https://a.example.org", c.Twins[i])
		}
		if seen[text] {
			return fmt.Errorf("twins %q stands twice", text)
		}
		seen[text] = true
		c.Twins[i] = text
	}
	return nil
}

// Others are the addresses of the other nodes. It is an error when this one is not in the
// list: then the others do not know it.
func (c *Config) Others() ([]string, error) {
	if len(c.Twins) > 0 && !slices.Contains(c.Twins, c.Public) {
		return nil, fmt.Errorf("twins does not name this node: public is %s, and all nodes have the same list", c.Public)
	}
	return slices.DeleteFunc(slices.Clone(c.Twins), func(twin string) bool { return twin == c.Public }), nil
}
