package store

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"strings"

	"longwave/packager"
)

// errPlaylist is wrapped by the error of a playlist of which it cannot be told
// what it names.
var errPlaylist = errors.New("not a playlist that can be read")

// namedBy returns the keys of the objects that the playlist text, which lies at
// name, refers to: its URI lines and URI attributes (RFC 8216 section 4.1 and
// 4.2). It is no parser of playlists: it knows no tag, so a tag that is invented
// tomorrow is found too. A URI that leads to no key of ours is left out. When in
// doubt it returns too much, never too little.
func namedBy(name Name, text []byte) ([]packager.Key, error) {
	body, ok := strings.CutPrefix(string(text), "#EXTM3U")
	if !ok || body != "" && body[0] != '\n' && body[0] != '\r' {
		return nil, fmt.Errorf("%q does not begin with #EXTM3U: %w", name, errPlaylist)
	}
	var keys []packager.Key
	add := func(uri string) error {
		k, err := resolve(name, uri)
		if err == nil {
			keys = append(keys, k...)
		}
		return err
	}
	for line := range strings.Lines(body) {
		line = strings.TrimRight(line, "\r\n \t")
		if line == "" {
			continue
		}
		if !strings.HasPrefix(line, "#") {
			if err := add(line); err != nil {
				return nil, err
			}
			continue
		}
		for rest := line; ; {
			_, after, found := strings.Cut(rest, `URI="`)
			if !found {
				break
			}
			uri, next, closed := strings.Cut(after, `"`)
			if !closed {
				return nil, fmt.Errorf("%q has a URI without an end: %w", name, errPlaylist)
			}
			if err := add(uri); err != nil {
				return nil, err
			}
			rest = next
		}
	}
	return keys, nil
}

// resolve returns the keys that uri can mean in the playlist at name. An absolute
// URI may go through a CDN's or bucket's prefix, so its last elements count.
func resolve(name Name, uri string) ([]packager.Key, error) {
	u, err := url.Parse(uri)
	if err != nil || strings.Contains(uri, "{$") { // EXT-X-DEFINE: section 4.3 of rfc8216bis
		return nil, fmt.Errorf("%q names %q, which cannot be resolved: %w", name, uri, errPlaylist)
	}
	full := u.Path
	if u.Host == "" && !strings.HasPrefix(full, "/") {
		full = path.Join(path.Dir(string(name)), full)
	}
	elem := strings.Split(path.Clean("/"+full), "/")
	var keys []packager.Key
	for _, n := range []int{2, 3} {
		if len(elem) > n {
			if k, err := packager.ParseKey(strings.Join(elem[len(elem)-n:], "/")); err == nil {
				keys = append(keys, k)
			}
		}
	}
	return keys, nil
}
