package disk

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// tempDir holds files that are being written. It is one place, and not the
// folder of each object, so that what a killed process left is found without
// reading an archive of a million names.
const tempDir = ".tmp"

// A temp is this process's folder in tempDir. Its lock says that the process
// lives; the kernel opens it when the process ends, however it ends.
type temp struct {
	root *os.Root // of the store
	dir  string
	lock *os.File
}

func (t *temp) close() {
	_ = t.root.RemoveAll(t.dir)
	_ = t.lock.Close()
}

// openTemp returns this process's folder, and at the first call makes it and
// removes those of processes that are no more.
func (s *Store) openTemp() (*temp, error) {
	s.tempMu.Lock()
	defer s.tempMu.Unlock()
	if s.temp != nil {
		return s.temp, nil
	}
	if err := s.root.Mkdir(tempDir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	if err := sweep(s.root); err != nil {
		return nil, fmt.Errorf("clean %s: %w", tempDir, err)
	}
	for {
		t, err := newTemp(s.root)
		if errors.Is(err, errSwept) {
			continue
		}
		s.temp = t
		return t, err
	}
}

// dropTemp gives up a folder that is no longer there.
func (s *Store) dropTemp(t *temp) {
	s.tempMu.Lock()
	defer s.tempMu.Unlock()
	if s.temp == t {
		t.close()
		s.temp = nil
	}
}

// errSwept says that another process took a folder that was made and not locked
// yet for one that was left behind.
var errSwept = errors.New("swept")

// newTemp makes and locks a folder, or fails with errSwept.
func newTemp(root *os.Root) (*temp, error) {
	t := &temp{root: root, dir: path.Join(tempDir, rand.Text())}
	if err := root.Mkdir(t.dir, 0o700); err != nil {
		return nil, err
	}
	lock, err := lockDir(root, t.dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.EWOULDBLOCK) {
		return nil, errSwept
	}
	if err != nil {
		return nil, err
	}
	t.lock = lock
	if _, err := root.Stat(t.dir); err != nil { // no two folders ever have the same name
		lock.Close()
		return nil, errSwept
	}
	return t, nil
}

// sweep removes the folders in tempDir whose process is no more.
func sweep(root *os.Root) error {
	dir, err := root.Open(tempDir)
	if err != nil {
		return err
	}
	names, err := dir.Readdirnames(-1)
	if err = errors.Join(err, dir.Close()); err != nil {
		return err
	}
	for _, n := range names {
		p := path.Join(tempDir, n)
		lock, err := lockDir(root, p)
		if err != nil { // its process lives, or it has gone meanwhile
			continue
		}
		err = root.RemoveAll(p)
		if err = errors.Join(err, lock.Close()); err != nil {
			return err
		}
	}
	return nil
}

// lockDir opens the folder and locks it, or fails with EWOULDBLOCK.
func lockDir(root *os.Root, name string) (*os.File, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
