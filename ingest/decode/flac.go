package decode

import (
	"bytes"
	"fmt"

	"longwave/ingest/decode/ogg"
)

const (
	flacMarker     = "fLaC"
	flacStreamInfo = 0
	flacComment    = 4
	streamInfoLen  = 34
	maxComment     = 64 << 10
)

// A flacPipe gives ffmpeg a native FLAC stream with no metadata but STREAMINFO,
// which it keeps for a process that is started in the middle (RFC 9639 section 8).
type flacPipe struct {
	to    feed
	title func(string)
	buf   []byte
	began bool // the marker was read
	info  []byte
	last  bool // the block under way is the last
	skip  int  // bytes of a block to pass over
	ready bool // all blocks were read
}

func (p *flacPipe) Decode(data []byte) error {
	if p.ready {
		return p.to.Write(data)
	}
	p.buf = append(p.buf, data...)
	for {
		n := min(p.skip, len(p.buf))
		p.buf, p.skip = p.buf[n:], p.skip-n
		if p.skip > 0 {
			return nil
		}
		if p.last {
			return p.begin()
		}
		if more, err := p.block(); err != nil || more {
			return err
		}
	}
}

// block reads the metadata block at the start of the buffer; more means that it
// is not whole.
func (p *flacPipe) block() (more bool, err error) {
	b := p.buf
	if len(b) < 4 {
		return true, nil
	}
	if !p.began {
		if string(b[:4]) != flacMarker {
			return false, fmt.Errorf("%w: FLAC without its marker", ErrNotAudio)
		}
		p.began, p.buf = true, b[4:]
		return false, nil
	}
	kind, size := b[0]&0x7f, int(b[1])<<16|int(b[2])<<8|int(b[3])
	whole := len(b) >= 4+size
	switch {
	case p.info == nil && (kind != flacStreamInfo || size != streamInfoLen):
		return false, fmt.Errorf("%w: FLAC that does not begin with STREAMINFO", ErrNotAudio)
	case kind == flacStreamInfo || kind == flacComment && size <= maxComment:
		if !whole {
			return true, nil
		}
		p.keep(kind, b[4:4+size])
	}
	p.last = b[0]&0x80 != 0
	p.buf, p.skip = b[4:], size
	return false, nil
}

func (p *flacPipe) keep(kind byte, b []byte) {
	if kind == flacStreamInfo {
		p.info = bytes.Clone(b)
		return
	}
	if tags, err := ogg.Comments(b); err == nil && ogg.Title(tags) != "" {
		p.title(ogg.Title(tags))
	}
}

func (p *flacPipe) begin() error {
	head := append([]byte(flacMarker), 0x80|flacStreamInfo, 0, 0, streamInfoLen)
	p.to.Prime(append(head, p.info...))
	p.ready = true
	rest := p.buf
	p.buf = nil
	return p.to.Write(rest)
}

func (p *flacPipe) Close() error { return p.to.Close() }
