package main_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"longwave/cmd/longwave/systemtest"
	"longwave/ingest/pcm"
	"longwave/origin/store/storetest/s3server"
	"longwave/packager"
	"longwave/packager/hls/hlstest"
)

// bucketStation is small with a bucket as its store.
func bucketStation(srv *s3server.Server, credentials string) string {
	return fmt.Sprintf("store: {kind: s3, s3: {bucket: %q, endpoint: %q, region: %q, credentials_file: %q}}\n%s",
		srv.Bucket, srv.Endpoint, s3server.Region, credentials, small)
}

// A bucket is what a test knows of the objects in one.
type bucket struct {
	t   *testing.T
	srv *s3server.Server
}

// keys returns the names of all objects with a prefix.
func (b bucket) keys(prefix string) map[string]bool {
	b.t.Helper()
	keys := map[string]bool{}
	pages := s3.NewListObjectsV2Paginator(b.srv.Client(), &s3.ListObjectsV2Input{Bucket: &b.srv.Bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(b.t.Context())
		if err != nil {
			b.t.Fatal(err)
		}
		for _, o := range page.Contents {
			keys[*o.Key] = true
		}
	}
	return keys
}

// missing returns the segments between two numbers that the bucket lacks.
func (b bucket) missing(from, to int64) []string {
	b.t.Helper()
	var missing []string
	for _, rendition := range []string{"opus-24", "aac-48"} {
		have := b.keys("talk/" + rendition + "/")
		for msn := from; msn < to; msn++ {
			k := packager.Key{Station: "talk", Rendition: rendition, Kind: packager.Segment, MSN: msn}.String()
			if !have[k] {
				missing = append(missing, k)
			}
		}
	}
	return missing
}

// TestBucket: what a bucket gets, what it says about it to a CDN, and what becomes of
// it when it goes away for a while, with the node killed meanwhile: listeners notice
// nothing but the restart, and in the end nothing is missing.
func TestBucket(t *testing.T) {
	t.Parallel()
	srv := s3server.Start(t)
	srv.AllowRead(t, srv.Bucket, false)
	b := bucket{t, srv}
	n := systemtest.Start(t, systemtest.Options{Config: bucketStation(srv, srv.CredentialsFile(t))})
	n.Secret(srv.SecretKey)
	ledger := &systemtest.Ledger{}
	l := &systemtest.Listener{Ledger: ledger, Station: "talk", Slack: time.Minute}
	stop := systemtest.Listen(t, n, l)
	awaitReady(n)
	first := l.Edge().MSN - 30

	srv.Kill()
	away := l.Edge()
	n.AwaitLog("level=ERROR", "store fails: the live stream goes on, nothing more is kept there", "store=s3")
	n.Await("the live edge to move on for 10 s", func() bool { return l.Edge().MSN > away.MSN+5 })
	srv.Restart(t)
	n.AwaitLog("store works again", "store=s3")
	n.Await("the bucket to have caught up", func() bool { return len(b.missing(first, away.MSN+5)) == 0 })

	srv.Kill()
	away = l.Edge()
	n.Await("the live edge to move on", func() bool { return l.Edge().MSN > away.MSN+2 })
	stop()
	for _, f := range ledger.Found() {
		t.Error(f)
	}
	n.Kill()
	n.Start()
	awaitReady(n) // a restart does not need the bucket
	n.AwaitLog("level=ERROR", "the bucket is away: going on without it")
	srv.Restart(t)
	n.Await("the bucket to have caught up after kill -9", func() bool { return len(b.missing(first, now()-1)) == 0 })
	n.Stop()
	judgeBucket(t, n, srv)
}

// judgeBucket compares the bucket with what the node has on its disk, reads it as a
// CDN does, and lets ffmpeg play it.
func judgeBucket(t *testing.T, n *systemtest.Node, srv *s3server.Server) {
	t.Helper()
	b := bucket{t, srv}
	ledger := &systemtest.Ledger{}
	if err := ledger.SeeFolder(n.Store(), "disk"); err != nil {
		t.Fatal(err)
	}
	base := srv.Endpoint + "/" + srv.Bucket + "/"
	kinds := map[packager.Kind]int{}
	for name := range b.keys("") {
		if strings.HasPrefix(name, "_/") {
			continue // private
		}
		k, err := packager.ParseKey(name)
		if err != nil {
			t.Error(err)
			continue
		}
		kinds[k.Kind]++
		r, err := systemtest.Fetch(t.Context(), base+name)
		if err != nil {
			t.Fatal(err)
		}
		if r.Status != http.StatusOK || r.Header.Get("Content-Type") != k.ContentType() || r.Header.Get("Cache-Control") != k.CacheControl() {
			t.Errorf("%s: status %d, %q, %q; want 200, %q, %q", name, r.Status, r.Header.Get("Content-Type"),
				r.Header.Get("Cache-Control"), k.ContentType(), k.CacheControl())
		}
		ledger.See(k, r.Body, "bucket")
		switch k.Kind {
		case packager.Media:
			for _, v := range hlstest.Check(r.Body) {
				t.Errorf("%s: %v", name, v)
			}
			for i, s := range parseMedia(t, r.Body).Segments {
				if !b.keys("talk/" + k.Rendition + "/")[strings.TrimSuffix(name, "live.m3u8")+s.URI] {
					t.Errorf("%s names segment %d, %s, which is not there", name, i, s.URI)
				}
			}
		case packager.Multivariant:
			for _, v := range hlstest.CheckMultivariant(r.Body) {
				t.Errorf("%s: %v", name, v)
			}
		default:
		}
	}
	for _, f := range ledger.Found() {
		t.Error(f)
	}
	if kinds[packager.Multivariant] != 2 || kinds[packager.Media] != 2 || kinds[packager.Init] != 2 || kinds[packager.Part] != 0 || kinds[packager.Segment] < 64 {
		t.Errorf("the bucket holds %v objects by kind", kinds)
	}
	playTree(t, base)
	files := httptest.NewServer(http.FileServer(http.Dir(n.Store())))
	defer files.Close()
	playTree(t, files.URL+"/")
}

// playTree lets ffmpeg play a stored station over HTTP, as a plain file server or a
// bucket gives it out.
func playTree(t *testing.T, base string) {
	t.Helper()
	for _, list := range []string{"talk/index.m3u8", "talk/opus.m3u8"} {
		raw := filepath.Join(t.TempDir(), "raw")
		err := systemtest.RunFFmpeg(t, append([]string{"-i", base + list, "-map", "0:a:0", "-t", "5"}, systemtest.RawOutput(t, "aac-48", raw)...)...)
		if err != nil {
			t.Error(err)
			continue
		}
		x := systemtest.ReadRaw(t, "aac-48", raw)
		// Of Opus ffmpeg takes the pre-skip off.
		if got := len(x) / pcm.Channels; got != 5*pcm.Rate && got != 5*pcm.Rate-312 {
			t.Errorf("%s%s: ffmpeg plays %d samples of 5 s", base, list, got)
		}
	}
}
