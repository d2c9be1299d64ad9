package disk

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"longwave/origin/store"
)

// A write is what PutIf was asked for.
type write struct {
	name  string
	data  []byte
	mode  store.Mode
	want  store.ETag // for Compare
	flush bool
}

// write makes w.data the object w.name. What a kill leaves behind, by line:
//
//	before publish   a file in .tmp, which the next process removes
//	after publish    the whole object under its name
//
// After a power cut the object is there for certain only if write had returned.
func (s *Store) write(ctx context.Context, w write) (store.ETag, error) {
	tmp, err := s.writeTemp(w)
	if err != nil {
		return "", err
	}
	defer func() { _ = s.root.Remove(tmp) }() // it has its name, or is of no use
	dir, file := path.Split(w.name)
	f, err := s.makeFolder(dir, w.flush)
	if err != nil {
		return "", err
	}
	defer f.close()
	if err := s.publish(ctx, w, tmp, f, file); err != nil {
		return "", err
	}
	if w.flush {
		// Also when the same bytes were there already: whoever wrote them may
		// not have come to this line yet.
		if err := f.dir.Sync(); err != nil {
			return "", err
		}
	}
	return store.ETagOf(w.data), nil
}

// writeTemp writes the data to a file of its own and returns the file's path.
func (s *Store) writeTemp(w write) (string, error) {
	t, err := s.openTemp()
	if err != nil {
		return "", err
	}
	name := path.Join(t.dir, rand.Text())
	f, err := s.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrNotExist) {
		s.dropTemp(t) // somebody cleaned up behind us: the next write makes it anew
	}
	if err != nil {
		return "", err
	}
	_, err = f.Write(w.data)
	if err == nil && w.flush {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		_ = s.root.Remove(name)
		return "", err
	}
	return name, nil
}

// publish gives the file tmp the name w.name if the write's condition holds.
func (s *Store) publish(ctx context.Context, w write, tmp string, f *folder, file string) error {
	if ctx.Err() != nil { // the caller has gone: better not than late
		return context.Cause(ctx)
	}
	switch w.mode {
	case store.Create, store.CreateOnce:
		err := s.root.Link(tmp, w.name)
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
		if w.mode == store.CreateOnce {
			is, err := read(f.root, file, store.Name(w.name))
			if err != nil {
				return err
			}
			if bytes.Equal(is.Data, w.data) {
				return nil
			}
		}
		return store.ErrConflict
	default:
		if err := f.lock(ctx); err != nil {
			return err
		}
		defer f.unlock()
		if w.mode == store.Compare {
			is, err := read(f.root, file, store.Name(w.name))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			if is.ETag != w.want {
				return store.ErrConflict
			}
		}
		return s.root.Rename(tmp, w.name)
	}
}

// A folder is an open folder of objects.
type folder struct {
	root *os.Root
	dir  *os.File // to flush and to lock
}

func openFolder(root *os.Root, dir string) (*folder, error) {
	r, err := root.OpenRoot(path.Clean(dir))
	if err != nil {
		return nil, err
	}
	d, err := r.Open(".")
	if err != nil {
		_ = r.Close()
		return nil, err
	}
	return &folder{r, d}, nil
}

func (f *folder) close() {
	_ = f.dir.Close()
	_ = f.root.Close()
}

// lockRetry is how long a writer waits before it tries a taken lock again. The
// lock is held for one read and one rename.
const lockRetry = time.Millisecond

// lock waits until this folder is ours, against other processes and against
// other operations of this one, which have it open on their own.
func (f *folder) lock(ctx context.Context) error {
	for {
		err := unix.Flock(int(f.dir.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, unix.EINTR):
			continue
		case !errors.Is(err, unix.EWOULDBLOCK):
			return fmt.Errorf("lock folder: %w", err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(lockRetry):
		}
	}
}

// unlock ends lock. Closing the folder does as well.
func (f *folder) unlock() { _ = unix.Flock(int(f.dir.Fd()), unix.LOCK_UN) }

// makeFolder opens the folder dir and makes it, and those above it, if need be.
func (s *Store) makeFolder(dir string, flush bool) (*folder, error) {
	f, err := openFolder(s.root, dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	elem := strings.Split(path.Clean(dir), "/")
	for i := range elem {
		if err := s.root.Mkdir(path.Join(elem[:i+1]...), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		if !flush {
			continue
		}
		above, err := s.root.Open(path.Join(".", path.Join(elem[:i]...)))
		if err != nil {
			return nil, err
		}
		if err := errors.Join(above.Sync(), above.Close()); err != nil {
			return nil, err
		}
	}
	return openFolder(s.root, dir)
}
