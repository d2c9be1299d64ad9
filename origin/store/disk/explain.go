package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"longwave/origin/store"
)

// explain adds to an error of the file system what it means for the store and
// what to do about it.
func explain(err error) error {
	is := func(targets ...error) bool {
		for _, t := range targets {
			if errors.Is(err, t) {
				return true
			}
		}
		return false
	}
	switch {
	case err == nil:
		return nil
	case is(syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG):
		return fmt.Errorf("%w: make room on the disk or keep less: %w", store.ErrFull, err)
	case is(syscall.EROFS):
		return fmt.Errorf("%w: the disk is mounted read-only; mount it for writing or choose another data folder: %w", store.ErrRefused, err)
	case is(fs.ErrPermission):
		return fmt.Errorf("%w: give the user that longwave runs as the right to write in the data folder: %w", store.ErrRefused, err)
	case is(syscall.EXDEV, syscall.EMLINK, syscall.EOPNOTSUPP):
		return fmt.Errorf("%w: the data folder must be one file system with hard links: %w", store.ErrRefused, err)
	case is(syscall.EIO, syscall.ESTALE):
		return fmt.Errorf("the disk fails; look at it before more is lost: %w", err)
	case is(syscall.EMFILE, syscall.ENFILE):
		return fmt.Errorf("too many open files; raise the limit (LimitNOFILE, ulimit -n): %w", err)
	case is(fs.ErrNotExist):
		return fmt.Errorf("%w: %w", store.ErrNotFound, err)
	case is(syscall.ENOTDIR, fs.ErrExist):
		return fmt.Errorf("%w: something that is not ours is in the way; move it out of the data folder: %w", store.ErrRefused, err)
	}
	return err
}
