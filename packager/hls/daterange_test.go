package hls_test

import (
	"strings"
	"testing"
	"time"

	"longwave/packager/hls"
)

func TestText(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"Grüße, 東京 = 100 %", "Grüße, 東京 = 100 %"},
		{`he said "no"`, "he said 'no'"},
		{"a\r\n#EXT-X-ENDLIST\tb\x00c\x7fd\u0085e", "a  #EXT-X-ENDLIST b c d e"},
		{"a\u2028b\u2029c", "a b c"},
		{"\xffa\xc3", "\uFFFDa\uFFFD"},
		{"\uFEFFa\uFEFF", "a"},
		{"{$x} {{$ {\uFEFF$ $}", "{ $x} {{ $ { $ $}"},
	} {
		if got := hls.Text(c.in); got != c.want || hls.Text(got) != got {
			t.Errorf("%q: %q, want %q", c.in, got, c.want)
		}
	}
}

func TestDateRange(t *testing.T) {
	at := time.Date(2026, 11, 20, 20, 0, 0, 40e6, time.UTC)
	for _, c := range []struct {
		name string
		d    hls.DateRange
		want string
	}{
		{"open", hls.DateRange{ID: "a", Start: at}, `ID="a",START-DATE="2026-11-20T20:00:00.040Z"`},
		{
			"all",
			hls.DateRange{
				ID: "a", Class: "c", Start: at, End: at.Add(time.Second), Duration: time.Second, HasDuration: true, EndOnNext: true,
				Attrs: []hls.Attr{{Name: "X-A", Value: "b"}, {Name: "X-N", Value: "-1.5", Bare: true}, {Name: "CUE", Value: "PRE,ONCE"}},
			},
			`ID="a",CLASS="c",START-DATE="2026-11-20T20:00:00.040Z",END-DATE="2026-11-20T20:00:01.040Z",DURATION=1.0,X-A="b",X-N=-1.5,CUE="PRE,ONCE",END-ON-NEXT=YES`,
		},
		{"instant", hls.DateRange{ID: "a", HasDuration: true}, `ID="a",DURATION=0.0`},
		{"hostile", hls.DateRange{ID: "a\"\n", Class: "\r", Attrs: []hls.Attr{{Name: "X-A", Value: "\",X-B=\"\n#EXT-X-ENDLIST"}}}, `ID="a' ",CLASS=" ",X-A="',X-B=' #EXT-X-ENDLIST"`},
		{
			"illegal attributes are left out",
			hls.DateRange{ID: "a", Attrs: []hls.Attr{
				{Name: "x-lower", Value: "1"},
				{Name: "", Value: "1"},
				{Name: "X-E"},
				{Name: "ID", Value: "b"},
				{Name: "REQ-X", Value: "1"},
				{Name: "X-F", Value: "1,2", Bare: true},
				{Name: "X-G", Bare: true},
				{Name: "X-H", Value: "a b", Bare: true},
			}},
			`ID="a"`,
		},
		{"no ID", hls.DateRange{ID: "\uFEFF", Start: at}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := hls.Media{DateRanges: []hls.DateRange{c.d}}
			got := strings.TrimPrefix(string(m.Append(nil)), "#EXTM3U\n#EXT-X-TARGETDURATION:0\n#EXT-X-MEDIA-SEQUENCE:0\n")
			want := ""
			if c.want != "" {
				want = "#EXT-X-DATERANGE:" + c.want + "\n"
			}
			diff(t, "tag", want, got)
		})
	}
}

// Whatever an outsider writes, the playlist stays one, and what is left of the text
// comes out of it again.
func FuzzDateRange(f *testing.F) {
	f.Add("title-1", "org.longwave.title", "Das \"Gespräch\"\r\n#EXT-X-ENDLIST")
	f.Add("\u2028", "", "{$x}")
	f.Fuzz(func(t *testing.T, id, class, text string) {
		m := &hls.Media{TargetDuration: time.Second, DateRanges: []hls.DateRange{{ID: id, Class: class, Attrs: []hls.Attr{{Name: "X-TEXT", Value: text}}}}}
		want := &hls.Media{TargetDuration: time.Second}
		if hls.Text(id) != "" {
			d := hls.DateRange{ID: hls.Text(id), Class: hls.Text(class)}
			if hls.Text(text) != "" {
				d.Attrs = []hls.Attr{{Name: "X-TEXT", Value: hls.Text(text)}}
			}
			want.DateRanges = []hls.DateRange{d}
		}
		diff(t, "parsed", want, parse(t, m.Append(nil)))
	})
}
