package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"longwave/cmd/longwave/systemtest"
	"longwave/ingest/pcm/pcmtest"
	"longwave/origin/store/storetest/s3server"
	"longwave/origin/store/storetest/uplink"
	"longwave/packager"
	"longwave/packager/cmaf"
	"longwave/packager/hls"
)

// bucketAt is a bucket behind a line, as the store of stations.
func bucketAt(srv *s3server.Server, endpoint, credentials, stations string) string {
	return fmt.Sprintf("store: {kind: s3, s3: {bucket: %q, endpoint: %q, region: %q, credentials_file: %q}}\n%s",
		srv.Bucket, endpoint, s3server.Region, credentials, stations)
}

// newest returns the newest segment that a playlist in the bucket names, 0 when there is
// none.
func (b bucket) newest(rendition string) int64 {
	b.t.Helper()
	text, ok := b.read("talk/" + rendition + "/live.m3u8")
	if !ok {
		return 0
	}
	return parseMedia(b.t, text).OpenMSN() - 1
}

func (b bucket) read(key string) ([]byte, bool) {
	b.t.Helper()
	r, err := systemtest.Fetch(b.t.Context(), b.srv.Endpoint+"/"+b.srv.Bucket+"/"+key)
	if err != nil {
		b.t.Fatal(err)
	}
	return r.Body, r.Status == 200
}

// lacks returns what of the node's own segments from a number on the bucket does not
// have.
func (b bucket) lacks(n *systemtest.Node, rungs []string, from int64) []string {
	b.t.Helper()
	have := b.keys("talk/")
	var missing []string
	for _, r := range rungs {
		names, err := filepath.Glob(filepath.Join(n.Store(), "talk", r, "*.m4s"))
		if err != nil {
			b.t.Fatal(err)
		}
		for _, name := range names {
			key := "talk/" + r + "/" + filepath.Base(name)
			if k, err := packager.ParseKey(key); err == nil && k.MSN >= from && k.MSN < now()-1 && !have[key] {
				missing = append(missing, key)
			}
		}
	}
	return missing
}

// diskNewest is the newest segment that the playlist on the disk names.
func diskNewest(n *systemtest.Node, rendition string) int64 {
	m, err := hls.ParseMedia(n.ReadStore("talk/" + rendition + "/live.m3u8"))
	if err != nil {
		n.T().Fatal(err)
	}
	return m.OpenMSN() - 1
}

// TestUplink: a line that is too slow for the ladder. With 1.2 times of it nothing much
// happens, with 0.6 times the dearest renditions leave the bucket's lists; the lowest of
// each list is never more than two segments behind; and when the line is good again the
// bucket gets all that was left out.
func TestUplink(t *testing.T) {
	t.Parallel()
	rungs := []string{"opus-24", "opus-48", "opus-96", "aac-48", "aac-96"}
	srv := s3server.Start(t)
	srv.AllowRead(t, srv.Bucket, false)
	line := uplink.Start(t, srv.Endpoint)
	b := bucket{t, srv}
	tone := systemtest.ToneFile(t, pcmtest.Tone{Hz: 997, Amp: 0.3}, 10)
	n := systemtest.Start(t, systemtest.Options{
		Config: bucketAt(srv, line.Endpoint, srv.CredentialsFile(t), "stations: [{name: talk}]"),
		Args:   []string{"--play", tone, "--loop"},
	})
	n.Secret(srv.SecretKey)
	awaitReady(n)
	n.Await("the bucket to have all lists", func() bool { _, ok := b.read("talk/index.m3u8"); return ok })
	first := diskNewest(n, "aac-48")
	n.Await("some segments of the tone", func() bool { return diskNewest(n, "aac-48") > first+3 })
	ladder := 0.0 // byte/s
	for _, r := range rungs {
		msn := diskNewest(n, r)
		ladder += float64(len(n.ReadStore(fmt.Sprintf("talk/%s/%d.m4s", r, msn)))) / 1.92
	}
	for _, phase := range []struct {
		factor  float64
		seconds int
	}{{1.2, 10}, {0.6, 25}} {
		line.Limit(phase.factor * ladder)
		worst := watchLowest(t, n, b, time.Duration(phase.seconds)*time.Second)
		t.Logf("%.1f times the ladder of %.0f kbit/s: the lowest renditions were at most %d segments behind", phase.factor, ladder*8/1000, worst)
		if worst > 2 {
			t.Errorf("%.1f times the ladder: a lowest rendition was %d segments behind", phase.factor, worst)
		}
	}
	n.AwaitLog("store is too slow: a rendition is left out there", "rendition=aac-96")
	n.Await("aac-96 to leave the bucket's list", func() bool {
		text, ok := b.read("talk/index.m3u8")
		_, list := b.read("talk/aac-96/live.m3u8")
		return ok && !strings.Contains(string(text), "aac-96") && strings.Contains(string(text), "aac-48") && !list
	})
	line.Mend()
	n.Await("the bucket to get what was left out", func() bool { return len(b.lacks(n, rungs, first)) == 0 })
}

// watchLowest returns how many segments the bucket's playlists of the lowest renditions
// were behind the disk's at most.
func watchLowest(t *testing.T, n *systemtest.Node, b bucket, d time.Duration) int64 {
	t.Helper()
	worst := int64(0)
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(300 * time.Millisecond) {
		for _, r := range []string{"opus-24", "aac-48"} {
			disk := diskNewest(n, r) // first: it is not to be newer than what is compared
			worst = max(worst, disk-b.newest(r))
		}
	}
	return worst
}

// TestSpool: the bucket hangs for longer than objects are kept in memory, then refuses
// the keys; the node is killed in the middle, with segments on its disk that are older
// than its window. In the end the bucket has everything, and what is new was there first.
func TestSpool(t *testing.T) {
	t.Parallel()
	srv := s3server.Start(t)
	srv.AllowRead(t, srv.Bucket, false)
	line := uplink.Start(t, srv.Endpoint)
	b := bucket{t, srv}
	credentials := srv.CredentialsFile(t)
	n := systemtest.Start(t, systemtest.Options{Config: bucketAt(srv, line.Endpoint, credentials, small)})
	n.Secret(srv.SecretKey)
	rungs := []string{"opus-24", "aac-48"}
	awaitReady(n)
	n.Await("the bucket to have all lists", func() bool { _, ok := b.read("talk/index.m3u8"); return ok })
	first := diskNewest(n, "aac-48") - 30

	line.Hang()
	n.AwaitLog("level=ERROR", "store fails: the live stream goes on, nothing more is kept there", "store=s3")
	n.Await("segments to be spooled", func() bool { return n.Figures().Sum("longwave_push_backlog_objects", `store="s3"`) >= 4 })
	line.Mend()
	n.AwaitLog("store works again", "store=s3")
	n.Await("the bucket's playlist to be fresh", func() bool { return b.newest("aac-48") >= diskNewest(n, "aac-48")-2 })
	n.Await("the bucket to have caught up", func() bool { return len(b.lacks(n, rungs, first)) == 0 })

	// Keys that become wrong are an alarm, once, and cost nothing.
	right, err := os.ReadFile(credentials)
	if err != nil {
		t.Fatal(err)
	}
	wrong := strings.Replace(string(right), srv.SecretKey, "wrong", 1)
	if err := os.WriteFile(credentials, []byte(wrong), 0o600); err != nil {
		t.Fatal(err)
	}
	n.Kill() // before it reads the file again by itself, which takes a minute
	plant(n, b, rungs, first-100, 5)
	n.Start()
	awaitReady(n)
	n.AwaitLog("level=ERROR", "the bucket cannot be used: going on without it", "put both in again")
	n.AwaitLog("level=ERROR", "store refuses what we send", "store=s3", "put both in again")
	if got := n.Figures().Sum("longwave_push_refused", `store="s3"`); got != 1 {
		t.Errorf("longwave_push_refused is %v while the keys are wrong", got)
	}
	if err := os.WriteFile(credentials, right, 0o600); err != nil {
		t.Fatal(err)
	}
	n.AwaitLog("the bucket lacks what an earlier run kept on the disk", "objects=10")
	n.Await("the bucket to have what the earlier run left", func() bool { return len(b.lacks(n, rungs, first-100)) == 0 })
	if got := n.Count("level=ERROR", "store refuses what we send", "store=s3"); got != 1 {
		t.Errorf("the alarm was logged %d times", got)
	}
	if got := n.Figures().Sum("longwave_push_refused", `store="s3"`); got != 0 {
		t.Errorf("longwave_push_refused is %v after the keys were mended", got)
	}
	n.Stop()
}

// plant leaves segments on the disk, and not in the bucket, that are older than what a
// node looks at when it starts.
func plant(n *systemtest.Node, b bucket, rungs []string, from int64, count int) {
	b.t.Helper()
	for _, r := range rungs {
		for msn := from; msn < from+int64(count); msn++ {
			key := fmt.Sprintf("talk/%s/%d.m4s", r, msn)
			if err := os.WriteFile(filepath.Join(n.Store(), key), cmaf.Part{Sizes: []uint32{uint32(len(key))}, Data: []byte(key)}.Append(nil), 0o600); err != nil {
				b.t.Fatal(err)
			}
			if _, err := b.srv.Client().DeleteObject(b.t.Context(), &s3.DeleteObjectInput{Bucket: &b.srv.Bucket, Key: &key}); err != nil {
				b.t.Fatal(err)
			}
		}
	}
}
