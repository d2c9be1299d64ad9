package disk_test

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"longwave/origin/store"
	"longwave/origin/store/disk"
	"longwave/packager"
)

// The roles in which this program is started by its own tests, with a folder.
const (
	roleVar    = "LONGWAVE_DISK_TEST_ROLE"
	folderVar  = "LONGWAVE_DISK_TEST_FOLDER"
	rolePutter = "put until killed"
	roleFull   = "fill a disk of 1 MB"
)

func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(roleVar) {
	case rolePutter:
		err = putForever(os.Getenv(folderVar))
	case roleFull:
		err = fillDisk(os.Getenv(folderVar))
	default:
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func child(t *testing.T, role, folder string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), roleVar+"="+role, folderVar+"="+folder)
	cmd.Stderr = t.Output()
	return cmd
}

// content is what belongs under n, whoever writes it.
func content(n store.Name) []byte {
	return bytes.Repeat([]byte(n+"\n"), 1500) // about 35 kB, a segment
}

// putForever puts segments of three renditions and playlists, and prints the name
// of each object when it is acknowledged.
func putForever(folder string) error {
	s, err := disk.Open(disk.Options{Dir: folder})
	if err != nil {
		return err
	}
	ctx := procContext()
	failed := make(chan error)
	lines := make(chan store.Name)
	for i, r := range []string{"opus-24", "opus-48", "aac-96"} {
		go func() {
			for msn := int64(os.Getpid()) * 1_000_000; ; msn++ {
				for _, k := range []packager.Key{
					{Station: "talk", Rendition: r, Kind: packager.Segment, MSN: msn},
					{Station: "talk", Rendition: r, Kind: packager.Part, MSN: msn, Part: i},
					{Station: "talk", Rendition: r, Kind: packager.Media},
				} {
					n := store.NameOf(k)
					if err := s.Put(ctx, packager.Object{Key: k, Data: content(n)}); err != nil {
						failed <- err
						return
					}
					lines <- n
				}
			}
		}()
	}
	for {
		select {
		case n := <-lines:
			if _, err := fmt.Println(n); err != nil { // one write(2) a line
				return err
			}
		case err := <-failed:
			return err
		}
	}
}

// TestKill kills a process that puts, at 20 random moments. What it had printed
// must be there whole, what is there must be whole, and nothing else may be
// listed.
func TestKill(t *testing.T) {
	folder := t.TempDir()
	acknowledged := 0
	seen := make(map[store.Name]bool)
	for range 20 {
		cmd := child(t, rolePutter, folder)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for last := rand.IntN(60); last >= 0 && lines.Scan(); last-- {
			seen[store.Name(lines.Text())] = true
			acknowledged++
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // acknowledged between our last look and its end
			seen[store.Name(lines.Text())] = true
			acknowledged++
		}
		if err := cmd.Wait(); err == nil || cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("the child was not killed: %v", cmd.ProcessState)
		}
		checkKilled(t, folder, seen)
	}
	t.Logf("20 kills, %d objects acknowledged, %d names", acknowledged, len(seen))
	if acknowledged < 20 {
		t.Errorf("only %d objects were acknowledged", acknowledged)
	}
}

func checkKilled(t *testing.T, folder string, seen map[store.Name]bool) {
	t.Helper()
	s, err := disk.Open(disk.Options{Dir: folder})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	for n := range seen {
		o, err := s.Get(t.Context(), n)
		if err != nil {
			t.Fatalf("acknowledged, and not there: %v", err)
		}
		if !bytes.Equal(o.Data, content(n)) {
			t.Fatalf("%q was acknowledged and has %d other bytes", n, len(o.Data))
		}
	}
	for info, err := range s.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		if err := info.Name.Check(); err != nil || strings.Contains(string(info.Name), "tmp") {
			t.Fatalf("%q is listed: %v", info.Name, err)
		}
		if info.Size != int64(len(content(info.Name))) {
			t.Fatalf("%q is listed with %d bytes", info.Name, info.Size)
		}
	}
}
