package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sync"

	"longwave/origin/store"
	"longwave/packager"
)

// defaultInFlight bounds the file operations that run at once: some for every
// rendition's write and for readers, few enough that a disk that hangs does not
// cost a thread for each request.
const defaultInFlight = 64

// Options say where and how to keep objects.
type Options struct {
	// Dir is the folder. It is made if the folder above it exists.
	Dir string
	// InFlight is the number of file operations that may run at once; more
	// wait. 0 means 64.
	InFlight int
	// Volatile leaves out every flush: objects survive the end of the process,
	// a power cut may lose or empty them.
	Volatile bool
}

// A Store is a [store.Store] in a folder.
//
// Every operation returns when its context ends, even when the disk hangs: the
// operation is then left to itself, and counts against Options.InFlight until
// the disk answers.
type Store struct {
	root  *os.Root
	opts  Options
	slots chan struct{} // holds one value for each operation that runs

	tempMu sync.Mutex // guards temp
	temp   *temp      // made by the first write
}

var _ store.Store = (*Store)(nil)

// Open returns the store in o.Dir. The folder may be read-only: only writes fail
// then. See [Store.Probe].
func Open(o Options) (*Store, error) {
	if o.InFlight == 0 {
		o.InFlight = defaultInFlight
	}
	abs, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("open data folder %q: %w", o.Dir, err)
	}
	o.Dir = abs
	err = os.Mkdir(abs, 0o755)
	switch {
	case os.IsNotExist(err): // not made as well: it may be a disk that is not mounted
		return nil, fmt.Errorf("make data folder %s: %w: %s does not exist; make it, or mount it", abs, store.ErrRefused, filepath.Dir(abs))
	case err != nil && !os.IsExist(err):
		return nil, fmt.Errorf("make data folder %s: %w", abs, explain(err))
	}
	if st, err := os.Stat(abs); err == nil && !st.IsDir() {
		return nil, fmt.Errorf("open data folder %s: %w: it is not a folder; move it, or choose another", abs, store.ErrRefused)
	}
	root, err := os.OpenRoot(abs)
	if err != nil {
		return nil, fmt.Errorf("open data folder %s: %w", abs, explain(err))
	}
	return &Store{root: root, opts: o, slots: make(chan struct{}, o.InFlight)}, nil
}

// Close gives the folder back. No operation may run or follow.
func (s *Store) Close() error {
	s.tempMu.Lock()
	defer s.tempMu.Unlock()
	if s.temp != nil {
		s.temp.close()
		s.temp = nil
	}
	return s.root.Close()
}

// run runs f, which touches the disk, and waits for it or for the end of ctx.
func run[T any](ctx context.Context, s *Store, f func() (T, error)) (v T, err error) {
	type result struct {
		v   T
		err error
	}
	if ctx.Err() != nil {
		return v, context.Cause(ctx)
	}
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return v, context.Cause(ctx)
	}
	done := make(chan result, 1)
	go func() {
		defer func() { <-s.slots }()
		v, err := f()
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		return r.v, explain(r.err)
	case <-ctx.Done():
		return v, context.Cause(ctx)
	}
}

// Put implements [packager.Sink].
func (s *Store) Put(ctx context.Context, o packager.Object) error {
	_, err := s.PutIf(ctx, store.NameOf(o.Key), o.Data, store.Always)
	return err
}

// PutIf implements [store.Putter].
func (s *Store) PutIf(ctx context.Context, n store.Name, data []byte, c store.Condition) (store.ETag, error) {
	w := write{name: string(n), data: data}
	var err error
	if w.mode, w.want, err = c.On(n, len(data)); err != nil {
		return "", fmt.Errorf("put %q: %w", n, err)
	}
	w.flush = !s.opts.Volatile && !isPart(n)
	etag, err := run(ctx, s, func() (store.ETag, error) {
		etag, err := s.write(ctx, w)
		if errors.Is(err, fs.ErrNotExist) { // to write, nothing need be there but the data folder
			err = fmt.Errorf("%w: the data folder is gone; mount or make it, and restart: %s", store.ErrRefused, err.Error())
		}
		return etag, err
	})
	if err != nil {
		return "", fmt.Errorf("put %q: %w", n, err)
	}
	return etag, nil
}

func isPart(n store.Name) bool {
	k, ok := n.Key()
	return ok && k.Kind == packager.Part
}

// Get implements [store.Getter].
func (s *Store) Get(ctx context.Context, n store.Name) (store.Object, error) {
	if err := n.Check(); err != nil {
		return store.Object{}, fmt.Errorf("get %q: %w", n, err)
	}
	o, err := run(ctx, s, func() (store.Object, error) { return read(s.root, string(n), n) })
	if err != nil {
		return store.Object{}, fmt.Errorf("get %q: %w", n, err)
	}
	return o, nil
}

// Head implements [store.Getter]. It reads the file, because the ETag is made of
// its bytes.
func (s *Store) Head(ctx context.Context, n store.Name) (store.Info, error) {
	if err := n.Check(); err != nil {
		return store.Info{}, fmt.Errorf("head %q: %w", n, err)
	}
	o, err := run(ctx, s, func() (store.Object, error) { return read(s.root, string(n), n) })
	if err != nil {
		return store.Info{}, fmt.Errorf("head %q: %w", n, err)
	}
	return o.Info, nil
}

// read returns the object n from the file in dir.
func read(dir *os.Root, file string, n store.Name) (store.Object, error) {
	f, err := dir.Open(file)
	if err != nil {
		return store.Object{}, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return store.Object{}, err
	}
	if !st.Mode().IsRegular() {
		return store.Object{}, fs.ErrNotExist
	}
	if st.Size() > store.MaxBytes {
		return store.Object{}, fmt.Errorf("%d bytes are more than the %d that an object may have", st.Size(), store.MaxBytes)
	}
	data := make([]byte, st.Size())
	if _, err := io.ReadFull(f, data); err != nil { // a file with a name never changes its length
		return store.Object{}, fmt.Errorf("read %d bytes: %w", st.Size(), err)
	}
	return store.Object{
		Info: store.Info{Name: n, Size: st.Size(), ETag: store.ETagOf(data), Modified: st.ModTime()},
		Data: data,
	}, nil
}

// Delete implements [store.Sweeper].
func (s *Store) Delete(ctx context.Context, n store.Name) error {
	if err := n.Check(); err != nil {
		return fmt.Errorf("delete %q: %w", n, err)
	}
	_, err := run(ctx, s, func() (struct{}, error) { return struct{}{}, s.remove(ctx, n) })
	if err != nil {
		return fmt.Errorf("delete %q: %w", n, err)
	}
	return nil
}

func (s *Store) remove(ctx context.Context, n store.Name) error {
	dir, file := path.Split(string(n))
	f, err := openFolder(s.root, dir)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.close()
	if !n.Immutable() { // not between the compare and the swap of somebody else
		if err := f.lock(ctx); err != nil {
			return err
		}
	}
	if err := f.root.Remove(file); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}
