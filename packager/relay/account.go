package relay

import (
	"slices"
	"strings"
	"time"

	"longwave/packager"
	"longwave/packager/hls"
)

// tail is how many segments a playlist must name at least: more than three target
// durations (rfc8216bis section 6.2.2).
const tail = 4

// An account is what the other side has of a rendition, as far as it is known, and so
// what its playlist may name.
type account struct {
	join  bool            // it joins segments from parts
	have  map[string]bool // files
	floor int64           // the first MSN that its playlist may name: it never goes back
	last  hls.Position    // what its playlist ends with
	empty bool            // it has no playlist, or an old one: it is to be filled

	since  time.Time // when filling began
	slowly bool      // it comes back by a narrow way: filled without haste, and whole
}

func newAccount(join bool) *account {
	return &account{join: join, have: map[string]bool{}, empty: true}
}

// settle enters what the other side said to the playlist m: that it has all but missing.
func (a *account) settle(m *hls.Media, missing []string) {
	clear(a.have)
	for _, s := range named(m) {
		a.have[s] = true
	}
	for _, s := range missing {
		delete(a.have, s[strings.LastIndexByte(s, '/')+1:])
	}
	a.empty = len(missing) > 0
	if !a.empty {
		a.last = m.Last()
		a.floor = max(a.floor, m.MediaSequence)
	}
}

// ahead enters that the other side has a newer playlist than m, from somebody else, and
// so what m names.
func (a *account) ahead(m *hls.Media) {
	for _, s := range named(m) {
		a.have[s] = true
	}
	a.last, a.empty = m.Last(), false
}

// forget drops what m does not name any more.
func (a *account) forget(m *hls.Media) {
	if len(a.have) < 4*len(m.Segments)+64 {
		return
	}
	keep := append(named(m), m.Hint())
	for s := range a.have {
		if !slices.Contains(keep, s) {
			delete(a.have, s)
		}
	}
}

// named returns the files that m names.
func named(m *hls.Media) []string {
	var all []string
	add := func(s *hls.Segment) {
		if s.Map.URI != "" && !slices.Contains(all, s.Map.URI) {
			all = append(all, s.Map.URI)
		}
		for i := range s.Parts {
			all = append(all, s.Parts[i].URI)
		}
		if s.URI != "" {
			all = append(all, s.URI)
		}
	}
	for i := range m.Segments {
		add(&m.Segments[i])
	}
	add(&m.Open)
	return all
}

// anchor is the index of the segment of m from which all must be there: the one that
// the other side's playlist ends with, or when that is long ago, or none, one near the
// end of m.
func (a *account) anchor(m *hls.Media) int {
	n := len(m.Segments)
	from := int(a.last.MSN - m.FirstMSN())
	if a.empty || from < n-tail || from > n {
		from = max(0, n-tail)
	}
	return from
}

// wants returns the files to send for m, in the order of sending: from the anchor on,
// and then, for a side that is to be filled, backwards.
func (a *account) wants(m *hls.Media) []string {
	var w []string
	add := func(file string) {
		if file != "" && !a.have[file] && !slices.Contains(w, file) {
			w = append(w, file)
		}
	}
	segment := func(s *hls.Segment) {
		add(s.Map.URI)
		for i := range s.Parts {
			add(s.Parts[i].URI)
		}
		if !a.join || len(s.Parts) == 0 {
			add(s.URI)
		}
	}
	anchor := a.anchor(m)
	for i := anchor; i < len(m.Segments); i++ {
		segment(&m.Segments[i])
	}
	segment(&m.Open)
	for i := anchor - 1; i >= 0 && a.empty && m.FirstMSN()+int64(i) >= a.floor; i-- {
		segment(&m.Segments[i])
	}
	return w
}

// skip has the other side's playlist begin after a segment that cannot be sent; it is false
// when that is too new to go on without.
func (a *account) skip(m *hls.Media, k packager.Key) bool {
	if !a.empty || k.Kind != packager.Segment || k.MSN >= m.FirstMSN()+int64(a.anchor(m)) {
		return false
	}
	a.floor = max(a.floor, k.MSN+1)
	return true
}

// whole reports whether s can be named.
func (a *account) whole(s *hls.Segment) bool {
	if !a.have[s.Map.URI] && s.Map.URI != "" || a.parts(s) < len(s.Parts) {
		return false
	}
	return a.have[s.URI] || a.join && len(s.Parts) > 0
}

// parts is how many parts of s are there, from the first one on.
func (a *account) parts(s *hls.Segment) int {
	n := 0
	for n < len(s.Parts) && a.have[s.Parts[n].URI] {
		n++
	}
	return n
}

// cut returns m as far as the other side can name it, which is m itself when that is
// all; nil when it is too little to be a playlist.
func (a *account) cut(m *hls.Media) *hls.Media {
	anchor := a.anchor(m)
	end := anchor
	for end < len(m.Segments) && a.whole(&m.Segments[end]) {
		end++
	}
	first := anchor
	for first > 0 && m.FirstMSN()+int64(first-1) >= a.floor && a.whole(&m.Segments[first-1]) {
		first--
	}
	if end-first < min(tail, len(m.Segments)) {
		return nil
	}
	open, parts := m.Open, a.parts(&m.Open)
	if !a.have[open.Map.URI] && open.Map.URI != "" {
		parts = 0
	}
	complete := end == len(m.Segments) && parts == len(open.Parts)
	if complete && first == 0 {
		return m
	}
	c := *m
	c.MediaSequence += int64(first)
	c.Segments = m.Segments[first:end]
	if complete {
		return &c
	}
	if end < len(m.Segments) {
		open = m.Segments[end]
		open.URI, open.Duration = "", 0
		if parts = a.parts(&open); !a.have[open.Map.URI] {
			parts = 0
		}
	}
	a.open(&c, open, parts)
	return &c
}

// open makes c end within a segment of which so many parts are there.
func (a *account) open(c *hls.Media, open hls.Segment, parts int) {
	c.EndList = false
	c.Open = hls.Segment{}
	if parts > 0 {
		c.Open = open
		c.Open.Parts = open.Parts[:parts]
	}
	if c.PartTarget > 0 {
		next := packager.Key{Kind: packager.Part, MSN: c.OpenMSN(), Part: parts}
		if parts > 0 && parts == len(open.Parts) { // of a segment that is about to be closed
			next.MSN, next.Part = next.MSN+1, 0
		}
		c.Hints = []hls.PreloadHint{{Type: hls.HintPart, URI: next.File()}}
	}
}
