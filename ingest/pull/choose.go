package pull

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/bluenviron/gohlslib/v2/pkg/playlist"
)

var errNoVariant = errors.New("a playlist without a rendition that can be decoded")

// choose returns the address of the media playlist to be played. Sound alone goes before
// sound with pictures; of sound alone the highest rate is taken, of pictures the lowest,
// because they are thrown away. Where several are equal, as redundant ones are, try tells
// which it is the turn of.
func choose(m *playlist.Multivariant, base *url.URL, try int) (*url.URL, error) {
	var alone, mixed []candidate
	for _, v := range m.Variants {
		if !playable(v.Codecs) {
			continue
		}
		c := candidate{uri: v.URI, rate: v.Bandwidth}
		switch r := rendition(m, v.Audio); {
		case r != "":
			c.uri = r
			alone = append(alone, c)
		case pictures(v):
			mixed = append(mixed, c)
		default:
			alone = append(alone, c)
		}
	}
	slices.SortStableFunc(alone, func(a, b candidate) int { return cmp.Compare(b.rate, a.rate) })
	slices.SortStableFunc(mixed, func(a, b candidate) int { return cmp.Compare(a.rate, b.rate) })
	list := alone
	if len(list) == 0 {
		list = mixed
	}
	if len(list) == 0 {
		return nil, errNoVariant
	}
	equal := 1
	for equal < len(list) && list[equal].rate == list[0].rate {
		equal++
	}
	u, err := base.Parse(list[try%equal].uri)
	if err != nil {
		return nil, fmt.Errorf("read a variant's address: %w", errNoVariant)
	}
	return u, nil
}

type candidate struct {
	uri  string
	rate int
}

// rendition returns the address of the group's sound: the default one's, else the first's.
// It is empty where the variant itself holds the sound.
func rendition(m *playlist.Multivariant, group string) string {
	if group == "" {
		return ""
	}
	uri := ""
	for _, r := range m.Renditions {
		if r.Type != playlist.MultivariantRenditionTypeAudio || r.GroupID != group || r.URI == nil {
			continue
		}
		if uri == "" || r.Default {
			uri = *r.URI
		}
		if r.Default {
			break
		}
	}
	return uri
}

// playable reports that the codecs, where they are told, have sound that we decode:
// AAC-LC and HE-AAC, MP3, Opus.
func playable(codecs []string) bool {
	return len(codecs) == 0 || slices.ContainsFunc(codecs, func(s string) bool {
		switch s = strings.ToLower(strings.TrimSpace(s)); s {
		case "opus", "mp4a.40.2", "mp4a.40.5", "mp4a.40.29", "mp4a.40.34", "mp4a.69", "mp4a.6b":
			return true
		}
		return false
	})
}

func pictures(v *playlist.MultivariantVariant) bool {
	return v.Resolution != "" || slices.ContainsFunc(v.Codecs, func(s string) bool {
		for _, p := range []string{"avc", "hvc", "hev", "vp0", "av01", "dvh", "mp4v"} {
			if strings.HasPrefix(strings.ToLower(strings.TrimSpace(s)), p) {
				return true
			}
		}
		return false
	})
}
