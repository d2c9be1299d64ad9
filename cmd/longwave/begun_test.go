package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"longwave/packager"
)

// TestBegun: what was begun is remembered; what cannot be is forgotten, so that the run after
// this one does not take the segment under way for a new one.
func TestBegun(t *testing.T) {
	dir := t.TempDir()
	var log bytes.Buffer
	open := func() *begun {
		t.Helper()
		b, err := openBegun(dir, "talk", slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	const seg = packager.SegmentSamples
	now := packager.SegmentPos(1000) + 5_000
	if start, _, err := open().start(now); err != nil || start != packager.SegmentPos(1001) {
		t.Fatalf("the first run begins at %d, %v", packager.MSN(start), err)
	}
	if start, _, err := open().start(now + 2*seg); err != nil || start != packager.SegmentPos(1002) {
		t.Errorf("a run within a new segment begins at %d, %v", packager.MSN(start), err)
	}
	full := filepath.Join(dir, "begun", "talk.new") // no file can be made there: as on a full disk
	if err := os.MkdirAll(full, 0o755); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		b := open()
		go func() { _ = b.Run(t.Context()) }()
		for msn := int64(1003); msn < 1006; msn++ {
			b.note(msn)
			time.Sleep(2 * time.Second)
		}
	})
	if n := strings.Count(log.String(), "cannot be remembered"); n != 1 {
		t.Errorf("said %d times, want 1:\n%s", n, log.String())
	}
	if err := os.RemoveAll(full); err != nil {
		t.Fatal(err)
	}
	if start, _, err := open().start(packager.SegmentPos(1005) + 5_000); err != nil || start != packager.SegmentPos(1006) {
		t.Errorf("the run after it begins at %d, %v: 1005 was begun", packager.MSN(start), err)
	}
	log.Reset()
	if start, _, err := open().start(packager.SegmentPos(900)); err != nil || start != packager.SegmentPos(901) || !strings.Contains(log.String(), "clock was set back") {
		t.Errorf("when the clock was set back by minutes: %d, %v:\n%s", packager.MSN(start), err, log.String())
	}
}
