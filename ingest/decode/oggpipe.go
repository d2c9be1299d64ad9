package decode

import (
	"bytes"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"longwave/ingest/decode/ogg"
)

// maxHeaders bounds the header packets of a link: comments may hold a picture.
const maxHeaders = 8 << 20

// An oggPipe gives ffmpeg the valid pages of one logical stream. It keeps the
// header pages, so that a process that is started in the middle can begin. Each
// link of the chain gets a process of its own: in one process the decoder would
// overlap the end of one with the start of the next.
type oggPipe struct {
	to      feed
	demux   ogg.Demuxer
	codec   Codec
	title   func(string)
	damage  prometheus.Counter
	skipped int64

	pages   []byte // header pages of the link under way
	headers int    // header packets in them
	ready   bool   // the headers were handed over
}

func (p *oggPipe) Decode(data []byte) error {
	p.demux.Feed(data)
	for {
		g, ok, err := p.demux.Next()
		if err != nil {
			return fmt.Errorf("%w: %w", ErrNotAudio, err)
		}
		if !ok {
			break
		}
		if err := p.group(g); err != nil {
			return err
		}
	}
	p.damage.Add(float64(p.demux.Skipped() - p.skipped))
	p.skipped = p.demux.Skipped()
	return nil
}

func (p *oggPipe) group(g ogg.Group) error {
	if g.First {
		if err := sameCodec(g, p.codec); err != nil {
			return err
		}
		if err := p.to.Close(); err != nil {
			return err
		}
		p.pages, p.headers, p.ready = nil, 0, false
	}
	if p.ready {
		return p.to.Write(g.Page.Raw)
	}
	for _, b := range g.Packets {
		if !isHeader(p.codec, b) {
			p.ready = true
			p.to.Prime(p.pages)
			return p.to.Write(g.Page.Raw)
		}
		if p.headers++; p.headers == 2 {
			p.tell(b)
		}
	}
	p.pages = append(p.pages, g.Page.Raw...)
	if len(p.pages) > maxHeaders {
		return fmt.Errorf("%w: more than %d bytes of Ogg headers", ErrNotAudio, maxHeaders)
	}
	return nil
}

// tell says the title that the comment header b names.
func (p *oggPipe) tell(b []byte) {
	b = b[min(len(b), commentOffset(p.codec)):]
	if tags, err := ogg.Comments(b); err == nil && ogg.Title(tags) != "" {
		p.title(ogg.Title(tags))
	}
}

func (p *oggPipe) Close() error { return p.to.Close() }

// sameCodec refuses a link that begins with another codec than c.
func sameCodec(g ogg.Group, c Codec) error {
	if len(g.Packets) != 1 {
		return fmt.Errorf("%w: Ogg stream without an identification header", ErrNotAudio)
	}
	f, err := identify(g.Packets[0])
	if err != nil {
		return err
	}
	if f.Codec != c {
		return fmt.Errorf("%w: the stream changed from %v to %v", ErrNotAudio, c, f.Codec)
	}
	return nil
}

// isHeader reports whether a packet is one of the headers of an Ogg mapping.
func isHeader(c Codec, b []byte) bool {
	switch c {
	case OggVorbis:
		return len(b) > 0 && b[0]&1 == 1
	case OggFLAC:
		return len(b) > 0 && b[0] != 0xff
	default:
		return bytes.HasPrefix(b, []byte("OpusHead")) || bytes.HasPrefix(b, []byte("OpusTags"))
	}
}

// commentOffset returns how long the signature before the comments is.
func commentOffset(c Codec) int {
	switch c {
	case OggVorbis:
		return len("\x03vorbis")
	case OggFLAC:
		return 4 // the metadata block's header
	default:
		return len("OpusTags")
	}
}
