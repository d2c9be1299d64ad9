package packager_test

import (
	"log/slog"
	"slices"
	"testing"

	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
	"longwave/packager"
	"longwave/packager/hls"
	"longwave/packager/hls/hlstest"
)

func TestBegin(t *testing.T) {
	const seg = packager.SegmentSamples
	msn := packager.MSN(start)
	for name, w := range map[string]struct {
		now          pcm.Pos
		last         int64
		start, first pcm.Pos
	}{
		"nothing is known":                  {start + 5_000, -1, start + seg, start + seg},
		"the segment under way was begun":   {start + 5_000, msn, start + seg, start + seg},
		"it was not":                        {start + 5_000, msn - 1, start, start + 5_760},
		"at its beginning":                  {start, msn - 1, start, start},
		"at its end":                        {start + seg - 1, msn - 1, start, start + seg},
		"begun by a clock that was ahead":   {start + 5_000, msn + 700, start + seg, start + seg},
		"it was set back by a second":       {start + 5_000, msn + 1, start + 2*seg, start + 2*seg},
		"it was set back by 8 s":            {start + 5_000, msn + 4, start + 5*seg, start + 5*seg},
		"it was set back by 10 s":           {start + 5_000, msn + 5, start + seg, start + seg},
		"nobody has been there for a month": {start + 5_000, msn - 1_000_000, start, start + 5_760},
	} {
		t.Run(name, func(t *testing.T) {
			if s, f := packager.Begin(w.now, w.last); s != w.start || f != w.first {
				t.Errorf("segment at %+d, source at %+d, want %+d and %+d", s-start, f-start, w.start-start, w.first-start)
			}
			s, _ := packager.Begin(w.now, w.last)
			if again, d := packager.MSN(s) <= w.last, packager.Repeats(w.now, w.last); again != (d > 0) {
				t.Errorf("numbers come again: %v, and it is said that they do for %v", again, d)
			}
		})
	}
}

// TestMidSegment: a run that begins within a segment fills it with near-silence up to there,
// and says which segments it begins.
func TestMidSegment(t *testing.T) {
	profile, err := packager.ParseProfile("low")
	if err != nil {
		t.Fatal(err)
	}
	const lead = 45 * pcm.FrameSamples // 0.9 s
	sink := newSinkLog(t)
	var begun []int64
	pk, err := packager.New(packager.Options{
		Station: "talk", Profile: profile, Start: start, First: start + lead, Begun: func(msn int64) { begun = append(begun, msn) },
		Live: sink, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := pk.Run(t.Context(), &tapeSource{pos: start + lead, samples: tone(3)}); err != nil {
		t.Fatal(err)
	}
	for _, text := range sink.playlists("aac-96") {
		report(t, "version", hlstest.Check(text))
	}
	m, err := hls.ParseMedia(sink.playlists("aac-96")[1])
	if err != nil {
		t.Fatal(err)
	}
	if m.OpenMSN() != packager.MSN(start) || len(m.Open.Parts) == 0 {
		t.Errorf("the first playlist after the past is at %d with %d parts", m.OpenMSN(), len(m.Open.Parts))
	}
	got := decode(t, sink.file("aac-96", 2))
	before, after := got[:2*(lead-2048)], got[2*(lead+2048):2*packager.SegmentSamples]
	if level := pcmtest.DB(pcmtest.RMS(before)); level > -70 {
		t.Errorf("before its beginning there is %.0f dB", level)
	}
	if level := pcmtest.DB(pcmtest.RMS(after)); level < -30 {
		t.Errorf("after its beginning there is %.0f dB", level)
	}
	msn := packager.MSN(start)
	if want := []int64{msn + 1, msn + 2, msn + 3}; !slices.Equal(begun, want) {
		t.Errorf("begun %v, want %v", begun, want)
	}
	if _, err := packager.New(packager.Options{Station: "talk", Profile: profile, Start: start, First: start + 100, Live: sink, Log: slog.New(slog.DiscardHandler)}); err == nil {
		t.Error("a source that begins within a frame is taken")
	}
}
