package origin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"longwave/packager"
	"longwave/packager/hls"
)

// maxHold bounds a wait after the last thing that happened: three target durations
// (rfc8216bis section 6.2.5.2).
const maxHold = 3 * packager.TargetDuration

// errGone is returned to a request that waited for something that did not come.
var errGone = errors.New("nothing came")

// Live is the live window of every station in memory: what the packager puts, the
// [Server] serves. It implements [packager.Sink] and its Put does not block.
type Live struct {
	putMu    sync.Mutex                       // held while lines or lists change
	lines    atomic.Pointer[map[string]*line] // by "station/rendition"; replaced whole
	lists    atomic.Pointer[map[string]*file] // by key: multivariants, status; replaced whole
	waiting  atomic.Int64                     // requests that wait
	sweeping atomic.Pointer[sweep]
}

// A sweep is a moment at which waits are looked at: its channel is closed then. One
// timer serves every request.
type sweep struct{ done chan struct{} }

// NewLive returns an empty window. [Live.Run] must run while it serves requests.
func NewLive() *Live {
	l := &Live{}
	l.lines.Store(&map[string]*line{})
	l.lists.Store(&map[string]*file{})
	l.sweeping.Store(&sweep{make(chan struct{})})
	return l
}

// Run lets go, twice a second, of the requests whose time has come. While every live
// edge moves there are none, and nobody is woken to look. It returns when ctx ends.
func (l *Live) Run(ctx context.Context) error {
	t := time.NewTicker(500 * time.Millisecond)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			if !l.stands() {
				continue
			}
			close(l.sweeping.Swap(&sweep{make(chan struct{})}).done)
		}
	}
}

// stands reports whether a live edge has not moved for as long as a request may wait.
func (l *Live) stands() bool {
	for _, r := range *l.lines.Load() {
		if s := r.edge.Load(); s != nil && time.Since(s.at) >= maxHold {
			return true
		}
	}
	return false
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

// waitPlaylist returns the first snapshot of r that answers d, errGone when none
// comes in time, or the cause of ctx's end when the listener has gone.
func (l *Live) waitPlaylist(ctx context.Context, r *line, d hls.Directives) (*snapshot, error) {
	s := r.edge.Load()
	for !s.media.Contains(d.At) {
		var err error
		if s, err = l.waitNext(ctx, r, s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// waitFile returns a file that the newest playlist hints at as soon as it exists.
func (l *Live) waitFile(ctx context.Context, r *line, name string) (*file, error) {
	for {
		s := r.edge.Load()
		if f := r.file(name); f != nil {
			return f, nil
		}
		if s == nil || s.hint != name {
			return nil, errGone
		}
		if _, err := l.waitNext(ctx, r, s); err != nil {
			return nil, err
		}
	}
}

// waitNext returns the snapshot after s.
func (l *Live) waitNext(ctx context.Context, r *line, s *snapshot) (*snapshot, error) {
	for time.Since(s.at) < maxHold {
		sweep := l.sweeping.Load()
		select {
		case <-s.next:
			return r.edge.Load(), nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-sweep.done:
		}
	}
	return nil, errGone
}

// Age returns how long ago the live edge of a station last moved: that of its
// rendition which is furthest behind. It is false until all of them have moved.
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
	return oldest, found
}
