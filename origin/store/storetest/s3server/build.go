package s3server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// source is the folder of the server's module, below the one of the project's.
const source = "origin/store/s3/versitygw"

// Build returns the path of the server's program. The first call on a machine
// builds it (about a minute of CPU); then it is taken from the user's cache
// folder, under a name made of the sources, the sums of all modules, and the Go
// version. Processes that call it at the same time wait for one build.
func Build(ctx context.Context) (string, error) {
	dir, err := sourceDir()
	if err != nil {
		return "", err
	}
	name, err := binaryName(dir)
	if err != nil {
		return "", fmt.Errorf("name S3 server: %w", err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find cache folder: %w", err)
	}
	cache = filepath.Join(cache, "longwave")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", fmt.Errorf("make cache folder: %w", err)
	}
	bin := filepath.Join(cache, name)
	unlock, err := lockFile(bin + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(bin); !errors.Is(err, fs.ErrNotExist) {
		return bin, err
	}
	if err := build(ctx, dir, bin); err != nil {
		return "", err
	}
	return bin, nil
}

func build(ctx context.Context, dir, bin string) error {
	part := fmt.Sprintf("%s.%d", bin, os.Getpid())
	defer func() { _ = os.Remove(part) }() // renamed when all is well
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", part, ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-buildvcs=false", "GOWORK=off", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build S3 server in %s: %w\n%s", dir, err, out)
	}
	if err := os.Rename(part, bin); err != nil {
		return fmt.Errorf("keep S3 server: %w", err)
	}
	return nil
}

// sourceDir finds the server's sources from the folder in which the test runs.
func sourceDir() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find S3 server's sources: %w", err)
	}
	for {
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(mod), "module longwave\n") {
			return filepath.Join(dir, filepath.FromSlash(source)), nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("find S3 server's sources: the test does not run inside the module longwave")
		}
		dir = filepath.Dir(dir)
	}
}

func binaryName(dir string) (string, error) {
	h := sha256.New()
	h.Write([]byte(runtime.Version()))
	for _, name := range []string{"go.mod", "go.sum", "main.go"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return "", err
		}
		h.Write(data)
	}
	return "versitygw-" + hex.EncodeToString(h.Sum(nil)[:8]), nil
}

func lockFile(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { f.Close() }, nil
}
