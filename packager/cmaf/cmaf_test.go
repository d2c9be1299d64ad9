package cmaf_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/google/go-cmp/cmp"

	"longwave/ingest/pcm"
	"longwave/packager/cmaf"
	"longwave/packager/encode"
)

var (
	opusFormat = encode.Format{FrameSamples: 960, SampleEntry: "Opus", PreSkip: 312, Roll: 4}
	aacFormat  = encode.Format{FrameSamples: 1024, SampleEntry: "mp4a", Config: []byte{0x11, 0x90, 0x56, 0xe5, 0}, Roll: 1}
)

// pos is 2026-11-20 20:00:00.64 UTC, the start of a part.
var pos = pcm.At(time.Date(2026, 11, 20, 20, 0, 0, 640e6, time.UTC))

func TestPartsAreReadByMP4FF(t *testing.T) {
	for name, f := range map[string]encode.Format{"opus": opusFormat, "aac": aacFormat} {
		t.Run(name, func(t *testing.T) {
			init, err := cmaf.Init(f, 2, 96_000)
			if err != nil {
				t.Fatal(err)
			}
			first := cmaf.Part{Sequence: 7, Pos: pos, Duration: uint32(f.FrameSamples), Sizes: []uint32{3, 1, 2}, Data: []byte("abcdef"), First: true}
			second := cmaf.Part{Sequence: 8, Pos: pos + 3*f.FrameSamples, Duration: uint32(f.FrameSamples), Sizes: []uint32{2, 2}, Data: []byte("ghij")}
			b := second.Append(first.Append(bytes.Clone(init)))
			file, err := mp4.DecodeFile(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			var got []mp4.FullSample
			for _, s := range file.Segments {
				for _, fr := range s.Fragments {
					full, err := fr.GetFullSamples(file.Init.Moov.Mvex.Trex)
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, full...)
				}
			}
			var want []mp4.FullSample
			for i, d := range []string{"abc", "d", "ef", "gh", "ij"} {
				want = append(want, mp4.FullSample{
					Sample:     mp4.Sample{Flags: mp4.SyncSampleFlags, Dur: uint32(f.FrameSamples), Size: uint32(len(d))},
					DecodeTime: uint64(pos) + uint64(i)*uint64(f.FrameSamples),
					Data:       []byte(d),
				})
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			var again bytes.Buffer
			file.FragEncMode = mp4.EncModeBoxTree
			if err := file.Encode(&again); err != nil || !bytes.Equal(again.Bytes(), b) {
				t.Errorf("mp4ff writes other bytes than it read (error %v)", err)
			}
		})
	}
}

func TestProducerReferenceTime(t *testing.T) {
	b := cmaf.Part{Pos: pos, Sizes: []uint32{1}, Data: []byte{0}, First: true}.Append(nil)
	file, err := mp4.DecodeFile(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(file.Children, func(b mp4.Box) bool { return b.Type() == "prft" })
	if i < 0 {
		t.Fatal("no prft box")
	}
	prft := file.Children[i].(*mp4.PrftBox)
	ntp := uint64(prft.NTPTimestamp)
	got := time.Unix(int64(ntp>>32)-2_208_988_800, int64(ntp&0xffffffff*1e9>>32))
	if d := got.Sub(pos.Time()); d > time.Microsecond || d < -time.Microsecond {
		t.Errorf("prft says %s, the segment begins at %s", got, pos.Time())
	}
	if prft.MediaTime != uint64(pos) {
		t.Errorf("media time %d, want %d", prft.MediaTime, pos)
	}
}

func TestOverhead(t *testing.T) {
	p := cmaf.Part{Pos: pos, Sizes: make([]uint32, 16), Data: make([]byte, 1600)}
	if n := len(p.Append(nil)) - 1600 - 4*16; n > 120 {
		t.Errorf("a part costs %d bytes besides its sample sizes, 120 are allowed", n)
	}
	buf := make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(100, func() { buf = p.Append(buf[:0]) }); n != 0 {
		t.Errorf("%v allocations a part", n)
	}
}

func BenchmarkPart(b *testing.B) {
	p := cmaf.Part{Pos: pos, Sizes: make([]uint32, 16), Data: make([]byte, 1600)}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = p.Append(buf[:0])
	}
}

func TestTag(t *testing.T) {
	talk := cmaf.StationTag("talk")
	first := cmaf.Part{Pos: pos, Sizes: []uint32{1}, Data: []byte{0}, First: true, Tag: talk}.Append(nil)
	later := cmaf.Part{Pos: pos, Sizes: []uint32{1}, Data: []byte{0}, Tag: cmaf.StationTag("news")}.Append(nil)
	for name, w := range map[string]struct {
		data  []byte
		tag   uint32
		ok    bool
		media bool
	}{
		"first part":       {first, talk, true, true},
		"later part":       {later, cmaf.StationTag("news"), true, true},
		"segment":          {append(bytes.Clone(first), later...), talk, true, true},
		"HTML":             {[]byte("<!doctype html><title>Just a moment</title>"), 0, false, false},
		"nothing":          {nil, 0, false, false},
		"cut off":          {first[:70], 0, false, false},
		"a box too long":   {append([]byte{0xff}, later[1:]...), 0, false, false},
		"somebody else's":  {bytes.ReplaceAll(later, []byte("lwst"), []byte("    ")), 0, false, true},
		"without free box": {bytes.ReplaceAll(later, []byte("free"), []byte("uuid")), 0, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			tag, ok := cmaf.TagOf(w.data)
			if tag != w.tag || ok != w.ok || cmaf.IsMedia(w.data) != w.media {
				t.Errorf("tag %x, %v, media %v; want %x, %v, %v", tag, ok, cmaf.IsMedia(w.data), w.tag, w.ok, w.media)
			}
		})
	}
}

func FuzzTag(f *testing.F) {
	f.Add(cmaf.Part{Pos: pos, Sizes: []uint32{1}, Data: []byte{0}, First: true}.Append(nil))
	f.Add([]byte("\x00\x00\x00\x08moof"))
	f.Fuzz(func(_ *testing.T, b []byte) {
		cmaf.TagOf(b)
		cmaf.IsMedia(b)
	})
}

func TestMove(t *testing.T) {
	segment := func(at pcm.Pos, seq uint32) []byte {
		a := cmaf.Part{Sequence: seq, Pos: at, Sizes: []uint32{3, 1}, Data: []byte("abcd"), First: true}
		b := cmaf.Part{Sequence: seq + 1, Pos: at + 1920, Sizes: []uint32{2}, Data: []byte("ef")}
		return b.Append(a.Append(nil))
	}
	got := segment(pos, 12)
	cmaf.Move(got, pos+92_160, 18)
	if diff := cmp.Diff(segment(pos+92_160, 18), got); diff != "" {
		t.Error(diff)
	}
}
