package cmaf

import (
	"encoding/binary"
	"time"

	"longwave/ingest/pcm"
)

// syncSample are the sample flags of sound: it depends on nothing and is a sync
// sample (ISO/IEC 14496-12 section 8.8.3.1).
const syncSample = 0x02000000

// A Part is one CMAF chunk.
type Part struct {
	Sequence uint32   // of the fragment, one more than that of the part before
	Pos      pcm.Pos  // of the first sample
	Duration uint32   // of each access unit, in samples
	Sizes    []uint32 // of the access units, in bytes
	Data     []byte   // the access units, end to end
	Tag      uint32   // whose sound it is: see [StationTag]
	First    bool     // of its segment: styp and prft stand before it
}

const (
	fullBox   = 12 // size, type, version and flags
	mfhdSize  = fullBox + 4
	tfhdSize  = fullBox + 8
	tfdtSize  = fullBox + 8
	trunSize  = fullBox + 8 // and 4 a sample
	boxHeader = 8
	tagSize   = boxHeader + 8
	headSize  = boxHeader + mfhdSize + boxHeader + tfhdSize + tfdtSize + trunSize + tagSize
	tfhdFlags = 0x020008 // default-base-is-moof, default sample duration (section 8.8.7)
	trunFlags = 0x000201 // data offset, sample sizes (section 8.8.8)
)

// Append appends the part to dst: 116 bytes and 4 for each access unit more than
// its data, and 56 more before the first of a segment. It allocates only what dst
// lacks.
func (p Part) Append(dst []byte) []byte {
	if p.First {
		dst = appendHead(dst, p.Pos)
	}
	trun := trunSize + 4*len(p.Sizes)
	moof := headSize + 4*len(p.Sizes)
	be := binary.BigEndian

	dst = appendBox(dst, moof, "moof")
	dst = appendFull(dst, mfhdSize, "mfhd", 0, 0)
	dst = be.AppendUint32(dst, p.Sequence)
	dst = appendBox(dst, moof-boxHeader-mfhdSize-tagSize, "traf")
	dst = appendFull(dst, tfhdSize, "tfhd", 0, tfhdFlags)
	dst = be.AppendUint32(dst, trackID)
	dst = be.AppendUint32(dst, p.Duration)
	dst = appendFull(dst, tfdtSize, "tfdt", 1, 0)
	dst = be.AppendUint64(dst, uint64(p.Pos))
	dst = appendFull(dst, trun, "trun", 0, trunFlags)
	dst = be.AppendUint32(dst, uint32(len(p.Sizes)))
	dst = be.AppendUint32(dst, uint32(moof+boxHeader))
	for _, n := range p.Sizes {
		dst = be.AppendUint32(dst, n)
	}
	dst = appendTag(dst, p.Tag)
	dst = appendBox(dst, boxHeader+len(p.Data), "mdat")
	return append(dst, p.Data...)
}

// appendHead appends what stands before a segment: its type, and the wall-clock
// time of its first sample (ISO/IEC 14496-12 section 8.16.5; flags 24: the time of
// capture, which for us is the programme's clock).
func appendHead(dst []byte, pos pcm.Pos) []byte {
	be := binary.BigEndian
	dst = appendBox(dst, 24, "styp")
	dst = append(dst, "cmfs\x00\x00\x00\x00cmfsmsdh"...)
	dst = appendFull(dst, 32, "prft", 1, 24)
	dst = be.AppendUint32(dst, trackID)
	dst = be.AppendUint64(dst, ntp(pos))
	return be.AppendUint64(dst, uint64(pos))
}

// ntp returns the time of pos as seconds since 1900 in 32.32 bits (RFC 5905
// section 6).
func ntp(pos pcm.Pos) uint64 {
	const from1900to1970 = 2_208_988_800
	t := pos.Time()
	frac := uint64(t.Nanosecond()) << 32 / uint64(time.Second)
	return uint64(t.Unix()+from1900to1970)<<32 | frac
}

func appendBox(dst []byte, size int, name string) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(size))
	return append(dst, name...)
}

func appendFull(dst []byte, size int, name string, version byte, flags uint32) []byte {
	dst = appendBox(dst, size, name)
	return binary.BigEndian.AppendUint32(dst, uint32(version)<<24|flags)
}

// Move re-stamps a segment that Append wrote, in place: as if its first sample
// were at pos and its first part had the given sequence number. So sound that is
// the same in every segment is encoded once.
func Move(segment []byte, pos pcm.Pos, sequence uint32) {
	be := binary.BigEndian
	var shift pcm.Pos
	first := true
	for len(segment) >= boxHeader {
		size := int(be.Uint32(segment))
		if size < boxHeader || size > len(segment) {
			return
		}
		switch string(segment[4:8]) {
		case "prft":
			be.PutUint64(segment[fullBox+4:], ntp(pos))
			be.PutUint64(segment[fullBox+12:], uint64(pos))
		case "moof":
			tfdt := segment[boxHeader+mfhdSize+boxHeader+tfhdSize+fullBox:]
			if first {
				shift, first = pos-pcm.Pos(be.Uint64(tfdt)), false
			}
			be.PutUint32(segment[boxHeader+fullBox:], sequence)
			be.PutUint64(tfdt, be.Uint64(tfdt)+uint64(shift))
			sequence++
		}
		segment = segment[size:]
	}
}
