package packager_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"longwave/packager"
	"longwave/packager/hls/hlstest"
)

// A watchedOutlet has its playlists judged against each other whenever all of them end
// with the same segment and a multivariant names them.
type watchedOutlet struct {
	outlet
	t      *testing.T
	judged int
	begins []int64 // of opus-24, each once
	lasts  []int64 // of opus-24
}

func (o *watchedOutlet) Send(obj packager.Object) {
	o.outlet.Send(obj)
	if obj.Key.Kind != packager.Media {
		return
	}
	if obj.Key.Rendition == "opus-24" {
		m := listed(o.t, obj.Data)
		if n := len(o.begins); n == 0 || o.begins[n-1] != m.MediaSequence {
			o.begins = append(o.begins, m.MediaSequence)
		}
		o.lasts = append(o.lasts, m.OpenMSN()-1)
	}
	lists := map[string][]byte{}
	end := listed(o.t, obj.Data).OpenMSN()
	for key, text := range o.kept {
		rendition, ok := strings.CutPrefix(key, "talk/")
		if ok && strings.HasSuffix(key, "/live.m3u8") && listed(o.t, text).OpenMSN() == end &&
			bytes.Contains(o.kept["talk/opus.m3u8"], []byte("opus-24")) {
			lists[rendition] = text
		}
	}
	if len(lists) == len(packager.DefaultLadder()) {
		o.judged++
		report(o.t, "together", hlstest.CheckRenditions(lists))
	}
}

// TestStoreBeginsTogether: a fresh store takes the past of each rendition as it can, or
// loses a segment of one: all of its playlists begin with the same segment, and those that
// are whole do not stand still for it.
func TestStoreBeginsTogether(t *testing.T) {
	first := packager.MSN(start)
	for name, c := range map[string]struct {
		wait, lose func(packager.Key) bool
		begin      int64 // of the last playlist
	}{
		"all is there": {nil, nil, first - 24},
		"the past of one comes late": {
			func(k packager.Key) bool {
				return k.Rendition == "aac-48" && k.Kind == packager.Segment && k.MSN < first
			}, nil, first,
		},
		"half of it": {
			func(k packager.Key) bool { return k.Rendition == "opus-96" && k.MSN == first-10 }, nil, first - 9,
		},
		"one loses a segment": {
			nil, func(k packager.Key) bool { return k.Rendition == "aac-96" && k.MSN == first+2 }, first + 3,
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := &watchedOutlet{t: t, outlet: outlet{wait: c.wait, lose: c.lose}}
			runInto(t, newSinkLog(t), "low", killed{&tapeSource{pos: start, samples: tone(9)}}, stores{outlet: o})
			if o.judged < 4 {
				t.Errorf("all playlists were looked at together %d times", o.judged)
			}
			if len(o.begins) == 0 || o.begins[len(o.begins)-1] != c.begin {
				t.Errorf("the playlists begin with %d, want %d in the end", o.begins, c.begin)
			}
			if !slices.IsSorted(o.begins) {
				t.Errorf("EXT-X-MEDIA-SEQUENCE went back: %d", o.begins)
			}
			late := slices.Compact(o.lasts)
			for i, msn := range late[1:] {
				if msn != late[i]+1 {
					t.Errorf("opus-24 went from %d to %d", late[i], msn)
				}
			}
		})
	}
}
