// Package ogg takes an Ogg stream apart (RFC 3533): pages out of bytes, packets
// out of pages, one chained link after the other, and the comment header that
// the Xiph codecs share.
//
// Bytes are pushed in as they come from the network and pages are taken out, so
// nothing here blocks or starts a goroutine. Damaged pages are dropped by their
// checksum and told as a hole.
//
// This package does not know codecs, does not seek, does not write Ogg, and
// refuses multiplexed streams: a programme's source carries one sound.
package ogg

import (
	"bytes"
	"encoding/binary"
)

const (
	headerLen = 27
	// MaxPage is the greatest length of a page in bytes (RFC 3533 section 6).
	MaxPage = headerLen + 255 + 255*255
)

// A Page is one Ogg page. Its slices hold until the next call of Feed.
type Page struct {
	Continued bool  // it begins inside a packet
	First     bool  // it begins a logical stream
	Last      bool  // it ends a logical stream
	Granule   int64 // position of the last packet that ends here; -1: none ends here
	Serial    uint32
	Seq       uint32
	Lacing    []byte
	Body      []byte
	Raw       []byte // the whole page as it came
}

// Pages finds the pages in a run of bytes. The zero value is ready for use.
type Pages struct {
	buf     []byte
	skipped int64
}

// Feed adds b to what Next looks at. It invalidates the pages given before.
func (p *Pages) Feed(b []byte) { p.buf = append(p.buf, b...) }

// Skipped returns how many bytes did not belong to a valid page.
func (p *Pages) Skipped() int64 { return p.skipped }

var capture = []byte("OggS")

// Next returns the next whole page whose checksum is right; false means that
// more bytes are needed. It keeps at most one page's length of bytes.
func (p *Pages) Next() (Page, bool) {
	for {
		i := bytes.Index(p.buf, capture)
		if i < 0 {
			i = max(0, len(p.buf)-len(capture)+1) // the capture pattern may be cut
		}
		p.skip(i)
		n := pageLen(p.buf)
		if n == 0 || n > len(p.buf) {
			return Page{}, false
		}
		if n > 0 && valid(p.buf[:n]) {
			page := parse(p.buf[:n:n])
			p.buf = p.buf[n:]
			return page, true
		}
		p.skip(len(capture))
	}
}

func (p *Pages) skip(n int) {
	p.skipped += int64(n)
	p.buf = p.buf[n:]
}

// pageLen returns the length of the page at the start of b: 0 when b is too
// short to tell, -1 when no page can start so.
func pageLen(b []byte) int {
	if len(b) > 4 && b[4] != 0 {
		return -1 // a version that does not exist
	}
	if len(b) < headerLen {
		return 0
	}
	segments := int(b[26])
	n := headerLen + segments
	if len(b) < n {
		return 0
	}
	for _, l := range b[headerLen:n] {
		n += int(l)
	}
	return n
}

func parse(b []byte) Page {
	body := headerLen + int(b[26])
	return Page{
		Continued: b[5]&1 != 0,
		First:     b[5]&2 != 0,
		Last:      b[5]&4 != 0,
		Granule:   int64(binary.LittleEndian.Uint64(b[6:])),
		Serial:    binary.LittleEndian.Uint32(b[14:]),
		Seq:       binary.LittleEndian.Uint32(b[18:]),
		Lacing:    b[headerLen:body],
		Body:      b[body:],
		Raw:       b,
	}
}

// valid reports whether the checksum of the page b is right: CRC-32 with the
// polynomial 0x04c11db7, not reflected, over the page with its field as zero.
func valid(b []byte) bool {
	var crc uint32
	for i, v := range b {
		if i >= 22 && i < 26 {
			v = 0
		}
		crc = crc<<8 ^ crcTable[byte(crc>>24)^v]
	}
	return crc == binary.LittleEndian.Uint32(b[22:])
}

var crcTable = func() (t [256]uint32) {
	for i := range t {
		r := uint32(i) << 24
		for range 8 {
			if r&0x80000000 != 0 {
				r = r<<1 ^ 0x04c11db7
			} else {
				r <<= 1
			}
		}
		t[i] = r
	}
	return t
}()
