package listen_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bluenviron/gohlslib/v2"
	"github.com/bluenviron/gohlslib/v2/pkg/codecs"
	"longwave/packager/hls"

	"longwave/origin/listen"
)

// A stream of the real packager from the real origin has no fault.
func TestClean(t *testing.T) {
	for _, profile := range []string{"fast", "low", "calm", "plain"} {
		t.Run(profile, func(t *testing.T) {
			st := &station{tape: tapeOf(t, profile)}
			rep := st.hear(t, listen.Options{For: 40 * time.Second})
			show(t, rep)
			if rep.Failed(true) {
				t.Error("it should have passed")
			}
		})
	}
}

// Every kind of address is one to listen at, and renditions can be picked.
func TestAddresses(t *testing.T) {
	st := &station{tape: tapeOf(t, "low")}
	for _, c := range []struct {
		path, kind string
		pick       []string
		want       []string
	}{
		{path: "/talk/", kind: "page", want: []string{"aac-48", "opus-24"}},
		{path: "/talk/#player", kind: "page", want: []string{"aac-48", "opus-24"}},
		{path: "/talk/index.m3u8", kind: "multivariant playlist", want: []string{"aac-48"}},
		{path: "/talk/opus.m3u8?from=card", kind: "multivariant playlist", want: []string{"opus-24", "aac-48"}},
		{path: "/talk/opus.m3u8", kind: "multivariant playlist", pick: []string{"aac-48"}, want: []string{"aac-48"}},
		{path: "/talk/opus-24/live.m3u8", kind: "media playlist", want: []string{"media"}},
	} {
		t.Run(c.path, func(t *testing.T) {
			rep := st.hear(t, listen.Options{URL: "http://station.test" + c.path, Renditions: c.pick, For: 8 * time.Second})
			var got []string
			for _, h := range rep.Renditions {
				got = append(got, h.Name)
			}
			if rep.Kind != c.kind || !slices.Equal(got, c.want) || rep.Failed(true) {
				show(t, rep)
				t.Errorf("%s: %q, want %s: %q", rep.Kind, got, c.kind, c.want)
			}
		})
	}
}

// A stream that ends is heard to its end, and the listener leaves.
func TestEnd(t *testing.T) {
	st := &station{tape: tapeOf(t, "low")} // which lasts 90 s
	rep := st.hear(t, listen.Options{For: time.Hour, Renditions: []string{"opus-24"}})
	if h := rep.Renditions[0]; !h.Ended || rep.Failed(true) || time.Duration(rep.Listened) > 95*time.Second {
		show(t, rep)
		t.Errorf("%+v", h)
	}
}

// A recording is read from its beginning.
func TestEnded(t *testing.T) {
	tp := tapeOf(t, "low")
	st := &station{tape: slices.Clone(tp)}
	for i := range st.tape {
		st.tape[i].at = time.Time{} // all of it is past
	}
	rep := st.hear(t, listen.Options{})
	if h := rep.Renditions[0]; !h.Ended || h.Segments != 32 || rep.Failed(true) {
		show(t, rep)
		t.Errorf("%+v", h)
	}
}

// Who is told to leave reports what there is.
func TestLeave(t *testing.T) {
	st := &station{tape: tapeOf(t, "low")}
	synctest.Test(t, func(t *testing.T) {
		transport := st.start(t)
		time.Sleep(10 * time.Second)
		l, err := listen.New(listen.Options{URL: "http://station.test/talk/", Transport: transport})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(7*time.Second, cancel)
		rep, err := l.Run(ctx)
		if err != nil || rep.Failed(true) || rep.Renditions[0].Segments < 3 || time.Duration(rep.Listened).Round(time.Second) != 7*time.Second {
			show(t, rep)
			t.Error(err)
		}
	})
}

// Progress is told every second, with sense.
func TestProgress(t *testing.T) {
	st := &station{tape: tapeOf(t, "low")}
	var told []listen.Progress
	st.hear(t, listen.Options{For: 10500 * time.Millisecond, Progress: func(p listen.Progress) { told = append(told, p) }})
	if len(told) != 10 {
		t.Fatalf("told %d times", len(told))
	}
	last := told[9]
	if last.Elapsed != 10*time.Second || last.Renditions != 2 || last.Parts < 60 || last.Segments < 8 || last.Bytes < 50_000 || last.Must+last.Should+last.Stalls != 0 {
		t.Errorf("%+v", last)
	}
}

// A discontinuity is no fault; it is counted.
func TestDiscontinuity(t *testing.T) {
	st := &station{tape: tapeOf(t, "plain"), put: playlists(func(m *hls.Media) bool {
		if i := firstMSN + 6 - m.FirstMSN(); i < int64(len(m.Segments)) {
			m.Segments[i].Discontinuity = true
		}
		m.DiscontinuitySequence = 1
		return true
	})}
	rep := st.hear(t, listen.Options{For: 30 * time.Second, Renditions: []string{"opus-24"}})
	if rep.Renditions[0].Discontinuities != 1 || rep.Failed(true) {
		show(t, rep)
		t.Error("one discontinuity, and nothing wrong")
	}
}

// The report is one JSON object with the names that people write scripts for.
func TestJSON(t *testing.T) {
	st := &station{tape: tapeOf(t, "low"), serve: answering(method(http.MethodOptions), http.StatusNotFound)}
	rep := st.hear(t, listen.Options{For: 5 * time.Second})
	b, err := json.Marshal(rep)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Passed bool
		Times  map[string]any
		Must   []any
		Should []struct{ Rule, Severity, Found string }
		Notes  []any
		Delay  struct {
			P50 float64 `json:"p50_ms"`
		}
		Renditions []struct{ Rates map[string]int }
	}
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if !got.Passed || got.Must == nil || got.Notes == nil || len(got.Should) != 1 || got.Should[0].Rule != "http-preflight" || got.Renditions[1].Rates["declared"] == 0 {
		t.Errorf("%s", b)
	}
}

// gohlslib's Client, an independent reader, reads the AAC list and finds the sound
// of one access unit after the other.
func TestGohlslib(t *testing.T) {
	st := &station{tape: tapeOf(t, "low")}
	synctest.Test(t, func(t *testing.T) {
		transport := st.start(t)
		time.Sleep(10 * time.Second)
		// Of the units of a part gohlslib gives all the time of the first, when their
		// duration stands in the init segment alone: only the first one's is judged.
		var at, since int64
		units := 0
		client := &gohlslib.Client{URI: "http://station.test/talk/index.m3u8", HTTPClient: &http.Client{Transport: transport}}
		quiet := func(string) {}
		client.OnDownloadPrimaryPlaylist, client.OnDownloadStreamPlaylist = quiet, quiet
		client.OnDownloadSegment, client.OnDownloadPart = quiet, quiet
		client.OnDecodeError = func(err error) { t.Error(err) }
		client.OnTracks = func(tracks []*gohlslib.Track) error {
			if _, ok := tracks[0].Codec.(*codecs.MPEG4Audio); len(tracks) != 1 || !ok {
				t.Errorf("%d tracks, %T", len(tracks), tracks[0].Codec)
			}
			client.OnDataMPEG4Audio(tracks[0], func(pts int64, aus [][]byte) {
				if want := at + since*1024; pts != at && pts != want {
					t.Errorf("at %d, the one before ended at %d", pts, want)
				}
				if pts != at {
					at, since = pts, 0
				}
				units += len(aus)
				since += int64(len(aus))
			})
			return nil
		}
		if err := client.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		client.Close()
		if err := client.Wait2(); err != nil && !strings.Contains(err.Error(), "terminated") {
			t.Error(err)
		}
		if heard := time.Duration(units) * 1024 * time.Second / 48_000; heard < 19*time.Second {
			t.Errorf("%v of sound in 20 s", heard)
		}
	})
}
