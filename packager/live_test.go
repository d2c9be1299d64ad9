package packager_test

import (
	"context"
	"errors"
	"flag"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
	"longwave/packager"
	"longwave/packager/cmaf"
	"longwave/packager/hls"
	"longwave/packager/hls/hlstest"
)

var update = flag.Bool("update", false, "write the golden files")

// tone returns n segments of a 440 Hz tone.
func tone(segments int) []float32 {
	return pcmtest.Tone{Hz: 440, Amp: 0.3}.Make(segments * int(packager.SegmentSamples))
}

// TestPlaylists compares every playlist of a short programme, as it stands in the
// middle of a segment and at the end, with files that a person has read.
func TestPlaylists(t *testing.T) {
	marks := map[pcm.Pos][]pcm.Mark{
		start:          {{Pos: start, Kind: pcm.MarkState, Text: pcm.OnAirHold}},
		start + 96_000: {{Pos: start + 95_520, Kind: pcm.MarkState, Text: pcm.OnAirLive}, {Pos: start + 96_000, Kind: pcm.MarkTitle, Text: `Zwei "Leute" reden`}},
	}
	for _, profile := range []string{"low", "plain"} {
		t.Run(profile, func(t *testing.T) {
			sink := newSinkLog(t)
			src := &tapeSource{pos: start, samples: tone(2), marks: marks}
			runInto(t, sink, profile, src, stores{})
			golden(t, profile+"-end", sink.objects["talk/opus-48/live.m3u8"])
			if profile == "plain" {
				return
			}
			golden(t, "index", sink.objects["talk/index.m3u8"])
			golden(t, "opus", sink.objects["talk/opus.m3u8"])
			// The fourth part of the second segment has just been listed.
			golden(t, profile, sink.playlists("opus-48")[1+6+4])
		})
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".m3u8")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("%s:\n%s", path, diff)
	}
}

// TestRules has the checker follow every rendition of every profile, media included.
func TestRules(t *testing.T) {
	for _, profile := range []string{"fast", "low", "calm", "plain"} {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			sink := run(t, profile, nil, tone(6))
			for _, r := range packager.DefaultLadder() {
				checkRendition(t, sink, r.Name)
			}
			last := map[string][]byte{}
			for _, r := range packager.DefaultLadder() {
				all := sink.playlists(r.Name)
				last[r.Name+"/live.m3u8"] = all[len(all)-2] // the last before the end
			}
			report(t, "renditions", hlstest.CheckRenditions(last))
			report(t, "index", hlstest.CheckMultivariant(sink.objects["talk/index.m3u8"]))
			report(t, "opus", hlstest.CheckMultivariant(sink.objects["talk/opus.m3u8"]))
		})
	}
}

func checkRendition(t *testing.T, sink *sinkLog, rung string) {
	t.Helper()
	var last *hls.Media
	for _, text := range sink.playlists(rung) {
		report(t, rung, hlstest.Check(text))
		m, err := hls.ParseMedia(text)
		if err != nil {
			t.Fatal(err)
		}
		last = m
	}
	prefix := "talk/" + rung + "/"
	track, found := hlstest.NewTrack(sink.objects[prefix+last.Segments[0].Map.URI])
	report(t, rung, found)
	for i, s := range last.Segments {
		var parts [][]byte
		for n := 0; ; n++ {
			k := packager.Key{Station: "talk", Rendition: rung, Kind: packager.Part, MSN: last.MediaSequence + int64(i), Part: n}
			data, ok := sink.objects[k.String()]
			if !ok {
				break
			}
			parts = append(parts, data)
		}
		for _, data := range append(parts, sink.objects[prefix+s.URI]) {
			if tag, ok := cmaf.TagOf(data); !ok || tag != cmaf.StationTag("talk") {
				t.Errorf("%s/%s: station tag %x, %v", rung, s.URI, tag, ok)
			}
		}
		report(t, rung+"/"+s.URI, track.Segment(s, sink.objects[prefix+s.URI], parts))
	}
}

func report(t *testing.T, what string, found []hlstest.Violation) {
	t.Helper()
	for _, v := range found {
		t.Errorf("%s: %s", what, v)
	}
}

// playlists returns the versions of a rendition's playlist in the order of putting.
func (s *sinkLog) playlists(rung string) [][]byte {
	var all [][]byte
	for _, o := range s.order {
		if o.Key.Rendition == rung && o.Key.Kind == packager.Media {
			all = append(all, o.Data)
		}
	}
	return all
}

// errKilled ends a source as kill -9 ends a process.
var errKilled = errors.New("killed")

type killed struct{ *tapeSource }

func (k killed) Next(ctx context.Context) (pcm.Frame, error) {
	f, err := k.tapeSource.Next(ctx)
	if err != nil {
		return f, errKilled
	}
	return f, nil
}

// past reads what an earlier run put.
type past struct{ objects map[string][]byte }

func (p past) Read(_ context.Context, k packager.Key) ([]byte, error) {
	if b, ok := p.objects[k.String()]; ok {
		return b, nil
	}
	return nil, fs.ErrNotExist
}

// stores are what a run keeps things in and finds things in; both may be nil.
type stores struct {
	outlet packager.Outlet
	past   packager.Reader
	ladder []packager.Rung // nil: the default
}

// runInto packages src into sink.
func runInto(t *testing.T, sink *sinkLog, profile string, src packager.Source, stores stores) {
	t.Helper()
	p, err := packager.ParseProfile(profile)
	if err != nil {
		t.Fatal(err)
	}
	opt := packager.Options{Station: "talk", Profile: p, Start: start, Live: sink, Past: stores.past, Ladder: stores.ladder, Log: slog.New(slog.DiscardHandler)}
	switch s := src.(type) {
	case *tapeSource:
		opt.Start = s.pos
	case killed:
		opt.Start = s.pos
	}
	if stores.outlet != nil {
		opt.Outlets = []packager.Outlet{stores.outlet}
	}
	pk, err := packager.New(opt)
	if err != nil {
		t.Fatal(err)
	}
	if err := pk.Run(t.Context(), src); err != nil && !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
}

// TestRestart kills a packager in mid-segment and starts another one some segments
// later: the list goes on, what was missed is filled, and no key changes its bytes
// (sinkLog fails the test when one does).
func TestRestart(t *testing.T) {
	sink := newSinkLog(t)
	shop := &outlet{sink: sink}
	runInto(t, sink, "low", killed{&tapeSource{pos: start, samples: tone(5)[:2*(4*92_160+40_000)]}}, stores{outlet: shop})
	before, err := hls.ParseMedia(sink.objects["talk/aac-48/live.m3u8"])
	if err != nil {
		t.Fatal(err)
	}
	stored := maps.Clone(shop.kept)
	shop = &outlet{sink: sink, kept: shop.kept}
	again := start + 7*packager.SegmentSamples
	runInto(t, sink, "low", killed{&tapeSource{pos: again, samples: tone(3)}}, stores{outlet: shop, past: past{stored}})
	var after *hls.Media
	for i, text := range sink.playlists("aac-48") {
		report(t, "version", hlstest.Check(text))
		if after, err = hls.ParseMedia(text); err != nil {
			t.Fatal(i, err)
		}
	}
	if after.MediaSequence < before.MediaSequence {
		t.Errorf("MEDIA-SEQUENCE went from %d back to %d", before.MediaSequence, after.MediaSequence)
	}
	var track *hlstest.Track
	for _, s := range after.Segments {
		data, ok := sink.objects["talk/aac-48/"+s.URI]
		if !ok {
			t.Errorf("%s is listed and was never put", s.URI)
		}
		if track == nil {
			track, _ = hlstest.NewTrack(sink.objects["talk/aac-48/"+s.Map.URI])
		}
		report(t, s.URI, track.Segment(s, data, nil)) // tfdt goes on without a hole
	}
	if got, want := after.OpenMSN(), packager.MSN(again)+2; got < want {
		t.Errorf("the list ends at %d, want at least %d", got, want)
	}
	if got := decode(t, sink.window("aac-48", after)); len(got) != 2*len(after.Segments)*int(packager.SegmentSamples) {
		t.Errorf("ffmpeg decodes %d samples of %d segments", len(got)/2, len(after.Segments))
	}
}

// window returns the segments that m names as one file.
func (s *sinkLog) window(rung string, m *hls.Media) []byte {
	b := append([]byte(nil), s.objects["talk/"+rung+"/"+m.Segments[0].Map.URI]...)
	for _, seg := range m.Segments {
		b = append(b, s.objects["talk/"+rung+"/"+seg.URI]...)
	}
	return b
}
