package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"longwave/cmd/longwave/config"
	"longwave/origin/store"
	"longwave/origin/store/disk"
	"longwave/origin/store/s3"
	"longwave/packager"
	"longwave/packager/cmaf"
	"longwave/packager/push"
)

// journalKeep is how long segments stay on this machine when they are kept in a
// bucket that has them: enough to go on from after a restart.
const journalKeep = 15 * time.Minute

// A storage is where this node keeps what it made: the disk first, so that a node
// that is killed finds again what it named, then the bucket, if there is one.
type storage struct {
	disk   store.Store
	bucket store.Store // nil: the disk is the store
	queues []*push.Queue
	spools []*spool // of the bucket, one a station
	audit  bool     // see spool
	retain []*store.Retain
}

// openStorage opens the stores and looks whether they do what they must. What is
// wrong is said here, before anybody is on air.
func openStorage(ctx context.Context, cfg config.Config, log *slog.Logger, reg prometheus.Registerer) (*storage, error) {
	metrics := store.NewMetrics(reg)
	d, err := disk.Open(disk.Options{Dir: filepath.Join(cfg.Data, "store")})
	if err != nil {
		return nil, usageError{err}
	}
	if err := tell(log, d.Probe(ctx)); err != nil {
		return nil, err
	}
	st := &storage{disk: metrics.Watch("disk", d)}
	keep := store.RetainOptions{MaxAge: cfg.Store.Keep, MaxBytes: int64(cfg.Store.KeepBytes), Metrics: metrics, Log: log}
	if cfg.Store.Kind == "s3" {
		b, err := st.openBucket(ctx, cfg, log)
		if err != nil {
			return nil, err
		}
		st.bucket = metrics.Watch("s3", b)
		st.audit = (keep.MaxAge == 0 || keep.MaxAge > 2*journalKeep) && keep.MaxBytes == 0
		keep.Label = "s3"
		st.retain = append(st.retain, store.NewRetain(st.bucket, keep))
		keep.MaxAge, keep.MaxBytes = journalKeep, 0
		keep.Owed, keep.OwedAge, keep.OwedBytes = st.owed, max(cfg.Store.Spool, journalKeep), int64(cfg.Store.SpoolBytes)
	}
	keep.Label = "disk"
	st.retain = append(st.retain, store.NewRetain(st.disk, keep))
	return st, nil
}

// main is where what must last is kept.
func (st *storage) main() store.Store {
	if st.bucket != nil {
		return st.bucket
	}
	return st.disk
}

// openBucket looks at the bucket. One that cannot be reached keeps a station from
// beginning, when somebody is there to see it, but not from going on after a restart.
func (st *storage) openBucket(ctx context.Context, cfg config.Config, log *slog.Logger) (*s3.Store, error) {
	c := cfg.Store.S3
	b, err := s3.New(ctx, s3.Options{
		Bucket: c.Bucket, Prefix: c.Prefix, Region: c.Region, Endpoint: c.Endpoint,
		PathStyle: *c.PathStyle, CredentialsFile: c.CredentialsFile, SingleWriter: c.SingleWriter,
	})
	if err != nil {
		return nil, usageError{err}
	}
	r := b.Probe(ctx)
	switch err := r.Err(); {
	case err == nil:
	case r.Away() && st.wasOnAir(ctx, cfg.Stations, 0):
		log.Error("the bucket is away: going on without it, it gets everything when it is back", "err", err)
		return b, nil
	case st.wasOnAir(ctx, cfg.Stations, journalKeep):
		log.Error("the bucket cannot be used: going on without it, for this node was on air just now; it gets everything when this is mended", "err", err)
		return b, nil
	}
	return b, tell(log, r)
}

// wasOnAir reports whether an earlier run of this node left a playlist, in the last
// while unless that is 0.
func (st *storage) wasOnAir(ctx context.Context, stations []config.Station, last time.Duration) bool {
	for _, s := range stations {
		ladder, err := s.Ladder()
		if err != nil {
			continue
		}
		for _, r := range ladder {
			k := packager.Key{Station: s.Name, Rendition: r.Name, Kind: packager.Media}
			info, err := st.disk.Head(ctx, store.NameOf(k))
			if err == nil && (last == 0 || time.Since(info.Modified) < last) {
				return true
			}
		}
	}
	return false
}

// tell logs what a probe found that is not good, and returns what forbids to start.
func tell(log *slog.Logger, r store.Report) error {
	for _, f := range r.Findings {
		if f.Level == store.Warning {
			log.Warn("store", "store", r.Store, "check", f.Check, "finding", f.Text)
		}
	}
	if err := r.Err(); err != nil {
		return usageError{err}
	}
	return nil
}

// outlets returns new ways to the stores for one station.
func (st *storage) outlets(station string, log *slog.Logger, reg prometheus.Registerer) []packager.Outlet {
	opt := push.Options{
		Name: "disk", Local: true, Log: log,
		Registry:  prometheus.WrapRegistererWith(prometheus.Labels{"station": station}, reg),
		Permanent: func(err error) bool { return errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrName) },
		Refused:   func(err error) bool { return errors.Is(err, store.ErrRefused) },
	}
	disk := push.New(st.disk, opt)
	st.queues = append(st.queues, disk)
	if st.bucket == nil {
		return []packager.Outlet{disk}
	}
	opt.Name, opt.Local, opt.Journal = "s3", false, st
	opt.Delete = func(ctx context.Context, k packager.Key) error { return st.bucket.Delete(ctx, store.NameOf(k)) }
	bucket := push.New(st.bucket, opt)
	st.queues = append(st.queues, bucket)
	st.spools = append(st.spools, &spool{station: station, from: st.disk, to: st.bucket, queue: bucket, log: log, audit: st.audit})
	return []packager.Outlet{disk, bucket}
}

// run keeps the stores in order until ctx ends.
func (st *storage) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, q := range st.queues {
		group.Go(func() error { return q.Run(ctx) })
	}
	for _, s := range st.spools {
		group.Go(func() error { s.run(ctx); return nil })
	}
	for _, r := range st.retain {
		group.Go(func() error { return r.Run(ctx) })
	}
	return group.Wait()
}

// tellRest says what the bucket lacks when the node ends.
func (st *storage) tellRest(log *slog.Logger) {
	n := 0
	for _, s := range st.spools {
		n += s.queue.Waiting()
	}
	if n > 0 {
		log.Warn("the bucket lacks what the disk has: the next start sends it", "objects", n)
	}
}

// publisher returns a way to put small changing objects into every store. It does not
// block.
func (st *storage) publisher(log *slog.Logger) func(packager.Object) {
	var queues []*push.Queue
	add := func(s store.Store, name string) {
		queues = append(queues, push.New(s, push.Options{Name: name, Workers: 1, Log: log}))
	}
	add(st.disk, "disk")
	if st.bucket != nil {
		add(st.bucket, "s3")
	}
	st.queues = append(st.queues, queues...)
	return func(o packager.Object) {
		for _, q := range queues {
			q.Send(o)
		}
	}
}

// Get implements [origin.Archive].
func (st *storage) Get(ctx context.Context, k packager.Key) (packager.Object, error) {
	o, err := store.NewAudience(st.disk).Get(ctx, k)
	if err != nil && st.bucket != nil {
		return store.NewAudience(st.bucket).Get(ctx, k)
	}
	return o, err
}

// Read implements [packager.Reader]: of the disk, where every run of this node
// finds what the one before named. A segment that a disk lost half of is none.
func (st *storage) Read(ctx context.Context, k packager.Key) ([]byte, error) {
	o, err := store.NewAudience(st.disk).Get(ctx, k)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	case err == nil && k.Kind == packager.Segment && !cmaf.IsWhole(o.Data):
		return nil, fmt.Errorf("%s on this machine is not whole: %w", k, fs.ErrNotExist)
	}
	return o.Data, err
}

// lockData makes this process the only one that uses the data folder.
func lockData(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, usageError{fmt.Errorf("data folder: %w: choose another with --data", err)}
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, usageError{fmt.Errorf("data folder: %w: make it writable or choose another with --data", err)}
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, usageError{fmt.Errorf("data folder %s: another longwave uses it: end that one or choose another folder with --data", dir)}
	}
	return f, nil
}
