package jitter

const (
	// slotCount is how many packets are kept: 1.28 s of the shortest.
	slotCount = 512
	// mostBytes bounds what they hold together.
	mostBytes = 512 << 10
)

// A slot holds a packet. When that was taken its number stays, to know it again.
type slot struct {
	format
	full      bool
	redundant bool
	seq, ts   int64
	payload   []byte
}

func (s *slot) end() int64 { return s.ts + int64(s.dur) }

// slots keep the packets that wait to be played, by sequence number: those up to
// slotCount before the newest.
type slots struct {
	s      [slotCount]slot
	newest int64
	begun  bool
	level  int64 // samples in them
	bytes  int
}

func (q *slots) of(seq int64) *slot { return &q.s[seq&(slotCount-1)] }

// known reports whether seq is there or was.
func (q *slots) known(seq int64) bool {
	s := q.of(seq)
	return s.seq == seq && (s.full || s.dur > 0)
}

// advance makes seq the newest and returns the samples that fell out of the other end.
func (q *slots) advance(seq int64) (lost int64) {
	from := max(q.newest+1, seq-slotCount+1)
	if !q.begun {
		from = seq
	}
	for i := from; i <= seq; i++ {
		lost += q.drop(i)
		*q.of(i) = slot{}
	}
	q.newest, q.begun = seq, true
	return lost
}

// put keeps a packet whose place is free; false: there is no room for its bytes.
func (q *slots) put(s slot) bool {
	if q.bytes+len(s.payload) > mostBytes {
		return false
	}
	s.full = true
	*q.of(s.seq) = s
	q.level += int64(s.dur)
	q.bytes += len(s.payload)
	return true
}

// drop empties the place of seq and returns how many samples were in it.
func (q *slots) drop(seq int64) int64 {
	s := q.of(seq)
	if !s.full {
		return 0
	}
	q.level -= int64(s.dur)
	q.bytes -= len(s.payload)
	s.full, s.payload = false, nil
	return int64(s.dur)
}

// after returns the first packet after seq, or nil.
func (q *slots) after(seq int64) *slot {
	if q.level == 0 {
		return nil
	}
	for i := max(seq+1, q.newest-slotCount+1); i <= q.newest; i++ {
		if s := q.of(i); s.full && s.seq == i {
			return s
		}
	}
	return nil
}

// dropUntil empties the places before seq, and of packets that end by the time at; it
// returns how many samples were in them.
func (q *slots) dropUntil(seq, at int64) (n int64) {
	for i := range q.s {
		if s := &q.s[i]; s.full && (s.seq < seq || s.end() <= at) {
			n += q.drop(s.seq)
		}
	}
	return n
}
