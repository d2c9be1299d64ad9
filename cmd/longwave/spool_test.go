package main

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"longwave/origin/store"
	"longwave/origin/store/disk"
	"longwave/origin/store/memory"
	"longwave/packager"
	"longwave/packager/cmaf"
	"longwave/packager/push"
)

// journalOf reads a store as a queue's journal.
type journalOf struct{ store.Store }

func (j journalOf) Read(ctx context.Context, k packager.Key) ([]byte, error) {
	o, err := j.Get(ctx, store.NameOf(k))
	return o.Data, err
}

// TestBucketLoses: what a bucket acknowledged and lost it gets again, while it is still on
// the disk; what only one look misses is left alone.
func TestBucketLoses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		logger := slog.New(slog.NewTextHandler(&log, nil))
		local, bucket := &memory.Store{}, &memory.Store{}
		q := push.New(bucket, push.Options{Name: "s3", Journal: journalOf{local}, Log: logger})
		s := &spool{station: "talk", from: local, to: bucket, queue: q, log: logger, audit: true}
		ctx, end := context.WithCancel(t.Context())
		defer end()
		go func() { _ = q.Run(ctx) }()
		go s.run(ctx)
		key := func(msn int64) packager.Key {
			return packager.Key{Station: "talk", Rendition: "opus-24", Kind: packager.Segment, MSN: msn}
		}
		for msn := range int64(100) {
			o := packager.Object{Key: key(msn), Data: []byte("sound")}
			if err := errors.Join(local.Put(ctx, o), bucket.Put(ctx, o)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
		}
		for _, msn := range []int64{7, 50, 51} {
			if err := bucket.Delete(ctx, store.NameOf(key(msn))); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2*compareEvery + time.Minute)
		synctest.Wait()
		for msn := range int64(100) {
			if _, err := bucket.Get(ctx, store.NameOf(key(msn))); err != nil {
				t.Errorf("segment %d: %v", msn, err)
			}
		}
		if n := strings.Count(log.String(), "level=ERROR"); n != 1 || !strings.Contains(log.String(), "objects=3") {
			t.Errorf("said %d times:\n%s", n, log.String())
		}
	})
}

// TestHalfASegment: a segment that a disk lost a part of is not sent anywhere.
func TestHalfASegment(t *testing.T) {
	dir := t.TempDir()
	d, err := disk.Open(disk.Options{Dir: filepath.Join(dir, "store")})
	if err != nil {
		t.Fatal(err)
	}
	st := &storage{disk: d}
	whole := cmaf.Part{Pos: packager.SegmentSamples, Duration: 960, Sizes: []uint32{3, 3}, Data: []byte("abcdef"), First: true}.Append(nil)
	for name, data := range map[string][]byte{"1": whole, "2": whole[:len(whole)-1], "3": {}, "4": make([]byte, len(whole)), "5": append(bytes.Clone(whole), 0)} {
		file := filepath.Join(dir, "store", "talk", "aac-48", name+".m4s")
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, data, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for msn := int64(1); msn < 6; msn++ {
		data, err := st.Read(t.Context(), packager.Key{Station: "talk", Rendition: "aac-48", Kind: packager.Segment, MSN: msn})
		if msn == 1 && (err != nil || !bytes.Equal(data, whole)) || msn > 1 && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("segment %d: %d bytes, %v", msn, len(data), err)
		}
	}
}
