package origin

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"longwave/packager"
)

// Live is the live window of every station in memory: what the packager puts, the
// [Server] serves. It implements [packager.Sink] and its Put does not block.
type Live struct {
	putMu   sync.Mutex                       // held while lines or lists change
	lines   atomic.Pointer[map[string]*line] // by "station/rendition"; replaced whole
	lists   atomic.Pointer[map[string]*file] // by key: multivariants, status; replaced whole
	waiting atomic.Int64                     // requests that wait
	foreign shelf
}

// NewLive returns an empty window. [Live.Run] must run while it serves requests.
func NewLive() *Live {
	l := &Live{}
	l.lines.Store(&map[string]*line{})
	l.lists.Store(&map[string]*file{})
	l.foreign.files.Store(&map[string]*foreignFile{})
	return l
}

// Run looks twice a second for live edges that stand, and lets go of the requests that
// wait there. One timer serves every request. It returns when ctx ends.
func (l *Live) Run(ctx context.Context) error {
	t := time.NewTicker(500 * time.Millisecond)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			for _, r := range *l.lines.Load() {
				r.giveUp()
			}
		}
	}
}

// Put implements [packager.Sink]: when it returns, o is visible.
func (l *Live) Put(_ context.Context, o packager.Object) error {
	var err error
	switch o.Key.Kind {
	case packager.Multivariant, packager.State:
		l.putMu.Lock()
		lists := maps.Clone(*l.lists.Load())
		lists[o.Key.String()] = newFile(o)
		l.lists.Store(&lists)
		l.putMu.Unlock()
	default:
		err = l.openLine(o.Key.Station + "/" + o.Key.Rendition).put(o)
	}
	if err != nil {
		return fmt.Errorf("put %q: %w", o.Key.String(), err)
	}
	return nil
}

func (l *Live) openLine(name string) *line {
	if r := (*l.lines.Load())[name]; r != nil {
		return r
	}
	l.putMu.Lock()
	defer l.putMu.Unlock()
	lines := maps.Clone(*l.lines.Load())
	if lines[name] == nil {
		lines[name] = newLine()
		l.lines.Store(&lines)
	}
	return lines[name]
}

// line returns a rendition by "station/rendition", or nil.
func (l *Live) line(name string) *line { return (*l.lines.Load())[name] }

// list returns a multivariant playlist or a state by its key, or nil.
func (l *Live) list(key string) *file { return (*l.lists.Load())[key] }

// Age returns how long ago the live edge of a station last moved: that of its
// rendition which is furthest behind. It is false until all of them have moved. Of a
// foreign encoder it is 0 while there are playlists: who took them drops old ones.
func (l *Live) Age(station string) (time.Duration, bool) {
	var oldest time.Duration
	found := false
	for name, r := range *l.lines.Load() {
		s := r.edge.Load()
		if s == nil || len(name) <= len(station) || name[:len(station)+1] != station+"/" {
			continue
		}
		if !s.moved {
			return 0, false
		}
		found = true
		oldest = max(oldest, time.Since(s.at))
	}
	return oldest, found || l.foreignPlaylists(station)
}
