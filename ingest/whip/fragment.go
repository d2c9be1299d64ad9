package whip

import (
	"errors"
	"fmt"
	"strings"
)

// A fragment is an application/trickle-ice-sdpfrag body, RFC 8840 section 9.
type fragment struct {
	ufrag, pwd string // empty: not said
	candidates []trickled
}

// A trickled candidate is a candidate attribute's value and the media section that
// it belongs to; of bundled media that is always the first.
type trickled struct{ mid, candidate string }

var errFragment = errors.New("not a trickle-ice-sdpfrag")

// mostLine bounds a line of a fragment, in bytes.
const mostLine = 512

// parseFragment reads a fragment. Attributes that it does not know are passed over,
// as RFC 8840 section 9.2 wants; candidates that are no addresses are left out.
func parseFragment(body string) (fragment, error) {
	var f fragment
	mid, n := "", 0
	for line := range strings.Lines(body) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			continue
		}
		if len(line) < 2 || line[1] != '=' || len(line) > mostLine {
			return fragment{}, fmt.Errorf("%w: %.40q", errFragment, line)
		}
		if line[0] != 'a' {
			continue
		}
		key, value, _ := strings.Cut(line[2:], ":")
		switch key {
		case "mid":
			mid = value
		case "ice-ufrag":
			f.ufrag = value
		case "ice-pwd":
			f.pwd = value
		case "candidate":
			if n++; n > mostCandidates {
				return fragment{}, fmt.Errorf("%w: more than %d candidates", errFragment, mostCandidates)
			}
			if isAddress(value) {
				f.candidates = append(f.candidates, trickled{mid, value})
			}
		}
	}
	if f.ufrag != "" && !isICE(f.ufrag, 4) || f.pwd != "" && !isICE(f.pwd, 22) {
		return fragment{}, fmt.Errorf("%w: ICE credentials that are none", errFragment)
	}
	return f, nil
}

// isICE reports that s has at least so many ice-chars and not more than 256, RFC 8839
// section 5.4.
func isICE(s string, least int) bool {
	return len(s) >= least && len(s) <= 256 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '+' && r != '/'
	})
}
