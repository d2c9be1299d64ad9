package origin

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"

	"longwave/packager"
	"longwave/packager/hls"
)

// An Archive is what is looked at when memory does not have an object: a store.
type Archive interface {
	// Get returns the object with key k or an error that wraps ErrNotFound of the store.
	Get(ctx context.Context, k packager.Key) (packager.Object, error)
}

// Options are what a [Server] works with.
type Options struct {
	Live       *Live
	Archive    Archive // nil: memory is all there is
	MaxWaiting int     // requests that may wait at one time; default 20,000
	// HideStanding answers 404 for a live playlist whose edge has stood for three target
	// durations: an origin that is cut off from its source then sends players and CDNs
	// elsewhere, instead of serving a list that is true no more with 200.
	HideStanding bool
	Log          *slog.Logger
	Registry     prometheus.Registerer // nil: nothing is counted in public
}

// A Server answers the audience's side. Its answers never depend on who asks.
type Server struct {
	opt     Options
	metrics *metrics
	reading chan struct{} // a token for each read from the archive under way
}

// archiveReads bounds the reads from the store under way: a flood of requests for
// old objects must not take it from the packager.
const archiveReads = 16

// NewServer returns a server of opt.Live.
func NewServer(opt Options) *Server {
	if opt.MaxWaiting == 0 {
		opt.MaxWaiting = 20_000
	}
	return &Server{opt: opt, metrics: newMetrics(opt.Registry, opt.Live), reading: make(chan struct{}, archiveReads)}
}

// Routes mounts the audience's routes of a station: its playlists and media. The
// page is mounted by who has it, see [Server.Page].
func (s *Server) Routes(r chi.Router, station string) {
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		r.MethodFunc(method, "/"+station+"/{file}", s.serveList)
		r.MethodFunc(method, "/"+station+"/{rendition}/{file}", s.serveRendition)
	}
	r.MethodFunc(http.MethodOptions, "/"+station+"/{file}", preflight)
	r.MethodFunc(http.MethodOptions, "/"+station+"/{rendition}/{file}", preflight)
}

// Page returns h, which answers with pages and what belongs to them, counted.
func (s *Server) Page(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		h.ServeHTTP(rec, r)
		s.metrics.count(kindPage, rec.status, rec.bytes)
	})
}

// First returns a handler that answers GET and HEAD for what is below a rendition, and
// leaves everything else to next, a router with the [Server.Routes]. Those are nearly
// all requests, and they are found without a router.
func (s *Server) First(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if (r.Method == http.MethodGet || r.Method == http.MethodHead) && r.URL.RawPath == "" {
			if l, file := s.find(r.URL.Path); l != nil && file != "" {
				s.serveFile(w, r, l, file)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// find takes the path of a URL apart: the rendition, or nil, and the name of a file.
func (s *Server) find(path string) (*line, string) {
	name := strings.TrimPrefix(path, "/")
	i := max(0, strings.LastIndexByte(name, '/'))
	return s.opt.Live.line(name[:i]), strings.TrimPrefix(name[i:], "/")
}

// serveRendition answers for what is below a rendition.
func (s *Server) serveRendition(w http.ResponseWriter, r *http.Request) {
	l, file := s.find(r.URL.Path)
	s.serveFile(w, r, l, file)
}

// serveFile answers for playlists, parts, segments and init segments; l may be nil.
func (s *Server) serveFile(w http.ResponseWriter, r *http.Request, l *line, file string) {
	if file == "live.m3u8" && l != nil {
		if snap := l.edge.Load(); snap != nil {
			s.serveMedia(w, r, l, snap)
			return
		}
	}
	s.serveObject(w, r, l, file)
}

// serveMedia answers for a media playlist (rfc8216bis section 6.2.5) whose newest
// snapshot is snap.
func (s *Server) serveMedia(w http.ResponseWriter, r *http.Request, l *line, snap *snapshot) {
	if snap.stands && s.opt.HideStanding && !snap.media.EndList {
		s.refuse(w, kindPlaylist, http.StatusNotFound, standing)
		return
	}
	if r.URL.RawQuery == "" {
		s.write(w, r, kindPlaylist, snap.full)
		return
	}
	d, err := hls.ParseDirectives(r.URL.RawQuery)
	if err != nil {
		s.refuse(w, kindBlocking, http.StatusBadRequest, err.Error())
		return
	}
	if !snap.media.Control.CanBlockReload { // then there is nothing to wait for
		d.Blocking = false
	}
	if d.TooFarAhead(snap.media) {
		s.refuse(w, kindBlocking, http.StatusBadRequest, "_HLS_msn or _HLS_part is too far ahead of the live edge")
		return
	}
	if d.Blocking && !snap.media.Contains(d.At) {
		if !s.enter() {
			s.refuse(w, kindBlocking, http.StatusNotFound, "too many listeners wait here: try another address")
			return
		}
		snap, err = l.waitPlaylist(r.Context(), d)
		s.leave()
		if err != nil {
			s.giveUp(w, kindBlocking, err)
			return
		}
	}
	kind := kindPlaylist
	if d.Blocking {
		kind = kindBlocking
	}
	s.write(w, r, kind, snap.answer(d))
}

// serveObject answers for everything else of a rendition; l may be nil.
func (s *Server) serveObject(w http.ResponseWriter, r *http.Request, l *line, name string) {
	kind := kindOf(name)
	if l != nil {
		if f := l.file(name); f != nil {
			s.write(w, r, kind, f)
			return
		}
		if snap := l.edge.Load(); snap != nil && snap.hint == name && s.enter() {
			f, err := l.waitFile(r.Context(), name)
			s.leave()
			if err != nil {
				s.giveUp(w, kind, err)
				return
			}
			s.write(w, r, kind, f)
			return
		}
	}
	if f := s.opt.Live.foreignFile(r.URL.Path[1:]); f != nil {
		s.write(w, r, kind, f.file)
		return
	}
	s.serveArchive(w, r, kind, l)
}

// serveList answers for multivariant playlists and states.
func (s *Server) serveList(w http.ResponseWriter, r *http.Request) {
	if f := s.opt.Live.list(r.URL.Path[1:]); f != nil {
		s.write(w, r, kindMultivariant, f)
		return
	}
	if f := s.opt.Live.foreignFile(r.URL.Path[1:]); f != nil {
		s.write(w, r, kindOf(r.URL.Path), f.file)
		return
	}
	s.serveArchive(w, r, kindOther, nil)
}

// enter takes a place among those who wait; it is false when all are taken.
func (s *Server) enter() bool {
	if s.opt.Live.waiting.Add(1) > int64(s.opt.MaxWaiting) {
		s.leave()
		return false
	}
	return true
}

func (s *Server) leave() { s.opt.Live.waiting.Add(-1) }

// giveUp answers a request whose wait ended without what it waited for.
func (s *Server) giveUp(w http.ResponseWriter, kind int, err error) {
	if errors.Is(err, errGone) {
		s.refuse(w, kind, http.StatusNotFound, standing)
		return
	}
	s.metrics.count(kind, 499, 0) // nobody reads an answer
}

const standing = "the live edge does not move"

func kindOf(name string) int {
	switch {
	case strings.HasPrefix(name, "init-"):
		return kindInit
	case strings.Count(name, ".") == 2:
		return kindPart
	case strings.HasSuffix(name, ".m4s"), strings.HasSuffix(name, ".ts"):
		return kindSegment
	case strings.HasSuffix(name, ".m3u8"):
		return kindPlaylist
	}
	return kindOther
}
