package main_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"longwave/cmd/longwave/systemtest"
	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
	"longwave/packager"
)

// TestTwins: two processes that were started at different times and with different
// numbers of processors encode the same conversation; every object that both make has
// the same bytes, in both codecs and with each profile that cuts in another way.
func TestTwins(t *testing.T) {
	t.Parallel()
	sound := filepath.Join(t.TempDir(), "conversation.f32le")
	talk := filepath.Join(root, "infra", "demo", "conversation.ogg")
	if err := systemtest.RunFFmpeg(t, append([]string{"-t", "12", "-i", talk}, systemtest.RawOutput(t, "opus-96", sound)...)...); err != nil {
		t.Fatal(err)
	}
	const segments = 6
	start, _ := packager.Begin(pcm.At(time.Now()), -1)
	for _, profile := range []string{"fast", "low"} {
		one := encodeElsewhere(t, encoding{sound, profile, start, segments}, "GOMAXPROCS=1")
		two := encodeElsewhere(t, encoding{sound, profile, start + 2*packager.SegmentSamples, segments - 2})
		// The first segment of a run has no sound before it, the last none after it.
		first, last := packager.MSN(start)+3, packager.MSN(start)+segments-2
		if n := int(last-first+1) * len(ladder); n <= 0 || common(one, two, first, last) < n {
			t.Errorf("%s: %d objects are made by both, want %d segments at least", profile, common(one, two, first, last), n)
		}
		for name, sum := range one {
			k, err := packager.ParseKey(name)
			if err != nil {
				t.Fatal(err)
			}
			if compared(k, first, last) && two[name] != sum {
				t.Errorf("%s: %s differs", profile, name)
			}
		}
		if diff := cmp.Diff(keys(one, first, last), keys(two, first, last)); diff != "" {
			t.Errorf("%s: other objects (-one +two):\n%s", profile, diff)
		}
	}
	// That this can fail: the same time with a frame less of the sound before it.
	raw, err := os.ReadFile(sound)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(sound+".2", raw[4*pcm.FrameLen:], 0o600); err != nil {
		t.Fatal(err)
	}
	one := encodeElsewhere(t, encoding{sound, "low", start, 3})
	two := encodeElsewhere(t, encoding{sound + ".2", "low", start, 3})
	for name, sum := range one {
		k, err := packager.ParseKey(name)
		if err != nil {
			t.Fatal(err)
		}
		if k.Kind == packager.Segment && k.MSN == packager.MSN(start)+1 && two[name] == sum {
			t.Errorf("%s has the same bytes for another sound", name)
		}
	}
}

func compared(k packager.Key, first, last int64) bool {
	return k.Kind == packager.Init || k.Immutable() && k.MSN >= first && k.MSN <= last
}

func keys(sums map[string]string, first, last int64) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(sums)), func(name string) bool {
		k, err := packager.ParseKey(name)
		return err != nil || !compared(k, first, last)
	})
}

func common(one, two map[string]string, first, last int64) int {
	n := 0
	for _, name := range keys(one, first, last) {
		if _, ok := two[name]; ok {
			n++
		}
	}
	return n
}

// encodeVar makes this program a process that encodes.
const encodeVar = "LONGWAVE_SYSTEM_TEST_ENCODE"

// An encoding is what such a process is to do.
type encoding struct {
	Sound    string // f32le, stereo, 48 kHz
	Profile  string
	Start    pcm.Pos
	Segments int
}

// encodeElsewhere returns the hash of every immutable object by its key.
func encodeElsewhere(t *testing.T, e encoding, env ...string) map[string]string {
	t.Helper()
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(append(os.Environ(), encodeVar+"="+string(text)), env...)
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, sum, _ := strings.Cut(strings.TrimSpace(line), " ")
		sums[name] = sum
	}
	return sums
}

// encode is what the process does.
func encode(text string) error {
	var e encoding
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		return err
	}
	raw, err := os.ReadFile(e.Sound)
	if err != nil {
		return err
	}
	profile, err := packager.ParseProfile(e.Profile)
	if err != nil {
		return err
	}
	p, err := packager.New(packager.Options{
		Station: "talk", Profile: profile, Start: e.Start, Live: printer{}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	end := e.Start + pcm.Pos(e.Segments)*packager.SegmentSamples
	return p.Run(context.Background(), &recording{sound: pcmtest.Samples(raw), pos: e.Start, end: end})
}

// A recording is a source whose sound is a function of the position.
type recording struct {
	sound    []float32
	pos, end pcm.Pos
}

func (r *recording) Next(context.Context) (pcm.Frame, error) {
	if r.pos == r.end {
		return pcm.Frame{}, io.EOF
	}
	frames := pcm.Pos(len(r.sound) / pcm.FrameLen)
	at := r.pos / pcm.FrameSamples % frames * pcm.FrameLen
	f := pcm.Frame{Pos: r.pos, Samples: r.sound[at : at+pcm.FrameLen]}
	r.pos += pcm.FrameSamples
	return f, nil
}

// A printer prints the hash of what it is given.
type printer struct{}

func (printer) Put(_ context.Context, o packager.Object) error {
	if !o.Key.Immutable() {
		return nil
	}
	_, err := fmt.Printf("%s %x\n", o.Key, sha256.Sum256(o.Data))
	return err
}
