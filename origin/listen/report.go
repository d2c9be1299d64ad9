package listen

import (
	"time"

	"longwave/packager/hls/hlstest"
)

// A Report is what a listener heard.
type Report struct {
	URL        string    `json:"url"`
	Kind       string    `json:"kind"` // page, multivariant playlist, media playlist
	Started    time.Time `json:"started"`
	Listened   Millis    `json:"listened_ms"`
	Passed     bool      `json:"passed"`           // see [Report.Failed]
	Reason     string    `json:"reason,omitempty"` // why nothing could be heard
	Renditions []Heard   `json:"renditions"`

	Times Times `json:"times"`
	// Delay is of the live edge: from the instant that PROGRAM-DATE-TIME gives to the
	// end of the newest part until the answer that lists it began.
	Delay  Spread `json:"delay"`
	Stalls Stalls `json:"stalls"` // of all renditions, each played by itself
	Gaps   Gaps   `json:"gaps"`

	Requests []Requests `json:"requests"`
	Must     []Finding  `json:"must"`
	Should   []Finding  `json:"should"`
	Notes    []string   `json:"notes"`
}

// Times are the listener's own.
type Times struct {
	FirstPlaylist Millis `json:"first_playlist_ms"` // until a media playlist was read; 0: never
	FirstMedia    Millis `json:"first_media_ms"`    // until there was sound to play; 0: never
	// Own is by how much this machine woke the listener up too late: what is late by
	// no more than that may have been in time.
	Own Spread `json:"own"`
}

// A Heard is what was heard of a rendition.
type Heard struct {
	Name     string `json:"name"`
	URL      string `json:"url"`
	Mode     string `json:"mode"` // blocking, polling
	Ended    bool   `json:"ended"`
	Segments int    `json:"segments"`
	Parts    int    `json:"parts"`
	Delay    Spread `json:"delay"`
	Stalls   Stalls `json:"stalls"`
	Gaps     Gaps   `json:"gaps"`
	Rates    Rates  `json:"rates"`
	Sound    *Sound `json:"sound,omitempty"` // nil: it was not decoded
	// Discontinuities are no fault, but some players end at one.
	Discontinuities int    `json:"discontinuities"`
	Codecs          string `json:"codecs,omitempty"`
}

// Rates are bit rates in bit/s, of segments, overhead included (section 4.1). Zero
// is not known.
type Rates struct {
	Bytes           int64 `json:"bytes"` // of segments
	Average         int64 `json:"average"`
	Peak            int64 `json:"peak"`     // of any run of 0.5 to 1.5 target durations
	Declared        int64 `json:"declared"` // BANDWIDTH
	DeclaredAverage int64 `json:"declared_average"`
}

// Failed reports whether anything was wrong that must not be: a rule that says MUST
// was broken, something was missing or late, a player would have stalled, or nothing
// could be heard. Strict counts rules that say SHOULD too.
func (r *Report) Failed(strict bool) bool {
	return r.Reason != "" || len(r.Must) > 0 || r.Stalls.Count > 0 || r.Gaps != Gaps{} || strict && len(r.Should) > 0
}

func (s *session) progress() Progress {
	var delay sketch
	p := Progress{
		Elapsed: time.Since(s.start), Renditions: len(s.renditions),
		Segments: int(s.segments.Load()), Parts: int(s.parts.Load()), Bytes: s.fetch.counts.bytes(),
		Must: len(s.ledger.findings(hlstest.Must)), Should: len(s.ledger.findings(hlstest.Should)),
	}
	now := time.Now()
	for _, r := range s.renditions {
		delay.join(&r.delay)
		p.Stalls += r.player.result(now).Count
	}
	p.Delay = delay.spread()
	return p
}

// report puts together what is known.
func (s *session) report(stopped time.Time) Report {
	rep := Report{
		URL: s.opt.URL, Kind: s.kind, Started: s.start.UTC(), Listened: Millis(stopped.Sub(s.start)),
		Times:      Times{Millis(s.firstPlaylist.Load()), Millis(s.firstMedia.Load()), s.own.spread()},
		Renditions: []Heard{}, Requests: s.fetch.counts.requests(),
	}
	var delay sketch
	for _, r := range s.renditions {
		h := r.heard(stopped)
		rep.Renditions = append(rep.Renditions, h)
		delay.join(&r.delay)
		rep.Gaps.join(h.Gaps)
		rep.Stalls.join(h.Stalls)
	}
	rep.Delay = delay.spread()
	rep.Must, rep.Should, rep.Notes = s.ledger.findings(hlstest.Must), s.ledger.findings(hlstest.Should), s.ledger.noted()
	rep.Passed = !rep.Failed(false)
	return rep
}

// longTime is from when on an average says something.
const longTime = time.Minute

// heard puts together what is known of a rendition, and applies the rules about the
// whole of it.
func (r *rendition) heard(stopped time.Time) Heard {
	h := Heard{
		Name: r.name, URL: r.url.Redacted(), Mode: "polling",
		Segments: r.reel.count, Parts: r.feed.count, Discontinuities: r.feed.tags,
		Delay: r.delay.spread(), Gaps: r.feed.gaps, Codecs: r.declared.Codecs,
		Rates: Rates{
			Bytes:   r.reel.rate.bytes,
			Average: int64(r.reel.rate.average()), Peak: int64(r.reel.rate.peak),
			Declared: r.declared.Bandwidth, DeclaredAverage: r.declared.AverageBandwidth,
		},
	}
	if r.loads.blocking {
		h.Mode = "blocking"
	}
	m := r.latest.Load()
	h.Ended = m != nil && m.EndList
	if first := r.feed.first; first.m != nil { // a playlist that never moved has not begun to play
		r.player.start(first.at, r.feed.edge, holdBack(first.m))
	}
	h.Stalls = r.player.result(stopped)
	h.Gaps.MissingSegments += r.reel.fails
	h.Gaps.Holes = r.s.ledger.count("tfdt-continuity", r.name)
	h.Gaps.Late = r.s.ledger.count("part-late", r.name) + r.s.ledger.count("segment-late", r.name)
	if h.Rates.Declared > 0 && h.Rates.Peak > h.Rates.Declared {
		r.found(broken("bandwidth-exceeded", "%d bit/s were measured, BANDWIDTH is %d", h.Rates.Peak, h.Rates.Declared))
	}
	if avg := h.Rates.DeclaredAverage; avg > 0 && r.reel.rate.length > longTime && h.Rates.Average*10 > avg*11 {
		r.found(broken("average-exceeded", "%d bit/s were measured, AVERAGE-BANDWIDTH is %d", h.Rates.Average, avg))
	}
	const future, old = -500 * time.Millisecond, 5 * time.Minute
	if d := time.Duration(h.Delay.P50); h.Delay.Samples > 0 && (d < future || d > old) {
		r.found(broken("clock", "the live edge is %v behind this machine's clock", d.Round(time.Millisecond)))
	}
	if r.reel.sound != nil {
		h.Sound = r.reel.sound.result()
		r.found(r.reel.sound.judge()...)
	}
	return h
}

func (g *Gaps) join(o Gaps) {
	g.MissingSegments += o.MissingSegments
	g.MissingParts += o.MissingParts
	g.Holes += o.Holes
	g.Tagged += o.Tagged
	g.Late += o.Late
}

func (s *Stalls) join(o Stalls) {
	s.Count += o.Count
	s.Total += o.Total
	s.Longest = max(s.Longest, o.Longest)
}
