// Package titles makes what encoders and stations call their sound fit to be shown.
//
// This package does not know how titles travel: ingest/icecast, ingest/pull, ingest/rtmp
// and ingest/decode/ogg read them.
package titles

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Most bounds a title, in bytes.
const Most = 500

// Clean makes s fit for a page and a log: one line of at most [Most] bytes of UTF-8, of
// characters that can be seen. Where s cannot be UTF-8 it is read as Latin-1, as Icecast
// has it.
func Clean(s string) string {
	if !utf8.ValidString(s) {
		s = Latin1(s)
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case r == utf8.RuneError, !unicode.IsPrint(r):
			return -1
		}
		return r
	}, s)
	s = strings.TrimSpace(s)
	if len(s) <= Most {
		return s
	}
	cut := Most
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return strings.TrimSpace(s[:cut])
}

// Latin1 returns s, which is in ISO 8859-1, as UTF-8.
func Latin1(s string) string {
	r := make([]rune, len(s))
	for i := range len(s) {
		r[i] = rune(s[i])
	}
	return string(r)
}
