package systemtest

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"longwave/packager"
)

// A Ledger remembers every immutable object that was seen, by HTTP, on a disk or in
// a bucket: a key, once written, never changes its bytes. It also gathers whatever
// else is found wrong. The zero Ledger is ready for use, by anybody at any time.
type Ledger struct {
	mu      sync.Mutex
	seen    map[packager.Key]sighting
	found   []string
	foundOf map[string]int // by what is wrong
}

// A sighting is how an object looked, and where it was seen first.
type sighting struct {
	sum   [sha256.Size]byte
	bytes int
	where string
}

// See enters an object that was seen somewhere.
func (l *Ledger) See(k packager.Key, data []byte, where string) {
	if !k.Immutable() {
		return
	}
	now := sighting{sum: sha256.Sum256(data), bytes: len(data), where: where}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen == nil {
		l.seen = map[packager.Key]sighting{}
	}
	was, ok := l.seen[k]
	if !ok {
		l.seen[k] = now
		return
	}
	if was.sum != now.sum {
		l.report("changed", "%s has other bytes: %d (%s), it had %d (%s)", k, now.bytes, where, was.bytes, was.where)
	}
}

// SeeFolder enters every object of a disk store. Objects that go meanwhile are
// passed over.
func (l *Ledger) SeeFolder(store, where string) error {
	return filepath.WalkDir(store, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && !os.IsNotExist(err):
			return err
		case err != nil || d.IsDir() && d.Name() == ".tmp":
			return fs.SkipDir
		case d.IsDir():
			return nil
		}
		name, err := filepath.Rel(store, path)
		if err != nil {
			return err
		}
		k, err := packager.ParseKey(filepath.ToSlash(name))
		if err != nil {
			return nil //nolint:nilerr // not an object
		}
		data, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			return nil
		}
		l.See(k, data, where)
		return err
	})
}

// Keys returns the keys of all objects that were seen of a station's rendition and
// of a kind, in order.
func (l *Ledger) Keys(station, rendition string, kind packager.Kind) []packager.Key {
	l.mu.Lock()
	defer l.mu.Unlock()
	var keys []packager.Key
	for k := range maps.Keys(l.seen) {
		if k.Station == station && k.Rendition == rendition && k.Kind == kind {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b packager.Key) int {
		if a.MSN != b.MSN {
			return int(a.MSN - b.MSN)
		}
		return a.Part - b.Part
	})
	return keys
}

// Report notes that something is wrong; what names its sort.
func (l *Ledger) Report(what, format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.report(what, format, args...)
}

// mostOfASort is how many findings of one sort are told.
const mostOfASort = 5

func (l *Ledger) report(what, format string, args ...any) {
	if l.foundOf == nil {
		l.foundOf = map[string]int{}
	}
	l.foundOf[what]++
	if l.foundOf[what] <= mostOfASort {
		l.found = append(l.found, what+": "+fmt.Sprintf(format, args...))
	}
}

// Found returns what is wrong, some of each sort.
func (l *Ledger) Found() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.found)
}

// FoundOf returns how often something of a sort was wrong.
func (l *Ledger) FoundOf(what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.foundOf[what]
}
