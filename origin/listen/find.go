package listen

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"longwave/packager/hls"
	"longwave/packager/hls/hlstest"
)

// What an address turned out to be.
const (
	kindPage         = "page"
	kindMultivariant = "multivariant playlist"
	kindMedia        = "media playlist"
)

// plainTime is how long a request that nobody holds may take.
const plainTime = 10 * time.Second

// A family is the renditions of one multivariant playlist.
type family struct {
	url     *url.URL // after redirects
	members map[string]*rendition
}

// find looks what the address is and makes a rendition for everything there is.
func (s *session) find(ctx context.Context, u *url.URL) error {
	first := classPage
	if strings.HasSuffix(u.Path, ".m3u8") {
		first = classMultivariant
	}
	a, err := s.fetch.get(ctx, request{class: first, url: u, within: plainTime})
	if err != nil {
		return fmt.Errorf("%s: %w", u.Redacted(), err)
	}
	if !a.ok() {
		return fmt.Errorf("%s: the server answers %d %s", u.Redacted(), a.status, http.StatusText(a.status))
	}
	switch {
	case hls.IsMultivariant(a.body):
		s.kind = kindMultivariant
		s.openFamily(&a)
	case strings.HasPrefix(strings.TrimPrefix(string(a.body), "\uFEFF"), "#EXTM3U"):
		s.kind = kindMedia
		s.open(a.url, media{name: "media"})
	case strings.Contains(a.header.Get("Content-Type"), "html"):
		s.kind = kindPage
		err = s.openPage(ctx, &a)
	default:
		err = fmt.Errorf("%s is neither a page nor a playlist (Content-Type %q)", u.Redacted(), a.header.Get("Content-Type"))
	}
	if err == nil && len(s.renditions) == 0 {
		err = fmt.Errorf("%s has no rendition", u.Redacted())
	}
	return err
}

// rePlaylist finds the addresses of playlists in a page.
var rePlaylist = regexp.MustCompile(`=\s*["']([^"'<>\s]+\.m3u8(?:\?[^"'<>\s]*)?)["']`)

// maxLists bounds the playlists of a page that are looked at.
const maxLists = 8

// openPage opens every playlist that a page names.
func (s *session) openPage(ctx context.Context, page *answer) error {
	var seen []string
	for _, match := range rePlaylist.FindAllStringSubmatch(string(page.body), -1) {
		u, err := page.url.Parse(html.UnescapeString(match[1]))
		if err != nil || slices.Contains(seen, u.String()) || len(seen) == maxLists {
			continue
		}
		seen = append(seen, u.String())
		a, err := s.fetch.get(ctx, request{class: classMultivariant, url: u, within: plainTime})
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", u.Redacted(), err)
		case hls.IsMultivariant(a.body):
			s.openFamily(&a)
		case a.ok():
			s.open(a.url, media{name: "media"})
		default:
			s.ledger.add("", hlstest.CheckResponse(a.response(hlstest.MultivariantPlaylist, 0))...)
		}
	}
	if len(seen) == 0 {
		return fmt.Errorf("%s is a page that names no playlist: give the address of the playlist itself", page.url.Redacted())
	}
	return nil
}

// openFamily opens what a multivariant playlist lists.
func (s *session) openFamily(a *answer) {
	f := &family{url: a.url, members: map[string]*rendition{}}
	m := s.judgeFamily(a)
	if m == nil {
		return
	}
	for _, v := range m.Variants {
		s.join(f, v.URI, media{name: nameOf(v.StableID, v.URI), pathway: v.PathwayID, declared: v})
	}
	for _, r := range m.Renditions {
		if r.URI != "" && r.Type == "AUDIO" {
			s.join(f, r.URI, media{name: nameOf(r.StableID, r.GroupID+"-"+r.Name)})
		}
	}
	s.families = append(s.families, f)
}

// judgeFamily applies the rules about a multivariant playlist; nil means that it
// cannot be read.
func (s *session) judgeFamily(a *answer) *hls.Multivariant {
	s.ledger.add("", hlstest.CheckResponse(a.response(hlstest.MultivariantPlaylist, 0))...)
	if !a.ok() {
		return nil
	}
	s.ledger.add("", hlstest.CheckMultivariant(a.body)...)
	m, err := hls.ParseMultivariant(a.body)
	if err != nil {
		s.ledger.note(fmt.Sprintf("%s cannot be read: %v", a.url.Redacted(), err))
		return nil
	}
	return m
}

// join opens a member of a family.
func (s *session) join(f *family, uri string, m media) {
	u, err := f.url.Parse(uri)
	if err != nil {
		s.ledger.note(fmt.Sprintf("%q is no address", shorten(uri)))
		return
	}
	f.members[uri] = s.open(u, m)
}

// nameOf returns a name for a rendition: its stable ID, or what its address has.
func nameOf(id, uri string) string {
	if id != "" {
		return id
	}
	path, _, _ := strings.Cut(uri, "?")
	el := strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
	switch n := len(el); {
	case n == 0:
		return "media"
	case n > 1 && el[n-2] != ".." && !strings.Contains(el[n-2], ":"):
		return el[n-2]
	default:
		return strings.TrimSuffix(el[n-1], ".m3u8")
	}
}

// maxRenditions bounds what is followed.
const maxRenditions = 64

// open returns the rendition at an address, a new one unless it is known.
func (s *session) open(u *url.URL, m media) *rendition {
	for _, r := range s.renditions {
		if r.url.String() == u.String() {
			return r
		}
	}
	name := m.name
	if m.pathway != "" && m.pathway != "." {
		name += "@" + m.pathway
	}
	m.name = name
	for n := 2; slices.ContainsFunc(s.renditions, func(r *rendition) bool { return r.name == m.name }); n++ {
		m.name = fmt.Sprintf("%s.%d", name, n)
	}
	r := newRendition(s, u, m)
	if len(s.renditions) < maxRenditions {
		s.renditions = append(s.renditions, r)
	} else {
		s.ledger.note(fmt.Sprintf("only the first %d renditions are followed", maxRenditions))
	}
	return r
}

// pick leaves the renditions that were asked for.
func (s *session) pick(names []string) error {
	if len(names) == 0 {
		return nil
	}
	var picked []*rendition
	var have []string
	for _, r := range s.renditions {
		have = append(have, r.name)
		if slices.Contains(names, r.name) {
			picked = append(picked, r)
		}
	}
	for _, name := range names {
		if !slices.Contains(have, name) {
			return fmt.Errorf("%w: no rendition is called %q: there are %s", ErrOptions, name, strings.Join(have, ", "))
		}
	}
	s.renditions = picked
	return nil
}
