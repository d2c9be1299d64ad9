package hls

import (
	"cmp"
	"strconv"
)

// Whole is the Part of a [Position] that stands for a complete segment.
const Whole = -1

// A Position is a place in a rendition: a part of a segment, or a whole segment.
type Position struct {
	// MSN is the Media Sequence Number of the segment (section 4.4.3.2).
	MSN int64
	// Part is the Part Index, from 0, or [Whole].
	Part int
}

// Compare returns -1, 0 or +1 as p becomes available before, with or after q.
// A whole segment comes after all of its parts.
func (p Position) Compare(q Position) int {
	if c := cmp.Compare(p.MSN, q.MSN); c != 0 || p.Part == q.Part {
		return c
	}
	if p.Part < 0 || q.Part < 0 {
		return -cmp.Compare(p.Part, q.Part)
	}
	return cmp.Compare(p.Part, q.Part)
}

// String returns the position as "931000000.3", or "931000000" for a whole segment.
func (p Position) String() string {
	s := strconv.FormatInt(p.MSN, 10)
	if p.Part < 0 {
		return s
	}
	return s + "." + strconv.Itoa(p.Part)
}
