package receive

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"longwave/packager"
	"longwave/packager/hls"
)

// put checks an object and makes it visible; the station is locked. created is true
// when there was none under its key.
func (s *Server) put(ctx context.Context, t target, data []byte) (created bool, err error) {
	o := packager.Object{Key: t.key, Data: data}
	old, known := s.opt.Live.Object(t.key)
	if !known {
		if err := s.place(o); err != nil {
			return false, err
		}
	}
	switch t.key.Kind {
	case packager.Init, packager.Segment, packager.Part:
		if known {
			if bytes.Equal(old, data) {
				return false, nil
			}
			return false, refuse(http.StatusPreconditionFailed, reasonConflict, "other bytes are there under this key, which never changes")
		}
		if err := s.room(o); err != nil {
			return false, err
		}
	case packager.State:
		if !json.Valid(data) {
			return false, refuse(http.StatusBadRequest, reasonBody, "not JSON")
		}
	case packager.Multivariant:
		if err := s.checkMultivariant(o); err != nil {
			if isMissing(err) && s.keepMaster(s.stations[t.station], t.key, data) {
				return !known, nil
			}
			return false, err
		}
		s.stations[t.station].foreign.index = false
	case packager.Media:
		if err := s.checkMedia(ctx, o); err != nil {
			return false, err
		}
	}
	if err := s.opt.Live.Put(ctx, o); err != nil {
		return false, err
	}
	s.metrics.bytes.Add(float64(len(data)))
	return !known, nil
}

// ahead is how far from the live edge an object may be, in segments: the window behind
// it, and a sender that begins anew before it.
const ahead = 64

// maxLists bounds the multivariant playlists and states of a station. Nodes of ours push
// half a dozen.
const maxLists = 32

// place reports whether the station may have a new object, whatever its size: one more
// list, or one of a rendition that it did not have.
func (s *Server) place(o packager.Object) error {
	switch o.Key.Kind {
	case packager.Multivariant, packager.State:
		if s.opt.Live.Lists(o.Key.Station) >= maxLists {
			return refuse(http.StatusInsufficientStorage, reasonFull, "the station has too many lists and states: delete some")
		}
	default:
		if len(o.Data) == 0 {
			return refuse(http.StatusBadRequest, reasonBody, "the body is empty")
		}
		renditions, _ := s.opt.Live.Size(o.Key.Station)
		if renditions >= s.opt.MaxRenditions && !s.opt.Live.HasRendition(o.Key.Station, o.Key.Rendition) {
			return refuse(http.StatusInsufficientStorage, reasonFull, "the station has too many renditions")
		}
	}
	return nil
}

// fits reports whether the station may have so many bytes more.
func (s *Server) fits(station string, more int64) error {
	if _, size := s.opt.Live.Size(station); size+more > s.opt.MaxBytes {
		return refuse(http.StatusInsufficientStorage, reasonFull, "the station has too much in memory: push playlists, so that what is old can go")
	}
	return nil
}

// room reports whether the station may have one more file, there and of that size.
func (s *Server) room(o packager.Object) error {
	if err := s.fits(o.Key.Station, int64(len(o.Data))); err != nil {
		return err
	}
	m, stands := s.opt.Live.Playlist(o.Key.Station, o.Key.Rendition)
	if m != nil && !stands && o.Key.Kind != packager.Init && (o.Key.MSN < m.FirstMSN()-ahead || o.Key.MSN > m.OpenMSN()+ahead) {
		return refuse(http.StatusConflict, reasonOrder, fmt.Sprintf("segment %d is far from the live edge at %s", o.Key.MSN, m.Last()))
	}
	return nil
}

// checkMultivariant wants the renditions that a list names to be here. Those of other
// hosts are not ours to judge.
func (s *Server) checkMultivariant(o packager.Object) error {
	m, err := hls.ParseMultivariant(o.Data)
	if err != nil {
		return refuse(http.StatusBadRequest, reasonBody, err.Error())
	}
	var missing []string
	for _, v := range m.Variants {
		if u, err := url.Parse(v.URI); err != nil || u.Host != "" {
			continue
		}
		if _, foreign := s.opt.Live.Foreign(o.Key.Station + "/" + v.URI); foreign {
			continue
		}
		k, err := packager.ParseKey(o.Key.Station + "/" + v.URI)
		if err != nil || k.Kind != packager.Media {
			if !foreignPath(o.Key.Station + "/" + v.URI) {
				return refuse(http.StatusBadRequest, reasonBody, fmt.Sprintf("%q is not a playlist of this station", v.URI))
			}
			missing = append(missing, o.Key.Station+"/"+v.URI)
			continue
		}
		if m, _ := s.opt.Live.Playlist(k.Station, k.Rendition); m == nil {
			missing = append(missing, k.String())
		}
	}
	return lacks(missing)
}

func isMissing(err error) bool {
	var no *refusal
	return errors.As(err, &no) && no.Reason == reasonMissing
}

func lacks(missing []string) error {
	if len(missing) == 0 {
		return nil
	}
	return &refusal{
		Status: http.StatusConflict, Reason: reasonMissing, Missing: missing,
		Title: "the playlist names what is not here",
	}
}

// checkMedia wants all that a playlist names to be here, and nothing that players have
// seen to be taken back. It joins the segments that are here in parts.
func (s *Server) checkMedia(ctx context.Context, o packager.Object) error {
	m, err := hls.ParseMedia(o.Data)
	switch {
	case err != nil:
		return refuse(http.StatusBadRequest, reasonBody, err.Error())
	case m.Skip.Segments > 0:
		return refuse(http.StatusBadRequest, reasonBody, "a delta update is not a playlist")
	}
	old, stands := s.opt.Live.Playlist(o.Key.Station, o.Key.Rendition)
	if old != nil && !stands && older(m, old) {
		no := refuse(http.StatusConflict, reasonOrder, fmt.Sprintf("the playlist is of %d to %s, a newer one is here of %d to %s", m.MediaSequence, m.Last(), old.MediaSequence, old.Last()))
		no.First = old.MediaSequence
		return no
	}
	c := census{server: s, of: o.Key}
	for i := range m.Segments {
		c.segment(&m.Segments[i], m.FirstMSN()+int64(i))
	}
	c.file(m.Open.Map.URI, packager.Key{Kind: packager.Init})
	for i, p := range m.Open.Parts {
		c.file(p.URI, packager.Key{Kind: packager.Part, MSN: m.OpenMSN(), Part: i})
	}
	if c.wrong != "" {
		return refuse(http.StatusBadRequest, reasonBody, fmt.Sprintf("%q is not the file of this rendition that stands there", c.wrong))
	}
	if err := lacks(c.missing); err != nil {
		return err
	}
	if err := s.fits(o.Key.Station, c.size); err != nil {
		return err
	}
	for _, j := range c.joined {
		if err := s.opt.Live.Put(ctx, packager.Object{Key: j.key, Data: slices.Concat(j.parts...)}); err != nil {
			return err
		}
	}
	return nil
}

// older reports whether m would take back what old told: its beginning or its edge, that
// a segment is whole, or that it was the end.
func older(m, old *hls.Media) bool {
	edge := m.Last().Compare(old.Last())
	return m.MediaSequence < old.MediaSequence || edge < 0 ||
		edge == 0 && (m.OpenMSN() < old.OpenMSN() || old.EndList && !m.EndList)
}

// A census finds out whether what a playlist names is here.
type census struct {
	server  *Server
	of      packager.Key
	wrong   string // a URI that is no key, or not the one that stands there
	seen    string // the last init segment
	missing []string
	joined  []joined
	size    int64 // of joined, in bytes
}

// A joined is a segment that is here in parts.
type joined struct {
	key   packager.Key
	parts [][]byte
}

// segment looks for the segment with number msn, its parts and its init segment.
func (c *census) segment(s *hls.Segment, msn int64) {
	c.file(s.Map.URI, packager.Key{Kind: packager.Init})
	j := joined{parts: make([][]byte, len(s.Parts))}
	whole, size := len(s.Parts) > 0, 0
	for i, p := range s.Parts {
		j.parts[i] = c.file(p.URI, packager.Key{Kind: packager.Part, MSN: msn, Part: i})
		whole = whole && j.parts[i] != nil
		size += len(j.parts[i])
	}
	var ok bool
	if j.key, ok = c.key(s.URI, packager.Key{Kind: packager.Segment, MSN: msn}); !ok {
		return
	}
	if _, known := c.server.opt.Live.Object(j.key); known {
		return
	}
	if whole {
		c.joined = append(c.joined, j)
		c.size += int64(size)
		return
	}
	c.missing = append(c.missing, j.key.String())
}

// file looks for what a playlist names, which is to be want, and returns its bytes or nil.
func (c *census) file(uri string, want packager.Key) []byte {
	if uri == "" {
		return nil
	}
	k, ok := c.key(uri, want)
	if !ok {
		return nil
	}
	data, known := c.server.opt.Live.Object(k)
	if !known && uri != c.seen {
		c.missing = append(c.missing, k.String())
	}
	if k.Kind == packager.Init {
		c.seen = uri
	}
	return data
}

// key returns the key of a URI in the playlist. Of want, its kind and numbers count: a
// file that could stand in several places would make much of little.
func (c *census) key(uri string, want packager.Key) (packager.Key, bool) {
	k, err := packager.ParseKey(c.of.Station + "/" + c.of.Rendition + "/" + uri)
	if err != nil || strings.Contains(uri, "/") || k.Kind != want.Kind || k.MSN != want.MSN || k.Part != want.Part {
		if c.wrong == "" {
			c.wrong = uri
		}
		return k, false
	}
	return k, true
}

// remove takes an object away.
func (s *Server) remove(ctx context.Context, st *station, t target) {
	st.mu.Lock()
	defer st.mu.Unlock()
	s.removeForeign(st, t.path)
	if t.key != (packager.Key{}) {
		s.opt.Live.Remove(t.key)
	}
	s.taken(ctx, st)
}
