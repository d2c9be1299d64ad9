package rtmp

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// What a message may be at most, in bytes of its body. The library would take 10 MB
// of anything on each of 62 chunk streams at once, and 10 MB of nested AMF objects
// overflow the stack, which ends the whole process.
const (
	mostControl = 64
	mostText    = 64 << 10 // commands and metadata
	mostAudio   = 64 << 10
	mostVideo   = 8 << 20
	mostPending = 12 << 20 // of messages that are not whole yet, together
	leastChunk  = 128      // smaller ones cost more memory than they carry
)

// Types of messages (RTMP 1.0 sections 5.4 and 7.1).
const (
	typeSetChunkSize = 1
	typeLastControl  = 6
	typeAudio        = 8
	typeVideo        = 9
)

const (
	version         = 3
	handshakeLength = 1 + 1536 + 1536 // C0, C1, C2
)

var errFraming = errors.New("not RTMP")

// A guard follows the chunks of an RTMP connection (RTMP 1.0 section 5.3) as they are
// read and stops the connection before a message is too long. It keeps nothing of
// them. The zero value is at the start of the handshake.
type guard struct {
	begun   bool
	skip    int // bytes of the handshake that are still to come
	chunk   int // longest piece of a message
	pending int // bytes of messages that are not whole yet
	streams [64]chunkStream

	head    [16]byte // of the chunk that is being read
	headLen int
	in      *chunkStream // whose piece is being read
	piece   int          // bytes of it that are still to come
	size    [4]byte      // what a message sets the chunk size to
}

// A chunkStream is what the next header of a chunk stream may leave out.
type chunkStream struct {
	known    bool
	kind     byte
	length   int  // of the message
	got      int  // bytes of it
	extended bool // the timestamp has four bytes more
}

// take looks at what was read.
func (g *guard) take(b []byte) error {
	for len(b) > 0 {
		switch {
		case !g.begun:
			if b[0] != version {
				return fmt.Errorf("%w: version %d", errFraming, b[0])
			}
			g.begun, g.skip, g.chunk = true, handshakeLength, 128
		case g.skip > 0:
			n := min(g.skip, len(b))
			g.skip -= n
			b = b[n:]
		case g.piece > 0:
			n := min(g.piece, len(b))
			g.body(b[:n])
			b = b[n:]
			if g.piece > 0 {
				continue
			}
			if err := g.end(); err != nil {
				return err
			}
		default:
			g.head[g.headLen] = b[0]
			g.headLen++
			b = b[1:]
			if err := g.header(); err != nil {
				return err
			}
		}
	}
	return nil
}

// body takes bytes of a message.
func (g *guard) body(b []byte) {
	if g.in.kind == typeSetChunkSize && g.in.got < len(g.size) {
		copy(g.size[g.in.got:], b)
	}
	g.in.got += len(b)
	g.piece -= len(b)
	g.pending += len(b)
}

// headerLengths are by the chunk's type (section 5.3.1.2), with the basic header.
var headerLengths = [...]int{12, 8, 4, 1}

// header reads the chunk's header when it is whole.
func (g *guard) header() error {
	h := g.head[:g.headLen]
	form, id := h[0]>>6, h[0]&63
	if id < 2 {
		return fmt.Errorf("%w: chunk stream IDs over 63", errFraming)
	}
	need, s := headerLengths[form], &g.streams[id]
	if form > 0 && !s.known || form < 3 && s.got > 0 {
		return fmt.Errorf("%w: a chunk of type %d out of place", errFraming, form)
	}
	if len(h) < need {
		return nil
	}
	extended := s.extended
	if form < 3 {
		extended = h[1] == 0xff && h[2] == 0xff && h[3] == 0xff
	}
	if extended {
		need += 4
	}
	if len(h) < need {
		return nil
	}
	g.headLen = 0
	s.known, s.extended = true, extended
	if form < 2 {
		s.length, s.kind = int(h[4])<<16|int(h[5])<<8|int(h[6]), h[7]
	}
	if s.length > most(s.kind) || g.pending+s.length-s.got > mostPending {
		return fmt.Errorf("%w: a message of type %d with %d bytes", errFraming, s.kind, s.length)
	}
	g.in, g.piece = s, min(s.length-s.got, g.chunk)
	if g.piece == 0 {
		return g.end()
	}
	return nil
}

// most is how long the body of a message may be.
func most(kind byte) int {
	switch {
	case kind <= typeLastControl:
		return mostControl
	case kind == typeAudio:
		return mostAudio
	case kind == typeVideo:
		return mostVideo
	}
	return mostText
}

// end is called when a piece was read.
func (g *guard) end() error {
	s := g.in
	if s.got < s.length {
		return nil
	}
	g.pending -= s.got
	s.got = 0
	if s.kind != typeSetChunkSize {
		return nil
	}
	n := binary.BigEndian.Uint32(g.size[:])
	if s.length != len(g.size) || n < leastChunk || n > mostPending {
		return fmt.Errorf("%w: chunks of %d bytes", errFraming, n)
	}
	g.chunk = int(n)
	return nil
}
