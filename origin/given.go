package origin

import (
	"maps"
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

// Size returns how many renditions a station has in memory, and its bytes, those of
// foreign files included.
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
