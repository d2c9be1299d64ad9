package main_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"longwave/cmd/longwave/systemtest"
	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
	"longwave/packager"
	"longwave/packager/hls"
)

// killStation plays a tone, so that what was heard and what was filled in are told
// apart, and a segment that was made twice would not be the same.
const killStation = `
stations:
  - name: talk
    renditions: [opus-24, opus-96, aac-48]
`

const (
	killTone   = 1000 // Hz
	killRounds = 10
)

// A killing kills a node again and again at random moments, while a listener
// listens and the store is looked at.
type killing struct {
	t        *testing.T
	node     *systemtest.Node
	listener *systemtest.Listener
	ledger   *systemtest.Ledger
	rng      *rand.Rand
	rounds   int
	lanes    int    // that were opened before this run of the node
	between  func() // after each kill; nil: nothing

	stored map[string]*hls.Media // the store's playlists after the last kill
}

func newKilling(t *testing.T, seed uint64) *killing {
	t.Helper()
	t.Logf("seed %d", seed)
	tone := systemtest.ToneFile(t, pcmtest.Tone{Hz: killTone, Amp: 0.25}, 10)
	k := &killing{
		t: t, ledger: &systemtest.Ledger{}, rng: rand.New(rand.NewPCG(seed, 0)), stored: map[string]*hls.Media{},
		node: systemtest.Start(t, systemtest.Options{
			Build: systemtest.Racing, Config: killStation, Args: []string{"--play", tone, "--loop"},
		}),
	}
	k.listener = &systemtest.Listener{Ledger: k.ledger, Station: "talk", Slack: time.Hour}
	stop := systemtest.Listen(t, k.node, k.listener)
	t.Cleanup(stop)
	return k
}

// round lets the node run for a while, kills it and starts it again.
func (k *killing) round() {
	k.t.Helper()
	if k.rounds++; k.rounds%2 == 0 {
		k.awaitTone()
	}
	time.Sleep(k.within(100*time.Millisecond, 4*time.Second)) // any moment: no event may choose it
	k.node.Kill()
	k.look("disk after a kill")
	if k.between != nil {
		k.between()
	}
	time.Sleep(k.within(0, 2500*time.Millisecond)) // it is away for up to a segment and more
	k.lanes = k.node.Count("lane opened")
	k.node.Start()
}

// awaitTone waits until this run of the node has a whole segment of the tone:
// the second one that begins after the lane was opened, for the lane waits a
// moment until it is filled.
func (k *killing) awaitTone() {
	k.t.Helper()
	k.node.Await("the tone to come in", func() bool { return k.node.Count("lane opened") > k.lanes })
	now := packager.MSN(pcm.At(time.Now()))
	k.node.Await("a segment of the tone", func() bool { return k.listener.Edge().MSN > now+2 })
}

// awaitEdge waits until the listener has what was made after now.
func (k *killing) awaitEdge() {
	k.t.Helper()
	now := packager.MSN(pcm.At(time.Now()))
	k.node.Await("the live edge to be heard again", func() bool {
		edge := k.listener.Edge()
		return edge.MSN > now && edge.Part >= 1
	})
}

func (k *killing) within(least, most time.Duration) time.Duration {
	return least + time.Duration(k.rng.Int64N(int64(most-least)))
}

// look enters what lies in the store, which nobody writes to now, and checks that
// its playlists name what is there and follow on those of the last time.
func (k *killing) look(where string) {
	k.t.Helper()
	if err := k.ledger.SeeFolder(k.node.Store(), where); err != nil {
		k.t.Fatal(err)
	}
	for _, name := range k.listener.Renditions() {
		text, err := os.ReadFile(filepath.Join(k.node.Store(), "talk", name, "live.m3u8"))
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			k.t.Fatal(err)
		}
		m, err := hls.ParseMedia(text)
		if err != nil {
			k.ledger.Report("stored", "%s: %s: %v", where, name, err)
			continue
		}
		for i, s := range m.Segments {
			if want := (packager.Key{Kind: packager.Segment, MSN: m.MediaSequence + int64(i)}).File(); s.URI != want {
				k.ledger.Report("stored", "%s: %s has %s in the place of %s", where, name, s.URI, want)
			}
			for _, file := range []string{s.URI, s.Map.URI} {
				if _, err := os.Stat(filepath.Join(k.node.Store(), "talk", name, file)); err != nil {
					k.ledger.Report("stored", "%s: the playlist of %s names what is not there: %v", where, name, err)
				}
			}
		}
		if was := k.stored[name]; was != nil && (m.MediaSequence < was.MediaSequence || m.OpenMSN() < was.OpenMSN()) {
			k.ledger.Report("stored", "%s: %s went from %d-%d to %d-%d", where, name, was.MediaSequence, was.OpenMSN(), m.MediaSequence, m.OpenMSN())
		}
		k.stored[name] = m
	}
}

// TestKill: kill -9 at any moment, and the same addresses go on: no key is ever
// seen with other bytes, numbers and times go on, nothing that was listed is gone,
// and what was missed is near-silence.
func TestKill(t *testing.T) {
	t.Parallel()
	k := newKilling(t, uint64(time.Now().UnixNano()))
	for range killRounds {
		k.round()
	}
	k.awaitEdge()
	k.node.Stop()
	k.look("disk at the end")
	for _, f := range k.ledger.Found() {
		t.Error(f)
	}
	for _, name := range k.listener.Renditions() {
		k.hear(name)
	}
}

// TestKillNotices: the judges of TestKill see a node that forgets.
func TestKillNotices(t *testing.T) {
	t.Parallel()
	k := newKilling(t, 1)
	k.between = func() {
		if err := os.RemoveAll(k.node.Data); err != nil {
			t.Fatal(err)
		}
	}
	k.node.Await("some segments", func() bool {
		return len(k.ledger.Keys("talk", "aac-48", packager.Segment)) > 33
	})
	k.round()
	k.awaitEdge()
	if k.ledger.FoundOf("changed") == 0 {
		t.Errorf("a node that lost its store was not noticed: %q", k.ledger.Found())
	}
}

// hear decodes all that the listener was ever offered of a rendition and says what
// is wrong with it as sound: it is the tone or near-silence, and as long as the
// time that passed.
func (k *killing) hear(rendition string) {
	k.t.Helper()
	keys := k.ledger.Keys("talk", rendition, packager.Segment)
	first, last := keys[0].MSN, keys[len(keys)-1].MSN
	if n := int64(len(keys)); n != last-first+1 {
		k.t.Errorf("%s: %d segments between %d and %d", rendition, n, first, last)
		return
	}
	x := k.node.Stored("talk", rendition, first, last+1).Decode(k.t)
	samples := len(x) / pcm.Channels
	want := int(packager.SegmentSamples) * len(keys)
	if strings.HasPrefix(rendition, "opus") {
		want -= 312 // the pre-skip, which ffmpeg takes off
	}
	if samples != want {
		k.t.Errorf("%s: %d segments decode to %d samples, want %d", rendition, len(keys), samples, want)
	}
	var tone, quiet, other int
	for msn := first; msn <= last; msn++ {
		end := want - int(last-msn)*int(packager.SegmentSamples)
		middle := x[pcm.Channels*(end-3*int(packager.SegmentSamples)/4) : pcm.Channels*(end-int(packager.SegmentSamples)/4)]
		switch {
		case pcmtest.Has(middle[:2*pcm.Rate*pcm.Channels/4], 0, killTone):
			tone++
		case pcmtest.DB(pcmtest.Peak(middle)) < -70:
			quiet++
		default:
			other++
		}
	}
	k.t.Logf("%s: %d segments of tone, %d of near-silence, %d of both", rendition, tone, quiet, other)
	if tone < 3 || quiet < 32 || other > 2*killRounds {
		k.t.Errorf("%s: %d segments of tone, %d of near-silence, %d of both", rendition, tone, quiet, other)
	}
}
