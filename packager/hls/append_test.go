package hls_test

import (
	"testing"
	"time"

	"longwave/packager/hls"
)

func TestAppend(t *testing.T) {
	low := live(32, 3)
	low.DateRanges = []hls.DateRange{{
		ID: "title-44688000000000", Class: "org.longwave.title",
		Start: time.UnixMilli(first * 1920).UTC(),
		Attrs: []hls.Attr{{Name: "X-TITLE", Value: "He said \"no\"\r\nand {$left}"}},
	}}
	ended := live(3, 0)
	ended.EndList, ended.Hints, ended.Reports = true, nil, nil
	ended.PlaylistType = hls.TypeVOD
	plain := live(6, 0)
	plain.Version, plain.PartTarget, plain.Hints, plain.Reports = 6, 0, nil, nil
	plain.Control = hls.ServerControl{}
	for i := range plain.Segments {
		plain.Segments[i].Parts = nil
	}
	for name, m := range map[string]*hls.Media{
		"low.m3u8": low, "ended.m3u8": ended, "plain.m3u8": plain, "start.m3u8": live(1, 0), "under-way.m3u8": live(0, 2),
	} {
		t.Run(name, func(t *testing.T) {
			got := m.Append(nil)
			golden(t, name, got)
			clean := *m
			for i, d := range clean.DateRanges {
				d.Attrs = []hls.Attr{{Name: "X-TITLE", Value: "He said 'no'  and { $left}"}}
				clean.DateRanges = append([]hls.DateRange(nil), clean.DateRanges...)
				clean.DateRanges[i] = d
			}
			diff(t, "parsed", &clean, parse(t, got))
		})
	}
}

func TestAppendDelta(t *testing.T) {
	m := live(32, 3)
	got, ok := m.AppendDelta(nil)
	if !ok {
		t.Fatal("no delta update")
	}
	golden(t, "delta.m3u8", got)

	delta := parse(t, got)
	if delta.Skip.Segments != 25 { // 7 * 1.91999 is the first sum beyond 12 s
		t.Errorf("%d segments are left out", delta.Skip.Segments)
	}
	old := live(32, 0)
	full, err := hls.Merge(old, delta)
	if err != nil {
		t.Fatal(err)
	}
	diff(t, "merged", m, full)
	diff(t, "rendered again", string(got), string(delta.Append(nil)))
}

func TestAppendDeltaRefuses(t *testing.T) {
	ended := live(32, 0)
	ended.EndList = true
	without := live(32, 0)
	without.Control.CanSkipUntil = 0
	for name, m := range map[string]*hls.Media{
		"ended": ended, "not offered": without, "too short": live(7, 5), "delta itself": {Skip: hls.Skip{Segments: 2}},
	} {
		if b, ok := m.AppendDelta([]byte("x")); ok || string(b) != "x" {
			t.Errorf("%s: got %q, %v", name, b, ok)
		}
	}
	if _, ok := live(8, 0).AppendDelta(nil); !ok {
		t.Error("8 segments: no delta update")
	}
}

func TestAppendDoesNotAllocate(t *testing.T) {
	m := live(32, 5)
	buf := m.Append(nil)
	if n := testing.AllocsPerRun(10, func() { buf = m.Append(buf[:0]) }); n != 0 {
		t.Errorf("Append: %v allocations", n)
	}
	if n := testing.AllocsPerRun(10, func() { buf, _ = m.AppendDelta(buf[:0]) }); n != 0 {
		t.Errorf("AppendDelta: %v allocations", n)
	}
}

func TestDuration(t *testing.T) {
	for _, c := range []struct {
		in   string
		want time.Duration
		out  string
	}{
		{"1.91999", 1919990 * time.Microsecond, "1.91999"},
		{"0.17067", 170670 * time.Microsecond, "0.17067"},
		{"12", 12 * time.Second, "12.0"},
		{"2.000000", 2 * time.Second, "2.0"},
		{".5", time.Second / 2, "0.5"},
		{"5.", 5 * time.Second, "5.0"},
		{"0.000000001", 1, "0.000000001"},
		{"1.9199999999999999", 1920 * time.Millisecond, "1.92"},
		{"0.9999999995", time.Second, "1.0"},
		{"0.9999999994999", time.Second - 1, "0.999999999"},
		{"1000000000", 1e9 * time.Second, "1000000000.0"},
	} {
		m := parse(t, []byte("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:"+c.in+",\na\n"))
		if got := m.Segments[0].Duration; got != c.want {
			t.Errorf("%s: %v", c.in, got)
		}
		want := "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:" + c.out + ",\na\n"
		diff(t, c.in, want, string(m.Append(nil)))
	}
}

func TestTime(t *testing.T) {
	for _, c := range []struct{ in, out string }{
		{"2026-11-20T09:35:30.123Z", "2026-11-20T09:35:30.123Z"},
		{"2026-11-20T09:35:30Z", "2026-11-20T09:35:30.000Z"},
		{"2026-11-20T09:35:30.123456Z", "2026-11-20T09:35:30.123456Z"},
		{"2026-11-20T09:35:30.000000001", "2026-11-20T09:35:30.000000001Z"},
		{"2026-11-20T01:05:30.5+0130", "2026-11-19T23:35:30.500Z"},
		{"2024-02-29T23:59:59.999-01:00", "2024-03-01T00:59:59.999Z"},
		{"2000-03-01T00:30:00+01", "2000-02-29T23:30:00.000Z"},
		{"1969-12-31T23:59:59.9Z", "1969-12-31T23:59:59.900Z"},
		{"0001-01-01T00:00:00.1Z", "0001-01-01T00:00:00.100Z"},
		{"9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"},
	} {
		m := parse(t, []byte("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-PROGRAM-DATE-TIME:"+c.in+"\n#EXTINF:1,\na\n"))
		want := "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PROGRAM-DATE-TIME:" + c.out + "\n#EXTINF:1.0,\na\n"
		diff(t, c.in, want, string(m.Append(nil)))
	}
}

// The calendar is our own; the standard library's is the reference. The calendar
// repeats itself after 400 years.
func TestCalendar(t *testing.T) {
	m := hls.Media{Segments: []hls.Segment{{Duration: time.Second, URI: "a"}}}
	var buf []byte
	for day := time.Date(1590, 1, 1, 1, 2, 3, 4e6, time.UTC); day.Year() < 2410; day = day.AddDate(0, 0, 1) {
		m.Segments[0].PDT = day
		buf = m.Append(buf[:0])
		const at = len("#EXTM3U\n#EXT-X-TARGETDURATION:0\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PROGRAM-DATE-TIME:")
		want := day.Format("2006-01-02T15:04:05.000Z")
		if got := string(buf[at : at+len(want)]); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	m := live(32, 4)
	buf := m.Append(nil)
	b.ReportAllocs()
	b.SetBytes(int64(len(buf)))
	for b.Loop() {
		buf = m.Append(buf[:0])
	}
}

func BenchmarkAppendDelta(b *testing.B) {
	m := live(32, 4)
	buf, _ := m.AppendDelta(nil)
	b.ReportAllocs()
	b.SetBytes(int64(len(buf)))
	for b.Loop() {
		buf, _ = m.AppendDelta(buf[:0])
	}
}

func BenchmarkParseMedia(b *testing.B) {
	buf := live(32, 4).Append(nil)
	b.ReportAllocs()
	b.SetBytes(int64(len(buf)))
	for b.Loop() {
		if _, err := hls.ParseMedia(buf); err != nil {
			b.Fatal(err)
		}
	}
}
