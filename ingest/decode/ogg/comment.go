package ogg

import (
	"encoding/binary"
	"errors"
	"strings"
	"unicode/utf8"

	"longwave/ingest/titles"
)

var errComments = errors.New("ogg: comment header cut short")

// Comments parses a comment header without the codec's signature before it
// (Vorbis I section 5.2.1; RFC 7845 section 5.2): "NAME=value" by upper-case
// name, the first of a name. Values that are not UTF-8 are left out.
func Comments(b []byte) (map[string]string, error) {
	_, b, ok := cutString(b) // the vendor
	if !ok || len(b) < 4 {
		return nil, errComments
	}
	n := binary.LittleEndian.Uint32(b)
	b = b[4:]
	tags := map[string]string{}
	for range n {
		var s []byte
		if s, b, ok = cutString(b); !ok {
			return nil, errComments
		}
		name, value, found := strings.Cut(string(s), "=")
		name = strings.ToUpper(name)
		if _, known := tags[name]; found && !known && utf8.ValidString(value) {
			tags[name] = value
		}
	}
	return tags, nil
}

func cutString(b []byte) (s, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	n := binary.LittleEndian.Uint32(b)
	if uint64(n) > uint64(len(b)-4) {
		return nil, nil, false
	}
	return b[4 : 4+n], b[4+n:], true
}

// Title returns how a station names what plays: "ARTIST - TITLE", or one of
// them when there is no other; empty when there is neither. It is clean.
func Title(tags map[string]string) string {
	artist, title := titles.Clean(tags["ARTIST"]), titles.Clean(tags["TITLE"])
	if artist == "" || title == "" {
		return artist + title
	}
	return titles.Clean(artist + " - " + title)
}
