package packager_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"testing"
	"time"

	"longwave/packager"
	"longwave/packager/hls"
)

// aacOnly is a ladder that is quick.
func aacOnly() []packager.Rung {
	return slices.DeleteFunc(packager.DefaultLadder(), func(r packager.Rung) bool { return r.Name != "aac-48" })
}

// TestTornPlaylist: a playlist of the run before that cannot be read does not cost the sound
// that it named: no key is filled that somebody has heard (sinkLog fails the test then).
func TestTornPlaylist(t *testing.T) {
	const list = "talk/aac-48/live.m3u8"
	shop := &outlet{sink: newSinkLog(t)}
	runInto(t, shop.sink, "plain", killed{&tapeSource{pos: start, samples: tone(8)}}, stores{outlet: shop, ladder: aacOnly()})
	for name, torn := range map[string]func(past) packager.Reader{
		"cut":        func(p past) packager.Reader { p.objects[list] = []byte("#EXTM3U\n#EXT-X-TARG"); return p },
		"empty":      func(p past) packager.Reader { p.objects[list] = nil; return p },
		"unreadable": func(p past) packager.Reader { return brokenPast{p, list} },
	} {
		t.Run(name, func(t *testing.T) {
			sink := newSinkLog(t)
			sink.objects = maps.Clone(shop.sink.objects)
			runInto(t, sink, "plain", killed{&tapeSource{pos: start + 9*packager.SegmentSamples, samples: tone(1)}},
				stores{outlet: &outlet{}, past: torn(past{maps.Clone(shop.kept)}), ladder: aacOnly()})
		})
	}
}

// brokenPast cannot read one object.
type brokenPast struct {
	past
	key string
}

func (p brokenPast) Read(ctx context.Context, k packager.Key) ([]byte, error) {
	if k.String() == p.key {
		return nil, errors.New("input/output error")
	}
	return p.past.Read(ctx, k)
}

// TestAnotherLadder: the playlists of renditions that are no more are taken from the stores.
func TestAnotherLadder(t *testing.T) {
	list := hls.Multivariant{Version: 6, Variants: []hls.Variant{
		{URI: "aac-48/live.m3u8", Bandwidth: 1000}, {URI: "aac-320/live.m3u8", Bandwidth: 2000}, {URI: "https://cdn.example.org/talk/aac-320/live.m3u8", Bandwidth: 2000},
	}}
	o := &slowOutlet{wants: func(int) int { return 0 }}
	before := past{map[string][]byte{"talk/index.m3u8": list.Append(nil), "talk/opus.m3u8": []byte("garbage")}}
	runInto(t, newSinkLog(t), "plain", killed{&tapeSource{pos: start, samples: tone(2)}}, stores{outlet: o, past: before, ladder: aacOnly()})
	if got := slices.Compact(o.gone); !slices.Equal(got, []string{"talk/aac-320/live.m3u8"}) {
		t.Errorf("taken away: %q", got)
	}
}

// An endOutlet says when it was sent the last playlist of all renditions.
type endOutlet struct {
	outlet
	ended map[string]bool
	done  func()
}

func (o *endOutlet) Send(obj packager.Object) {
	if obj.Key.Kind == packager.Media && bytes.Contains(obj.Data, []byte("ENDLIST")) {
		o.ended[obj.Key.Rendition] = true
	}
	o.outlet.Send(obj)
	if len(o.ended) == len(aacOnly()) {
		o.done()
	}
}

// TestEndWithADeadDisk: a store that takes nothing more keeps no other one from hearing that
// it is the end.
func TestEndWithADeadDisk(t *testing.T) {
	profile, err := packager.ParseProfile("plain")
	if err != nil {
		t.Fatal(err)
	}
	dead := &outlet{local: true, wait: func(k packager.Key) bool { return k.Kind == packager.Segment }}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	bucket := &endOutlet{ended: map[string]bool{}, done: cancel}
	pk, err := packager.New(packager.Options{
		Station: "talk", Profile: profile, Ladder: aacOnly(), Start: start, Live: newSinkLog(t), Outlets: []packager.Outlet{dead, bucket}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := pk.Run(ctx, &tapeSource{pos: start, samples: tone(2)}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v: want the end of the context when the bucket has all", err)
	}
	if len(bucket.ended) != len(aacOnly()) {
		t.Errorf("told of the end in %v", bucket.ended)
	}
}
