package decode

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"longwave/ingest/decode/ogg"
)

// ErrMore is returned by [Sniff] when the bytes so far could be the beginning of
// something, but are too few to tell.
var ErrMore = errors.New("more bytes needed to tell the format")

// accepted is what a refusal says can be sent.
const accepted = "send Ogg (Opus, Vorbis, FLAC), MP3, AAC with ADTS headers, FLAC or WAV"

const (
	// searchWithin is how far into the bytes a first frame may begin: a relay
	// joins in the middle of one.
	searchWithin = 8 << 10
	// MaxPrefix is the most that Sniff needs to see after an ID3 tag.
	MaxPrefix = 64 << 10
	maxID3    = 1 << 20
)

// Sniff tells the format from the first bytes of a source. It believes two
// frames of AAC or MPEG audio in a row at the start, three further on; an ID3v2
// tag is passed over. The error is [ErrMore], or wraps [ErrNotAudio] and says
// what was seen and what can be sent.
func Sniff(prefix []byte) (Format, error) {
	switch {
	case len(prefix) < 16:
		return Format{}, ErrMore
	case bytes.HasPrefix(prefix, []byte("OggS")):
		return sniffOgg(prefix)
	case bytes.HasPrefix(prefix, []byte(flacMarker)):
		return sniffFLAC(prefix)
	case bytes.HasPrefix(prefix, []byte("RIFF")) && bytes.Equal(prefix[8:12], []byte("WAVE")):
		return Format{Codec: WAV}, nil
	}
	if n := id3Len(prefix); n > maxID3 {
		return Format{}, refuse("an ID3 tag of more than a megabyte")
	} else if n > 0 {
		if len(prefix) < n+16 {
			return Format{}, ErrMore
		}
		return Sniff(prefix[n:])
	}
	if what := foreign(prefix); what != "" {
		return Format{}, refuse(what)
	}
	return sniffFrames(prefix)
}

// SniffReader reads from r what [Sniff] needs and returns it with the format, so
// that nothing of the source is lost. When r ends or fails before the format is
// known the error says so.
func SniffReader(r io.Reader) (Format, []byte, error) {
	buf := make([]byte, 4096)
	have := 0
	for {
		n, readErr := r.Read(buf[have:])
		have += n
		f, err := Sniff(buf[:have])
		if !errors.Is(err, ErrMore) {
			return f, buf[:have], err
		}
		switch {
		case errors.Is(readErr, io.EOF):
			return f, buf[:have], refuse(fmt.Sprintf("%d bytes and then the end", have))
		case readErr != nil:
			return f, buf[:have], fmt.Errorf("read the first bytes: %w", readErr)
		case have > maxID3+MaxPrefix:
			return f, buf[:have], refuse(seen(buf[:have]))
		case have == len(buf):
			buf = slices.Concat(buf, make([]byte, len(buf)))
		}
	}
}

func refuse(what string) error { return fmt.Errorf("%w: got %s; %s", ErrNotAudio, what, accepted) }

// sniffFrames looks for AAC or MPEG audio frames.
func sniffFrames(b []byte) (Format, error) {
	more := false
	for at := 0; at < min(len(b), searchWithin); at++ {
		if b[at] != 0xff {
			continue
		}
		n := 2
		if at > 0 {
			n = 3
		}
		for _, k := range []struct {
			codec Codec
			parse parser
		}{{ADTS, parseADTS}, {MP3, parseMPEG}} {
			h, ok, short := consecutive(b[at:], k.parse, n)
			if ok {
				return Format{Codec: k.codec, Rate: h.rate, Channels: h.channels}, nil
			}
			more = more || short
		}
		if at == 0 && more {
			return Format{}, ErrMore // a frame at the very start goes before one further on
		}
	}
	if more && len(b) < MaxPrefix || len(b) < searchWithin {
		return Format{}, ErrMore
	}
	return Format{}, refuse(seen(b))
}

func sniffOgg(b []byte) (Format, error) {
	var d ogg.Demuxer
	d.Feed(b)
	g, ok, err := d.Next()
	switch {
	case err != nil:
		return Format{}, refuse("Ogg with several streams side by side")
	case ok && len(g.Packets) == 0:
		return Format{}, refuse("Ogg that does not begin with an identification header")
	case ok:
		f, err := identify(g.Packets[0])
		if err != nil {
			return f, err
		}
		if _, _, err := d.Next(); err != nil {
			return Format{}, refuse("Ogg with several streams side by side")
		}
		return f, nil
	case len(b) >= MaxPrefix:
		return Format{}, refuse("damaged Ogg")
	}
	return Format{}, ErrMore
}

// identify tells the format from the first packet of an Ogg stream.
func identify(b []byte) (Format, error) {
	switch {
	case bytes.HasPrefix(b, []byte("OpusHead")):
		h, err := parseOpusHead(b)
		return Format{Codec: OggOpus, Rate: 48_000, Channels: h.channels}, err
	case bytes.HasPrefix(b, []byte("\x01vorbis")) && len(b) >= 30:
		return Format{Codec: OggVorbis, Rate: int(binary.LittleEndian.Uint32(b[12:])), Channels: int(b[11])}, nil
	case bytes.HasPrefix(b, []byte("\x7fFLAC")) && len(b) >= 13+4+streamInfoLen:
		rate, channels := streamInfo(b[17:])
		return Format{Codec: OggFLAC, Rate: rate, Channels: channels}, nil
	case bytes.HasPrefix(b, []byte("Speex ")):
		return Format{}, refuse("Ogg with Speex")
	case bytes.HasPrefix(b, []byte("fishead\x00")), bytes.HasPrefix(b, []byte("\x80theora")):
		return Format{}, refuse("Ogg with several streams side by side")
	}
	return Format{}, refuse("Ogg with " + seen(b))
}

func sniffFLAC(b []byte) (Format, error) {
	if len(b) < 8+streamInfoLen {
		return Format{}, ErrMore
	}
	if b[4]&0x7f != flacStreamInfo {
		return Format{}, refuse("FLAC that does not begin with STREAMINFO")
	}
	rate, channels := streamInfo(b[8:])
	return Format{Codec: FLAC, Rate: rate, Channels: channels}, nil
}

// streamInfo reads rate and channels of a STREAMINFO block (RFC 9639 section 8.2).
func streamInfo(b []byte) (rate, channels int) {
	return int(b[10])<<12 | int(b[11])<<4 | int(b[12])>>4, int(b[12]>>1&7) + 1
}

// foreign names what b begins with when that is known and cannot be taken.
func foreign(b []byte) string {
	for _, k := range []struct {
		at    int
		bytes string
		what  string
	}{
		{4, "ftyp", "an MP4 file"},
		{0, "\x1a\x45\xdf\xa3", "Matroska or WebM"},
		{0, "FLV", "FLV"},
		{0, "FORM", "AIFF"},
		{0, "\x89PNG", "a picture"},
		{0, "\xff\xd8\xff", "a picture"},
		{0, "GIF8", "a picture"},
		{0, "#EXTM3U", "a playlist"},
		{0, "[playlist]", "a playlist"},
		{0, "ADIF", "AAC without ADTS headers"},
		{0, "PK\x03\x04", "a ZIP archive"},
		{0, "\x1f\x8b", "gzip"},
		{0, "%PDF", "a PDF file"},
	} {
		if bytes.HasPrefix(b[min(k.at, len(b)):], []byte(k.bytes)) {
			return k.what
		}
	}
	if b[0] == 0x47 && len(b) > 188 && b[188] == 0x47 {
		return "an MPEG transport stream"
	}
	if head := strings.ToLower(string(bytes.TrimSpace(b[:min(len(b), 64)]))); strings.HasPrefix(head, "<!doctype") || strings.HasPrefix(head, "<html") {
		return "an HTML page"
	}
	return ""
}

// seen describes bytes that are nothing we know.
func seen(b []byte) string {
	b = b[:min(len(b), 16)]
	for _, c := range b {
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' || c > '~' {
			return fmt.Sprintf("bytes that begin with % x", b[:min(len(b), 8)])
		}
	}
	return fmt.Sprintf("text that begins with %q", b)
}
