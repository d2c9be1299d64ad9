package main_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"longwave/cmd/longwave/systemtest"
	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
	"longwave/origin/store/storetest/s3server"
	"longwave/origin/store/storetest/uplink"
	"longwave/packager"
)

// TestHandOver: SIGTERM, as from whoever puts a new version in, and the node is started
// again. Nobody is told of an end, numbers and times go on, what was heard is kept as it was
// heard, and the next run begins in the segment in which it was started.
func TestHandOver(t *testing.T) {
	t.Parallel()
	tone := systemtest.ToneFile(t, pcmtest.Tone{Hz: killTone, Amp: 0.25}, 10)
	n := systemtest.Start(t, systemtest.Options{
		Build: systemtest.Racing, Config: killStation, Args: []string{"--play", tone, "--loop"},
	})
	ledger := &systemtest.Ledger{}
	l := &systemtest.Listener{Ledger: ledger, Station: "talk", Slack: time.Hour, Keep: func(rendition string, body []byte) {
		if strings.Contains(string(body), "#EXT-X-ENDLIST") {
			t.Errorf("%s: listeners were told of an end:\n%s", rendition, body)
		}
	}}
	stop := systemtest.Listen(t, n, l)
	awaitReady(n)
	first := now()
	for range 3 {
		begun := now()
		n.Await("some segments", func() bool { return l.Edge().MSN > begun+3 && l.Edge().Part >= 1 })
		asked := time.Now()
		n.HandOver()
		t.Logf("it took %v to end", time.Since(asked))
		msn := packager.MSN(pcm.At(asked))
		for _, name := range l.Renditions() {
			text, err := os.ReadFile(filepath.Join(n.Store(), "talk", name, "live.m3u8"))
			if err != nil {
				t.Fatal(err)
			}
			if m := parseMedia(t, text); m.EndList || m.OpenMSN() <= msn {
				t.Errorf("%s: the store has segments to %d, ENDLIST %v; want %d, in which it ended, and none", name, m.OpenMSN()-1, m.EndList, msn)
			}
		}
		n.Start()
		awaitReady(n)
		if edge, most := l.Edge().MSN, now()+1; edge > most {
			t.Errorf("the live edge is %d, ahead of %d", edge, most)
		}
	}
	begun := now()
	n.Await("the tone again", func() bool { return l.Edge().MSN > begun+3 })
	stop()
	last := now() - 1
	n.Stop()
	for _, f := range ledger.Found() {
		t.Error(f)
	}
	for _, name := range l.Renditions() {
		judgeHandOvers(n, ledger, name, [2]int64{first, last})
	}
}

// judgeHandOvers: all segments from one to before another are there, and the log tells how
// long it was silent.
func judgeHandOvers(n *systemtest.Node, ledger *systemtest.Ledger, rendition string, of [2]int64) {
	t, first, last := n.T(), of[0], of[1]
	t.Helper()
	var seen []int64
	for _, k := range ledger.Keys("talk", rendition, packager.Segment) {
		seen = append(seen, k.MSN)
	}
	for msn := first; msn < last; msn++ {
		if !slices.Contains(seen, msn) {
			t.Errorf("%s: segment %d was never listed", rendition, msn)
		}
	}
	const step = pcm.Rate / 10
	x := n.Stored("talk", rendition, first, last).Decode(t)
	quiet, longest := 0, 0
	for at := 2 * pcm.Channels * pcm.Rate; at+pcm.Channels*step <= len(x); at += pcm.Channels * step {
		quiet++
		if pcmtest.DB(pcmtest.RMS(x[at:at+pcm.Channels*step])) > -40 {
			quiet = 0
		}
		longest = max(longest, quiet)
	}
	t.Logf("%s: the longest silence is %.1f s", rendition, float64(longest)/10)
}

// TestHandOverWithoutABucket: SIGTERM and SIGINT while the bucket is away. The node ends in
// time and well, says what is left, and the next start sends that.
func TestHandOverWithoutABucket(t *testing.T) {
	t.Parallel()
	srv := s3server.Start(t)
	srv.AllowRead(t, srv.Bucket, false)
	line := uplink.Start(t, srv.Endpoint)
	b := bucket{t, srv}
	n := systemtest.Start(t, systemtest.Options{Config: bucketAt(srv, line.Endpoint, srv.CredentialsFile(t), small)})
	n.Secret(srv.SecretKey)
	rungs := []string{"opus-24", "aac-48"}
	awaitReady(n)
	n.Await("the bucket to have all lists", func() bool { _, ok := b.read("talk/index.m3u8"); return ok })
	first := diskNewest(n, "aac-48")
	for i, end := range []func(){n.HandOver, n.Stop} {
		line.Hang()
		from := diskNewest(n, "aac-48")
		n.Await("segments that the bucket lacks", func() bool { return diskNewest(n, "aac-48") > from+2 })
		asked := time.Now()
		end()
		if took := time.Since(asked); took > 10*time.Second {
			t.Errorf("it took %v to end, more than 10 s", took)
		}
		if got := n.Count("the bucket lacks what the disk has: the next start sends it", "objects="); got != i+1 {
			t.Errorf("the log says %d times that the bucket lacks something, want %d", got, i+1)
		}
		missing := b.lacks(n, rungs, first)
		if len(missing) == 0 {
			t.Error("the bucket lacks nothing: the test is broken")
		}
		line.Mend()
		n.Start()
		awaitReady(n)
		n.Await("the bucket to have what was left", func() bool { return len(b.lacks(n, rungs, first)) == 0 })
	}
	n.Stop()
	if n.Count("not drained in time") > 0 {
		t.Error("it did not end by itself")
	}
}
