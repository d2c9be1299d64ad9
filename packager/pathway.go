package packager

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// SteeringFile is where a station's steering manifest lies, seen from its
// multivariant playlists: the SERVER-URI unless the options name another.
const SteeringFile = "steering.json"

// A Pathway is one way from us to listeners: a CDN, an origin, a bucket (rfc8216bis
// section 4.4.6.6, content steering). All pathways of a kind are named in the
// multivariant playlists of that kind: those of the origin name the ones with parts,
// those of a store the plain ones, because all media playlists of one multivariant
// playlist have the same EXT-X-SERVER-CONTROL (section 6.2.4).
type Pathway struct {
	ID    string // PATHWAY-ID: 1 to 63 of a-z, A-Z, 0-9, '.', '-' and '_', but not "."
	URL   string // base address without a slash at the end: {URL}/{station}/index.m3u8 is the station there
	Plain bool   // it reads a store: no parts, no blocking reload
}

// CheckPathways says what is wrong with a list of pathways: an ID or an address that
// is none, an ID that stands twice, an address that stands twice in one kind.
func CheckPathways(list []Pathway) error {
	ids, urls := map[string]bool{}, map[Pathway]bool{}
	for _, p := range list {
		if !validPathwayID(p.ID) {
			return fmt.Errorf("pathway id %q: use 1 to 63 of a-z, A-Z, 0-9, '.', '-' and '_', and not \".\"", p.ID)
		}
		if err := checkBase(p.URL); err != nil {
			return fmt.Errorf("pathway %s: %w", p.ID, err)
		}
		if ids[p.ID] {
			return fmt.Errorf("pathway %s stands twice", p.ID)
		}
		ids[p.ID] = true
		place := Pathway{URL: p.URL, Plain: p.Plain}
		if urls[place] {
			return fmt.Errorf("pathway %s: %s is the address of another one", p.ID, p.URL)
		}
		urls[place] = true
	}
	return nil
}

// validPathwayID keeps to the characters of the content steering specification.
// "." stands for variants without a pathway.
func validPathwayID(id string) bool {
	if id == "" || id == "." || len(id) > 63 {
		return false
	}
	for _, c := range []byte(id) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && c != '.' && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// checkBase accepts what keys can be appended to, and what can stand in a playlist.
func checkBase(base string) error {
	bad := fmt.Errorf("url %q: write the whole address without a slash at the end, as in https://cdn.example.org", base)
	u, err := url.Parse(base)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Host == "", u.User != nil,
		strings.ContainsAny(base, "?#\\\""), strings.HasSuffix(base, "/"), u.String() != base:
		return bad
	}
	return nil
}

// checkSteering accepts what can be a SERVER-URI.
func checkSteering(uri string) error {
	if _, err := url.Parse(uri); err != nil || strings.ContainsAny(uri, "\" \\") {
		return fmt.Errorf("steering %q is not a URI", uri)
	}
	return nil
}

// pathways returns those of a kind: the ones that listeners are steered to, then the
// others, the preferred of each first.
func (p *Packager) pathways(plain bool) []Pathway {
	var list []Pathway
	for _, w := range p.opt.Pathways {
		if w.Plain == plain {
			list = append(list, w)
		}
	}
	place := func(w Pathway) int {
		if i := slices.Index(p.best[plain], w.ID); i >= 0 {
			return i
		}
		return len(list)
	}
	slices.SortStableFunc(list, func(a, b Pathway) int { return cmp.Compare(place(a), place(b)) })
	return list
}

// steered asks where listeners are steered to and reports whether the pathways have
// another order for that.
func (p *Packager) steered() bool {
	changed := false
	for _, plain := range []bool{false, true} {
		best := p.opt.Best(plain)
		if slices.Equal(best, p.best[plain]) {
			continue
		}
		before := p.pathways(plain)
		p.best[plain] = slices.Clone(best)
		changed = changed || !slices.Equal(before, p.pathways(plain))
	}
	return changed
}
