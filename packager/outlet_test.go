package packager_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"longwave/packager"
	"longwave/packager/hls"
	"longwave/packager/hls/hlstest"
)

// An outlet is a store that answers at once, later, or never, as the test says.
type outlet struct {
	sink  *sinkLog // told of everything too; may be nil
	kept  map[string][]byte
	later []packager.Ack // while hold is set
	hold  bool
	local bool
	lose  func(packager.Key) bool
	wait  func(packager.Key) bool // never answered
	acks  chan packager.Ack
	lists [][]byte // versions of opus-48's playlist
	order []string // keys, as they were kept
}

func (o *outlet) Local() bool { return o.local }

func (o *outlet) Acks() <-chan packager.Ack { return o.channel() }

func (o *outlet) channel() chan packager.Ack {
	if o.acks == nil {
		o.acks = make(chan packager.Ack, 10_000)
	}
	return o.acks
}

func (o *outlet) Send(obj packager.Object) {
	if o.kept == nil {
		o.kept = map[string][]byte{}
	}
	if o.wait != nil && o.wait(obj.Key) {
		return
	}
	a := packager.Ack{Key: obj.Key, Filler: obj.Filler}
	if o.lose != nil && o.lose(obj.Key) {
		a.Err = errors.New("lost")
	} else {
		o.kept[obj.Key.String()] = obj.Data
		o.order = append(o.order, obj.Key.String())
		if strings.HasSuffix(obj.Key.String(), "opus-48/live.m3u8") {
			o.lists = append(o.lists, obj.Data)
		}
	}
	if o.hold {
		o.later = append(o.later, a)
		return
	}
	o.channel() <- a
}

// TestStoreListsWhatItHas: every segment that a store's playlist names was
// acknowledged before, the playlist is plain, and the multivariants come last.
func TestStoreListsWhatItHas(t *testing.T) {
	o := &outlet{}
	runInto(t, newSinkLog(t), "low", &tapeSource{pos: start, samples: tone(6)}, stores{outlet: o})
	had := map[string]bool{}
	lists := 0
	for _, key := range o.order {
		switch {
		case strings.HasSuffix(key, "/live.m3u8"):
			lists++
		case key == "talk/index.m3u8" && lists < 5:
			t.Errorf("index.m3u8 was put before the playlists that it names")
		}
		had[key] = true
	}
	for _, text := range o.lists {
		report(t, "store", hlstest.Check(text))
		m, err := hls.ParseMedia(text)
		if err != nil {
			t.Fatal(err)
		}
		if m.PartTarget != 0 || len(m.Hints) > 0 || m.Control.CanBlockReload {
			t.Errorf("a store cannot do what its playlist says:\n%s", text)
		}
	}
	final, err := hls.ParseMedia(o.kept["talk/opus-48/live.m3u8"])
	if err != nil {
		t.Fatal(err)
	}
	if !final.EndList || final.OpenMSN() != packager.MSN(start)+6 {
		t.Errorf("the last playlist ends at %d (ENDLIST %v), want %d", final.OpenMSN(), final.EndList, packager.MSN(start)+6)
	}
	if !had["talk/opus.m3u8"] {
		t.Error("opus.m3u8 never came to the store")
	}
}

// TestStoreLosesASegment: a segment that a store gave up leaves its playlist without
// a hole: it begins anew after it.
func TestStoreLosesASegment(t *testing.T) {
	lost := packager.MSN(start) + 2
	o := &outlet{lose: func(k packager.Key) bool { return k.Kind == packager.Segment && k.MSN == lost }}
	runInto(t, newSinkLog(t), "low", &tapeSource{pos: start, samples: tone(9)}, stores{outlet: o})
	for _, text := range o.lists {
		m, err := hls.ParseMedia(text)
		if err != nil {
			t.Fatal(err)
		}
		if m.MediaSequence <= lost && m.OpenMSN() > lost {
			t.Errorf("the playlist from %d to %d names %d, which the store does not have", m.MediaSequence, m.OpenMSN()-1, lost)
		}
		if len(m.Segments) < 4 {
			t.Errorf("a playlist of %d segments is too short to be played", len(m.Segments))
		}
	}
	final, err := hls.ParseMedia(o.kept["talk/opus-48/live.m3u8"])
	if err != nil {
		t.Fatal(err)
	}
	if final.MediaSequence != lost+1 {
		t.Errorf("after the loss the playlist begins at %d, want %d", final.MediaSequence, lost+1)
	}
}

// TestSlowDisk: a segment that the local store does not have yet is named when the
// next part of its own rendition is there, not when another rendition, whose coder is
// some frames later, finishes a part.
func TestSlowDisk(t *testing.T) {
	sink := newSinkLog(t)
	o := &outlet{local: true, hold: true}
	runInto(t, sink, "low", killed{&tapeSource{pos: start, samples: tone(2)}}, stores{outlet: o})
	place := map[string]int{}
	for i, obj := range sink.order {
		place[obj.Key.String()] = i
	}
	msn := packager.MSN(start)
	at := func(rung string, kind packager.Kind, msn int64, part int) int {
		k := packager.Key{Station: "talk", Rendition: rung, Kind: kind, MSN: msn, Part: part}
		i, ok := place[k.String()]
		if !ok {
			t.Fatalf("%s was never put", k)
		}
		return i
	}
	segment := at("opus-48", packager.Segment, msn, 0)
	if segment < at("aac-48", packager.Part, msn, 5) {
		t.Error("the segment was named when another rendition had a part")
	}
	if segment > at("opus-48", packager.Part, msn+1, 0) {
		t.Error("the segment was named after the next part of its rendition")
	}
}

// A limpingOutlet is a local store that has some segments only when the next thing comes.
type limpingOutlet struct {
	outlet
	limps func(packager.Key) bool
	owes  []packager.Ack
}

func (o *limpingOutlet) Send(obj packager.Object) {
	for _, a := range o.owes {
		o.channel() <- a
	}
	o.owes = nil
	if obj.Key.Kind == packager.Segment && o.limps(obj.Key) {
		o.owes = append(o.owes, packager.Ack{Key: obj.Key})
		return
	}
	o.outlet.Send(obj)
}

// TestSlowDiskIsToldOnce: a disk that is slow now and then is one line in the log, and one
// when it is not any more.
func TestSlowDiskIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := packager.MSN(start)
		o := &limpingOutlet{outlet: outlet{local: true}, limps: func(k packager.Key) bool {
			return k.MSN >= first && k.MSN < first+30 && k.MSN%3 == 0
		}}
		profile, err := packager.ParseProfile("low")
		if err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		pk, err := packager.New(packager.Options{
			Station: "talk", Profile: profile, Ladder: packager.DefaultLadder()[3:4], Start: start, Live: newSinkLog(t),
			Outlets: []packager.Outlet{o}, Log: slog.New(slog.NewTextHandler(&log, nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := pk.Run(t.Context(), killed{&tapeSource{pos: start, samples: tone(95)}}); !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		for _, line := range []string{"the local store is slow", "the local store has kept up for a minute"} {
			if n := strings.Count(log.String(), line); n != 1 {
				t.Errorf("%q stands %d times in the log, want once:\n%s", line, n, log.String())
			}
		}
	})
}
