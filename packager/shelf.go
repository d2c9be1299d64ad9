package packager

// windowSegments is the length of the live window: 32 segments, 61 s.
const windowSegments = 32

// A shelf is the run of segments of one rendition that a store has acknowledged
// and that its playlist may therefore name: without a hole, newest last.
type shelf struct {
	first, last int64 // MSNs; empty when last < first
	early       map[int64]bool
	lost        map[int64]bool
	listed      int64 // last, when the playlist was last written
}

func newShelf(next int64) *shelf {
	return &shelf{first: next, last: next - 1, early: map[int64]bool{}, lost: map[int64]bool{}}
}

// keep notes that msn is kept, give up that it never will be. What comes after a
// segment that is still under way waits for it: a playlist has no holes.
func (s *shelf) keep(msn int64)   { s.early[msn] = true; s.settle() }
func (s *shelf) giveUp(msn int64) { s.lost[msn] = true; s.settle() }

func (s *shelf) settle() {
	for {
		next := s.last + 1
		switch {
		case s.early[next]:
			delete(s.early, next)
			s.last = next
		case s.lost[next]:
			delete(s.lost, next)
			s.first, s.last = next+1, next
		default:
			s.first = max(s.first, s.last-windowSegments+1)
			return
		}
	}
}

// dirty reports that the playlist should be written again. It may name nothing
// for a while after a hole: at least four segments, which are more than three
// target durations (rfc8216bis section 6.2.2), unless the stream ends there.
func (s *shelf) dirty() bool { return s.last > s.listed && s.last-s.first+1 >= 4 }
