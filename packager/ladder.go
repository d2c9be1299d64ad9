package packager

import (
	"fmt"
	"strconv"
	"strings"

	"longwave/packager/encode"
	"longwave/packager/encode/aac"
	"longwave/packager/encode/opus"
)

// A Rung is one rendition: the programme in one codec and bitrate.
type Rung struct {
	Name     string // "opus-48": codec and kbit/s; also the folder of its objects
	Codec    string // "opus" or "aac"
	Channels int
	Bitrate  int // asked of the encoder, in bit/s
}

// DefaultLadder is what a station offers when it says nothing else, lowest first
// in each codec.
func DefaultLadder() []Rung {
	return []Rung{
		{Name: "opus-24", Codec: "opus", Channels: 1, Bitrate: 24_000},
		{Name: "opus-48", Codec: "opus", Channels: 1, Bitrate: 48_000},
		{Name: "opus-96", Codec: "opus", Channels: 2, Bitrate: 96_000},
		{Name: "aac-48", Codec: "aac", Channels: 1, Bitrate: 48_000},
		{Name: "aac-96", Codec: "aac", Channels: 2, Bitrate: 96_000},
	}
}

// ParseRung reads "opus-48" (mono below 64 kbit/s, stereo from there) or
// "opus-48-stereo", "opus-96-mono".
func ParseRung(s string) (Rung, error) {
	el := strings.Split(s, "-")
	bad := fmt.Errorf("rendition %q: write codec-kbit/s, as in opus-48, aac-96 or opus-96-mono", s)
	if len(el) < 2 || len(el) > 3 || (el[0] != "opus" && el[0] != "aac") {
		return Rung{}, bad
	}
	kbit, err := strconv.Atoi(el[1])
	if err != nil {
		return Rung{}, bad
	}
	r := Rung{Name: s, Codec: el[0], Channels: 1, Bitrate: kbit * 1000}
	if kbit >= 64 {
		r.Channels = 2
	}
	if len(el) == 3 {
		switch el[2] {
		case "mono":
			r.Channels = 1
		case "stereo":
			r.Channels = 2
		default:
			return Rung{}, bad
		}
	}
	lo, hi := 12, 256
	if r.Codec == "aac" {
		lo = 32 * r.Channels
	}
	if kbit < lo || kbit > hi {
		return Rung{}, fmt.Errorf("rendition %q: %s with %d channels takes %d to %d kbit/s", s, r.Codec, r.Channels, lo, hi)
	}
	return r, nil
}

// newCoder opens the codec of r.
func (r Rung) newCoder() (encode.Coder, encode.Format, error) {
	if r.Codec == "aac" {
		c, err := aac.New(r.Channels, r.Bitrate)
		if err != nil {
			return nil, encode.Format{}, err
		}
		return c, c.Format(), nil
	}
	c, err := opus.New(r.Channels, r.Bitrate)
	if err != nil {
		return nil, encode.Format{}, err
	}
	return c, c.Format(), nil
}
