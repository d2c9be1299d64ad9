package steer

import "time"

// The rules of judging (hysteresis).
const (
	badProbes  = 3                // so many bad probes …
	badWithin  = 10 * time.Second // … within so long: the pathway is left
	goodAfter  = 40 * time.Second // so long without a bad probe: it is taken again
	goodProbes = 20               // and so many good ones meanwhile: looking away is no proof
)

// health is the judgement on one pathway. The zero health is good.
type health struct {
	sick    bool
	since   time.Time // when sick came to be what it is
	why     Probe     // the bad probe that decided
	bad     []time.Time
	lastBad time.Time
	goods   int // since lastBad
}

// note enters a probe and reports whether the judgement changed.
func (h *health) note(p Probe) bool {
	if p.Fault == Fine {
		h.goods++
		if !h.sick || p.At.Sub(h.lastBad) < goodAfter || h.goods < goodProbes {
			return false
		}
		*h = health{since: p.At}
		return true
	}
	h.lastBad, h.goods = p.At, 0
	if h.sick {
		h.why = p
		return false
	}
	recent := h.bad[:0]
	for _, t := range h.bad {
		if p.At.Sub(t) < badWithin {
			recent = append(recent, t)
		}
	}
	if h.bad = append(recent, p.At); len(h.bad) < badProbes {
		return false
	}
	h.sick, h.since, h.why, h.bad = true, p.At, p, nil
	return true
}

// choose returns the list of pathways, best first: those that are good in the order of
// the configuration, before them what the operator prefers. It returns before when that
// leaves none.
func choose(states []State, before []string) []string {
	var preferred, list []string
	for _, s := range states {
		switch {
		case s.Hand == Prefer:
			preferred = append(preferred, s.ID)
		case s.Hand == Auto && s.Good:
			list = append(list, s.ID)
		}
	}
	if list = append(preferred, list...); len(list) > 0 {
		return list
	}
	return before
}
