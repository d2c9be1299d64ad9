package pull

import (
	"bytes"
	"errors"
	"net/url"
	"strings"
)

// mostLists is how many lists may lead to each other.
const mostLists = 5

// isList tells lists of addresses, M3U or PLS, from sound by how they begin: headLen bytes
// are enough.
func isList(head []byte) bool {
	head = bytes.ToLower(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")))
	for _, s := range []string{"#extm3u", "[playlist]", "http://", "https://"} {
		if bytes.HasPrefix(head, []byte(s)) {
			return true
		}
	}
	return false
}

const headLen = 13

// isHLS reports that a list is a playlist of HLS: it says how long segments are, or
// names variants (RFC 8216 section 4.3).
func isHLS(b []byte) bool {
	return bytes.Contains(b, []byte("#EXT-X-TARGETDURATION")) || bytes.Contains(b, []byte("#EXT-X-STREAM-INF"))
}

var errNoAddress = errors.New("a list without an address")

// firstAddress returns the first address in an M3U or PLS list that was found at base.
func firstAddress(b []byte, base *url.URL) (*url.URL, error) {
	for line := range strings.Lines(strings.TrimPrefix(string(b), "\xef\xbb\xbf")) {
		line = strings.TrimSpace(line)
		if key, value, ok := strings.Cut(line, "="); ok && len(key) <= 8 && strings.HasPrefix(strings.ToLower(key), "file") {
			line = strings.TrimSpace(value)
		} else if line == "" || line[0] == '#' || line[0] == '[' || ok && !strings.Contains(key, "/") {
			continue
		}
		u, err := base.Parse(line)
		if err != nil {
			return nil, errNoAddress // the parser's error names the whole of it
		}
		return u, checkURL(u)
	}
	return nil, errNoAddress
}
