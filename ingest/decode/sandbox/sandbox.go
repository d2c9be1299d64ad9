//go:build linux

// Package sandbox runs a program that reads foreign bytes so that it can do
// little else: it has no network, no writable file, no sight of other processes
// and bounded memory, also when the bytes have taken it over.
//
// The program is not started directly. This executable starts itself again under
// another name; [Main], which every main and TestMain that uses the package calls
// first, sees that name, takes away what the program does not need, and executes
// it. It is pure Go: no helper to install, no set-uid.
//
// At level [Full] the program has its own user, network, process, IPC and mount
// namespaces and a root that holds nothing but /usr and the libraries, read-only.
// At both levels it cannot gain privileges, is bounded in address space (1 GB)
// and open files (24), can write no file and dump no core, and the system calls
// for sockets, tracing, mounting, kernel modules and the like answer EPERM.
// Where namespaces are not permitted the level is [Plain], which is told once.
//
// This package does not bound processor time, because decoders live long, and
// does not hide the file system at level Plain.
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A Level says how far a program is shut in.
type Level uint8

const (
	// Plain is resource limits, system-call filter and no new privileges.
	Plain Level = iota
	// Full is Plain with namespaces of its own and a root of its own.
	Full
)

// String returns the level's name.
func (l Level) String() string {
	if l == Full {
		return "full"
	}
	return "plain"
}

// shimName is argv[0] of the copy of this executable that shuts itself in.
const shimName = "longwave-sandbox"

// nobody is the user that the program runs as when we are root.
const nobody = 65534

// hooked says that Main was called: without it the copy would not know its task
// and run the whole program again.
var hooked atomic.Bool

// Main must be called first in main and in TestMain. In the copy of the
// executable that is to become the program it does not return.
func Main() {
	if len(os.Args) == 0 || os.Args[0] != shimName {
		hooked.Store(true)
		return
	}
	err := enter(os.Args[1:])
	fmt.Fprintln(os.Stderr, "sandbox:", err)
	os.Exit(126)
}

// A Program is what is to be run.
type Program struct {
	Path string // absolute
	Args []string
	// Level is how far it is shut in: what [Detect] found.
	Level Level
	// File says that standard input is a file of the operator's that the program
	// opens again as /dev/stdin to move about in it. It then keeps our user.
	File bool
	// MemoryBytes bounds the address space; 0: 1 GB. Below 450 MB ffmpeg 5
	// hangs at its end.
	MemoryBytes uint64
}

var errNotHooked = errors.New("sandbox: Main was not called at the start of this program")

// Command returns the command that runs p; the caller sets its standard input
// and outputs. When ctx ends the whole process group is killed. The program also
// ends with us.
func Command(ctx context.Context, p Program) (*exec.Cmd, error) {
	if !hooked.Load() {
		return nil, errNotHooked
	}
	if p.MemoryBytes == 0 {
		p.MemoryBytes = 1 << 30
	}
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Args = append([]string{shimName, p.Level.String(), fmt.Sprint(p.File), fmt.Sprint(p.MemoryBytes), p.Path}, p.Args...)
	cmd.Env = []string{"LC_ALL=C", "PATH=/usr/bin:/bin", "AV_LOG_FORCE_NOCOLOR=1"}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	if p.Level == Full {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET |
			syscall.CLONE_NEWIPC | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID
		cmd.SysProcAttr.UidMappings = mapping(os.Getuid())
		cmd.SysProcAttr.GidMappings = mapping(os.Getgid())
		cmd.SysProcAttr.GidMappingsEnableSetgroups = os.Getuid() == 0
	}
	return cmd, nil
}

// mapping makes id the namespace's root, which lets the shim build a root of its
// own; when id is root outside, nobody is there to change to.
func mapping(id int) []syscall.SysProcIDMap {
	m := []syscall.SysProcIDMap{{ContainerID: 0, HostID: id, Size: 1}}
	if id == 0 {
		m = append(m, syscall.SysProcIDMap{ContainerID: nobody, HostID: nobody, Size: 1})
	}
	return m
}

// levels remembers what Detect found for a program.
var levels struct {
	sync.Mutex
	found map[string]Level
}

// Detect finds the highest level at which the program at path runs here, by
// running it with args, which must make it end with exit code 0 at once. It
// looks once for each path. A level below Full is logged as a warning, once. The
// error says that the program does not run at any level.
func Detect(ctx context.Context, path string, log *slog.Logger, args ...string) (Level, error) {
	levels.Lock()
	defer levels.Unlock()
	if l, ok := levels.found[path]; ok {
		return l, nil
	}
	full := try(ctx, Program{Path: path, Args: args, Level: Full})
	if full == nil {
		return remember(path, Full), nil
	}
	if err := try(ctx, Program{Path: path, Args: args, Level: Plain}); err != nil {
		return Plain, fmt.Errorf("run %s in the sandbox: %w", path, err)
	}
	log.WarnContext(ctx, "decoders run without namespaces of their own", "program", path, "reason", full)
	return remember(path, Plain), nil
}

func remember(path string, l Level) Level {
	if levels.found == nil {
		levels.found = map[string]Level{}
	}
	levels.found[path] = l
	return l
}

func try(ctx context.Context, p Program) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	cmd, err := Command(ctx, p)
	if err != nil {
		return err
	}
	said, err := cmd.CombinedOutput()
	if err != nil {
		line, _, _ := strings.Cut(string(said), "\n")
		return fmt.Errorf("%w: %.200s", err, line)
	}
	return nil
}
