package main_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"longwave/cmd/longwave/systemtest"
	"longwave/ingest/pcm"
	"longwave/packager"
)

// TestEnd: SIGINT with a source connected. Listeners are told by EXT-X-ENDLIST, in
// the live playlists and in the stored ones, the last segment is whole, and the
// program ends with 0.
func TestEnd(t *testing.T) {
	t.Parallel()
	n := systemtest.Start(t, systemtest.Options{Build: systemtest.Racing, Config: small})
	ledger := &systemtest.Ledger{}
	l := &systemtest.Listener{Ledger: ledger, Station: "talk", Slack: time.Minute}
	stop := systemtest.Listen(t, n, l)
	awaitReady(n)
	tone := startTone(t, n, "talk", time.Minute)
	n.AwaitLog("on air", "state=live")
	end := pcm.At(time.Now())
	began := time.Now()
	n.Stop()
	took := time.Since(began)
	stop()
	<-tone.err // the client is told, or finds the connection closed
	if took > 10*time.Second {
		t.Errorf("it took %v to end, more than 10 s", took)
	}
	for _, f := range ledger.Found() {
		t.Error(f)
	}
	for _, name := range l.Renditions() {
		m := l.Playlist(name)
		if !m.EndList {
			t.Errorf("%s: listeners were not told of the end", name)
		}
		stored, err := os.ReadFile(filepath.Join(n.Store(), "talk", name, "live.m3u8"))
		if err != nil {
			t.Fatal(err)
		}
		s := parseMedia(t, stored)
		if !s.EndList || s.OpenMSN() != m.OpenMSN() || s.MediaSequence != m.MediaSequence {
			t.Errorf("%s: stored are %d to %d, end %v; listeners were told of %d to %d", name,
				s.MediaSequence, s.OpenMSN(), s.EndList, m.MediaSequence, m.OpenMSN())
		}
		if m.OpenMSN() <= packager.MSN(end) {
			t.Errorf("%s: segment %d, in which the end came, is not there: the last is %d", name, packager.MSN(end), m.OpenMSN()-1)
		}
		x := n.Stored("talk", name, s.MediaSequence, s.OpenMSN()).Decode(t)
		if got, want := len(x)/pcm.Channels, len(s.Segments)*int(packager.SegmentSamples); got != want && got != want-312 {
			t.Errorf("%s: %d segments decode to %d samples, want %d", name, len(s.Segments), got, want)
		}
	}
	if n.Count("level=ERROR") > 0 {
		t.Error("the log has errors")
	}
}

// TestEndAtOnce: a second signal ends the program without waiting.
func TestEndAtOnce(t *testing.T) {
	t.Parallel()
	n := systemtest.Start(t, systemtest.Options{Build: systemtest.Racing, Config: small})
	awaitReady(n)
	// A source that goes on and on is played out for as long as may be.
	tone := startTone(t, n, "talk", time.Minute)
	n.AwaitLog("on air", "state=live")
	n.Signal(syscall.SIGINT)
	n.AwaitLog("ending")
	n.Signal(syscall.SIGINT)
	if code := n.Wait(); code != 1 {
		t.Errorf("exit code %d after a second signal, want 1", code)
	}
	if n.Count("second signal") != 1 {
		t.Error("the log does not say why it ended")
	}
	<-tone.err
}

// TestFullDisk: on a disk that is full the live stream goes on, and the log says what
// is no longer kept; when there is room again, it is kept again.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(data, 0o755); err != nil {
		t.Fatal(err)
	}
	n := systemtest.Start(t, systemtest.Options{
		Build: systemtest.Plain, Config: small, Data: data,
		Wrap: func(program string, args []string) *exec.Cmd {
			// In a mount namespace of its own it may mount, and nobody else sees it.
			script := `mount -t tmpfs -o size=8m none "$0" && exec "$@"`
			cmd := exec.Command("sh", append([]string{"-c", script, data, program}, args...)...)
			cmd.SysProcAttr = &syscall.SysProcAttr{
				Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
				UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
				GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
			}
			return cmd
		},
	})
	ledger := &systemtest.Ledger{}
	l := &systemtest.Listener{Ledger: ledger, Station: "talk", Slack: time.Minute}
	stop := systemtest.Listen(t, n, l)
	awaitReady(n)
	inside := fmt.Sprintf("/proc/%d/root", n.Pid()) // what the program sees
	ballast := filepath.Join(inside, data, "ballast")
	fill(t, ballast)
	n.AwaitLog("level=ERROR", "store fails: the live stream goes on, nothing more is kept there", "store=disk", "no space left: make room")
	full := l.Edge()
	n.Await("the live edge to move on", func() bool { return l.Edge().MSN > full.MSN+2 })
	if got := n.Figures().Sum("longwave_push_failures_total"); got == 0 {
		t.Errorf("the metrics know nothing of it: %v", got)
	}
	if !ready(n) {
		t.Error("not ready, though the live edge moves")
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	n.AwaitLog("store works again", "store=disk")
	edge := now()
	n.Await("segments to be kept again", func() bool {
		_, err := os.Stat(filepath.Join(inside, data, "store", "talk", "aac-48", fmt.Sprint(edge)+".m4s"))
		return err == nil
	})
	stop()
	for _, f := range ledger.Found() {
		t.Error(f)
	}
	if lines := n.Count("level=ERROR"); lines != 1 {
		t.Errorf("%d errors in the log: one says it", lines)
	}
}

// fill writes a file until the disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 64 << 10; size > 0; {
		if _, err = f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}
