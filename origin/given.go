package origin

import (
	"maps"
	"slices"
	"strings"

	"longwave/packager"
	"longwave/packager/hls"
)

// Object returns the bytes of an object that is in memory. They must not be changed.
func (l *Live) Object(k packager.Key) ([]byte, bool) {
	var f *file
	switch k.Kind {
	case packager.Multivariant, packager.State:
		f = l.list(k.String())
	case packager.Media:
		if r := l.line(k.Station + "/" + k.Rendition); r != nil {
			if s := r.edge.Load(); s != nil {
				f = s.full
			}
		}
	default:
		if r := l.line(k.Station + "/" + k.Rendition); r != nil {
			f = r.file(k.File())
		}
	}
	if f == nil {
		return nil, false
	}
	return f.data, true
}

// Playlist returns the newest media playlist of a rendition, nil when there is none. It
// must not be changed. stands is true when its live edge has not moved for as long as a
// request may wait.
func (l *Live) Playlist(station, rendition string) (m *hls.Media, stands bool) {
	r := l.line(station + "/" + rendition)
	if r == nil {
		return nil, false
	}
	s := r.edge.Load()
	if s == nil {
		return nil, false
	}
	return s.media, s.stands
}

// Remove takes an object away. Who waits for a playlist that is removed is let go. The
// media that it named stays for those who were told of it, until the next playlist.
func (l *Live) Remove(k packager.Key) {
	switch k.Kind {
	case packager.Multivariant, packager.State:
		l.putMu.Lock()
		defer l.putMu.Unlock()
		lists := maps.Clone(*l.lists.Load())
		delete(lists, k.String())
		l.lists.Store(&lists)
	default:
		if r := l.line(k.Station + "/" + k.Rendition); r != nil {
			r.remove(k)
		}
	}
}

// Forget drops all that there is of a station, and lets go of who waits for it.
func (l *Live) Forget(station string) {
	l.putMu.Lock()
	defer l.putMu.Unlock()
	of := func(name string) bool { return strings.HasPrefix(name, station+"/") }
	old, lines, lists := *l.lines.Load(), maps.Clone(*l.lines.Load()), maps.Clone(*l.lists.Load())
	maps.DeleteFunc(lines, func(name string, _ *line) bool { return of(name) })
	maps.DeleteFunc(lists, func(name string, _ *file) bool { return of(name) })
	l.lines.Store(&lines)
	l.lists.Store(&lists)
	files := maps.Clone(*l.foreign.files.Load())
	maps.DeleteFunc(files, func(name string, _ *foreignFile) bool { return of(name) })
	l.foreign.files.Store(&files)
	for name, r := range old { // which nobody finds any more
		if of(name) {
			r.remove(packager.Key{Kind: packager.Media})
		}
	}
}

// DropUnlisted drops the renditions of a station whose live edge stands and that no
// multivariant playlist names, and returns their names: nobody is told of them, and whoever
// made them has ended or makes others now. It drops nothing while there are no lists.
func (l *Live) DropUnlisted(station string) []string {
	var gone []string
	for name, r := range *l.lines.Load() {
		if s := r.edge.Load(); strings.HasPrefix(name, station+"/") && s != nil && s.stands {
			gone = append(gone, strings.TrimPrefix(name, station+"/"))
		}
	}
	if len(gone) == 0 { // as a rule
		return nil
	}
	listed, ok := l.listed(station)
	gone = slices.DeleteFunc(gone, func(name string) bool { return !ok || listed[name] })
	if len(gone) == 0 {
		return nil
	}
	l.putMu.Lock()
	defer l.putMu.Unlock()
	old := *l.lines.Load()
	lines := maps.Clone(old)
	for _, name := range gone {
		delete(lines, station+"/"+name)
	}
	l.lines.Store(&lines)
	for _, name := range gone {
		old[station+"/"+name].remove(packager.Key{Kind: packager.Media})
	}
	return gone
}

// listed returns the renditions that the multivariant playlists of a station name; it is
// false when there are none.
func (l *Live) listed(station string) (names map[string]bool, ok bool) {
	names = map[string]bool{}
	for key, f := range *l.lists.Load() {
		if !strings.HasPrefix(key, station+"/") || !strings.HasSuffix(key, ".m3u8") {
			continue
		}
		m, err := hls.ParseMultivariant(f.data)
		if err != nil {
			return nil, false
		}
		for _, v := range m.Variants {
			names[packager.RenditionOf(v.URI)] = true
		}
		ok = true
	}
	return names, ok
}

// Lists returns how many multivariant playlists and states a station has.
func (l *Live) Lists(station string) int {
	n := 0
	for key := range *l.lists.Load() {
		if strings.HasPrefix(key, station+"/") {
			n++
		}
	}
	return n
}

// Size returns how many renditions a station has in memory, and the bytes that its files
// take, those of foreign ones included.
func (l *Live) Size(station string) (renditions int, bytes int64) {
	for name, r := range *l.lines.Load() {
		if strings.HasPrefix(name, station+"/") {
			renditions++
			bytes += r.bytes.Load()
		}
	}
	return renditions, bytes + l.foreignSize(station)
}

// Release lets go of everybody who waits, now and from now on: the process ends, and
// what they wait for comes elsewhere.
func (l *Live) Release() {
	for _, r := range *l.lines.Load() {
		r.release()
	}
}

// HasRendition reports whether there is anything of a rendition in memory.
func (l *Live) HasRendition(station, rendition string) bool {
	return l.line(station+"/"+rendition) != nil
}
