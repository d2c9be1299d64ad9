package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sync/errgroup"

	"longwave/ingest/pcm"
	"longwave/origin/store/storetest/s3server"
	"longwave/origin/store/storetest/uplink"
	"longwave/packager"
)

const (
	// outageTime is how long the store is dead; FAULTS_OUTAGE is another time.
	outageTime = 5 * time.Minute
	// outageLine is the line to the store, in times of what the ladder needs.
	outageLine  = 3
	outageAfter = time.Minute // of listening, while the store catches up
)

// storeDies kills the S3 server for minutes. Somebody listens to the node, and in the end
// the bucket has what the node's disk has.
func (b *bench) storeDies(ctx context.Context, row faultRow) error {
	outage := outageTime
	if text := os.Getenv("FAULTS_OUTAGE"); text != "" {
		var err error
		if outage, err = time.ParseDuration(text); err != nil {
			return fmt.Errorf("FAULTS_OUTAGE: %w", err)
		}
	}
	return b.onStand(ctx, func(t testing.TB) error { return b.outage(t, row, outage) }) //nolint:contextcheck // the stand's is made of it
}

func (b *bench) outage(t testing.TB, row faultRow, dead time.Duration) error {
	ctx := t.Context()
	srv := s3server.Start(t)
	line := uplink.Start(t, srv.Endpoint)
	store := fmt.Sprintf("store: {kind: s3, s3: {bucket: %q, endpoint: %q, region: %q, credentials_file: %q}}",
		srv.Bucket, line.Endpoint, s3server.Region, srv.CredentialsFile(t))
	n, bursts, err := b.ruled(ctx, nodeOptions{profile: row.profile, more: []string{store}})
	if err != nil {
		return err
	}
	defer bursts.stop()
	defer n.stop()
	// The window of a new store is full of silence, which is small.
	if err := errors.Join(n.ready(ctx), pause(ctx, 15*time.Second)); err != nil {
		return err
	}
	rate, err := n.ladderRate()
	if err != nil {
		return err
	}
	line.Limit(outageLine * rate)
	o := &storeOutage{t: t, n: n, srv: srv, dead: dead, notes: fmt.Sprintf("over a line of %d times the ladder, which is %.0f kbit/s", outageLine, 8*rate/1000)}
	return b.hearOutage(ctx, row, o)
}

// A storeOutage is a bucket that is away for a time.
type storeOutage struct {
	t       testing.TB
	n       *node
	srv     *s3server.Server
	dead    time.Duration
	notes   string
	backlog int           // segments that were missing at its end
	drained time.Duration // since its end, until none was
}

func (b *bench) hearOutage(ctx context.Context, row faultRow, o *storeOutage) error {
	begin, err := now()
	if err != nil {
		return err
	}
	var h hearing
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		span := faultSecond*time.Second + o.dead + outageAfter
		h, err = b.hearing(gctx, o.n.url(""), "--seconds", fmt.Sprint(int(span.Seconds())))
		return err
	})
	g.Go(func() error { return o.run(gctx) })
	if err := g.Wait(); err != nil {
		return err
	}
	silence, notes := h.silence()
	name := fmt.Sprintf("store dead for %.0f s, profile %s: ", o.dead.Seconds(), row.profile)
	b.add(begin, figure{Name: name + "silence", Value: silence, Unit: "ms", Target: &row.bound, Notes: fmt.Sprintf("in it and in %s after; %s", outageAfter, notes)})
	b.add(begin, figure{
		Name: name + "until it has everything", Value: round(o.drained.Seconds(), 1), Unit: "s", Target: new(2 * o.dead.Seconds()),
		Notes: fmt.Sprintf("after its end, %d segments were missing; %s", o.backlog, o.notes),
	})
	return nil
}

// run lets the store die and waits until it has everything.
func (o *storeOutage) run(ctx context.Context) error {
	const beginning = (faultSecond + 4) * time.Second // the browser starts meanwhile
	if err := pause(ctx, beginning); err != nil {
		return err
	}
	from := packager.MSN(pcm.At(time.Now())) - 5
	o.srv.Kill()
	if err := pause(ctx, o.dead); err != nil {
		return err
	}
	o.srv.Restart(o.t) //nolint:contextcheck // it has that of the stand
	back := time.Now()
	for ; ; o.drained = time.Since(back) {
		missing, err := o.missing(ctx, from)
		if err != nil {
			return err
		}
		o.backlog = max(o.backlog, len(missing))
		if len(missing) == 0 {
			return nil
		}
		if o.drained > 3*o.dead+time.Minute {
			return fmt.Errorf("the store is back for %.0f s and lacks %d segments, the first is %s", o.drained.Seconds(), len(missing), slices.Min(missing))
		}
		if err := pause(ctx, time.Second); err != nil {
			return err
		}
	}
}

// missing returns the segments that the disk has and the bucket does not: from a number
// on, but for the last three, which may be under way.
func (o *storeOutage) missing(ctx context.Context, from int64) ([]string, error) {
	disk, err := o.n.segments()
	if err != nil {
		return nil, err
	}
	prefix := station + "/"
	pages := awss3.NewListObjectsV2Paginator(o.srv.Client(), &awss3.ListObjectsV2Input{Bucket: &o.srv.Bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, object := range page.Contents {
			delete(disk, *object.Key)
		}
	}
	before := packager.MSN(pcm.At(time.Now())) - 3
	for key, s := range disk {
		if s.msn < from || s.msn >= before {
			delete(disk, key)
		}
	}
	return slices.Collect(maps.Keys(disk)), nil
}

// A diskSegment is one of the disk store.
type diskSegment struct {
	rendition string
	msn       int64
	path      string
}

// segments returns those of the node's disk by key.
func (n *node) segments() (map[string]diskSegment, error) {
	store := filepath.Join(n.data, "store")
	paths, err := filepath.Glob(filepath.Join(store, station, "*", "*.m4s"))
	if err != nil {
		return nil, err
	}
	found := map[string]diskSegment{}
	for _, path := range paths {
		key := filepath.ToSlash(strings.TrimPrefix(path, store+string(filepath.Separator)))
		if k, err := packager.ParseKey(key); err == nil && k.Kind == packager.Segment {
			found[key] = diskSegment{k.Rendition, k.MSN, path}
		}
	}
	return found, nil
}

// ladderRate is what the newest segments of all renditions take, in bytes a second.
func (n *node) ladderRate() (float64, error) {
	found, err := n.segments()
	if err != nil {
		return 0, err
	}
	const segments = 3
	newest := packager.MSN(pcm.At(time.Now())) - 1 - segments
	var sum int64
	for _, s := range found {
		if s.msn < newest || s.msn >= newest+segments {
			continue
		}
		info, err := os.Stat(s.path)
		if err != nil {
			return 0, err
		}
		sum += info.Size()
	}
	if sum == 0 {
		return 0, errors.New("the disk has no segments of the last seconds")
	}
	return float64(sum) / segments / pcm.Duration(packager.SegmentSamples).Seconds(), nil
}
