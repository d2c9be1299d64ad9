package packager_test

import (
	"strings"
	"testing"

	"longwave/packager"
	"longwave/packager/hls"
	"longwave/packager/hls/hlstest"
)

// A slowOutlet wants to be spared renditions, as the test says by segment.
type slowOutlet struct {
	outlet
	wants    func(segment int) int
	asked    int
	most     int
	spooled  map[string]int // segments by rendition
	gone     []string
	versions []string // of index.m3u8
}

func (o *slowOutlet) Shed(most int) int {
	o.most = most
	o.asked++
	return o.wants(o.asked)
}

func (o *slowOutlet) Spool(obj packager.Object) {
	if o.spooled == nil {
		o.spooled = map[string]int{}
	}
	o.spooled[obj.Key.Rendition]++
}

func (o *slowOutlet) Withdraw(k packager.Key) {
	delete(o.kept, k.String())
	o.gone = append(o.gone, k.String())
}

func (o *slowOutlet) Send(obj packager.Object) {
	if obj.Key.String() == "talk/index.m3u8" {
		o.versions = append(o.versions, string(obj.Data))
	}
	o.outlet.Send(obj)
}

// TestShed: a store that is too slow loses the dearest renditions, in its segments,
// its playlists and its multivariants, and gets them back; never the lowest of a list.
func TestShed(t *testing.T) {
	asks := 0 // there are two a segment: Opus and AAC end in different rounds
	o := &slowOutlet{wants: func(int) int {
		asks++
		if asks > 12 && asks <= 30 {
			return 2
		}
		return 0
	}}
	runInto(t, newSinkLog(t), "low", &tapeSource{pos: start, samples: tone(52)}, stores{outlet: o})
	if o.most != 3 {
		t.Errorf("%d renditions may be shed, want 3 of 5", o.most)
	}
	if len(o.gone) != 2 || o.gone[0] != "talk/aac-96/live.m3u8" || o.gone[1] != "talk/opus-96/live.m3u8" {
		t.Errorf("withdrawn: %q", o.gone)
	}
	if len(o.spooled) != 2 || o.spooled["aac-96"] != 9 || o.spooled["opus-96"] != 9 {
		t.Errorf("spooled: %v, want nine segments of the two dearest", o.spooled)
	}
	var has []bool
	for _, text := range o.versions {
		report(t, "index", hlstest.CheckMultivariant([]byte(text)))
		if h := strings.Contains(text, "aac-96"); len(has) == 0 || has[len(has)-1] != h {
			has = append(has, h)
		}
		if !strings.Contains(text, "aac-48") {
			t.Errorf("the lowest rendition is missing:\n%s", text)
		}
	}
	if len(has) != 3 || !has[0] || has[1] || !has[2] {
		t.Errorf("aac-96 was in index.m3u8: %v, want yes, no, yes", has)
	}
	m, err := hls.ParseMedia(o.kept["talk/aac-96/live.m3u8"])
	if err != nil {
		t.Fatal(err)
	}
	report(t, "aac-96", hlstest.Check(o.kept["talk/aac-96/live.m3u8"]))
	for i, s := range m.Segments {
		if o.kept["talk/aac-96/"+s.URI] == nil {
			t.Errorf("segment %d of the playlist was shed", m.MediaSequence+int64(i))
		}
	}
	if n := len(o.spooled); n == 0 || m.OpenMSN() != packager.MSN(start)+52 {
		t.Errorf("the playlist of aac-96 ends at %d", m.OpenMSN())
	}
}

// TestShedAtOnce: a store that is too slow from its first segment on is opened with
// what it can bear.
func TestShedAtOnce(t *testing.T) {
	o := &slowOutlet{wants: func(int) int { return 3 }}
	runInto(t, newSinkLog(t), "low", &tapeSource{pos: start, samples: tone(6)}, stores{outlet: o})
	text := string(o.kept["talk/opus.m3u8"])
	if !strings.Contains(text, "opus-24/") || strings.Contains(text, "opus-48/") || !strings.Contains(text, "aac-48/") {
		t.Errorf("opus.m3u8:\n%s", text)
	}
}

// TestStoreWasAway: when a store comes back, its playlist begins anew with what is
// new, though what it missed is still under way, and numbers never go back.
func TestStoreWasAway(t *testing.T) {
	first := packager.MSN(start)
	o := &outlet{}
	o.wait = func(k packager.Key) bool {
		return k.Kind == packager.Segment && k.MSN >= first+4 && k.MSN < first+10
	}
	runInto(t, newSinkLog(t), "low", killed{&tapeSource{pos: start, samples: tone(20)}}, stores{outlet: o})
	var newest, began int64
	for _, text := range o.lists {
		report(t, "store", hlstest.Check(text))
		m, err := hls.ParseMedia(text)
		if err != nil {
			t.Fatal(err)
		}
		if m.MediaSequence < began {
			t.Errorf("MEDIA-SEQUENCE went from %d back to %d", began, m.MediaSequence)
		}
		for i := range m.Segments {
			if msn := m.MediaSequence + int64(i); msn >= first+4 && msn < first+10 {
				t.Errorf("segment %d is named and was never acknowledged", msn)
			}
		}
		began, newest = m.MediaSequence, m.OpenMSN()-1
	}
	if began != first+10 || newest < first+17 {
		t.Errorf("the last playlist names %d to %d, want %d to %d", began, newest, first+10, first+18)
	}
}
