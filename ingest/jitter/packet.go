package jitter

import "time"

// A Packet is one Opus packet (RFC 6716) as RTP carried it (RFC 7587).
type Packet struct {
	Seq       uint16
	Timestamp uint32    // at 48 kHz
	Payload   []byte    // kept until it is played
	Arrival   time.Time // zero: now
	// Redundant says that this is a copy that came in another packet (RFC 2198). Its
	// arrival tells nothing of the network.
	Redundant bool
}

const (
	// mostSamples is the longest packet, 120 ms (RFC 6716 section 3.2.5).
	mostSamples = 5760
	// mostFrame is the longest frame in bytes (section 3.4).
	mostFrame = 1275
	// pauseBytes is the most that a packet has which says that nobody speaks.
	pauseBytes = 2
)

// A format is what an Opus packet says about itself.
type format struct {
	frame int  // samples per channel of each of its frames
	dur   int  // and of all of them; 120 to mostSamples
	fec   bool // holds the frame before it too, in less detail (LBRR, RFC 6716 section 4.2.4)
	pause bool // discontinuous transmission: nothing is sent until somebody speaks
}

// parseOpus reads a packet as RFC 6716 section 3 has it; false: it is none.
func parseOpus(b []byte) (format, bool) {
	if len(b) == 0 {
		return format{}, false
	}
	f := format{frame: frameSamples(b[0] >> 3), pause: len(b) <= pauseBytes}
	n, first, ok := parseFrames(b)
	f.dur = n * f.frame
	if !ok || n == 0 || f.dur > mostSamples {
		return format{}, false
	}
	f.fec = b[0]>>3 < 16 && len(first) > 0 && hasLBRR(first[0], f.frame, b[0]&4 != 0)
	return f, true
}

// frameSamples is the frame length of a configuration (section 3.1).
func frameSamples(config byte) int {
	switch {
	case config < 12: // SILK
		return [...]int{480, 960, 1920, 2880}[config&3]
	case config < 16: // hybrid
		return [...]int{480, 960}[config&1]
	default: // CELT
		return 120 << (config & 3)
	}
}

// hasLBRR reports whether a SILK frame that begins with b holds the one before it. For
// each channel there is a bit for every 20 ms that says whether somebody speaks, and
// then the one that is looked for (section 4.2.3).
func hasLBRR(b byte, frame int, stereo bool) bool {
	bits := max(frame/960, 1)
	mid := b>>(7-bits)&1 == 1
	return mid || stereo && b>>max(6-2*bits, 0)&1 == 1
}

// parseFrames returns how many frames there are and the first of them (section 3.2).
func parseFrames(b []byte) (n int, first []byte, ok bool) {
	body := b[1:]
	switch b[0] & 3 {
	case 0:
		return 1, body, len(body) <= mostFrame
	case 1:
		half := len(body) / 2
		return 2, body[:half], len(body)%2 == 0 && half <= mostFrame
	case 2:
		size, rest, ok := frameSize(body)
		if !ok || size > len(rest) || len(rest)-size > mostFrame {
			return 0, nil, false
		}
		return 2, rest[:size], true
	}
	return parseMany(body)
}

// parseMany is parseFrames for code 3, a number of frames that is told (section 3.2.5).
func parseMany(b []byte) (n int, first []byte, ok bool) {
	if len(b) == 0 {
		return 0, nil, false
	}
	head, b := b[0], b[1:]
	n = int(head & 63)
	if head&0x40 != 0 {
		if b, ok = cutPadding(b); !ok {
			return 0, nil, false
		}
	}
	if n == 0 {
		return 0, nil, false
	}
	if head&0x80 == 0 {
		size := len(b) / n
		return n, b[:size], len(b)%n == 0 && size <= mostFrame
	}
	size, sum := 0, 0
	for i := range n - 1 {
		k, rest, ok := frameSize(b)
		if !ok {
			return 0, nil, false
		}
		if b = rest; i == 0 {
			size = k
		}
		sum += k
	}
	if sum > len(b) || len(b)-sum > mostFrame {
		return 0, nil, false
	}
	if n == 1 {
		size = len(b)
	}
	return n, b[:size], true
}

// frameSize reads the length of a frame (section 3.2.1).
func frameSize(b []byte) (n int, rest []byte, ok bool) {
	switch {
	case len(b) == 0:
		return 0, nil, false
	case b[0] < 252:
		return int(b[0]), b[1:], true
	case len(b) < 2:
		return 0, nil, false
	}
	return int(b[0]) + 4*int(b[1]), b[2:], true
}

// cutPadding takes the padding and its length off.
func cutPadding(b []byte) ([]byte, bool) {
	sum := 0
	for {
		if len(b) == 0 {
			return nil, false
		}
		k := int(b[0])
		if b = b[1:]; k < 255 {
			sum += k
			break
		}
		sum += 254
	}
	if sum > len(b) {
		return nil, false
	}
	return b[:len(b)-sum], true
}
