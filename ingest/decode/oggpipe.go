package decode

import (
	"bytes"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"longwave/ingest/decode/ffmpeg"
	"longwave/ingest/decode/ogg"
)

// maxHeaders bounds the header packets of a link: comments may hold a picture.
const maxHeaders = 8 << 20

// An oggPipe gives ffmpeg the valid pages of one logical stream. It keeps the
// header pages, so that a process that is started in the middle can begin. A
// link of the chain with other headers gets a process of its own; one with the
// same goes on in the same.
type oggPipe struct {
	to      *ffmpeg.Decoder
	demux   ogg.Demuxer
	codec   Codec
	title   func(string)
	damage  prometheus.Counter
	skipped int64

	pages   []byte // header pages of the link under way
	packets [][]byte
	setup   []byte // what must be the same for a process to go on
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
		p.pages, p.packets, p.ready = nil, nil, false
	}
	if p.ready {
		return p.to.Write(g.Page.Raw)
	}
	for _, b := range g.Packets {
		if !isHeader(p.codec, b) {
			return p.begin(g.Page.Raw)
		}
		p.packets = append(p.packets, bytes.Clone(b))
		if len(p.packets) == 2 {
			p.tell(b)
		}
	}
	p.pages = append(p.pages, g.Page.Raw...)
	if len(p.pages) > maxHeaders {
		return fmt.Errorf("%w: more than %d bytes of Ogg headers", ErrNotAudio, maxHeaders)
	}
	return nil
}

// begin hands the link's headers over and then its first page of sound.
func (p *oggPipe) begin(page []byte) error {
	var setup []byte
	for i, b := range p.packets {
		if i != 1 { // all but the comments
			setup = append(setup, b...)
		}
	}
	again := p.setup != nil && bytes.Equal(setup, p.setup)
	if p.setup != nil && !again {
		if err := p.to.Close(); err != nil {
			return err
		}
	}
	p.setup, p.ready = setup, true
	p.to.Prime(p.pages)
	if again {
		if err := p.to.Write(p.pages); err != nil {
			return err
		}
	}
	return p.to.Write(page)
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
