package hls

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"strings"
	"time"
)

// ErrDirectives is wrapped by the errors of [ParseDirectives]. The answer is 400.
var ErrDirectives = errors.New("malformed delivery directives")

// A SkipMode is the value of the _HLS_skip directive.
type SkipMode uint8

// The values of _HLS_skip (section 6.2.5.1).
const (
	SkipNone       SkipMode = iota
	SkipSegments            // YES
	SkipDateRanges          // v2: old Date Ranges too
)

// Directives are the delivery directives of a request for a media playlist (section
// 6.2.5). The zero Directives are none.
type Directives struct {
	// Blocking is set when the request has _HLS_msn: the answer waits until the
	// playlist contains At, see [Media.Contains].
	Blocking bool
	// At is what is waited for; without _HLS_part its Part is [Whole].
	At   Position
	Skip SkipMode
}

// ParseDirectives reads the directives in the query part of a URL, as it stands in
// the request. Their order does not matter; other parameters are ignored. A
// directive may be repeated with the same value. Errors wrap [ErrDirectives].
func ParseDirectives(rawQuery string) (Directives, error) {
	var d Directives
	hasPart := false
	for rest := rawQuery; rest != ""; {
		var pair string
		pair, rest, _ = strings.Cut(rest, "&")
		name, value, ok := directive(pair)
		if !ok {
			continue
		}
		switch name {
		case "_HLS_msn":
			n, ok := parseInt(value)
			if !ok || d.Blocking && n != d.At.MSN {
				return Directives{}, fmt.Errorf("%s=%q: %w", name, value, ErrDirectives)
			}
			d.Blocking, d.At.MSN = true, n
		case "_HLS_part":
			n, ok := parseInt(value)
			if !ok || n > math.MaxInt32 || hasPart && int(n) != d.At.Part {
				return Directives{}, fmt.Errorf("%s=%q: %w", name, value, ErrDirectives)
			}
			hasPart, d.At.Part = true, int(n)
		case "_HLS_skip":
			mode := skipMode(value)
			if mode == SkipNone || d.Skip != SkipNone && mode != d.Skip {
				return Directives{}, fmt.Errorf("%s=%q: %w", name, value, ErrDirectives)
			}
			d.Skip = mode
		}
	}
	switch {
	case hasPart && !d.Blocking:
		return Directives{}, fmt.Errorf("_HLS_part without _HLS_msn: %w", ErrDirectives)
	case d.Blocking && !hasPart:
		d.At.Part = Whole
	}
	return d, nil
}

func skipMode(value string) SkipMode {
	switch value {
	case "YES":
		return SkipSegments
	case "v2":
		return SkipDateRanges
	}
	return SkipNone
}

// directive takes a pair of a query apart. It reports false for what cannot be a
// directive. It allocates only when there is something to unescape.
func directive(pair string) (name, value string, ok bool) {
	name, value, _ = strings.Cut(pair, "=")
	if strings.ContainsAny(name, "%+") {
		var err error
		if name, err = url.QueryUnescape(name); err != nil {
			return "", "", false
		}
	}
	if !strings.HasPrefix(name, "_HLS_") {
		return "", "", false
	}
	if strings.IndexByte(value, '%') >= 0 {
		if v, err := url.QueryUnescape(value); err == nil {
			value = v
		} // else it stays as it is, and no directive has a '%' in its value
	}
	return name, value, true
}

// TooFarAhead reports whether d asks for something that m will not have soon
// (section 6.2.5.2): a segment more than two after the last complete one, or a part
// beyond the Advance Part Limit. The answer is 400, at once.
func (d Directives) TooFarAhead(m *Media) bool {
	if !d.Blocking || m.EndList {
		return false
	}
	open := m.OpenMSN()
	if d.At.MSN > open+1 {
		return true
	}
	last := -1 // the last part of the segment that is asked for
	switch {
	case d.At.MSN == open:
		last = len(m.Open.Parts) - 1
	case d.At.MSN == open-1 && len(m.Segments) > 0:
		last = len(m.Segments[len(m.Segments)-1].Parts) - 1
	case d.At.MSN < open:
		return false
	}
	return d.At.Part-last > m.advancePartLimit()
}

// advancePartLimit is three divided by the part target, or three when that is a
// second or longer.
func (m *Media) advancePartLimit() int {
	if m.PartTarget <= 0 || m.PartTarget >= time.Second {
		return 3
	}
	return int(3 * time.Second / m.PartTarget)
}
