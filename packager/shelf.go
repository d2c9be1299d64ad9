package packager

// windowSegments is the length of the live window: 32 segments, 61 s.
const windowSegments = 32

// leastListed is how many segments a playlist of a store names at least: more than
// three target durations (rfc8216bis section 6.2.2).
const leastListed = 4

// A shelf is the run of segments of one rendition that a store has acknowledged
// and that its playlist may therefore name: without a hole, newest last.
type shelf struct {
	first, last int64 // MSNs; empty when last < first
	early       map[int64]bool
	lost        map[int64]bool
	sent        int64 // the newest that the store was sent
	listed      int64 // last, when the playlist was last written
}

func newShelf(next int64) *shelf {
	return &shelf{first: next, last: next - 1, early: map[int64]bool{}, lost: map[int64]bool{}}
}

// keep notes that msn is kept, give up that the store does not get it in time. What
// comes after a segment that is still under way waits for it, for a playlist has no
// holes; but not for longer than it takes to have enough behind it to begin anew.
func (s *shelf) keep(msn int64) {
	if msn > s.last {
		s.early[msn] = true
		s.settle()
	}
}

func (s *shelf) giveUp(msn int64) {
	if msn > s.last {
		s.lost[msn] = true
		s.settle()
	}
}

func (s *shelf) settle() {
	s.advance()
	for next := s.afterHole(); next >= 0; next = s.afterHole() {
		for msn := s.last + 1; msn < next; msn++ {
			delete(s.lost, msn)
			delete(s.early, msn)
		}
		s.first, s.last = next, next-1
		s.advance()
	}
	s.first = max(s.first, s.last-windowSegments+1)
}

// advance takes in what follows on the last segment.
func (s *shelf) advance() {
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
			return
		}
	}
}

// afterHole returns the first of the newest run of segments behind a hole, when there
// are enough of them and they are what is new: at a start a store may take old ones in
// any order. Otherwise it is -1.
func (s *shelf) afterHole() int64 {
	newest := s.last
	for msn := range s.early {
		newest = max(newest, msn)
	}
	from := newest
	for from > s.last+1 && s.early[from-1] {
		from--
	}
	if newest-from+1 < leastListed || newest < s.sent-1 {
		return -1
	}
	return from
}
