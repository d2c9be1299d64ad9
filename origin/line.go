package origin

import (
	"bytes"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"longwave/packager"
	"longwave/packager/hls"
)

// A snapshot is a version of a media playlist, rendered. It never changes.
type snapshot struct {
	media       *hls.Media
	hint        string // the file that a preload hint names
	full, delta *file
	fullBlock   *file         // full and delta, as answers to blocking requests
	deltaBlock  *file         // nil where there is no delta
	next        chan struct{} // closed when there is a newer snapshot
	at          time.Time     // when the live edge came to where it is
	moved       bool          // it has moved since the first playlist
	stands      bool          // it has not moved for maxHold: there is nothing to wait for
}

// A line is one rendition of a station.
type line struct {
	edge  atomic.Pointer[snapshot] // nil before the first playlist
	bytes atomic.Int64             // of files

	putMu   sync.Mutex // held by put: one at a time
	filesMu sync.RWMutex
	files   map[string]*file // by the last element of the key; guarded by filesMu
	order   []packager.Key   // of files, oldest first; guarded by putMu
}

func newLine() *line { return &line{files: map[string]*file{}} }

// file returns an object of the line, or nil.
func (l *line) file(name string) *file {
	l.filesMu.RLock()
	f := l.files[name]
	l.filesMu.RUnlock()
	return f
}

// put takes an object in. A playlist wakes everybody who waits for it.
func (l *line) put(o packager.Object) error {
	l.putMu.Lock()
	defer l.putMu.Unlock()
	if o.Key.Kind != packager.Media {
		l.add(o.Key, newFile(o))
		return nil
	}
	old := l.edge.Load()
	if old != nil && bytes.Equal(old.full.data, o.Data) { // a twin's: nobody need wake up
		return nil
	}
	s, err := newSnapshot(o)
	if err != nil {
		return err
	}
	if old != nil {
		s.follow(old)
	}
	l.replace(s)
	l.forget(s.media)
	return nil
}

// replace makes s, or nil, the newest snapshot and wakes everybody who waits. putMu is
// held.
func (l *line) replace(s *snapshot) {
	if old := l.edge.Swap(s); old != nil {
		close(old.next)
	}
}

// giveUp lets go of those who wait, and of those who would, once the live edge has
// stood for as long as a request may wait.
func (l *line) giveUp() {
	if !l.edge.Load().overdue() { // as a rule, and a put is not in its way then
		return
	}
	l.putMu.Lock()
	defer l.putMu.Unlock()
	if old := l.edge.Load(); old.overdue() { // none was put meanwhile
		s := *old
		s.stands, s.next = true, make(chan struct{})
		l.replace(&s)
	}
}

// release lets go of those who wait.
func (l *line) release() {
	l.putMu.Lock()
	defer l.putMu.Unlock()
	if old := l.edge.Load(); old != nil {
		s := *old
		s.stands, s.next = true, make(chan struct{})
		l.replace(&s)
	}
}

func (l *line) add(k packager.Key, f *file) {
	name := k.File()
	l.filesMu.Lock()
	old, known := l.files[name]
	l.files[name] = f
	l.filesMu.Unlock()
	l.bytes.Add(f.size())
	if known {
		l.bytes.Add(-old.size())
	} else {
		l.order = append(l.order, k)
	}
}

// A removed segment stays for as long as the longest playlist that named it
// (rfc8216bis section 6.2.2): another window. A part stays for three target
// durations after its tag, and then some for a CDN that is late.
const (
	segmentsKept = 32
	partsKept    = 8
)

// forget drops what no player asks for any more.
func (l *line) forget(m *hls.Media) {
	oldest, oldestPart := m.MediaSequence-segmentsKept, m.OpenMSN()-partsKept
	drop := func(k packager.Key) bool {
		return k.Kind == packager.Segment && k.MSN < oldest || k.Kind == packager.Part && k.MSN < oldestPart
	}
	kept := l.order[:0]
	for _, k := range l.order {
		if !drop(k) {
			kept = append(kept, k)
			continue
		}
		l.drop(k.File())
	}
	l.order = kept
}

func (l *line) drop(name string) {
	l.filesMu.Lock()
	defer l.filesMu.Unlock()
	if f := l.files[name]; f != nil {
		l.bytes.Add(-f.size())
		delete(l.files, name)
	}
}

// remove takes a file away, or the playlist, and then nobody waits for another one.
func (l *line) remove(k packager.Key) {
	l.putMu.Lock()
	defer l.putMu.Unlock()
	if k.Kind == packager.Media {
		l.replace(nil)
		return
	}
	l.order = slices.DeleteFunc(l.order, func(o packager.Key) bool { return o == k })
	l.drop(k.File())
}

// newSnapshot reads a playlist and renders what can be asked of it.
func newSnapshot(o packager.Object) (*snapshot, error) {
	m, err := hls.ParseMedia(o.Data)
	if err != nil {
		return nil, err
	}
	s := &snapshot{media: m, hint: m.Hint(), full: newFile(o), next: make(chan struct{}), at: time.Now()}
	s.fullBlock = s.full.blocking()
	if delta, ok := m.AppendDelta(nil); ok {
		s.delta = newFile(packager.Object{Key: o.Key, Data: delta})
		s.deltaBlock = s.delta.blocking()
	}
	return s, nil
}

// follow takes over from old what a playlist does not tell: that the live edge moves,
// and since when it does not.
func (s *snapshot) follow(old *snapshot) {
	s.moved = old.moved
	if s.media.Last().Compare(old.media.Last()) > 0 {
		s.moved = true
	} else {
		s.at, s.stands = old.at, old.stands
	}
}

// overdue reports whether those who wait for the next snapshot are to be let go; s may
// be nil.
func (s *snapshot) overdue() bool { return s != nil && !s.stands && time.Since(s.at) >= maxHold }

// answer returns the file that answers d.
func (s *snapshot) answer(d hls.Directives) *file {
	switch {
	case d.Skip != hls.SkipNone && s.delta != nil && d.Blocking:
		return s.deltaBlock
	case d.Skip != hls.SkipNone && s.delta != nil:
		return s.delta
	case d.Blocking:
		return s.fullBlock
	}
	return s.full
}
