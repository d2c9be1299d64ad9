package origin

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"longwave/packager"
	"longwave/packager/hls"
)

// serveArchive answers from the store for what memory does not have: the window of
// a run before this one, and what is older. l is the rendition's line or nil.
func (s *Server) serveArchive(w http.ResponseWriter, r *http.Request, kind int, l *line) {
	const notFound = "there is no such file"
	k, err := packager.ParseKey(r.URL.Path[1:])
	if err != nil || s.opt.Archive == nil || !s.plausible(k, l) {
		s.refuse(w, kind, http.StatusNotFound, notFound)
		return
	}
	o, err := s.readArchive(r.Context(), k)
	if r.Context().Err() != nil {
		s.metrics.count(kind, 499, 0)
		return
	}
	if err != nil {
		s.metrics.archive.WithLabelValues("missing").Inc()
		s.refuse(w, kind, http.StatusNotFound, notFound)
		return
	}
	s.metrics.archive.WithLabelValues("found").Inc()
	f := newFile(o)
	if l != nil && k.Kind == packager.Segment {
		l.remember(k, f)
	}
	s.write(w, r, kind, f)
}

// readArchive reads when it is its turn. Who waits for that is one of those who wait, so
// that a store that hangs does not gather requests without end.
func (s *Server) readArchive(ctx context.Context, k packager.Key) (packager.Object, error) {
	if !s.enter() {
		return packager.Object{}, errBusy
	}
	defer s.leave()
	select {
	case s.reading <- struct{}{}:
		defer func() { <-s.reading }()
		return s.opt.Archive.Get(ctx, k)
	case <-ctx.Done():
		return packager.Object{}, context.Cause(ctx)
	}
}

// errBusy is returned when too many requests wait.
var errBusy = errors.New("too many requests wait")

// plausible reports whether the store may have k, so that guessed names cost
// nothing: parts are in memory or gone, a segment after the live edge does not exist
// yet, and an init segment is one that the playlist names.
func (s *Server) plausible(k packager.Key, l *line) bool {
	if l == nil {
		return false
	}
	edge := l.edge.Load()
	if edge == nil {
		return false
	}
	switch k.Kind {
	case packager.Segment:
		return k.MSN < edge.media.OpenMSN()
	case packager.Init:
		return slices.ContainsFunc(edge.media.Segments, func(s hls.Segment) bool { return s.Map.URI == k.File() })
	default:
		return false
	}
}

// remember keeps a segment of the window that came from the store.
func (l *line) remember(k packager.Key, f *file) {
	edge := l.edge.Load()
	if edge == nil || k.MSN < edge.media.MediaSequence {
		return
	}
	l.putMu.Lock()
	defer l.putMu.Unlock()
	l.add(k, f)
}
