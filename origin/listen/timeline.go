package listen

import (
	"time"

	"longwave/packager/hls"
)

// A timeline gives every segment of a playlist its place on one axis that begins
// with the first segment seen. Dates place segments exactly; where there are none,
// or they jump, durations do.
type timeline struct {
	zero   time.Time // date of place zero; zero when there are no dates
	first  int64     // MSN of begins[0]
	begins []time.Duration
}

// dateJump is by how much a date may be off from the sum of durations and still be
// the better one.
const dateJump = 500 * time.Millisecond

// update places the segments of m, and the one under way.
func (t *timeline) update(m *hls.Media) {
	next := t.entry(m)
	begins := make([]time.Duration, 0, len(m.Segments)+1)
	for i := 0; i <= len(m.Segments); i++ {
		s := &m.Open
		if i < len(m.Segments) {
			s = &m.Segments[i]
		}
		if !s.PDT.IsZero() {
			if t.zero.IsZero() {
				t.zero = s.PDT.Add(-next)
			}
			if off := s.PDT.Sub(t.zero) - next; off.Abs() < dateJump {
				next += off
			} else {
				t.zero = s.PDT.Add(-next) // a jump; what follows is measured from here
			}
		}
		begins = append(begins, next)
		next += s.Duration
	}
	t.first, t.begins = m.FirstMSN(), begins
}

// entry returns where the first segment of m begins.
func (t *timeline) entry(m *hls.Media) time.Duration {
	n := m.FirstMSN() - t.first
	switch {
	case len(t.begins) == 0, n < 0:
		return 0
	case n < int64(len(t.begins)):
		return t.begins[n]
	}
	last := int64(len(t.begins) - 1)
	return t.begins[last] + time.Duration(n-last)*m.TargetDuration
}

// begin returns where a segment of the newest playlist begins.
func (t *timeline) begin(msn int64) time.Duration { return t.begins[msn-t.first] }

// edge returns where the playlist ends, parts included.
func (t *timeline) edge(m *hls.Media) time.Duration {
	end := t.begins[len(t.begins)-1]
	for _, p := range m.Open.Parts {
		end += p.Duration
	}
	return end
}

// newestDate returns the instant at which m ends, parts included; false when it has
// no dates.
func newestDate(m *hls.Media) (time.Time, bool) {
	var end time.Time
	for i := range m.Segments {
		if s := &m.Segments[i]; !s.PDT.IsZero() {
			end = s.PDT
		}
		if !end.IsZero() {
			end = end.Add(m.Segments[i].Duration)
		}
	}
	if !m.Open.PDT.IsZero() {
		end = m.Open.PDT
	}
	for _, p := range m.Open.Parts {
		if !end.IsZero() {
			end = end.Add(p.Duration)
		}
	}
	return end, !end.IsZero()
}

// holdBack returns how far from the live edge m tells players to stay (section
// 4.4.3.8).
func holdBack(m *hls.Media) time.Duration {
	switch {
	case m.PartTarget > 0 && m.Control.PartHoldBack > 0:
		return m.Control.PartHoldBack
	case m.Control.HoldBack > 0:
		return m.Control.HoldBack
	}
	return 3 * m.TargetDuration
}
