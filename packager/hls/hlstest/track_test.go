package hlstest_test

import (
	"bytes"
	"context"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/Eyevinn/mp4ff/aac"
	"github.com/Eyevinn/mp4ff/mp4"

	"longwave/packager/hls"
	"longwave/packager/hls/hlstest"
)

const (
	frame    = 1024
	segment0 = 931_000_000 // its MSN
)

// A take is a segment with its bytes and what a playlist says of it.
type take struct {
	seg   hls.Segment
	data  []byte
	parts [][]byte
}

func encode(t testing.TB, what interface{ Encode(w io.Writer) error }) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := what.Encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// newInit makes an init segment for AAC and lets change alter it.
func newInit(t testing.TB, change func(*mp4.InitSegment)) []byte {
	t.Helper()
	init := mp4.CreateEmptyInit()
	init.AddEmptyTrack(48000, "audio", "und")
	if err := init.Moov.Trak.SetAACDescriptor(aac.AAClc, 48000); err != nil {
		t.Fatal(err)
	}
	init.Moov.Mvex.Trex.DefaultSampleDuration = frame
	change(init)
	return encode(t, init)
}

func unchanged(*mp4.InitSegment) {}

// newPart makes a fragment of 15 frames and lets change alter it.
func newPart(t testing.TB, msn int64, part int, change func(*mp4.Fragment)) []byte {
	t.Helper()
	f, err := mp4.CreateFragment(uint32(msn)*6+uint32(part), 1)
	if err != nil {
		t.Fatal(err)
	}
	pos := uint64(msn)*90*frame + uint64(part)*15*frame
	for i := range 15 {
		data := []byte{byte(msn), byte(part), byte(i)}
		f.AddFullSample(mp4.FullSample{
			Sample: mp4.Sample{Dur: frame, Size: uint32(len(data))}, DecodeTime: pos + uint64(i)*frame, Data: data,
		})
	}
	change(f)
	f.SetTrunDataOffsets()
	return encode(t, f)
}

// newTake makes a good segment of six parts; change alters every fragment of it.
func newTake(t *testing.T, msn int64, change func(part int, f *mp4.Fragment)) take {
	t.Helper()
	name := strconv.FormatInt(msn, 10)
	k := take{seg: hls.Segment{
		URI: name + ".m4s", Duration: 1_919_990 * time.Microsecond, PDT: time.UnixMilli(msn * 1920).UTC(),
	}}
	for i := range 6 {
		b := newPart(t, msn, i, func(f *mp4.Fragment) { change(i, f) })
		k.parts = append(k.parts, b)
		k.data = append(k.data, b...)
		k.seg.Parts = append(k.seg.Parts, hls.Part{URI: name + "." + strconv.Itoa(i) + ".m4s", Duration: 319_990 * time.Microsecond})
	}
	return k
}

func good(int, *mp4.Fragment) {}

// judge judges an init segment and takes.
func judge(init []byte, takes ...take) []hlstest.Violation {
	track, found := hlstest.NewTrack(init)
	for _, k := range takes {
		found = append(found, track.Segment(k.seg, k.data, k.parts)...)
	}
	return found
}

func TestTrack(t *testing.T) {
	init := newInit(t, unchanged)
	clean(t, judge(init, newTake(t, segment0, good), newTake(t, segment0+1, good)))

	track, found := hlstest.NewTrack(init)
	clean(t, found)
	a, b := newTake(t, segment0, good), newTake(t, segment0+5, good)
	clean(t, track.Segment(a.seg, a.data, nil))
	track.Restart()
	clean(t, track.Segment(b.seg, b.data, b.parts))

	b = newTake(t, segment0+1, func(_ int, f *mp4.Fragment) { f.Moof.Traf.Tfdt.SetBaseMediaDecodeTime(0) })
	b.parts, b.data = nil, b.parts[0]
	b.seg.Discontinuity, b.seg.Duration = true, 320*time.Millisecond
	clean(t, track.Segment(b.seg, b.data, b.parts))
}

// brokenBytes breaks one rule about bytes each.
func brokenBytes(t *testing.T) map[string]func() []hlstest.Violation {
	init := newInit(t, unchanged)
	first := func(change func(f *mp4.Fragment)) func(int, *mp4.Fragment) {
		return func(part int, f *mp4.Fragment) {
			if part == 0 {
				change(f)
			}
		}
	}
	return map[string]func() []hlstest.Violation{
		"box-syntax": func() []hlstest.Violation {
			k := newTake(t, segment0, good)
			k.data = k.data[:len(k.data)-1]
			return judge(init, k)
		},
		"init-brand": func() []hlstest.Violation {
			return judge(newInit(t, func(i *mp4.InitSegment) { i.Children[0] = mp4.NewFtyp("isom", 0, []string{"iso2", "mp41"}) }))
		},
		"init-mvex": func() []hlstest.Violation {
			return judge(newInit(t, func(i *mp4.InitSegment) { i.Moov.Mvex.Trex.TrackID = 2 }))
		},
		"init-samples": func() []hlstest.Violation {
			return judge(newInit(t, func(i *mp4.InitSegment) { i.Moov.Trak.Mdia.Mdhd.Duration = 5 }))
		},
		"tfdt-missing": func() []hlstest.Violation {
			return judge(init, newTake(t, segment0, first(func(f *mp4.Fragment) {
				traf := f.Moof.Traf
				traf.Children = slices.DeleteFunc(traf.Children, func(b mp4.Box) bool { return b.Type() == "tfdt" })
			})))
		},
		"base-offset": func() []hlstest.Violation {
			return judge(init, newTake(t, segment0, first(func(f *mp4.Fragment) { f.Moof.Traf.Tfhd.Flags &^= 0x020000 })))
		},
		"tfdt-continuity": func() []hlstest.Violation {
			return judge(init, newTake(t, segment0, good), newTake(t, segment0+2, good))
		},
		"tfdt-pdt": func() []hlstest.Violation {
			k := newTake(t, segment0+1, good)
			k.seg.PDT = k.seg.PDT.Add(30 * time.Millisecond)
			return judge(init, newTake(t, segment0, good), k)
		},
		"extinf-exact": func() []hlstest.Violation {
			k := newTake(t, segment0, good)
			k.seg.Duration = 1890 * time.Millisecond
			return judge(init, k)
		},
		"part-duration-exact": func() []hlstest.Violation {
			k := newTake(t, segment0, good)
			k.seg.Parts[3].Duration = 290 * time.Millisecond
			return judge(init, k)
		},
		"part-union": func() []hlstest.Violation {
			k := newTake(t, segment0, good)
			k.parts[5] = newPart(t, segment0, 5, func(f *mp4.Fragment) { f.Mdat.Data[7]++ })
			return judge(init, k)
		},
	}
}

func TestBrokenBytes(t *testing.T) {
	for name, found := range brokenBytes(t) {
		t.Run(name, func(t *testing.T) { breaks(t, name, found()) })
	}
}

func TestBrokenBoxes(t *testing.T) {
	init, part := newInit(t, unchanged), newPart(t, segment0, 0, func(*mp4.Fragment) {})
	seg := hls.Segment{URI: "a", Duration: 320 * time.Millisecond}
	for name, k := range map[string]struct{ init, data []byte }{
		"nothing":                    {init, nil},
		"no init":                    {nil, part},
		"init segment in a segment":  {init, slices.Concat(init, part)},
		"segment for init":           {part, part},
		"an mdat alone":              {init, encode(t, &mp4.MdatBox{})},
		"a moof alone":               {init, part[:len(part)-8-15*3]},
		"two moofs":                  {init, slices.Concat(part[:len(part)-8-15*3], part)},
		"text":                       {init, []byte("<html>not found</html>")},
		"an unknown track":           {init, newPart(t, segment0, 0, func(f *mp4.Fragment) { f.Moof.Traf.Tfhd.TrackID = 9 })},
		"samples outside":            {init, newPart(t, segment0, 0, func(f *mp4.Fragment) { f.Moof.Traf.Trun.Samples[3].Size = 1000 })},
		"an ftyp that is too short":  {[]byte("\x00\x00\x00\x0cftypisom"), part},
		"a size of four thousand MB": {init, []byte("\xff\xff\xff\xffmoof")},
	} {
		t.Run(name, func(t *testing.T) {
			found := judge(k.init, take{seg: seg, data: k.data})
			if !slices.Contains(names(found), "box-syntax") {
				t.Errorf("found %q", names(found))
			}
		})
	}
}

// ffmpeg's CMAF is somebody else's idea of the same rules.
func TestTrackOfFFmpeg(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=r=48000", "-t", "9.5",
		"-c:a", "aac", "-f", "hls", "-hls_time", "1.92", "-hls_segment_type", "fmp4", "-hls_playlist_type", "vod", "list.m3u8")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg: %v\n%s", err, out)
	}
	b := read(t, filepath.Join(dir, "list.m3u8"))
	if found := names(hlstest.Check(b)); len(found) > 1 || len(found) == 1 && found[0] != "version-high" {
		t.Errorf("ffmpeg's playlist: %q\n%s", found, b)
	}
	m, err := hls.ParseMedia(b)
	if err != nil {
		t.Fatal(err)
	}
	track, found := hlstest.NewTrack(read(t, filepath.Join(dir, "init.mp4")))
	clean(t, found)
	for _, s := range m.Segments {
		clean(t, track.Segment(s, read(t, filepath.Join(dir, s.URI)), nil))
	}
}

func FuzzTrack(f *testing.F) {
	init, part := newInit(f, unchanged), newPart(f, segment0, 0, func(*mp4.Fragment) {})
	f.Add(init, part)
	f.Add(part, init)
	f.Add([]byte("\x00\x00\x00\x0cftypisom"), []byte("\xff\xff\xff\xffmoof"))
	f.Fuzz(func(_ *testing.T, init, data []byte) {
		judge(init, take{seg: hls.Segment{Duration: time.Second}, data: data, parts: [][]byte{data}})
	})
}
