package disk

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"longwave/origin/store"
)

const (
	// lowRoom is what is left of a disk when it is time to look at it: the
	// default ladder writes 3.4 GB a day.
	lowRoom = 4 << 30
	// slowWrite is as long as a part: a disk that takes longer for a few bytes
	// is behind from the beginning.
	slowWrite = 320 * time.Millisecond
)

// Probe writes, reads, replaces and deletes a small private object, and says
// what is wrong.
func (s *Store) Probe(ctx context.Context) store.Report {
	r := store.Report{Store: "data folder " + s.opts.Dir}
	n := store.Private("probe-" + strings.ToLower(rand.Text()))
	first, second := []byte(`{"probe":1}`), []byte(`{"probe":2}`)

	start := time.Now()
	etag, err := s.PutIf(ctx, n, first, store.IfAbsent)
	took := time.Since(start)
	if err != nil {
		r.Add("write", store.Fatal, "%v", err)
		return r
	}
	level := store.Good
	if took > slowWrite {
		level = store.Warning
	}
	r.Add("write", level, "%v until an object is safe", took.Round(100*time.Microsecond))

	if o, err := s.Get(ctx, n); err != nil {
		r.Add("read", store.Fatal, "%v", err)
	} else if !bytes.Equal(o.Data, first) {
		r.Add("read", store.Fatal, "other bytes come back than were written: replace the disk")
	} else {
		r.Add("read", store.Good, "the same bytes")
	}

	_, errAbsent := s.PutIf(ctx, n, second, store.IfAbsent)
	_, errMatch := s.PutIf(ctx, n, second, store.IfMatch(etag))
	_, errStale := s.PutIf(ctx, n, first, store.IfMatch(etag))
	switch {
	case errors.Is(errAbsent, store.ErrConflict) && errMatch == nil && errors.Is(errStale, store.ErrConflict):
		r.Add("conditions", store.Good, "kept")
	default:
		r.Add("conditions", store.Fatal, "not kept; use a local file system: %v, %v, %v", errAbsent, errMatch, errStale)
	}

	if err := s.Delete(ctx, n); err != nil {
		r.Add("delete", store.Fatal, "%v", err)
	} else {
		r.Add("delete", store.Good, "done")
	}
	s.probeRoom(ctx, &r)
	return r
}

// probeRoom says how much room there is.
func (s *Store) probeRoom(ctx context.Context, r *store.Report) {
	free, err := run(ctx, s, func() (uint64, error) {
		var st unix.Statfs_t
		err := unix.Statfs(s.opts.Dir, &st)
		return st.Bavail * uint64(st.Bsize), err
	})
	switch gb := float64(free) / 1e9; {
	case err != nil:
		r.Add("room", store.Warning, "cannot be told: %v", err)
	case free < lowRoom:
		r.Add("room", store.Warning, "%.1f GB free: make room, or keep less", gb)
	default:
		r.Add("room", store.Good, "%.1f GB free", gb)
	}
}
