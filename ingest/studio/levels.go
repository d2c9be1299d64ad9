package studio

import (
	"math"
	"strconv"

	"longwave/ingest"
	"longwave/ingest/pcm"
	"longwave/ingest/token"
)

// fills are the texts of a lane's fill in the API.
var fills = [...]string{pcm.Silent: "silent", pcm.Concealed: "concealed", pcm.Heard: "heard"}

// appendLevel appends x to a tenth, or null where there is none.
func appendLevel(b []byte, x float64) []byte {
	if !finite(x) {
		return append(b, "null"...)
	}
	x = math.Round(x*10) / 10
	return strconv.AppendFloat(b, x+0, 'f', -1, 64) // -0 is 0
}

// appendTo appends l as the holder of t sees it: a speaker their own lane, and of the
// others whether they speak. It allocates nothing where b has room.
func (l *levels) appendTo(b []byte, t token.Token) []byte {
	b = append(b, `{"now":"`...)
	b = l.now.UTC().AppendFormat(b, stampFormat)
	b = appendField(b, `","programme":{"m":`, l.programme.Loudness.Momentary)
	b = appendField(b, `,"s":`, l.programme.Loudness.ShortTerm)
	b = appendField(b, `,"i":`, l.programme.Loudness.Integrated)
	b = appendField(b, `,"tp":`, l.programme.Loudness.TruePeak)
	b = appendField(b, `,"limiter_db":`, l.programme.LimiterDB)
	b = append(b, `},"lanes":{`...)
	first := true
	for i := range l.speakers {
		s := &l.speakers[i]
		if !s.Connected {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = appendString(b, s.Seat)
		b = appendLane(b, s, !standby(s) && (t.Role == token.Host || s.Seat == t.ID))
	}
	return append(b, `}}`...)
}

// standby reports that s is a feed of whose group another is heard: nothing is measured
// of it.
func standby(s *ingest.Speaker) bool { return s.Group != "" && !s.Heard }

func appendField(b []byte, name string, x float64) []byte {
	return appendLevel(append(b, name...), x)
}

func appendLane(b []byte, s *ingest.Speaker, whole bool) []byte {
	b = append(b, `:{`...)
	if whole {
		b = appendField(b, `"rms":`, s.Level.RMSDBFS)
		b = appendField(b, `,"peak":`, s.Level.PeakDBFS)
		b = append(b, `,"fill":"`...)
		b = append(b, fills[s.Level.Fill]...)
		b = append(b, `",`...)
	}
	b = append(b, `"speaking":`...)
	return append(strconv.AppendBool(b, s.Level.Speaking), '}')
}

// appendString appends s as JSON. A seat's ID is a token's, or has an operator's name in
// it.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', byte(c))
		case c < ' ':
			b = append(b, `\u00`...)
			b = append(b, "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
		default:
			b = append(b, string(c)...)
		}
	}
	return append(b, '"')
}
