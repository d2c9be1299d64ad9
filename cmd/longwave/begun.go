package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"longwave/ingest/pcm"
	"longwave/packager"
)

// begun remembers the last segment that a station began, across kill -9: a part of it may
// have been heard, and a key never changes its bytes. A run that starts within a later
// segment need not wait for the next one.
type begun struct {
	path string
	next chan int64 // buffered: the newest that was not written yet
	log  *slog.Logger
}

// unknownMSN is what is remembered before the first run.
const unknownMSN = -1

func openBegun(data, station string, log *slog.Logger) (*begun, error) {
	dir := filepath.Join(data, "begun")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, usageError{fmt.Errorf("data folder: %w: make it writable or choose another with --data", err)}
	}
	return &begun{path: filepath.Join(dir, station), next: make(chan int64, 1), log: log}, nil
}

// last returns the number of the segment, or unknownMSN.
func (b *begun) last() int64 {
	text, err := os.ReadFile(b.path)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			b.log.Warn("what was begun last is not known: beginning at the next segment", "err", err)
		}
		return unknownMSN
	}
	msn, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return unknownMSN
	}
	return msn
}

// start returns where a run that starts now begins, as [packager.Begin] has it, and
// remembers it.
func (b *begun) start(now pcm.Pos) (start, first pcm.Pos, err error) {
	last := b.last()
	start, first = packager.Begin(now, last)
	if d := packager.Repeats(now, last); d > 0 {
		b.log.Error("the clock was set back since the last run: the same names come again, and caches may have the old sound under them; empty the CDN's cache of this station",
			"back", d.Round(time.Second), "until", packager.SegmentPos(last+1).Time())
	}
	if err := b.write(packager.MSN(start)); err != nil {
		return 0, 0, usageError{fmt.Errorf("data folder: %w: make it writable or choose another with --data", err)}
	}
	return start, first, nil
}

// note remembers a segment soon. It does not block.
func (b *begun) note(msn int64) {
	select {
	case <-b.next: // an older one
	default:
	}
	select {
	case b.next <- msn:
	default:
	}
}

// write remembers a segment now. When that fails, as on a full disk, what was remembered is
// forgotten: a run that finds nothing waits for the next segment, one that finds an old
// number would name the one under way a second time.
func (b *begun) write(msn int64) error {
	temp := b.path + ".new"
	err := os.WriteFile(temp, []byte(strconv.FormatInt(msn, 10)), 0o600)
	if err == nil {
		err = os.Rename(temp, b.path)
	}
	if err != nil {
		err = errors.Join(err, os.RemoveAll(b.path))
	}
	return err
}

// Run writes what is noted, until ctx ends.
func (b *begun) Run(ctx context.Context) error {
	failing := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case msn := <-b.next:
			err := b.write(msn)
			if err != nil && !failing {
				b.log.Warn("the segment under way cannot be remembered: a restart begins with the next one", "err", err)
			}
			failing = err != nil
		}
	}
}
