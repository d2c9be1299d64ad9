package srt

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"

	"longwave/ingest"
	"longwave/ingest/decode"
	"longwave/ingest/decode/decodetest"
	"longwave/ingest/token"
)

func TestParseStreamID(t *testing.T) {
	for _, c := range []struct {
		in, station, token string
		err                error
	}{
		{"tok_en-1", "", "tok_en-1", nil},
		{" tok \n", "", "tok", nil},
		{"publish:tok", "", "tok", nil},
		{"PUBLISH:tok", "", "tok", nil},
		{"#!::r=talk,m=publish,u=tok", "talk", "tok", nil},
		{"#!::u=tok,r=/talk/", "talk", "tok", nil},
		{"#!::m=publish,r=tok", "", "tok", nil},
		{"#!::r=tok", "", "tok", nil},
		{"#!:: r = talk , u = tok ", "talk", "tok", nil},
		{"", "", "", errNoToken},
		{"publish:", "", "", errNoToken},
		{"#!::m=publish", "", "", errNoToken},
		{"request:tok", "", "", errMode},
		{"#!::m=request,r=tok", "", "", errMode},
		{"#!::m=bidirectional,r=tok", "", "", errMode},
		{"#!::", "", "", errForm},
		{"#!::tok", "", "", errForm},
		{"#!{json}", "", "", errForm},
	} {
		station, token, err := parseStreamID(c.in)
		if station != c.station || token != c.token || !errors.Is(err, c.err) {
			t.Errorf("%q: %q, %q, %v, want %q, %q, %v", c.in, station, token, err, c.station, c.token, c.err)
		}
	}
}

// FuzzParseStreamID: there is a token or an error, and the token is in the ID.
func FuzzParseStreamID(f *testing.F) {
	f.Add("#!::r=talk,m=publish,u=tok")
	f.Add("publish:tok")
	f.Fuzz(func(t *testing.T, id string) {
		station, token, err := parseStreamID(id)
		if (err == nil) != (token != "") || !strings.Contains(id, token) || !strings.Contains(id, station) {
			t.Errorf("%q: %q, %q, %v", id, station, token, err)
		}
	})
}

// ts returns a packet of a PID that begins a unit, or goes on with one.
func ts(pid int, begins bool, payload ...byte) []byte {
	p := append([]byte{syncByte, byte(pid >> 8), byte(pid), 0x10}, payload...)
	if begins {
		p[1] |= 0x40
	}
	return append(p, bytes.Repeat([]byte{0xff}, packetLength-len(p))...)
}

// TestSieve: what is let through.
func TestSieve(t *testing.T) {
	sound, video := []byte{0, 0, 1, 0xc0}, []byte{0, 0, 1, 0xe0}
	many := func(n int, p []byte) (all [][]byte) {
		for range n {
			all = append(all, p)
		}
		return all
	}
	empty := ts(0x100, false)
	empty[3] = 0x20
	broken := ts(0x100, true, sound...)
	broken[1] |= 0x80
	padded := append(ts(0x100, false)[:4], bytes.Repeat([]byte{0xff}, 184)...)
	padded[3] = 0x30
	for _, c := range []struct {
		what    string
		packets [][]byte
		pass    int // packets
		lost    int // bytes
	}{
		{"tables", [][]byte{ts(0, true, 0, 0), ts(0x1000, true, 0, 2)}, 2, 0},
		{"sound", [][]byte{ts(0x100, true, sound...), ts(0x100, false), ts(0x100, true, sound...)}, 3, 0},
		{"the end of a unit whose start was missed", [][]byte{ts(0x100, false), ts(0x100, true, sound...)}, 1, 0},
		{"video", append(many(1000, ts(0x101, false)), ts(0x101, true, video...), ts(0x101, false), ts(0x100, true, sound...)), 1, 0},
		{"an endless unit", append([][]byte{ts(0x100, true, sound...)}, many(1000, ts(0x100, false))...), mostPES / 184, 0},
		{"an endless table", append([][]byte{ts(0, true, 0, 0)}, many(1000, ts(0, false))...), mostTable / 184, 0},
		{"padding and others' tables", [][]byte{ts(nullPID, true), ts(0x11, true), ts(1, true)}, 0, 0},
		{"nothing in it", [][]byte{ts(0x100, true, sound...), empty, padded, broken}, 1, 0},
		{"garbage between", [][]byte{make([]byte, 100), ts(0x100, true, sound...), make([]byte, 3), ts(0x100, false)}, 2, 103},
	} {
		t.Run(c.what, func(t *testing.T) {
			lost := 0
			s := &sieve{r: bytes.NewReader(bytes.Join(c.packets, nil)), lost: func(n int) { lost += n }}
			got, err := io.ReadAll(s)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != c.pass*packetLength || lost != c.lost {
				t.Errorf("%d packets and %d bytes more passed, %d bytes were lost; want %d packets, %d lost", len(got)/packetLength, len(got)%packetLength, lost, c.pass, c.lost)
			}
		})
	}
}

// TestSievePIDs: the number of PIDs is bounded, and so is garbage.
func TestSievePIDs(t *testing.T) {
	var all []byte
	for pid := firstPID; pid < nullPID; pid++ {
		all = append(all, ts(pid, true, 0, 0, 1, 0xc0)...)
	}
	got, err := io.ReadAll(&sieve{r: bytes.NewReader(all), lost: func(int) {}})
	if err != nil || len(got) != mostPIDs*packetLength {
		t.Errorf("%d PIDs passed, %v, want %d", len(got)/packetLength, err, mostPIDs)
	}
	if _, err := io.ReadAll(&sieve{r: bytes.NewReader(make([]byte, 2*mostGarbage)), lost: func(int) {}}); !errors.Is(err, errGarbage) {
		t.Errorf("garbage: %v", err)
	}
}

// sink is a gate and a lane to which all is welcome.
type sink struct{ packets *int }

func (sink) Check(ingest.Claim) (token.Token, error) { return token.Token{Station: "talk"}, nil }
func (s sink) Open(context.Context, ingest.Claim, decode.Format) (sink, error) {
	return s, nil
}

func (s sink) Push(ingest.Packet) error {
	*s.packets++
	return nil
}
func (sink) Close() error { return nil }

// FuzzDemux: whatever is in the transport stream, it is read to its end or refused, and
// the sieve changes nothing but what it leaves out.
func FuzzDemux(f *testing.F) {
	for _, args := range [][]string{{"-c:a", "aac"}, {"-c:a", "libopus"}, {"-c:a", "mp2"}, {"-c:a", "aac", "-mpegts_flags", "latm"}, {"-c:a", "ac3"}} {
		b := decodetest.Encode(f, 1e9, append(args, "-f", "mpegts")...)
		f.Add(b[:min(len(b), 30*packetLength)], 1316)
	}
	f.Fuzz(func(t *testing.T, b []byte, piece int) {
		n := 0
		s := &source{Server: New(sink{&n}, Options{Log: slog.New(slog.DiscardHandler)}), ctx: t.Context()}
		defer func() {
			if v := recover(); v != nil {
				t.Error("the library panics:", v)
			}
		}()
		if err := s.carry(&pieces{b, 1 + min(max(piece, 0), 2047)}); err == nil {
			t.Error("a stream that ends does not end")
		}
		if n > len(b)*50 {
			t.Errorf("%d bytes became %d packets", len(b), n)
		}
	})
}

// pieces is a reader that gives so many bytes at once.
type pieces struct {
	b []byte
	n int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.b) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.b[:min(p.n, len(p.b))])
	p.b = p.b[n:]
	return n, nil
}
