package srt

import (
	"errors"
	"io"
)

const (
	packetLength = 188
	syncByte     = 0x47

	firstPID = 0x20   // tables of others lie under it, but for 0
	nullPID  = 0x1fff // padding

	mostPIDs    = 64
	mostPES     = 66 << 10 // of sound: its length has 16 bits
	mostTable   = 8 << 10
	mostGarbage = 1 << 20 // bytes in a row
)

var errGarbage = errors.New("not an MPEG transport stream")

// A sieve lets through of an MPEG transport stream (ISO 13818-1 section 2.4.3) what a
// demuxer needs for sound: the tables and what is not video, each within bounds. The
// demuxer keeps a unit until it is whole, however long, on each of 8192 PIDs; and it
// records all that comes before the first sound, of which a minute of video would be
// too much.
type sieve struct {
	r io.Reader
	// lost is called with the number of bytes that were no packets.
	lost func(n int)

	buf     [2048]byte
	in      []byte // not looked at yet: the rest of buf, and before it of the last one
	out     []byte // let through and not read yet
	garbage int    // bytes since the last packet
	pids    map[uint16]*unit
}

// A unit is what a PID carries at the moment.
type unit struct {
	pass bool
	left int // bytes that it may still have
}

// Read implements io.Reader.
func (s *sieve) Read(b []byte) (int, error) {
	for len(s.out) == 0 {
		n, err := s.r.Read(s.buf[:])
		if err != nil {
			return 0, err
		}
		if err := s.take(s.buf[:n]); err != nil {
			return 0, err
		}
	}
	n := copy(b, s.out)
	s.out = s.out[n:]
	return n, nil
}

// take sorts what was read.
func (s *sieve) take(b []byte) error {
	if s.pids == nil {
		s.pids = map[uint16]*unit{}
	}
	s.in, s.out = append(s.in, b...), s.out[:0]
	for len(s.in) >= packetLength {
		if s.in[0] == syncByte {
			s.garbage = 0
			if p := s.in[:packetLength]; s.wanted(p) {
				s.out = append(s.out, p...)
			}
			s.in = s.in[packetLength:]
			continue
		}
		n := 1
		for n < len(s.in) && s.in[n] != syncByte {
			n++
		}
		s.lost(n)
		if s.garbage += n; s.garbage > mostGarbage {
			return errGarbage
		}
		s.in = s.in[n:]
	}
	s.in = append([]byte(nil), s.in...) // less than a packet
	return nil
}

// wanted says whether a packet is let through.
func (s *sieve) wanted(p []byte) bool {
	pid := uint16(p[1]&0x1f)<<8 | uint16(p[2])
	if pid != 0 && pid < firstPID || pid == nullPID || p[1]&0x80 != 0 || p[3]&0x10 == 0 {
		return false // nothing for us, damaged, or without a payload
	}
	payload := p[4:]
	if p[3]&0x20 != 0 {
		n := int(p[4]) + 1
		if n >= len(payload) {
			return false
		}
		payload = payload[n:]
	}
	u := s.pids[pid]
	if u == nil {
		if len(s.pids) >= mostPIDs {
			return false
		}
		u = new(unit)
		s.pids[pid] = u
	}
	if p[1]&0x40 != 0 {
		*u = begin(payload)
	}
	if u.left -= len(payload); u.left < 0 {
		u.pass = false
	}
	return u.pass
}

// begin looks at the start of a unit: a PES packet (section 2.4.3.6) or a table.
func begin(payload []byte) unit {
	if len(payload) < 4 || payload[0] != 0 || payload[1] != 0 || payload[2] != 1 {
		return unit{pass: true, left: mostTable}
	}
	video := payload[3]&0xf0 == 0xe0
	return unit{pass: !video, left: mostPES}
}
