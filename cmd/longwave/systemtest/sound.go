package systemtest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
	"longwave/packager"
)

// ToneFile writes seconds of a tone into a WAV file. A tone of whole hertz can be
// looped without a seam.
func ToneFile(t testing.TB, tone pcmtest.Tone, seconds int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tone.wav")
	if err := os.WriteFile(path, pcmtest.WAV(tone.Make(seconds*pcm.Rate)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Decode decodes an init segment and the segments after it with ffmpeg, to
// interleaved stereo at 48 kHz; mono is the same on both sides.
func Decode(t testing.TB, rendition string, files ...[]byte) []float32 {
	t.Helper()
	args := append([]string{"-f", "mp4", "-i", "pipe:0"}, RawOutput(t, rendition, "pipe:1")...)
	raw, err := ffmpeg(t, bytes.Join(files, nil), args...)
	if err != nil {
		t.Fatal(err)
	}
	return Stereo(t, rendition, raw)
}

// RawOutput are the arguments with which ffmpeg writes a rendition's samples as they
// are to a file, for [Stereo] to read.
func RawOutput(t testing.TB, rendition, to string) []string {
	t.Helper()
	channels := "1"
	if rung(t, rendition).Channels == 2 {
		channels = "2"
	}
	return []string{"-f", "f32le", "-ar", "48000", "-ac", channels, to}
}

// Stereo reads what ffmpeg wrote with [RawOutput].
func Stereo(t testing.TB, rendition string, raw []byte) []float32 {
	t.Helper()
	x := pcmtest.Samples(raw)
	if rung(t, rendition).Channels == 2 {
		return x
	}
	both := make([]float32, 0, 2*len(x))
	for _, v := range x {
		both = append(both, v, v)
	}
	return both
}

func rung(t testing.TB, rendition string) packager.Rung {
	t.Helper()
	r, err := packager.ParseRung(rendition)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// RunFFmpeg runs ffmpeg and returns an error unless it is content. It may be called
// by any goroutine.
func RunFFmpeg(t testing.TB, args ...string) error {
	t.Helper()
	_, err := ffmpeg(t, nil, args...)
	return err
}

func ffmpeg(t testing.TB, in []byte, args ...string) ([]byte, error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "ffmpeg", append([]string{"-hide_banner", "-nostdin", "-v", "error", "-y"}, args...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("ffmpeg %q: %w\n%s", args, err, stderr.String())
	}
	return stdout.Bytes(), nil
}

// A Stored is what a disk store has of one rendition.
type Stored struct {
	Rendition string
	Init      []byte
	First     int64    // MSN of the first segment
	Segments  [][]byte // without a hole
}

// Stored reads the segments of a rendition from the node's disk store, from an MSN
// to before another, and the init segment, of which there must be one.
func (n *Node) Stored(station, rendition string, from, before int64) Stored {
	n.t.Helper()
	s := Stored{Rendition: rendition, First: from}
	dir := filepath.Join(n.Store(), station, rendition)
	inits, err := filepath.Glob(filepath.Join(dir, "init-*.mp4"))
	if err != nil || len(inits) != 1 {
		n.t.Fatalf("init segments %q, %v; want one", inits, err)
	}
	s.Init = readFile(n.t, inits[0])
	for msn := from; msn < before; msn++ {
		s.Segments = append(s.Segments, readFile(n.t, filepath.Join(dir, packager.Key{Kind: packager.Segment, MSN: msn}.File())))
	}
	return s
}

// Store returns the folder of the node's disk store.
func (n *Node) Store() string { return filepath.Join(n.Data, "store") }

// Decode decodes all of it.
func (s Stored) Decode(t testing.TB) []float32 {
	t.Helper()
	return Decode(t, s.Rendition, append([][]byte{s.Init}, s.Segments...)...)
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Last returns the MSN of the newest segment of a rendition in the disk store.
func (n *Node) Last(station, rendition string) int64 {
	n.t.Helper()
	entries, err := os.ReadDir(filepath.Join(n.Store(), station, rendition))
	if err != nil {
		n.t.Fatal(err)
	}
	last := int64(-1)
	for _, e := range entries {
		if k, err := packager.ParseKey(station + "/" + rendition + "/" + e.Name()); err == nil && k.Kind == packager.Segment {
			last = max(last, k.MSN)
		}
	}
	return last
}

// ReadRaw reads a file that ffmpeg wrote with [RawOutput].
func ReadRaw(t testing.TB, rendition, path string) []float32 {
	t.Helper()
	return Stereo(t, rendition, readFile(t, path))
}

// ReadStore returns a file of the node's disk store.
func (n *Node) ReadStore(name string) []byte {
	n.t.Helper()
	return readFile(n.t, filepath.Join(n.Store(), filepath.FromSlash(name)))
}

// T returns the test that the node belongs to.
func (n *Node) T() testing.TB { return n.t }
