package origin

import (
	"longwave/packager"
	"longwave/packager/hls"
)

// Playlist returns the newest media playlist of a rendition, or nil when there is none.
// It never changes.
func (l *Live) Playlist(station, rendition string) *hls.Media {
	r := l.line(station + "/" + rendition)
	if r == nil {
		return nil
	}
	if s := r.edge.Load(); s != nil {
		return s.media
	}
	return nil
}

// Bytes returns an object of the live window, or nil when it is not there. It must not be
// changed.
func (l *Live) Bytes(k packager.Key) []byte {
	if r := l.line(k.Station + "/" + k.Rendition); r != nil {
		if f := r.file(k.File()); f != nil {
			return f.data
		}
	}
	return nil
}
