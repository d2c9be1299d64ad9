package packager

import (
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
)

// ErrKey is wrapped by the errors of [ParseKey].
var ErrKey = errors.New("not a key")

// A Kind says what an object is.
type Kind uint8

// The kinds of objects. Their keys, below the root of a store or an origin:
const (
	Multivariant Kind = iota + 1 // {station}/{name}.m3u8
	Media                        // {station}/{rendition}/live.m3u8
	Init                         // {station}/{rendition}/init-{hash}.mp4
	Segment                      // {station}/{rendition}/{msn}.m4s
	Part                         // {station}/{rendition}/{msn}.{part}.m4s
	State                        // {station}/{name}.json
)

// A Key names an object. Two keys are equal when their strings are.
type Key struct {
	Station   string
	Rendition string // Media, Init, Segment, Part
	Kind      Kind
	MSN       int64  // Segment, Part
	Part      int    // Part
	Name      string // Multivariant: "index"; Init: the hash; State: "status"
}

// String returns the key: slash-separated, without a leading slash.
func (k Key) String() string {
	switch k.Kind {
	case Multivariant:
		return k.Station + "/" + k.Name + ".m3u8"
	case State:
		return k.Station + "/" + k.Name + ".json"
	case Media:
		return k.Station + "/" + k.Rendition + "/live.m3u8"
	default:
		return k.Station + "/" + k.Rendition + "/" + k.File()
	}
}

// File returns the last element of the key: what a media playlist names.
func (k Key) File() string {
	switch k.Kind {
	case Multivariant:
		return k.Name + ".m3u8"
	case State:
		return k.Name + ".json"
	case Media:
		return "live.m3u8"
	case Init:
		return "init-" + k.Name + ".mp4"
	case Segment:
		return strconv.FormatInt(k.MSN, 10) + ".m4s"
	case Part:
		return strconv.FormatInt(k.MSN, 10) + "." + strconv.Itoa(k.Part) + ".m4s"
	}
	return ""
}

// ContentType returns the media type of the object (RFC 8216 section 4, RFC 4337).
func (k Key) ContentType() string {
	switch k.Kind {
	case Multivariant, Media:
		return "application/vnd.apple.mpegurl"
	case State:
		return "application/json"
	default:
		return "audio/mp4"
	}
}

// Immutable reports whether the bytes under k never change.
func (k Key) Immutable() bool { return k.Kind == Init || k.Kind == Segment || k.Kind == Part }

// RenditionOf returns the name of the rendition whose media playlist is at uri, as
// "opus-24/live.m3u8" or an absolute address has it. It is no [ValidName] where uri leads
// elsewhere.
func RenditionOf(uri string) string { return path.Base(path.Dir(uri)) }

// ParseKey is the inverse of [Key.String]: every key has one spelling, and a
// string that is not one is refused with an error that wraps [ErrKey].
func ParseKey(s string) (Key, error) {
	k, ok := parseKey(s)
	if !ok || k.String() != s {
		return Key{}, fmt.Errorf("%q: %w", s, ErrKey)
	}
	return k, nil
}

func parseKey(s string) (Key, bool) {
	el := strings.Split(s, "/")
	if len(el) < 2 || len(el) > 3 || !ValidName(el[0]) {
		return Key{}, false
	}
	k := Key{Station: el[0]}
	file := el[len(el)-1]
	base, ext := cutExt(file)
	if len(el) == 2 {
		k.Name = base
		switch ext {
		case "m3u8":
			k.Kind = Multivariant
		case "json":
			k.Kind = State
		default:
			return Key{}, false
		}
		return k, ValidName(base)
	}
	k.Rendition = el[1]
	return k, ValidName(el[1]) && k.parseFile(file, base, ext)
}

// parseFile fills in what the last element of a rendition's key says.
func (k *Key) parseFile(file, base, ext string) bool {
	switch {
	case file == "live.m3u8":
		k.Kind = Media
		return true
	case ext == "mp4" && strings.HasPrefix(base, "init-"):
		k.Kind, k.Name = Init, strings.TrimPrefix(base, "init-")
		return ValidName(k.Name)
	case ext != "m4s":
		return false
	}
	msn, part, isPart := strings.Cut(base, ".")
	var err error
	if k.MSN, err = strconv.ParseInt(msn, 10, 64); err != nil || k.MSN < 0 {
		return false
	}
	k.Kind = Segment
	if isPart {
		k.Kind = Part
		if k.Part, err = strconv.Atoi(part); err != nil || k.Part < 0 {
			return false
		}
	}
	return true
}

func cutExt(file string) (base, ext string) {
	i := strings.LastIndexByte(file, '.')
	if i < 0 {
		return file, ""
	}
	return file[:i], file[i+1:]
}

// ValidName reports whether s can name a station or a rendition: 1 to 63 of
// a-z, 0-9, '-' and '_', not beginning with '-' or '_'. So it is safe in a URL,
// a file name and a bucket key, and never collides with a file of ours.
func ValidName(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[0] == '_' {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}
