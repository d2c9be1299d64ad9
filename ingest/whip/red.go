package whip

import "errors"

// A block is one packet of audio in a RED payload.
type block struct {
	pt      uint8  // payload type of what is in it
	back    uint32 // its timestamp is so much before the packet's
	payload []byte
}

var errRED = errors.New("not a RED payload")

// mostBlocks bounds the packets in a RED payload: browsers send two, at most ten.
const mostBlocks = 10

// splitRED splits a RED payload, RFC 2198 section 3, and appends its blocks to dst,
// oldest first; the last is the packet itself. The blocks alias b.
func splitRED(dst []block, b []byte) ([]block, error) {
	var sizes [mostBlocks]int
	first, n, head := len(dst), 0, b
	for ; ; n++ {
		if len(head) == 0 || n == mostBlocks {
			return dst[:first], errRED
		}
		pt := head[0] & 0x7f
		if head[0]&0x80 == 0 { // the last header is one byte, its block is what is left
			dst = append(dst, block{pt: pt})
			head = head[1:]
			break
		}
		if len(head) < 4 {
			return dst[:first], errRED
		}
		dst = append(dst, block{pt: pt, back: uint32(head[1])<<6 | uint32(head[2])>>2})
		sizes[n] = int(head[2]&3)<<8 | int(head[3])
		head = head[4:]
	}
	blocks, data := dst[first:], head
	for i := range blocks[:n] {
		if sizes[i] > len(data) {
			return dst[:first], errRED
		}
		blocks[i].payload, data = data[:sizes[i]], data[sizes[i]:]
	}
	blocks[n].payload = data
	return dst, nil
}
