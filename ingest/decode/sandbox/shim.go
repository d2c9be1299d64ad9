//go:build linux

package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// enter runs in the copy: it shuts this thread in and executes the program.
// Everything is done on one thread with raw system calls; exec ends the others.
func enter(args []string) error {
	if len(args) < 4 {
		return errors.New("not enough arguments")
	}
	level, file, path, argv := args[0], args[1] == "true", args[3], args[3:]
	memory, err := strconv.ParseUint(args[2], 10, 64)
	if err != nil {
		return fmt.Errorf("memory: %w", err)
	}
	runtime.LockOSThread()
	if level == Full.String() {
		if err := newRoot(path, file); err != nil {
			return err
		}
	}
	if err := dropPrivileges(file); err != nil {
		return err
	}
	x, err := newExecution(path, argv, memory)
	if err != nil {
		return err
	}
	debug.SetGCPercent(-1)
	if err := limit(); err != nil {
		return err
	}
	if err := filter(); err != nil {
		return fmt.Errorf("system-call filter: %w", err)
	}
	return fmt.Errorf("execute %s: %w", path, x.run())
}

// An execution is all that the last two system calls need, made beforehand. A Go
// program has reserved more than the address space that is left to it when the
// limit is set, so not a byte may be allocated from then on.
type execution struct {
	path      *byte
	argv, env []*byte
	memory    unix.Rlimit
}

func newExecution(path string, argv []string, memory uint64) (*execution, error) {
	x := &execution{memory: unix.Rlimit{Cur: memory, Max: memory}}
	var err error
	if x.path, err = unix.BytePtrFromString(path); err == nil {
		x.argv, err = syscall.SlicePtrFromStrings(argv)
	}
	if err == nil {
		x.env, err = syscall.SlicePtrFromStrings(os.Environ())
	}
	return x, err
}

// run sets the limit of the address space and executes. It returns why it could
// not.
func (x *execution) run() unix.Errno {
	_, _, e := unix.RawSyscall6(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_AS, uintptr(unsafe.Pointer(&x.memory)), 0, 0, 0)
	for range 100 {
		if e != 0 {
			return e
		}
		_, _, e = unix.RawSyscall(unix.SYS_EXECVE,
			uintptr(unsafe.Pointer(x.path)), uintptr(unsafe.Pointer(&x.argv[0])), uintptr(unsafe.Pointer(&x.env[0])))
		if e == unix.EAGAIN { // a thread of the runtime was just being made
			e = 0
		}
	}
	return unix.EAGAIN
}

// visible is what a program needs to start: itself, its libraries, and the
// links that Debian's alternatives put between them.
var visible = []string{"/usr", "/bin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/etc/alternatives"}

// newRoot makes a root that holds what is visible, path, and with file standard
// input as /dev/stdin; all of it read-only.
func newRoot(path string, file bool) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	root, err := mountPoint(path)
	if err != nil {
		return err
	}
	const flags = unix.MS_NOSUID | unix.MS_NODEV
	if err := unix.Mount("tmpfs", root, "tmpfs", flags, "size=256k,nr_inodes=128,mode=755"); err != nil {
		return fmt.Errorf("mount root: %w", err)
	}
	for _, p := range visible {
		if err := show(root, p, p); err != nil {
			return err
		}
	}
	if !strings.HasPrefix(path, "/usr/") && !strings.HasPrefix(path, "/bin/") {
		if err := show(root, path, path); err != nil {
			return err
		}
	}
	if file {
		// By its name: the descriptor's own mount belongs to another namespace.
		name, err := os.Readlink("/proc/self/fd/0")
		if err != nil {
			return err
		}
		if err := bind(name, filepath.Join(root, "/dev/stdin"), false); err != nil {
			return err
		}
	}
	ro := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV}
	if err := unix.MountSetattr(-1, root, unix.AT_RECURSIVE, &ro); err != nil {
		return fmt.Errorf("make root read-only: %w", err)
	}
	return enterRoot(root)
}

func enterRoot(root string) error {
	if err := unix.Chdir(root); err != nil {
		return fmt.Errorf("enter root: %w", err)
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("change root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leave old root: %w", err)
	}
	return unix.Chdir("/")
}

// mountPoint returns a folder that may be covered: none that holds path.
func mountPoint(path string) (string, error) {
	for _, dir := range []string{"/mnt", "/srv", "/media", "/tmp", "/var"} {
		if fi, err := os.Lstat(dir); err == nil && fi.IsDir() && !strings.HasPrefix(path, dir+"/") {
			return dir, nil
		}
	}
	return "", errors.New("no folder to mount the root at")
}

// show makes path appear below root: a link as a link, a file or folder bound.
// What does not exist is left out.
func show(root, path, as string) error {
	fi, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	at := filepath.Join(root, as)
	if fi.Mode()&os.ModeSymlink == 0 {
		return bind(path, at, fi.IsDir())
	}
	to, err := os.Readlink(path)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return err
	}
	return os.Symlink(to, at)
}

func bind(from, at string, dir bool) error {
	place := at
	if !dir {
		place = filepath.Dir(at)
	}
	if err := os.MkdirAll(place, 0o755); err != nil {
		return err
	}
	if !dir {
		if err := os.WriteFile(at, nil, 0o600); err != nil {
			return err
		}
	}
	if err := unix.Mount(from, at, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("show %s: %w", from, err)
	}
	return nil
}

// dropPrivileges gives up every capability for good and, unless keep is set and
// where we are root, the user.
func dropPrivileges(keep bool) error {
	for c := uintptr(0); ; c++ {
		err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EPERM) {
			break // past the last one, or not ours to drop: then we have none
		}
		if err != nil {
			return fmt.Errorf("drop capabilities: %w", err)
		}
	}
	if !keep {
		if err := becomeNobody(); err != nil {
			return err
		}
	}
	// A change of user clears the death signal, so it is asked for (again) here.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("set death signal: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no new privileges: %w", err)
	}
	return nil
}

// becomeNobody changes the user of this thread where nobody exists, that is
// where we were started as root.
func becomeNobody() error {
	if _, _, e := unix.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0); e != 0 {
		return nil //nolint:nilerr // not root outside: there is nobody to change to
	}
	if _, _, e := unix.RawSyscall(unix.SYS_SETRESGID, nobody, nobody, nobody); e != 0 {
		return fmt.Errorf("change group: %w", e)
	}
	if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, nobody, nobody, nobody); e != 0 {
		return fmt.Errorf("change user: %w", e)
	}
	return nil
}

// limit sets the resource limits but that of the address space.
func limit() error {
	for _, l := range []struct {
		name  string
		which int
		max   uint64
	}{
		{"file size", unix.RLIMIT_FSIZE, 0},
		{"core size", unix.RLIMIT_CORE, 0},
		{"open files", unix.RLIMIT_NOFILE, 24},
	} {
		r := unix.Rlimit{Cur: l.max, Max: l.max}
		_, _, e := unix.RawSyscall6(unix.SYS_PRLIMIT64, 0, uintptr(l.which), uintptr(unsafe.Pointer(&r)), 0, 0, 0)
		if e != 0 {
			return fmt.Errorf("limit %s: %w", l.name, e)
		}
	}
	return nil
}
