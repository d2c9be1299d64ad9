package hlstest_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"longwave/packager/hls"
	"longwave/packager/hls/hlstest"
)

// A stage makes the playlists of a live stream with parts of 0.32 s.
type stage struct {
	m    *hls.Media
	part int // parts so far
}

const stageMSN = 931_000_000

func newStage() *stage {
	return &stage{m: &hls.Media{
		Version: 9, TargetDuration: 2 * time.Second, PartTarget: 320 * time.Millisecond, MediaSequence: stageMSN,
		Control: hls.ServerControl{
			CanBlockReload: true, CanSkipUntil: 12 * time.Second, HoldBack: 6 * time.Second, PartHoldBack: 1280 * time.Millisecond,
		},
	}}
}

// step adds a part, as a packager would.
func (s *stage) step() {
	m := s.m
	msn, i := stageMSN+int64(s.part/6), s.part%6
	if i == 0 {
		m.Open = hls.Segment{PDT: time.UnixMilli(msn * 1920).UTC(), Map: hls.Map{URI: "init-0.mp4"}}
	}
	m.Open.Parts = append(slices.Clone(m.Open.Parts), hls.Part{URI: fmt.Sprintf("%d.%d.m4s", msn, i), Duration: 319_990 * time.Microsecond, Independent: true})
	if i == 5 {
		seg := m.Open
		seg.URI, seg.Duration = fmt.Sprintf("%d.m4s", msn), 1_919_990*time.Microsecond
		m.Segments = append(slices.Clone(m.Segments), seg)
		m.Open = hls.Segment{}
		if n := len(m.Segments); n > 2 {
			m.Segments[n-3].Parts = nil
		}
		if len(m.Segments) > 32 {
			m.Segments, m.MediaSequence = m.Segments[1:], m.MediaSequence+1
		}
	}
	s.part++
	m.Hints = []hls.PreloadHint{{Type: hls.HintPart, URI: fmt.Sprintf("%d.%d.m4s", stageMSN+int64(s.part/6), s.part%6)}}
}

func (s *stage) at() time.Time {
	return time.UnixMilli(stageMSN*1920 + int64(s.part)*320)
}

// Five minutes of a stream, followed by clients that take every version and every
// delta update they can, or skip some.
func TestFollowerOfGoodStream(t *testing.T) {
	for _, c := range []struct {
		name  string
		every int
		delta bool
		slack time.Duration
	}{
		{"every part", 1, false, 0},
		{"every part, delta updates", 1, true, 0},
		{"every third part, delta updates", 3, true, 640 * time.Millisecond},
		{"every 17th part", 17, false, 6 * time.Second},
		{"every 17th part, delta updates", 17, true, 6 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, f := newStage(), hlstest.Follower{Slack: c.slack}
			deltas := 0
			for range 900 {
				s.step()
				if s.part%c.every != 0 {
					continue
				}
				b, isDelta := s.m.AppendDelta(nil)
				if !c.delta || !isDelta || f.Media() == nil {
					b, isDelta = s.m.Append(nil), false
				}
				if isDelta {
					deltas++
				}
				clean(t, f.Playlist(s.at(), b))
				if d := cmp.Diff(s.m, f.Media()); d != "" {
					t.Fatalf("part %d (-sent +got):\n%s", s.part, d)
				}
			}
			if c.delta && deltas == 0 {
				t.Error("there was no delta update")
			}
		})
	}
}

func TestFollowerOfSilence(t *testing.T) {
	s := newStage()
	for range 40 {
		s.step()
	}
	var f hlstest.Follower
	b := s.m.Append(nil)
	clean(t, f.Playlist(s.at(), b))
	clean(t, f.Playlist(s.at().Add(320*time.Millisecond), b))
	breaks(t, "part-late", f.Playlist(s.at().Add(330*time.Millisecond), b))
	clean(t, f.Playlist(s.at().Add(900*time.Millisecond), b)) // it was said
	late := s.at().Add(time.Second)
	s.step()
	clean(t, f.Playlist(late, s.m.Append(nil)))
	s.step()
	breaks(t, "part-late", f.Playlist(late.Add(time.Second), s.m.Append(nil)))
}

func TestFollowerBeginsAnew(t *testing.T) {
	s := newStage()
	for range 60 {
		s.step()
	}
	var f hlstest.Follower
	clean(t, f.Playlist(s.at(), s.m.Append(nil)))
	for range 400 {
		s.step()
	}
	delta, ok := s.m.AppendDelta(nil)
	if !ok {
		t.Fatal("no delta update")
	}
	clean(t, f.Playlist(s.at(), delta)) // a client that slept must not have asked for one
	if f.Media() != nil {
		t.Fatal("there is a playlist")
	}
	breaks(t, "delta-unmergeable", f.Playlist(s.at(), delta))
	clean(t, f.Playlist(s.at(), s.m.Append(nil)))

	breaks(t, "extm3u", f.Playlist(s.at(), []byte("<html>")))
	s.step()
	clean(t, f.Playlist(s.at(), s.m.Append(nil))) // what could not be read is passed over
}

// brokenAnswers are directives after which a full playlist of 40 segments, 8 of them
// gone, and 2 parts, is wrong.
var brokenAnswers = map[string]hls.Directives{
	"reload-early":  {Blocking: true, At: hls.Position{MSN: stageMSN + 40, Part: 2}},
	"delta-refused": {Skip: hls.SkipSegments},
}

func TestAnswer(t *testing.T) {
	s := newStage()
	for range 40*6 + 2 {
		s.step()
	}
	full := s.m.Append(nil)
	for name, d := range brokenAnswers {
		var f hlstest.Follower
		breaks(t, name, f.Answer(d, s.at(), full))
	}
	var f hlstest.Follower
	clean(t, f.Answer(hls.Directives{}, s.at(), full))
	clean(t, f.Answer(hls.Directives{Blocking: true, At: hls.Position{MSN: stageMSN + 40, Part: 1}}, s.at(), full))
	clean(t, f.Answer(hls.Directives{Blocking: true, At: hls.Position{MSN: 1, Part: hls.Whole}}, s.at(), full))
	delta, _ := s.m.AppendDelta(nil)
	clean(t, f.Answer(hls.Directives{Skip: hls.SkipDateRanges}, s.at(), delta))
	breaks(t, "extm3u", f.Answer(hls.Directives{Blocking: true}, s.at(), []byte("busy")))

	var fresh hlstest.Follower
	young := newStage()
	young.step()
	clean(t, fresh.Answer(hls.Directives{Skip: hls.SkipSegments}, young.at(), young.m.Append(nil)))
}
