package ingest

import (
	"slices"
	"time"

	"longwave/ingest/jitter"
)

// handoverTime bounds for how long both connections of a token are taken.
const handoverTime = 3 * time.Second

// A handover is a seat on its way from one connection to the next: the old one is heard
// until the new one has enough to begin, and then one fades out as the other fades in.
type handover struct {
	seat     string
	old, new *Lane
	began    time.Time
}

// parting are the lanes without a seat, and the seats that the host took back.
type parting struct {
	old       []*Lane // that are still played
	handovers []handover
	removed   map[string]int64 // when, by seat: see Stamps
}

const (
	// stillSounds is how long after its last sound a connection is not one that broke.
	stillSounds = 500 * time.Millisecond
	// mostTaken in so long is no accident: two connections use one token, and each comes
	// again when the other has taken its seat.
	mostTaken   = 3
	takenWithin = time.Minute
)

// taking notes that a seat is taken from a connection.
func (s *seat) taking(old *Lane, now time.Time) {
	if now.Sub(old.sound.State().LastWrite) > stillSounds {
		return
	}
	s.taken = append(s.taken, now)
	s.taken = s.taken[max(len(s.taken)-mostTaken, 0):]
}

// contested reports that two take the seat from each other.
func (s *seat) contested(now time.Time) bool {
	return len(s.taken) == mostTaken && now.Sub(s.taken[0]) < takenWithin
}

// handOver begins a handover; one that the seat has already ends, so that connections
// that come one after the other do not pile up. The desk's mutex is held, as below.
func (d *Desk) handOver(seat string, old, next *Lane) {
	d.dropHandovers(seat, ErrTakenOver)
	d.log.Info("seat taken over", "speaker", next.claim.Name, "remote", next.claim.Remote, "from", old.claim.Remote)
	d.old = append(d.old, old)
	d.handovers = append(d.handovers, handover{seat, old, next, time.Now()})
}

// finishHandovers is called before each frame and ends what can be.
func (d *Desk) finishHandovers() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.handovers) == 0 {
		return
	}
	d.handovers = slices.DeleteFunc(d.handovers, func(h handover) bool {
		switch {
		case h.new.begins():
			d.old = slices.DeleteFunc(d.old, func(l *Lane) bool { return l == h.old })
			h.old.end(ErrTakenOver)
			d.remove(h.old) // fades out with the frame in which the new one fades in
		case h.new.ctx.Err() != nil || time.Since(h.began) > handoverTime:
			h.old.end(ErrTakenOver) // what it holds is still played
		case !h.old.played():
			return false
		}
		return true
	})
}

// dropHandovers ends the old connections of a seat, or of all ("").
func (d *Desk) dropHandovers(seat string, why error) {
	d.handovers = slices.DeleteFunc(d.handovers, func(h handover) bool {
		if seat != "" && h.seat != seat {
			return false
		}
		h.old.end(why)
		return true
	})
}

// lanes returns the mixer's lanes that carry a seat: the one of its connection, and what
// is still played of those before.
func (d *Desk) lanes(s *seat) []string {
	var ids []string
	if s.lane != nil {
		ids = append(ids, d.lane(s))
	}
	for _, l := range d.old {
		if l.seat == s.id && l.group == "" {
			ids = append(ids, l.id)
		}
	}
	return ids
}

// silence ends all lanes of a seat and takes them off the mixer: nothing that they hold
// is played any more.
func (d *Desk) silence(s *seat, why error) {
	d.dropHandovers(s.id, why)
	d.old = slices.DeleteFunc(d.old, func(l *Lane) bool {
		if l.seat != s.id {
			return false
		}
		d.remove(l)
		return true
	})
	if s.lane != nil {
		s.lane.end(why)
		d.remove(s.lane)
	}
}

// begins reports that the lane is heard, or will be in the next frame.
func (l *Lane) begins() bool {
	s := l.sound.State()
	return s.Phase == jitter.Playing || l.stream != nil && s.Phase == jitter.Filling && s.Level >= s.Target
}
