package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path"
	"slices"
	"strings"

	"longwave/origin/store"
)

// List implements [store.Sweeper]. It lists regular files, also those that are
// not ours, but nothing whose name begins with a dot.
func (s *Store) List(ctx context.Context, prefix string, after store.Name) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		l := listing{s: s, prefix: prefix, after: string(after), yield: yield}
		if _, err := l.folder(ctx, ""); err != nil {
			yield(store.Info{}, fmt.Errorf("list %q: %w", prefix, err))
		}
	}
}

// A listing is one walk through the tree in the order of names.
type listing struct {
	s      *Store
	prefix string
	after  string
	yield  func(store.Info, error) bool
}

// folder lists what is below dir, which is empty or ends with a slash. It
// returns false when the reader of the list has left.
func (l *listing) folder(ctx context.Context, dir string) (more bool, err error) {
	entries, err := run(ctx, l.s, func() ([]fs.DirEntry, error) { return l.read(dir) })
	if errors.Is(err, store.ErrNotFound) { // removed since its name was read
		return true, nil
	}
	if err != nil {
		return false, err
	}
	// A folder sorts as the names in it do: with its slash.
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(entryName(a), entryName(b)) })
	for _, e := range entries {
		name := dir + entryName(e)
		if e.IsDir() {
			if l.mayHold(name) {
				if more, err := l.folder(ctx, name); err != nil || !more {
					return more, err
				}
			}
			continue
		}
		if !strings.HasPrefix(name, l.prefix) || name <= l.after {
			continue
		}
		st, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return false, explain(err)
		}
		if !l.yield(store.Info{Name: store.Name(name), Size: st.Size(), Modified: st.ModTime()}, nil) {
			return false, nil
		}
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
	}
	return true, nil
}

// mayHold reports whether a name that begins with dir can be wanted.
func (l *listing) mayHold(dir string) bool {
	if !strings.HasPrefix(dir, l.prefix) && !strings.HasPrefix(l.prefix, dir) {
		return false
	}
	return dir >= l.after || strings.HasPrefix(l.after, dir)
}

// read returns the folders and regular files in dir.
func (l *listing) read(dir string) ([]fs.DirEntry, error) {
	f, err := l.s.root.Open(path.Join(".", dir))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(entries, func(e os.DirEntry) bool {
		return strings.HasPrefix(e.Name(), ".") || !e.IsDir() && !e.Type().IsRegular()
	}), nil
}

func entryName(e fs.DirEntry) string {
	if e.IsDir() {
		return e.Name() + "/"
	}
	return e.Name()
}
