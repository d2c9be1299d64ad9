package disk_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"longwave/origin/store"
	"longwave/origin/store/disk"
)

// procContext is the context of a child, which has no test.
func procContext() context.Context { return context.Background() }

// TestFullDisk runs fillDisk in a mount namespace of its own, where it may mount.
func TestFullDisk(t *testing.T) {
	cmd := child(t, roleFull, t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	cmd.Stdout = t.Output()
	if err := cmd.Run(); err != nil {
		t.Fatalf("in a user namespace of its own: %v", err)
	}
}

// fillDisk puts segments on a disk of 1 MB until it is full, sees what is kept,
// makes room, and goes on; then the disk becomes read-only.
func fillDisk(folder string) error {
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=1m"); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	s, err := disk.Open(disk.Options{Dir: folder})
	if err != nil {
		return err
	}
	ctx := procContext()
	var kept []store.Name
	for msn := 0; ; msn++ {
		n := store.Name(fmt.Sprintf("talk/opus-48/%d.m4s", msn))
		_, err := s.PutIf(ctx, n, content(n), store.Always)
		if err == nil {
			kept = append(kept, n)
			continue
		}
		if !errors.Is(err, store.ErrFull) || !strings.Contains(err.Error(), "make room") || strings.Contains(err.Error(), "\n") {
			return fmt.Errorf("full disk: %w", err)
		}
		break
	}
	if len(kept) < 10 {
		return fmt.Errorf("full after %d segments", len(kept))
	}
	if r := s.Probe(ctx); r.Err() == nil && !strings.Contains(r.String(), "make room") {
		return fmt.Errorf("the probe says nothing of a full disk: %v", r)
	}
	listed := 0
	for info, err := range s.List(ctx, "", "") {
		o, err2 := s.Get(ctx, info.Name)
		if err := errors.Join(err, err2); err != nil {
			return err
		}
		if !bytes.Equal(o.Data, content(info.Name)) {
			return fmt.Errorf("%q is not whole", info.Name)
		}
		listed++
	}
	if listed != len(kept) {
		return fmt.Errorf("%d listed, %d kept", listed, len(kept))
	}
	if err := s.Delete(ctx, kept[0]); err != nil {
		return err
	}
	n := store.Name("talk/opus-48/999.m4s")
	if _, err := s.PutIf(ctx, n, content(n), store.Always); err != nil {
		return fmt.Errorf("after making room: %w", err)
	}
	return readOnly(ctx, s, folder)
}

func readOnly(ctx context.Context, s *disk.Store, folder string) error {
	if err := syscall.Mount("tmpfs", folder, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		// Another file system that is busy is not made read-only.
		return fmt.Errorf("remount: %w", err)
	}
	_, err := s.PutIf(ctx, "talk/index.m3u8", nil, store.Always)
	if !errors.Is(err, store.ErrRefused) || !strings.Contains(err.Error(), "read-only") {
		return fmt.Errorf("read-only disk: %w", err)
	}
	fresh, err := disk.Open(disk.Options{Dir: folder})
	if err != nil {
		return fmt.Errorf("open read-only: %w", err)
	}
	if _, err := fresh.Get(ctx, "talk/opus-48/999.m4s"); err != nil {
		return fmt.Errorf("get from a read-only disk: %w", err)
	}
	if err := fresh.Probe(ctx).Err(); err == nil || !strings.Contains(err.Error(), "read-only") {
		return fmt.Errorf("probe of a read-only disk: %w", err)
	}
	return nil
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		dir  string
		err  string // empty: it opens
	}{
		{"there", dir, ""},
		{"made", filepath.Join(dir, "data"), ""},
		{"nothing above", filepath.Join(dir, "disk", "data"), "does not exist"},
		{"a file", file, "is not a folder"},
	}
	for _, tt := range tests {
		s, err := disk.Open(disk.Options{Dir: tt.dir})
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) || !errors.Is(err, store.ErrRefused) {
				t.Errorf("%s: error %v, want one that says %q", tt.name, err, tt.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestLeftovers: files of processes that are no more are removed by the next
// write; those of one that lives are not.
func TestLeftovers(t *testing.T) {
	dir := t.TempDir()
	open := func() *disk.Store {
		s, err := disk.Open(disk.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.PutIf(t.Context(), "talk/index.m3u8", []byte("#EXTM3U\n"), store.Always); err != nil {
			t.Fatal(err)
		}
		return s
	}
	folders := func() []string {
		all, err := filepath.Glob(filepath.Join(dir, ".tmp", "*"))
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	alive := open()
	before := folders()
	dead := filepath.Join(dir, ".tmp", "DEAD")
	if err := os.Mkdir(dead, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dead, "HALF"), []byte("ha"), 0o600); err != nil {
		t.Fatal(err)
	}
	other := open()
	after := folders()
	if len(after) != 2 || !slices.Contains(after, before[0]) || slices.Contains(after, dead) {
		t.Errorf("%v, then %v", before, after)
	}
	for _, s := range []*disk.Store{alive, other} {
		if _, err := s.PutIf(t.Context(), "talk/index.m3u8", []byte("#EXTM3U\n"), store.Always); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if left := folders(); len(left) != 0 {
		t.Errorf("left after Close: %v", left)
	}
}

// TestTwoStores: compare-and-swap holds between two stores on one folder, as
// between two processes.
func TestTwoStores(t *testing.T) {
	dir := t.TempDir()
	n := store.Private("counter")
	done := make(chan error, 2)
	for range 2 {
		s := open(t, disk.Options{Dir: dir})
		go func() {
			for range 100 {
				if _, err := store.Update(t.Context(), s, n, func(v *int) error { *v++; return nil }); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	if err := errors.Join(<-done, <-done); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "_", "counter.json"))
	if err != nil || string(got) != "200" {
		t.Errorf("counted to %s, %v; want 200", got, err)
	}
}

// TestEscape: what is outside the folder cannot be reached through it.
func TestEscape(t *testing.T) {
	outside := t.TempDir()
	secret := filepath.Join(outside, "index.m3u8")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, "talk")); err != nil {
		t.Fatal(err)
	}
	s := open(t, disk.Options{Dir: dir})
	if o, err := s.Get(t.Context(), "talk/index.m3u8"); err == nil {
		t.Errorf("got %q", o.Data)
	}
	if _, err := s.PutIf(t.Context(), "talk/index.m3u8", []byte("mine"), store.Always); err == nil {
		t.Error("written outside")
	}
	if err := s.Delete(t.Context(), "talk/index.m3u8"); err == nil {
		t.Error("deleted outside")
	}
	if data, err := os.ReadFile(secret); err != nil || string(data) != "secret" {
		t.Errorf("outside is now %q, %v", data, err)
	}
	for info, err := range s.List(t.Context(), "", "") {
		t.Errorf("listed: %v, %v", info, err)
	}
}

// TestForeign: files that are not ours are listed, not served, and do not hinder.
func TestForeign(t *testing.T) {
	dir := t.TempDir()
	for _, f := range []string{"robots.txt", "talk/b/2031/Evening.m3u8", ".hidden", "talk/.tmp"} {
		p := filepath.Join(dir, filepath.FromSlash(f))
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "talk", "status.json"), 0o700); err != nil { // a folder in the way
		t.Fatal(err)
	}
	s := open(t, disk.Options{Dir: dir})
	var got []store.Name
	for info, err := range s.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, info.Name)
	}
	if want := []store.Name{"robots.txt", "talk/b/2031/Evening.m3u8"}; !slices.Equal(got, want) {
		t.Errorf("listed %q, want %q", got, want)
	}
	if _, err := s.Get(t.Context(), "talk/status.json"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("get a folder: %v", err)
	}
	_, err := s.PutIf(t.Context(), "talk/status.json", []byte("{}"), store.Always)
	if !errors.Is(err, store.ErrRefused) || !strings.Contains(err.Error(), "in the way") {
		t.Errorf("put over a folder: %v", err)
	}
}

func TestProbe(t *testing.T) {
	dir := t.TempDir()
	s := open(t, disk.Options{Dir: dir})
	r := s.Probe(t.Context())
	if err := r.Err(); err != nil {
		t.Error(err)
	}
	var checks []string
	for _, f := range r.Findings {
		checks = append(checks, f.Check)
	}
	if want := []string{"write", "read", "conditions", "delete", "room"}; !slices.Equal(checks, want) {
		t.Errorf("checks %q, want %q:\n%v", checks, want, r)
	}
	for info, err := range s.List(t.Context(), "", "") {
		t.Errorf("the probe left %v, %v", info, err)
	}
	if err := os.RemoveAll(dir); err != nil { // the folder is gone, as when it is unmounted
		t.Fatal(err)
	}
	if err := s.Probe(t.Context()).Err(); err == nil || !strings.Contains(err.Error(), "data folder is gone") {
		t.Errorf("probe of a folder that is gone: %v", err)
	}
}
