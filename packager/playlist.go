package packager

import (
	"time"

	"longwave/ingest/pcm"
	"longwave/packager/hls"
)

// The attributes of EXT-X-SERVER-CONTROL that no profile changes (rfc8216bis
// section 4.4.3.8).
const (
	holdBack  = 3 * TargetDuration
	skipUntil = 6 * TargetDuration
)

// livePlaylist describes w as the origin serves it: with parts, blocking reload and
// delta updates, where the profile has parts.
func (p *Packager) livePlaylist(w *window) *hls.Media {
	m := p.playlist(w.first, w.segs)
	if p.opt.Profile.Plain() {
		return m
	}
	if !p.ended {
		m.DateRanges = p.marks.since(SegmentPos(w.first), w.edge(p.opt.Profile.PartSamples))
	}
	m.Version = 9 // EXT-X-SKIP
	m.PartTarget = p.partTarget(w.rend)
	m.Control = hls.ServerControl{
		CanBlockReload: true,
		CanSkipUntil:   skipUntil,
		HoldBack:       holdBack,
		PartHoldBack:   p.partHoldBack(),
	}
	if len(w.open.Parts) > 0 {
		m.Open = w.open
	}
	if p.ended {
		return m
	}
	m.Hints = []hls.PreloadHint{{Type: hls.HintPart, URI: w.hint()}}
	for _, o := range p.windows {
		if o != w {
			m.Reports = append(m.Reports, hls.RenditionReport{URI: "../" + o.rend.rung.Name + "/live.m3u8", Last: o.last})
		}
	}
	return m
}

// plainPlaylist describes segments of w that a store has, for players and CDNs that
// read the store: files that are there, and nothing to wait for.
func (p *Packager) plainPlaylist(w *window, first, last int64) *hls.Media {
	segs := make([]hls.Segment, 0, windowSegments)
	for msn := first; msn <= last; msn++ {
		seg := w.segment(msn, w.rend.hash)
		seg.Map = w.mapAt(msn)
		segs = append(segs, seg)
	}
	return p.playlist(first, segs)
}

// playlist describes whole segments.
func (p *Packager) playlist(first int64, segs []hls.Segment) *hls.Media {
	return &hls.Media{
		Version:        6, // EXT-X-MAP
		TargetDuration: TargetDuration,
		MediaSequence:  first,
		Segments:       segs,
		DateRanges:     p.marks.since(SegmentPos(min(first, p.oldest())), everything),
		EndList:        p.ended,
	}
}

// oldest is the first MSN that any live playlist names. The marks have to be the same in
// all of them (rfc8216bis section 6.2.4), though some renditions are a part ahead: what
// has parts tells what was known at its edge, and all else what is known now.
func (p *Packager) oldest() int64 {
	oldest := p.windows[0].first
	for _, w := range p.windows[1:] {
		oldest = min(oldest, w.first)
	}
	return oldest
}

// partTarget is the longest part of r: where a part is not a whole number of access
// units, some parts have one more.
func (p *Packager) partTarget(r *rendition) time.Duration {
	return pcm.Duration(p.opt.Profile.PartSamples.Ceil(r.format.FrameSamples))
}

// partHoldBack is the same for every rendition of the station (rfc8216bis section
// 6.2.4), so it counts the longest parts of them all.
func (p *Packager) partHoldBack() time.Duration {
	var longest time.Duration
	for _, w := range p.windows {
		longest = max(longest, p.partTarget(w.rend))
	}
	return time.Duration(p.opt.Profile.HoldBackParts) * longest
}
