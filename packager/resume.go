package packager

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"longwave/ingest/pcm"
	"longwave/packager/cmaf"
	"longwave/packager/hls"
)

// resume publishes the live window as it was before this run: segments that a
// store still has as they are, and near-silence in the place of those that were
// missed. So numbers and times go on without a gap and without a discontinuity
// (which would end playback in some players), and there is something to play at
// once.
func (p *Packager) resume(ctx context.Context) error {
	for _, w := range p.windows {
		o := Object{Key: p.key(w, Key{Kind: Init, Name: w.rend.hash}), Data: w.rend.init}
		p.putLive(ctx, o)
		for _, s := range p.outlets {
			s.send(o)
		}
		if err := p.resumeWindow(ctx, w); err != nil {
			return err
		}
	}
	for _, w := range p.windows {
		p.putLive(ctx, Object{Key: p.mediaKey(w), Data: p.livePlaylist(w).Append(nil)})
	}
	p.putMultivariants(ctx)
	p.retire(ctx)
	return nil
}

// retire takes away, where that can be done, the playlists of renditions that the run before
// had and this one has not: one that is there and stands still keeps its players.
func (p *Packager) retire(ctx context.Context) {
	if p.opt.Past == nil {
		return
	}
	for _, list := range []string{EverybodyList, OpusList} {
		text, err := p.opt.Past.Read(ctx, Key{Station: p.opt.Station, Kind: Multivariant, Name: list})
		if err != nil {
			continue
		}
		m, err := hls.ParseMultivariant(text)
		if err != nil {
			continue
		}
		for _, v := range m.Variants {
			name := RenditionOf(v.URI)
			if !ValidName(name) || slices.ContainsFunc(p.opt.Ladder, func(r Rung) bool { return r.Name == name }) {
				continue
			}
			for _, s := range p.outlets {
				if o, ok := s.outlet.(Shedder); ok {
					o.Withdraw(Key{Station: p.opt.Station, Rendition: name, Kind: Media})
				}
			}
		}
	}
}

func (p *Packager) resumeWindow(ctx context.Context, w *window) error {
	past := p.readPast(ctx, w)
	var filler []byte
	for msn := w.first; msn < MSN(p.opt.Start); msn++ {
		if hash, ok := past[msn]; ok {
			w.add(hash)
			p.shelve(ctx, w, msn)
			continue
		}
		if filler == nil {
			var err error
			if filler, err = p.fill(w); err != nil {
				return err
			}
		}
		data := append([]byte(nil), filler...)
		cmaf.Move(data, SegmentPos(msn), uint32(msn*int64(w.rend.parts)))
		o := Object{Key: p.key(w, Key{Kind: Segment, MSN: msn}), Data: data, Filler: true}
		p.putLive(ctx, o)
		w.add(w.rend.hash)
		for _, s := range p.outlets {
			s.send(o)
		}
		p.metrics.filled.WithLabelValues(w.rend.rung.Name).Inc()
	}
	return nil
}

// shelve enters a segment that an earlier run kept on this machine. Other stores
// are sent it again: it may never have reached them, and it does not change.
func (p *Packager) shelve(ctx context.Context, w *window, msn int64) {
	o := Object{Key: p.key(w, Key{Kind: Segment, MSN: msn}), Late: true}
	for _, s := range p.outlets {
		if s.outlet.Local() {
			s.shelves[s.byName[w.rend.rung.Name]].keep(msn)
			continue
		}
		if o.Data == nil {
			var err error
			if o.Data, err = p.opt.Past.Read(ctx, o.Key); err != nil {
				p.opt.Log.WarnContext(ctx, "cannot read a segment of the last run", "key", o.Key.String(), "err", err)
				return
			}
		}
		s.send(o)
	}
}

// unlisted is how many segments a run can have kept before it wrote its first
// playlist.
const unlisted = 4

// readPast returns which segments of the window are kept, and the hash of their
// init segments. What a playlist names is there; of what came after it the store is
// asked, since a segment is put before the playlist that names it.
func (p *Packager) readPast(ctx context.Context, w *window) map[int64]string {
	past := map[int64]string{}
	if p.opt.Past == nil {
		return past
	}
	hash, after := w.rend.hash, MSN(p.opt.Start)-unlisted
	text, err := p.opt.Past.Read(ctx, p.mediaKey(w))
	var m *hls.Media
	if err == nil {
		m, err = hls.ParseMedia(text)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil: // what it named has been heard
		p.opt.Log.WarnContext(ctx, "cannot read the playlist of the last run: its segments are looked for one by one", "rendition", w.rend.rung.Name, "err", err)
		after = w.first
	default:
		for i, s := range m.Segments {
			hash = strings.TrimSuffix(strings.TrimPrefix(s.Map.URI, "init-"), ".mp4")
			past[m.MediaSequence+int64(i)] = hash
		}
		after = m.OpenMSN()
		if w == p.windows[0] { // it stands in every rendition's playlist
			p.marks.recall(m.DateRanges, SegmentPos(after))
		}
	}
	for msn := max(w.first, after); msn < MSN(p.opt.Start); msn++ {
		if _, err := p.opt.Past.Read(ctx, p.key(w, Key{Kind: Segment, MSN: msn})); err == nil {
			past[msn] = hash
		}
	}
	return past
}

// fill encodes one segment of near-silence, which repeats with the length of a
// segment: so the same access units fit everywhere.
func (p *Packager) fill(w *window) ([]byte, error) {
	start := p.opt.Start
	r, err := newRendition(p.opt.Station, w.rend.rung, p.opt.Profile, start)
	if err != nil {
		return nil, err
	}
	var segment []byte
	t := newTape(start - SegmentSamples)
	frame := make([]float32, pcm.FrameLen)
	for segment == nil {
		pcm.Dither(frame, t.end)
		t.record(frame)
		if err := r.advance(t, func(_ *rendition, c chunk) {
			if c.segment != nil {
				segment = c.segment
			}
		}); err != nil {
			return nil, fmt.Errorf("fill: %w", err)
		}
	}
	return segment, nil
}
