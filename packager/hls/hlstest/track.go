package hlstest

import (
	"slices"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"

	"longwave/packager/hls"
)

// A Track judges the bytes of one rendition: its init segment, then its segments in
// order. One goroutine uses it.
type Track struct {
	tracks map[uint32]trackInfo
	next   map[uint32]uint64 // where the fragment after the last one begins, by track
	mapped bool              // offset is known
	offset time.Duration     // from the media time to the date
}

// Brands whose files may have offsets that count from the moof (ISO/IEC 14496-12,
// ISO/IEC 23000-19 section 7.2).
var brands = []string{"iso6", "iso7", "iso8", "iso9", "isoa", "isob", "isoc", "cmfc", "cmf2"}

// NewTrack begins with an init segment, and returns the rules that it breaks.
func NewTrack(init []byte) (*Track, []Violation) {
	t := &Track{tracks: map[uint32]trackInfo{}, next: map[uint32]uint64{}}
	var r report
	guard(&r, func() { t.init(init, &r) })
	return t, r.sorted()
}

func (t *Track) init(init []byte, r *report) {
	boxes, err := decodeBoxes(init)
	if err != nil {
		r.add("box-syntax", 0, "%v", err)
		return
	}
	var ftyp *mp4.FtypBox
	var moov *mp4.MoovBox
	for _, box := range boxes {
		switch box := box.(type) {
		case *mp4.FtypBox:
			ftyp = box
		case *mp4.MoovBox:
			moov = box
		case *mp4.MoofBox, *mp4.MdatBox:
			r.add("init-samples", 0, "%s in the init segment", box.Type())
		}
	}
	if ftyp == nil || moov == nil || moov.Mvhd == nil {
		r.add("box-syntax", 0, "no ftyp, or no moov with an mvhd")
		return
	}
	if !slices.ContainsFunc(append(ftyp.CompatibleBrands(), ftyp.MajorBrand()), func(b string) bool { return slices.Contains(brands, b) }) {
		r.add("init-brand", 0, "%s, %q", ftyp.MajorBrand(), ftyp.CompatibleBrands())
	}
	t.moov(moov, r)
}

func (t *Track) moov(moov *mp4.MoovBox, r *report) {
	if moov.Mvhd.Duration != 0 {
		r.add("init-samples", 0, "mvhd has a duration")
	}
	for _, trak := range moov.Traks {
		if !complete(trak) {
			r.add("box-syntax", 0, "a trak lacks a box")
			continue
		}
		id := trak.Tkhd.TrackID
		info := trackInfo{timescale: trak.Mdia.Mdhd.Timescale}
		if moov.Mvex != nil {
			for _, trex := range moov.Mvex.Trexs {
				if trex.TrackID == id {
					info.trex = trex
				}
			}
		}
		if info.trex == nil {
			r.add("init-mvex", 0, "no trex for track %d", id)
			info.trex = &mp4.TrexBox{TrackID: id}
		}
		if n := described(trak); n > 0 {
			r.add("init-samples", 0, "track %d describes %d samples or has a duration", id, n)
		}
		t.tracks[id] = info
	}
}

func complete(trak *mp4.TrakBox) bool {
	return trak.Tkhd != nil && trak.Mdia != nil && trak.Mdia.Mdhd != nil && trak.Mdia.Minf != nil && trak.Mdia.Minf.Stbl != nil
}

// described counts what an init segment must not have.
func described(trak *mp4.TrakBox) int {
	n := 0
	stbl := trak.Mdia.Minf.Stbl
	if stbl.Stsz != nil {
		n += int(stbl.Stsz.SampleNumber)
	}
	if stbl.Stts != nil {
		n += len(stbl.Stts.SampleCount)
	}
	if trak.Tkhd.Duration != 0 || trak.Mdia.Mdhd.Duration != 0 {
		n++
	}
	return n
}

// Restart forgets where the last segment ended: the next one may be any.
func (t *Track) Restart() { clear(t.next) }

// Segment takes the next segment, and returns the rules that it breaks. parts are
// the files of s.Parts, or nil when they are not at hand.
func (t *Track) Segment(s hls.Segment, data []byte, parts [][]byte) []Violation {
	var r report
	guard(&r, func() { t.segment(s, data, parts, &r) })
	return r.sorted()
}

func (t *Track) segment(s hls.Segment, data []byte, parts [][]byte, r *report) {
	if s.Discontinuity {
		clear(t.next)
		t.mapped = false
	}
	whole, info, ok := t.read(data, s.URI, r)
	if !ok {
		return
	}
	if len(whole) > 0 {
		t.date(s, whole[0], info, r)
	}
	if off, bad := t.off(whole, info, s.Duration); bad {
		r.add("extinf-exact", 0, "EXTINF of %s is %v off", s.URI, off)
	}
	if parts != nil {
		t.parts(s, parts, whole, info, r)
	}
}

// parts compares the parts of s with its samples.
func (t *Track) parts(s hls.Segment, parts [][]byte, whole []sample, info trackInfo, r *report) {
	after := t.next
	defer func() { t.next = after }()
	t.next = map[uint32]uint64{}
	var union []sample
	for i, data := range parts {
		uri := ""
		if i < len(s.Parts) {
			uri = s.Parts[i].URI
		}
		samples, _, ok := t.read(data, uri, r)
		if !ok {
			return
		}
		union = append(union, samples...)
		if i >= len(s.Parts) {
			continue
		}
		if off, bad := t.off(samples, info, s.Parts[i].Duration); bad {
			r.add("part-duration-exact", 0, "DURATION of %s is %v off", uri, off)
		}
	}
	if !slices.Equal(whole, union) {
		r.add("part-union", 0, "%d samples in %s, %d in its parts, not the same", len(whole), s.URI, len(union))
	}
}

// read returns the samples of the first track in data and judges its fragments. What
// cannot be read makes it report false.
func (t *Track) read(data []byte, uri string, r *report) ([]sample, trackInfo, bool) {
	all, err := fragments(data)
	if err != nil {
		r.add("box-syntax", 0, "%s: %v", uri, err)
		return nil, trackInfo{}, false
	}
	id := all[0].moof.Trafs[0].Tfhd.TrackID
	var first []sample
	for _, f := range all {
		for _, traf := range f.moof.Trafs {
			samples, ok := t.traf(f, traf, uri, r)
			if !ok {
				return nil, trackInfo{}, false
			}
			if traf.Tfhd.TrackID == id {
				first = append(first, samples...)
			}
		}
	}
	return first, t.tracks[id], true
}

// traf judges one track fragment.
func (t *Track) traf(f fragment, traf *mp4.TrafBox, uri string, r *report) ([]sample, bool) {
	id := traf.Tfhd.TrackID
	info, ok := t.tracks[id]
	if !ok {
		r.add("box-syntax", 0, "%s: track %d is not in the init segment", uri, id)
		return nil, false
	}
	if traf.Tfdt == nil {
		r.add("tfdt-missing", 0, "%s", uri)
		return nil, false
	}
	if traf.Tfhd.HasBaseDataOffset() || !traf.Tfhd.DefaultBaseIfMoof() {
		r.add("base-offset", 0, "%s", uri)
		return nil, false
	}
	samples, ok := info.samples(f, traf)
	if !ok {
		r.add("box-syntax", 0, "%s: samples lie outside of the mdat", uri)
		return nil, false
	}
	at := traf.Tfdt.BaseMediaDecodeTime()
	if next, known := t.next[id]; known && next != at {
		r.add("tfdt-continuity", 0, "%s begins at %d, the one before ended at %d", uri, at, next)
	}
	t.next[id] = at
	if n := len(samples); n > 0 {
		t.next[id] = samples[n-1].at + uint64(samples[n-1].dur)
	}
	return samples, true
}

// date compares the date of s with the media time of its first sample.
func (t *Track) date(s hls.Segment, first sample, info trackInfo, r *report) {
	at, ok := info.duration(first.at)
	if s.PDT.IsZero() || !ok {
		return
	}
	offset := time.Duration(s.PDT.UnixNano()) - at
	if off := offset - t.offset; t.mapped && (off > aFrame || off < -aFrame) {
		r.add("tfdt-pdt", 0, "the date of %s is %v off", s.URI, off)
	}
	t.mapped, t.offset = true, offset
}

// off returns by how much the samples are longer than want, and whether that is more
// than a frame.
func (t *Track) off(samples []sample, info trackInfo, want time.Duration) (time.Duration, bool) {
	var ticks uint64
	var longest uint32
	for _, s := range samples {
		ticks += uint64(s.dur)
		longest = max(longest, s.dur)
	}
	d, _ := info.duration(ticks)
	frame, _ := info.duration(uint64(longest))
	off := d - want
	return off, off.Abs() > frame
}
