//go:build linux

package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	Main()
	if len(os.Args) > 2 && os.Args[1] == "attempt" {
		for name := range strings.SplitSeq(os.Args[2], ",") {
			fmt.Printf("%s: %s\n", name, outcome(attempts[name](os.Args[3:])))
		}
		return
	}
	os.Exit(m.Run())
}

// attempts are what somebody who has taken the program over would try.
var attempts = map[string]func(args []string) error{
	"nothing": func([]string) error { return nil },
	"tcp": func(a []string) error {
		c, err := net.Dial("tcp", a[1])
		if err == nil {
			err = c.Close()
		}
		return err
	},
	"unix socket": func([]string) error { _, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0); return err },
	"read":        func(a []string) error { _, err := os.ReadFile(a[0]); return err },
	"write":       func(a []string) error { return os.WriteFile(a[0], []byte("x"), 0o600) },
	"append": func(a []string) error {
		_, err := os.OpenFile(a[0], os.O_WRONLY|os.O_APPEND, 0)
		return err
	},
	"remove":     func(a []string) error { return os.Remove(a[0]) },
	"signal":     func([]string) error { return unix.Kill(unix.Getppid(), 0) },
	"trace":      func([]string) error { return unix.PtraceAttach(1) },
	"mount":      func([]string) error { return unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") },
	"namespaces": func([]string) error { return unix.Unshare(unix.CLONE_NEWUSER) },
	"memory": func([]string) error {
		_, err := unix.Mmap(-1, 0, memory, unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANON)
		return err
	},
	"ring": func([]string) error {
		_, _, e := unix.Syscall(unix.SYS_IO_URING_SETUP, 1, 0, 0)
		return e
	},
	"stdin again": func([]string) error { _, err := os.ReadFile("/dev/stdin"); return err },
	"root":        func([]string) error { return wrongIf(os.Getuid() == 0) },
}

func wrongIf(wrong bool) error {
	if wrong {
		return nil
	}
	return syscall.EPERM
}

func outcome(err error) string {
	var e syscall.Errno
	switch {
	case err == nil:
		return "done"
	case errors.As(err, &e):
		return unix.ErrnoName(e)
	}
	return err.Error()
}

// reachable lets everybody enter the folders above path, so that only the
// sandbox stands in the way.
func reachable(t *testing.T, path string) {
	t.Helper()
	for d := path; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		fi, err := os.Stat(d)
		if err != nil {
			t.Fatal(err)
		}
		if fi.IsDir() && fi.Mode()&0o055 != 0o055 {
			if err := os.Chmod(d, fi.Mode()|0o055); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// memory is more than ffmpeg is given: a Go program reserves a gigabyte.
const memory = 4 << 30

// attempt makes the attempts of these names in the sandbox and returns what came
// of each.
func attempt(t *testing.T, p Program, stdin *os.File, names []string, args ...string) map[string]string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	reachable(t, self)
	p.MemoryBytes = memory
	p.Path, p.Args = self, append([]string{"attempt", strings.Join(names, ",")}, args...)
	cmd, err := Command(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if stdin != nil {
		cmd.Stdin = stdin
	}
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %v\n%s", names, err, stderr.String())
	}
	got := map[string]string{}
	for line := range strings.Lines(stdout.String()) {
		name, what, _ := strings.Cut(strings.TrimSpace(line), ": ")
		got[name] = what
	}
	return got
}

// TestShutIn is the proof: at each level every way out is closed. It turns red
// when the filter, the limits or the new root are left out.
func TestShutIn(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	dir := t.TempDir()
	reachable(t, dir)
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(secret, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, level := range levelsHere(t) {
		want := map[string]string{
			"nothing": "done", "tcp": "EPERM", "unix socket": "EPERM", "write": "EPERM", "append": "EPERM",
			"remove": "EPERM", "signal": "EPERM", "trace": "EPERM", "mount": "EPERM", "namespaces": "EPERM",
			"memory": "ENOMEM", "ring": "EPERM", "read": "done", "stdin again": "ENOENT", "root": "EPERM",
		}
		if level == Full {
			want["read"] = "ENOENT"
			if os.Getuid() != 0 {
				want["root"] = "done" // of its own namespace, and nobody in particular outside
			}
		} else {
			want["stdin again"] = "done"
		}
		names := slices.Sorted(maps.Keys(want))
		got := attempt(t, Program{Level: level}, nil, names, secret, ln.Addr().String())
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("level %v (-want +got):\n%s", level, diff)
		}
		if b, err := os.ReadFile(secret); err != nil || string(b) != "secret" {
			t.Errorf("level %v: the file holds %q, %v", level, b, err)
		}
	}
}

// levelsHere returns Plain, and Full where this machine permits it: then Detect
// must say so.
func levelsHere(t *testing.T) []Level {
	t.Helper()
	var log bytes.Buffer
	clear(levels.found)
	l, err := Detect(t.Context(), "/bin/true", slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if warned := strings.Contains(log.String(), "level=WARN"); warned != (l == Plain) {
		t.Errorf("level %v, log %q", l, log.String())
	}
	t.Logf("levels up to %v", l)
	if l == Full {
		return []Level{Plain, Full}
	}
	return []Level{Plain}
}

func TestFileOfTheOperators(t *testing.T) {
	name := filepath.Join(t.TempDir(), "sound")
	if err := os.WriteFile(name, []byte("sound"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, level := range levelsHere(t) {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{"stdin again": "done", "append": "EPERM"}
		got := attempt(t, Program{Level: level, File: true}, f, []string{"stdin again", "append"}, "/dev/stdin")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("level %v (-want +got):\n%s", level, diff)
		}
		_ = f.Close()
	}
}

func TestDetectSaysWhatDoesNotRun(t *testing.T) {
	_, err := Detect(t.Context(), "/nowhere/ffmpeg", slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "/nowhere/ffmpeg") {
		t.Errorf("Detect = %v, want an error that names the program", err)
	}
}

func TestCommandNeedsMain(t *testing.T) {
	hooked.Store(false)
	defer hooked.Store(true)
	if _, err := Command(t.Context(), Program{Path: "/bin/true"}); !errors.Is(err, errNotHooked) {
		t.Errorf("Command = %v, want %v", err, errNotHooked)
	}
}
