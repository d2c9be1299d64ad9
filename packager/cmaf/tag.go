package cmaf

import (
	"encoding/binary"
	"hash/crc32"
)

// tagName stands before the tag in its free box, which others fill with anything.
const tagName = "lwst"

// StationTag returns what the parts of a station are marked with: the CRC-32 of its
// name (RFC 1952 section 8).
func StationTag(station string) uint32 { return crc32.ChecksumIEEE([]byte(station)) }

func appendTag(dst []byte, tag uint32) []byte {
	dst = appendBox(dst, tagSize, "free")
	return binary.BigEndian.AppendUint32(append(dst, tagName...), tag)
}

// TagOf returns the tag of the first part in b. It is false when b is not a media segment
// or was not written by this package.
func TagOf(b []byte) (uint32, bool) {
	moof := child(b, "moof")
	free := child(moof, "free")
	if len(free) != tagSize-boxHeader || string(free[:4]) != tagName {
		return 0, false
	}
	return binary.BigEndian.Uint32(free[4:]), true
}

// IsMedia reports that b is a media segment or part: that it has a moof box before
// anything that cannot be one.
func IsMedia(b []byte) bool { return child(b, "moof") != nil }

// IsWhole reports that b is a media segment or part, and that its boxes end where it does.
func IsWhole(b []byte) bool {
	media := IsMedia(b)
	for len(b) >= boxHeader {
		size := int(binary.BigEndian.Uint32(b))
		if size < boxHeader || size > len(b) {
			return false
		}
		b = b[size:]
	}
	return media && len(b) == 0
}

// child returns what is in the first box of a type; nil when there is none.
func child(b []byte, name string) []byte {
	for len(b) >= boxHeader {
		size := int(binary.BigEndian.Uint32(b))
		if size < boxHeader || size > len(b) {
			return nil
		}
		if string(b[4:8]) == name {
			return b[boxHeader:size]
		}
		b = b[size:]
	}
	return nil
}
