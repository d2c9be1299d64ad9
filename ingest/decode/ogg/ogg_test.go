package ogg

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"longwave/ingest/titles"
)

// page writes a page of packets, whole unless flags say that the last one goes on.
func page(serial, seq uint32, granule int64, flags byte, packets ...string) []byte {
	more := flags&goesOn != 0
	var lacing []byte
	for i, p := range packets {
		n := len(p)
		for ; n >= 255; n -= 255 {
			lacing = append(lacing, 255)
		}
		if !more || i < len(packets)-1 {
			lacing = append(lacing, byte(n))
		} else if n != 0 {
			panic("a packet that goes on fills its segments")
		}
	}
	b := append([]byte("OggS"), 0, flags&^goesOn)
	b = binary.LittleEndian.AppendUint64(b, uint64(granule))
	b = binary.LittleEndian.AppendUint32(b, serial)
	b = binary.LittleEndian.AppendUint32(b, seq)
	b = append(b, 0, 0, 0, 0, byte(len(lacing)))
	b = append(b, lacing...)
	b = append(b, strings.Join(packets, "")...)
	var crc uint32
	for _, v := range b {
		crc = crc<<8 ^ crcTable[byte(crc>>24)^v]
	}
	binary.LittleEndian.PutUint32(b[22:], crc)
	return b
}

const (
	first     = 2
	last      = 4
	continued = 1
	goesOn    = 0x80 // not of the format
)

// all returns what a demuxer says of b: a packet a string, "|" between pages,
// "!" before a hole, "^" at the start of a link.
func all(t testing.TB, b []byte, step int) (string, error) {
	t.Helper()
	var d Demuxer
	var s strings.Builder
	for len(b) > 0 {
		n := min(step, len(b))
		d.Feed(b[:n])
		b = b[n:]
		for {
			g, ok, err := d.Next()
			if err != nil {
				return s.String(), err
			}
			if !ok {
				break
			}
			if g.First {
				s.WriteString("^")
			}
			if g.Hole {
				s.WriteString("!")
			}
			for _, p := range g.Packets {
				if len(p) > 20 {
					p = append(bytes.Clone(p[:1]), "..."...)
				}
				s.Write(p)
				s.WriteString(" ")
			}
			s.WriteString("|")
		}
	}
	return s.String(), nil
}

func TestDemuxer(t *testing.T) {
	long := strings.Repeat("x", 255)
	head := page(1, 0, 0, first, "head")
	damaged := bytes.Clone(page(1, 1, 10, 0, "lost"))
	damaged[len(damaged)-1] ^= 1
	for _, c := range []struct {
		name  string
		pages [][]byte
		want  string
		err   error
	}{
		{"packets", [][]byte{head, page(1, 1, 10, 0, "a", "", "b"), page(1, 2, 20, last, "c")}, "^head |a  b |c |", nil},
		{"a packet over three pages", [][]byte{head, page(1, 1, -1, goesOn, "a", long), page(1, 2, -1, continued|goesOn, long), page(1, 3, 30, continued, "x", "b")}, "^head |a ||x... b |", nil},
		{"a packet of 255 bytes over pages", [][]byte{head, page(1, 1, -1, goesOn, long), page(1, 2, 9, continued, "", "b")}, "^head ||x... b |", nil},
		{"a page lost inside a packet", [][]byte{head, page(1, 1, -1, goesOn, "a", long), page(1, 3, 30, continued, "x", "b")}, "^head |a |!b |", nil},
		{"the start of a packet lost, twice continued", [][]byte{head, page(1, 2, -1, continued|goesOn, long), page(1, 3, 30, continued, "x", "b")}, "^head |!|b |", nil},
		{"continued after nothing", [][]byte{head, page(1, 1, 30, continued, "x", "b")}, "^head |b |", nil},
		{"a damaged page", [][]byte{head, damaged, page(1, 2, 20, 0, "b")}, "^head |!b |", nil},
		{"noise between", [][]byte{[]byte("noise OggS noise"), head, []byte("OggS"), page(1, 1, 10, 0, "a")}, "^head |a |", nil},
		{"a chain", [][]byte{head, page(1, 1, 10, last, "a"), page(2, 0, 0, first, "head2"), page(2, 1, 5, 0, "b")}, "^head |a |^head2 |b |", nil},
		{"a chain without an end", [][]byte{head, page(1, 1, 10, goesOn, long), page(2, 7, 0, first, "head2"), page(2, 8, 5, 0, "b")}, "^head ||^head2 |b |", nil},
		{"the same serial again", [][]byte{head, page(1, 1, 10, 0, "a"), head, page(1, 1, 5, 0, "b")}, "^head |a |^head |b |", nil},
		{"no start", [][]byte{page(1, 5, 10, 0, "a")}, "", nil},
		{"another stream's page", [][]byte{head, page(9, 1, 10, 0, "z"), page(1, 1, 10, 0, "a")}, "^head |a |", nil},
		{"multiplexed", [][]byte{head, page(2, 0, 0, first, "video")}, "^head |", ErrMultiplexed},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, step := range []int{1, 7, 1 << 20} {
				got, err := all(t, bytes.Join(c.pages, nil), step)
				if got != c.want || !errors.Is(err, c.err) {
					t.Errorf("in steps of %d: %q, %v, want %q, %v", step, got, err, c.want, c.err)
				}
			}
		})
	}
}

func TestSkippedIsCounted(t *testing.T) {
	var p Pages
	p.Feed([]byte("twelve bytes"))
	p.Feed(page(1, 0, 0, first, "head"))
	if _, ok := p.Next(); !ok || p.Skipped() != 12 {
		t.Errorf("page %v, skipped %d, want 12", ok, p.Skipped())
	}
}

func TestTooLongPacket(t *testing.T) {
	var d Demuxer
	d.Feed(page(1, 0, 0, first, "head"))
	part := strings.Repeat("x", 255*255)
	d.Feed(page(1, 1, -1, goesOn, part))
	for seq := uint32(2); ; seq++ {
		d.Feed(page(1, seq, -1, continued|goesOn, part))
		_, _, err := d.Next()
		for ok := true; ok && err == nil; {
			_, ok, err = d.Next()
		}
		if err != nil {
			return
		}
		if seq > maxPacket/(255*255)+2 {
			t.Fatal("a packet without end is taken")
		}
	}
}

func comments(list ...string) []byte {
	b := binary.LittleEndian.AppendUint32(nil, 6)
	b = append(b, "vendor"...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(list)))
	for _, c := range list {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(c)))
		b = append(b, c...)
	}
	return b
}

func TestComments(t *testing.T) {
	got, err := Comments(comments("title=One", "TITLE=two", "Artist=Ä", "noise", "X=\xff"))
	want := map[string]string{"TITLE": "One", "ARTIST": "Ä"}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for tags, want := range map[string]string{"A=1": "", "TITLE=t": "t", "ARTIST=a": "a", "ARTIST= ": ""} {
		m, err := Comments(comments(tags))
		if err != nil || Title(m) != want {
			t.Errorf("Title of %q = %q, %v, want %q", tags, Title(m), err, want)
		}
	}
	if Title(want) != "Ä - One" {
		t.Errorf("Title = %q", Title(want))
	}
	for n := range len(comments("A=B")) {
		if _, err := Comments(comments("A=B")[:n]); err == nil {
			t.Errorf("comments cut after %d bytes are taken", n)
		}
	}
}

func FuzzDemuxer(f *testing.F) {
	f.Add(page(1, 0, 0, first, "head"), 3)
	f.Add(append(page(1, 0, 0, first, "head"), page(1, 1, -1, goesOn, strings.Repeat("x", 255))...), 100)
	f.Add(append(page(1, 0, 0, first), page(2, 1, 1<<62, 7, "x")...), 1)
	f.Fuzz(func(t *testing.T, b []byte, step int) {
		step = max(1, step)
		got, err := all(t, b, step)
		whole, wholeErr := all(t, b, len(b)+1)
		if got != whole || !errors.Is(err, wholeErr) {
			t.Errorf("in steps of %d: %q, %v; at once: %q, %v", step, got, err, whole, wholeErr)
		}
	})
}

func FuzzComments(f *testing.F) {
	f.Add(comments("TITLE=x"))
	f.Fuzz(func(t *testing.T, b []byte) {
		tags, err := Comments(b)
		if err != nil && tags != nil {
			t.Error("comments with an error")
		}
		if title := Title(tags); len(title) > titles.Most {
			t.Errorf("a title of %d bytes", len(title))
		}
	})
}
