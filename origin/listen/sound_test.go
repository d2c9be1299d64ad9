package listen_test

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"longwave/origin/listen"
	"longwave/packager"
	"longwave/packager/hls"
)

// ended returns a station whose tape is all in the past and has an end: what can be
// heard at once, in real time, as ffmpeg needs it.
func ended(tp tape) *station {
	st := &station{put: playlists(func(m *hls.Media) bool { m.EndList = true; return true })}
	for _, r := range tp {
		r.at = time.Time{}
		st.tape = append(st.tape, r)
	}
	return st
}

func decoded(t *testing.T, st *station) listen.Report {
	t.Helper()
	transport := st.start(t)
	<-st.aired
	rep := hear(t, listen.Options{Decode: true, Transport: transport, URL: "http://station.test/talk/opus.m3u8"})
	show(t, rep)
	return rep
}

func TestDecode(t *testing.T) {
	rep := decoded(t, ended(tapeOf(t, "plain")))
	if rep.Failed(true) {
		t.Error("nothing is wrong with a tone")
	}
	for _, h := range rep.Renditions {
		// 32 segments of a sine with an amplitude of a quarter, the last one filled up.
		if s := h.Sound; math.Abs(s.Median+15.05) > 0.3 || math.Abs(s.Loudest+15.05) > 0.3 || time.Duration(s.Silence) > 300*time.Millisecond || time.Duration(s.Decoded) < 61*time.Second {
			t.Errorf("%s: %+v", h.Name, *s)
		}
	}
}

// Before the first sound a station fills its window with near-silence.
func TestSilence(t *testing.T) {
	var before tape
	for _, r := range tapeOf(t, "plain") {
		if r.Key.MSN < firstMSN && r.at.Before(packager.SegmentPos(firstMSN+1).Time()) {
			before = append(before, r)
		}
	}
	rep := decoded(t, ended(before))
	onlyRules(t, rep, "silence")
}

func TestUndecodable(t *testing.T) {
	st := ended(tapeOf(t, "plain"))
	list := st.put
	st.put = func(o *packager.Object) bool {
		if o.Key.Kind == packager.Segment && o.Key.Rendition == "aac-48" {
			if i := bytes.Index(o.Data, []byte("mdat")); i > 0 {
				o.Data = append(bytes.Clone(o.Data[:i+4]), bytes.Repeat([]byte{0xA5}, len(o.Data)-i-4)...)
			}
		}
		return list(o)
	}
	rep := decoded(t, st)
	onlyRules(t, rep, "undecodable")
	if f := rules(rep)["undecodable"]; f.Rendition != "aac-48" || !strings.HasPrefix(f.Found, "ffmpeg: ") || strings.Contains(f.Found, "\n") {
		t.Errorf("%+v", f)
	}
}
