package packager_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os/exec"
	"sync"
	"testing"

	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
	"longwave/packager"
)

// start is a segment's position on an evening in November 2026.
const start = pcm.Pos(931_120_000) * packager.SegmentSamples

// A tapeSource plays samples, all at once.
type tapeSource struct {
	pos     pcm.Pos
	samples []float32
	marks   map[pcm.Pos][]pcm.Mark
}

func (s *tapeSource) Next(context.Context) (pcm.Frame, error) {
	if len(s.samples) < pcm.FrameLen {
		return pcm.Frame{}, io.EOF
	}
	f := pcm.Frame{Pos: s.pos, Samples: s.samples[:pcm.FrameLen], Marks: s.marks[s.pos]}
	s.samples = s.samples[pcm.FrameLen:]
	s.pos += pcm.FrameSamples
	return f, nil
}

// A sinkLog keeps everything that was put, in order, and fails the test when a key
// changes that never should.
type sinkLog struct {
	t       *testing.T
	mu      sync.Mutex
	objects map[string][]byte
	order   []packager.Object
}

func newSinkLog(t *testing.T) *sinkLog {
	return &sinkLog{t: t, objects: map[string][]byte{}}
}

func (s *sinkLog) Put(_ context.Context, o packager.Object) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := o.Key.String()
	if old, ok := s.objects[k]; ok && o.Key.Immutable() && !bytes.Equal(old, o.Data) {
		s.t.Errorf("%s changed its bytes", k)
	}
	s.objects[k] = o.Data
	s.order = append(s.order, o)
	return nil
}

// run packages samples from start on, in one go, and returns what was published.
func run(t *testing.T, profile string, ladder []packager.Rung, samples []float32) *sinkLog {
	t.Helper()
	p, err := packager.ParseProfile(profile)
	if err != nil {
		t.Fatal(err)
	}
	sink := newSinkLog(t)
	pk, err := packager.New(packager.Options{
		Station: "talk", Profile: p, Ladder: ladder, Start: start, Live: sink, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := pk.Run(t.Context(), &tapeSource{pos: start, samples: samples}); err != nil {
		t.Fatal(err)
	}
	return sink
}

// file returns n segments of a rendition, from start on, as one file.
func (s *sinkLog) file(rung string, n int) []byte {
	var b []byte
	for _, o := range s.order {
		if o.Key.Rendition == rung && (o.Key.Kind == packager.Init || o.Key.Kind == packager.Segment && o.Key.MSN >= packager.MSN(start)) {
			b = append(b, o.Data...)
			if o.Key.Kind == packager.Segment {
				if n--; n == 0 {
					break
				}
			}
		}
	}
	return b
}

// decode has ffmpeg decode a file to interleaved stereo samples; mono is doubled.
func decode(t *testing.T, file []byte) []float32 {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-i", "pipe:0",
		"-af", "pan=stereo|c0=FL+FC|c1=FR+FC", "-f", "f32le", "-ar", "48000", "pipe:1")
	cmd.Stdin = bytes.NewReader(file)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil || errs.Len() > 0 {
		t.Fatalf("ffmpeg: %v\n%s", err, errs.String())
	}
	return pcmtest.Samples(out)
}
