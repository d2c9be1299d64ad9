package receive

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"longwave/origin"
	"longwave/packager"
	"longwave/packager/hls"
)

// A foreign is what a station has of an encoder that is not ours, as ffmpeg's hls muxer
// sends it: names of its own choice, that may come again with other bytes.
type foreign struct {
	playlists map[string]*foreignList // by path
	wanted    map[string]time.Time    // files, and when they were last put or named
	masters   map[packager.Key][]byte // multivariant playlists that name what is not here yet
	index     bool                    // the multivariant playlist is ours
}

// A foreignList is a media playlist as it came.
type foreignList struct {
	media     *hls.Media
	text      []byte
	at        time.Time
	names     []string // paths of what it names
	bandwidth int64    // bit/s, the highest of a segment that is here
}

func newForeign() *foreign {
	return &foreign{playlists: map[string]*foreignList{}, wanted: map[string]time.Time{}, masters: map[packager.Key][]byte{}}
}

const (
	// foreignKept is how long a file stays that no playlist names any more.
	foreignKept = 60 * time.Second
	// maxForeign bounds the files of a station.
	maxForeign = 2000
)

var foreignTypes = map[string]string{
	".ts": "video/mp2t", ".mp4": "video/mp4", ".m4s": "video/mp4", ".m4a": "audio/mp4", ".m4v": "video/mp4",
	".cmfa": "audio/mp4", ".cmfv": "video/mp4", ".aac": "audio/aac", ".mp3": "audio/mpeg", ".vtt": "text/vtt",
	".m3u8": "application/vnd.apple.mpegurl",
}

// foreignPath reports whether an encoder may use p: two to four elements, the first a
// station, all of letters, digits, '.', '-' and '_', not beginning with '.'.
func foreignPath(p string) bool {
	el := strings.Split(p, "/")
	if len(el) < 2 || len(el) > 4 || !packager.ValidName(el[0]) || foreignTypes[path.Ext(p)] == "" {
		return false
	}
	for _, e := range el[1:] {
		if e == "" || len(e) > 128 || e[0] == '.' || strings.IndexFunc(e, notInName) >= 0 {
			return false
		}
	}
	return true
}

func notInName(r rune) bool {
	letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	return !letter && (r < '0' || r > '9') && r != '.' && r != '-' && r != '_'
}

// isForeign reports whether the playlist under a key of ours is of another encoder: a
// media playlist where ours have a multivariant one, or one that names files that no
// key of ours has.
func (s *Server) isForeign(k packager.Key, data []byte) bool {
	switch k.Kind {
	case packager.Multivariant:
		_, err := hls.ParseMedia(data)
		return err == nil
	case packager.Media:
		m, err := hls.ParseMedia(data)
		if err != nil || len(m.Segments) == 0 || s.opt.Live.HasRendition(k.Station, k.Rendition) {
			return false
		}
		_, err = packager.ParseKey(k.Station + "/" + k.Rendition + "/" + m.Segments[0].URI)
		return err != nil
	default:
		return false
	}
}

// putForeign takes a file of an encoder that is not ours. The station is locked.
func (s *Server) putForeign(ctx context.Context, st *station, p string, data []byte) (created bool, err error) {
	_, known := s.opt.Live.Foreign(p)
	if !known && len(st.foreign.wanted) >= maxForeign {
		return false, refuse(http.StatusInsufficientStorage, reasonFull, "the station has too many files: have the encoder delete old ones")
	}
	if err := s.fits(st.name, int64(len(data))); err != nil {
		return false, err
	}
	if path.Ext(p) == ".m3u8" {
		if st.foreign.playlists[p] == nil && len(st.foreign.playlists) >= s.opt.MaxRenditions {
			return false, refuse(http.StatusInsufficientStorage, reasonFull, "the station has too many playlists")
		}
		l, err := readForeign(st.name, p, data)
		if err != nil {
			return false, err
		}
		st.foreign.playlists[p] = l
	} else {
		s.opt.Live.PutForeign(origin.Foreign{Path: p, Data: data, ContentType: foreignTypes[path.Ext(p)]})
	}
	st.foreign.wanted[p] = time.Now()
	for at, l := range st.foreign.playlists {
		if at == p || slices.Contains(l.names, p) {
			s.show(at, l)
		}
	}
	return !known, s.index(ctx, st)
}

// readForeign reads a media playlist.
func readForeign(station, p string, data []byte) (*foreignList, error) {
	m, err := hls.ParseMedia(data)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, reasonBody, err.Error())
	}
	if len(m.Segments) > maxForeign {
		return nil, refuse(http.StatusRequestEntityTooLarge, reasonLarge, fmt.Sprintf("the playlist has more than %d segments: have the encoder keep fewer in it", maxForeign))
	}
	l := &foreignList{media: m, text: data, at: time.Now()}
	for _, seg := range m.Segments {
		for _, uri := range []string{seg.Map.URI, seg.URI} {
			if uri == "" {
				continue
			}
			at := path.Join(path.Dir(p), uri)
			if !foreignPath(at) || !strings.HasPrefix(at, station+"/") {
				return nil, refuse(http.StatusBadRequest, reasonBody, fmt.Sprintf("%q is not a file of this station", uri))
			}
			l.names = append(l.names, at)
		}
	}
	return l, nil
}

// show makes a playlist visible as far as what it names is here. An encoder may be
// still sending its last segment, and does not send old ones again to an origin that
// has just started.
func (s *Server) show(p string, l *foreignList) {
	m := l.media
	here := func(i int) bool {
		for _, uri := range []string{m.Segments[i].Map.URI, m.Segments[i].URI} {
			if _, ok := s.opt.Live.Foreign(path.Join(path.Dir(p), uri)); uri != "" && !ok {
				return false
			}
		}
		return true
	}
	end := len(m.Segments)
	for end > 0 && !here(end-1) {
		end--
	}
	first := end
	for first > 0 && here(first-1) {
		first--
	}
	if first == end && len(m.Segments) > 0 {
		return
	}
	for _, seg := range m.Segments[first:end] {
		body, _ := s.opt.Live.Foreign(path.Join(path.Dir(p), seg.URI))
		if d := seg.Duration.Seconds(); d > 0 {
			l.bandwidth = max(l.bandwidth, int64(float64(8*len(body))/d))
		}
	}
	text := l.text
	if end-first < len(m.Segments) {
		text = cutForeign(m, first, end).Append(nil)
	}
	s.opt.Live.PutForeign(origin.Foreign{Path: p, Data: text, ContentType: foreignTypes[path.Ext(p)], Playlist: true})
}

// cutForeign returns m with its segments from first to before end.
func cutForeign(m *hls.Media, first, end int) *hls.Media {
	c := *m
	for _, seg := range m.Segments[:first] {
		if seg.Discontinuity {
			c.DiscontinuitySequence++
		}
	}
	c.MediaSequence += int64(first)
	c.EndList = m.EndList && end == len(m.Segments)
	c.Segments = m.Segments[first:end]
	return &c
}

// keepMaster keeps a multivariant playlist until all that it names is here: an encoder
// sends it once, and that may be too early. It is false when nodes of ours push the
// station: they send theirs again.
func (s *Server) keepMaster(st *station, k packager.Key, data []byte) bool {
	if renditions, _ := s.opt.Live.Size(st.name); renditions > 0 || len(st.foreign.masters) > maxMasters {
		return false
	}
	st.foreign.masters[k] = data
	return true
}

// maxMasters bounds the multivariant playlists that wait.
const maxMasters = 8

// index makes multivariant playlists visible that waited, and writes those of a station
// whose encoder pushes none.
func (s *Server) index(ctx context.Context, st *station) error {
	for k, data := range st.foreign.masters {
		o := packager.Object{Key: k, Data: data}
		if s.checkMultivariant(o) != nil {
			continue
		}
		delete(st.foreign.masters, k)
		st.foreign.index = false
		if err := s.opt.Live.Put(ctx, o); err != nil {
			return err
		}
	}
	k := packager.Key{Station: st.name, Kind: packager.Multivariant, Name: packager.EverybodyList}
	_, there := s.opt.Live.Object(k)
	_, media := st.foreign.playlists[k.String()]
	if media || there && !st.foreign.index {
		return nil
	}
	m := hls.Multivariant{Version: 3}
	for p, l := range st.foreign.playlists {
		if l.bandwidth > 0 { // something of it is here
			m.Variants = append(m.Variants, hls.Variant{URI: strings.TrimPrefix(p, st.name+"/"), Bandwidth: l.bandwidth})
		}
	}
	if len(m.Variants) == 0 {
		return nil
	}
	slices.SortFunc(m.Variants, func(a, b hls.Variant) int {
		return cmp.Or(cmp.Compare(a.Bandwidth, b.Bandwidth), cmp.Compare(a.URI, b.URI))
	})
	st.foreign.index = true
	for _, name := range []string{packager.EverybodyList, packager.OpusList} {
		k.Name = name
		text := m.Append(nil)
		if old, _ := s.opt.Live.Object(k); bytes.Equal(old, text) {
			continue
		}
		if err := s.opt.Live.Put(ctx, packager.Object{Key: k, Data: text}); err != nil {
			return err
		}
	}
	return nil
}

// removeForeign takes a file away.
func (s *Server) removeForeign(st *station, p string) {
	s.opt.Live.RemoveForeign(p)
	delete(st.foreign.playlists, p)
	delete(st.foreign.wanted, p)
}

// sweep drops what no playlist names any more, and playlists that nobody renews: one
// that is served though it is old keeps players from going elsewhere.
func (s *Server) sweep(st *station, now time.Time) {
	var gone []string
	for p, l := range st.foreign.playlists {
		if now.Sub(l.at) > max(3*l.media.TargetDuration, 6*time.Second) && !l.media.EndList {
			gone = append(gone, p)
			delete(st.foreign.playlists, p)
			continue
		}
		for _, n := range l.names {
			st.foreign.wanted[n] = now
		}
		st.foreign.wanted[p] = now
	}
	for p, at := range st.foreign.wanted {
		if now.Sub(at) > foreignKept {
			gone = append(gone, p)
			delete(st.foreign.wanted, p)
		}
	}
	if len(gone) > 0 {
		s.opt.Live.RemoveForeign(gone...)
	}
}
