package relay

import (
	"sync"
	"time"

	"longwave/packager"
	"longwave/packager/hls"
)

// What is kept of a rendition: the live window, and the parts that a playlist lists.
const (
	segmentsKept = 34
	partsKept    = 4 // segments with parts
	initsKept    = 4
	arrivalsKept = 256
)

// A window is what a rendition had lately. Safe for concurrent use.
type window struct {
	mu       sync.Mutex
	files    map[packager.Key][]byte
	inits    []packager.Key // of files, oldest first
	newest   int64          // the highest MSN
	list     []byte         // the newest playlist
	version  int            // of list, from 1
	arrivals []arrival      // what the other side's playlist does not name yet
}

// An arrival is when something was made.
type arrival struct {
	what hls.Position
	at   time.Time
}

func newWindow() *window { return &window{files: map[packager.Key][]byte{}} }

// put takes an object in and forgets what is too old. An object that arrives says how
// far the other side is behind only when it is the newest thing: parts says whether
// parts or segments are.
func (w *window) put(o packager.Object, parts bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch o.Key.Kind {
	case packager.Media:
		w.list = o.Data
		w.version++
		return
	case packager.Init:
		if w.files[o.Key] == nil {
			w.inits = append(w.inits, o.Key)
		}
	case packager.Part:
		w.arrive(hls.Position{MSN: o.Key.MSN, Part: o.Key.Part})
	case packager.Segment:
		if !parts && !o.Filler {
			w.arrive(hls.Position{MSN: o.Key.MSN, Part: hls.Whole})
		}
	default:
		return
	}
	w.files[o.Key] = o.Data
	w.newest = max(w.newest, o.Key.MSN)
	w.forget()
}

func (w *window) arrive(p hls.Position) {
	if len(w.arrivals) == arrivalsKept {
		w.arrivals = append(w.arrivals[:1], w.arrivals[2:]...) // the oldest one tells how late it is
	}
	w.arrivals = append(w.arrivals, arrival{p, time.Now()})
}

func (w *window) forget() {
	for k := range w.files {
		if k.Kind == packager.Segment && k.MSN < w.newest-segmentsKept || k.Kind == packager.Part && k.MSN < w.newest-partsKept {
			delete(w.files, k)
		}
	}
	for len(w.inits) > initsKept {
		delete(w.files, w.inits[0])
		w.inits = w.inits[1:]
	}
}

// get returns an object's bytes or nil.
func (w *window) get(k packager.Key) []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.files[k]
}

// playlist returns the newest playlist and its version, 0 when there is none.
func (w *window) playlist() ([]byte, int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.list, w.version
}

// published notes that the other side's playlist ends with p, and returns how long the
// newest thing that it newly names was under way.
func (w *window) published(p hls.Position) (delay time.Duration, some bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for n < len(w.arrivals) && w.arrivals[n].what.Compare(p) <= 0 {
		n++
	}
	if n > 0 {
		delay, some = time.Since(w.arrivals[n-1].at), true
	}
	w.arrivals = w.arrivals[:copy(w.arrivals, w.arrivals[n:])]
	return delay, some
}

// lag is how long the oldest thing waits that the other side's playlist does not name.
func (w *window) lag() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.arrivals) == 0 {
		return 0
	}
	return time.Since(w.arrivals[0].at)
}

// size is how many bytes are kept.
func (w *window) size() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(w.list)
	for _, data := range w.files {
		n += len(data)
	}
	return n
}

// clear forgets what waits: the rendition is not sent.
func (w *window) clear() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.arrivals = w.arrivals[:0]
}
