package s3_test

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"longwave/origin/store"
	"longwave/origin/store/s3"
	"longwave/origin/store/storetest/s3server"
	"longwave/packager"
)

const (
	putterVar = "LONGWAVE_S3_TEST_PUTTER" // endpoint, bucket, credentials file, first number
	// puts is how many PUTs of the test are acknowledged at least.
	puts = 1_000
)

// TestPutter is the process that TestKill kills. In a usual run it does nothing.
func TestPutter(t *testing.T) {
	args := strings.Fields(os.Getenv(putterVar))
	if len(args) != 4 {
		return
	}
	first, err := strconv.ParseInt(args[3], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, s3.Options{Bucket: args[1], Region: s3server.Region, Endpoint: args[0], PathStyle: true, CredentialsFile: args[2]})
	var out sync.Mutex
	var all sync.WaitGroup
	for lane := range 3 {
		all.Go(func() {
			for msn := first; ; msn++ {
				for _, k := range []packager.Key{
					{Station: "talk", Rendition: fmt.Sprint("lane-", lane), Kind: packager.Segment, MSN: msn},
					{Station: "talk", Rendition: fmt.Sprint("lane-", lane), Kind: packager.Media},
					{Station: "talk", Rendition: "contested", Kind: packager.Segment, MSN: msn},
				} {
					data := killContent(k, os.Getpid()*10+lane)
					if err := s.Put(t.Context(), packager.Object{Key: k, Data: data}); err != nil {
						continue // somebody else has it
					}
					out.Lock()
					fmt.Printf("kept %s %x\n", k, data[:8])
					out.Unlock()
				}
			}
		})
	}
	all.Wait()
}

// killContent is what a writer puts under k: its own bytes where writers contend.
func killContent(k packager.Key, writer int) []byte {
	if k.Rendition != "contested" && k.Kind == packager.Segment {
		writer = 0
	}
	return bytes.Repeat(fmt.Appendf(nil, "%08d%s\n", writer%100_000_000, k), 600) // about 20 kB, a segment
}

// TestKill kills processes that put into the bucket until 1,000 PUTs were acknowledged.
// What was acknowledged is there, whole; a segment that two writers wanted has the bytes
// of the one that was told so, from then on.
func TestKill(t *testing.T) {
	srv := s3server.Start(t)
	o := options(t, srv)
	kept := map[string]string{} // the first bytes of what was acknowledged
	acknowledged, kills := 0, 0
	for first := int64(1_000); acknowledged < puts; kills++ {
		first += rand.Int64N(20) - 5 // some numbers again
		for _, line := range killOne(t, o, first) {
			var key, bytes string
			if _, err := fmt.Sscanf(line, "kept %s %s", &key, &bytes); err != nil {
				continue // not of a putter
			}
			acknowledged++
			if old, ok := kept[key]; ok && old != bytes && strings.HasSuffix(key, ".m4s") {
				t.Errorf("%s was acknowledged with the bytes %s and with %s", key, old, bytes)
			}
			kept[key] = bytes
		}
		first += 20
	}
	s := open(t, o)
	for key, bytes := range kept {
		k, err := packager.ParseKey(key)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Get(t.Context(), store.NameOf(k))
		switch {
		case err != nil:
			t.Errorf("acknowledged, and not there: %v", err)
		case k.Kind == packager.Segment && fmt.Sprintf("%x", got.Data[:8]) != bytes:
			t.Errorf("%s was acknowledged with other bytes", key)
		}
	}
	whole(t, srv, o, s)
	t.Logf("%d kills, %d PUTs acknowledged, %d keys", kills, acknowledged, len(kept))
}

// killOne starts two writers, kills both after a while, and returns what they said.
func killOne(t *testing.T, o s3.Options, first int64) []string {
	t.Helper()
	var mu sync.Mutex
	var said []string
	var both sync.WaitGroup
	for range 2 {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestPutter$")
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %s %d", putterVar, o.Endpoint, o.Bucket, o.CredentialsFile, first))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		both.Go(func() {
			lines := bufio.NewScanner(out)
			var timer *time.Timer
			for lines.Scan() {
				if timer == nil {
					timer = time.AfterFunc(time.Duration(20+rand.IntN(400))*time.Millisecond, func() { _ = cmd.Process.Kill() })
				}
				mu.Lock()
				said = append(said, lines.Text())
				mu.Unlock()
			}
			if err := cmd.Wait(); err == nil || cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
				t.Errorf("the writer was not killed: %v", cmd.ProcessState)
			}
		})
	}
	both.Wait()
	return said
}

// whole checks that nothing in the bucket is a part of an object.
func whole(t *testing.T, srv *s3server.Server, o s3.Options, s *s3.Store) {
	t.Helper()
	pages := awss3.NewListObjectsV2Paginator(srv.Client(), &awss3.ListObjectsV2Input{Bucket: &o.Bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, obj := range page.Contents {
			k, err := packager.ParseKey(aws.ToString(obj.Key))
			if err != nil {
				t.Errorf("not ours: %v", err)
				continue
			}
			got, err := s.Get(t.Context(), store.NameOf(k))
			if err != nil {
				t.Fatal(err)
			}
			writer, err := strconv.Atoi(string(got.Data[:8]))
			if err != nil || !bytes.Equal(got.Data, bytes.Repeat(fmt.Appendf(nil, "%08d%s\n", writer, k), 600)) {
				t.Errorf("%s has %d bytes that nobody put", k, len(got.Data))
			}
		}
	}
}
