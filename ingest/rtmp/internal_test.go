package rtmp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/bluenviron/gortmplib/pkg/amf0"
	"github.com/bluenviron/gortmplib/pkg/bytecounter"
	"github.com/bluenviron/gortmplib/pkg/message"
	"github.com/bluenviron/gortmplib/pkg/rawmessage"

	"longwave/ingest"
	"longwave/ingest/decode"
	"longwave/ingest/titles"
	"longwave/ingest/token"
)

// raw returns messages in chunks, after a handshake.
func raw(t testing.TB, chunk uint32, messages ...*rawmessage.Message) []byte {
	t.Helper()
	var b bytes.Buffer
	b.WriteByte(version)
	b.Write(make([]byte, handshakeLength-1))
	w := rawmessage.NewWriter(&b, bytecounter.NewWriter(&b), false)
	if chunk > 0 {
		size := []byte{byte(chunk >> 24), byte(chunk >> 16), byte(chunk >> 8), byte(chunk)}
		if err := w.Write(&rawmessage.Message{ChunkStreamID: 2, Type: typeSetChunkSize, Body: size}); err != nil {
			t.Fatal(err)
		}
		w.SetChunkSize(chunk)
	}
	for _, m := range messages {
		if err := w.Write(m); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func long(id, kind byte, n int) *rawmessage.Message {
	return &rawmessage.Message{ChunkStreamID: id, Type: kind, MessageStreamID: 1, Timestamp: time.Second, Body: make([]byte, n)}
}

func TestGuard(t *testing.T) {
	late := long(4, typeAudio, 100)
	late.Timestamp = 5 * time.Hour // needs four bytes more
	begin := func(id byte, kind byte, n int) []byte {
		return []byte{id, 0, 0, 0, byte(n >> 16), byte(n >> 8), byte(n), kind, 0, 0, 0, 0}
	}
	hello := slices.Clip(raw(t, 0))
	for _, c := range []struct {
		what  string
		bytes []byte
		want  string
	}{
		{"sound", raw(t, 0, long(4, typeAudio, 1000), long(4, typeAudio, 10), long(4, typeAudio, 10)), ""},
		{"sound and a picture", raw(t, 4096, long(6, typeVideo, 2<<20), long(4, typeAudio, 300), late, late), ""},
		{"nothing", raw(t, 0, long(4, typeAudio, 0), long(4, typeAudio, 0)), ""},
		{"another version", []byte{6}, "not RTMP: version 6"},
		{"HTTP", []byte("GET / HTTP/1.1\r\n"), "not RTMP: version 71"},
		{"a long sound", append(hello, begin(4, typeAudio, mostAudio+1)...), "not RTMP: a message of type 8 with 65537 bytes"},
		{"a long picture", append(hello, begin(6, typeVideo, mostVideo+1)...), "not RTMP: a message of type 9 with 8388609 bytes"},
		{"a long command", append(hello, begin(3, 20, mostText+1)...), "not RTMP: a message of type 20 with 65537 bytes"},
		{"a long control message", append(hello, begin(2, 4, mostControl+1)...), "not RTMP: a message of type 4 with 65 bytes"},
		{"too many pictures at once", slices.Concat(raw(t, 5<<20), begin(6, typeVideo, mostVideo), make([]byte, 5<<20), begin(7, typeVideo, mostVideo)), "not RTMP: a message of type 9 with 8388608 bytes"},
		{"chunks of nothing", raw(t, 1), "not RTMP: chunks of 1 bytes"},
		{"endless chunks", raw(t, 1<<31-1), "not RTMP: chunks of 2147483647 bytes"},
		{"a chunk of nothing known", append(hello, 3<<6|4), "not RTMP: a chunk of type 3 out of place"},
		{"a message in a message", slices.Concat(hello, begin(4, typeAudio, 200), make([]byte, 128), begin(4, typeAudio, 200)), "not RTMP: a chunk of type 0 out of place"},
		{"a chunk stream ID of two bytes", append(hello, 0), "not RTMP: chunk stream IDs over 63"},
	} {
		t.Run(c.what, func(t *testing.T) {
			for _, piece := range []int{1, 7, len(c.bytes)} {
				var g guard
				var err error
				for b := c.bytes; len(b) > 0 && err == nil; {
					n := min(piece, len(b))
					err = g.take(b[:n])
					b = b[n:]
				}
				if got := text(err); got != c.want {
					t.Errorf("in pieces of %d: %q, want %q", piece, got, c.want)
				}
				if err == nil && (g.pending != 0 || g.piece != 0 || g.headLen != 0) {
					t.Errorf("in pieces of %d: something is thought to be missing: %+v", piece, g)
				}
			}
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// guarded is a reader behind a guard.
type guarded struct {
	r io.Reader
	g *guard
}

func (r guarded) Read(b []byte) (int, error) {
	n, err := r.r.Read(b)
	if err == nil {
		err = r.g.take(b[:n])
	}
	if err != nil {
		return 0, err
	}
	return n, nil
}

// FuzzGuard: whatever comes, the library reads no message that is longer than may be,
// and understands the same chunks as the guard.
func FuzzGuard(f *testing.F) {
	hello := len(raw(f, 0))
	f.Add(raw(f, 0, long(4, typeAudio, 1000), long(4, typeAudio, 10), long(4, typeAudio, 10))[hello:])
	f.Add(raw(f, 4096, long(6, typeVideo, 9000), long(3, 20, 100))[hello:])
	f.Add([]byte{0xc4, 4, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		g := &guard{begun: true, chunk: 128}
		stream := guarded{bytes.NewReader(b), g}
		counted := bytecounter.NewReader(stream)
		r := rawmessage.NewReader(counted, counted, func(uint32) error { return nil })
		for {
			m, err := r.Read()
			if err != nil {
				if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, errFraming) {
					t.Errorf("the guard let through what the library refuses: %v", err)
				}
				return
			}
			if len(m.Body) > most(m.Type) {
				t.Errorf("a message of type %d with %d bytes", m.Type, len(m.Body))
			}
			if m.Type == typeSetChunkSize && len(m.Body) == 4 {
				size := uint32(m.Body[0])<<24 | uint32(m.Body[1])<<16 | uint32(m.Body[2])<<8 | uint32(m.Body[3])
				if err := r.SetChunkSize(size); err != nil {
					return // the guard refuses what comes next
				}
			}
		}
	})
}

// FuzzText: a title is one short line of text, whatever it was.
func FuzzText(f *testing.F) {
	f.Add("Grüße\r\nSet-Cookie: x")
	f.Add("\xff\xfe" + strings.Repeat("é", 300))
	f.Fuzz(func(t *testing.T, s string) {
		got := titleOf(amf0.Data{"onMetaData", amf0.ECMAArray{{Key: "title", Value: s}}})
		if !utf8.ValidString(got) || len(got) > titles.Most || strings.ContainsAny(got, "\x00\r\n\x1b\x7f") {
			t.Errorf("%q became %q", s, got)
		}
	})
}

// A tape is a connection that has been recorded.
type tape struct {
	net.Conn
	io.Reader
}

func (p tape) Read(b []byte) (int, error)     { return p.Reader.Read(b) }
func (tape) Write(b []byte) (int, error)      { return len(b), nil }
func (tape) SetReadDeadline(time.Time) error  { return nil }
func (tape) SetWriteDeadline(time.Time) error { return nil }
func (tape) Close() error                     { return nil }
func (tape) CloseWrite() error                { return nil }

// sink is a gate and a lane to which all is welcome.
type sink struct{}

func (sink) Check(ingest.Claim) (token.Token, error) { return token.Token{Station: "talk"}, nil }
func (s sink) Open(context.Context, ingest.Claim, decode.Format) (sink, error) {
	return s, nil
}
func (sink) Push(ingest.Packet) error { return nil }
func (sink) Title(string)             {}
func (sink) Close() error             { return nil }

// publishing is what a client sends until it may send sound.
func publishing(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	b.WriteByte(version)
	b.Write(make([]byte, handshakeLength-1))
	w := message.NewWriter(&b, bytecounter.NewWriter(&b), false)
	for _, m := range []message.Message{
		&message.CommandAMF0{ChunkStreamID: 3, Name: "connect", CommandID: 1, Arguments: []any{
			amf0.Object{{Key: "app", Value: "live"}, {Key: "tcUrl", Value: "rtmp://localhost/live"}},
		}},
		&message.CommandAMF0{ChunkStreamID: 3, Name: "createStream", CommandID: 2, Arguments: []any{nil}},
		&message.CommandAMF0{ChunkStreamID: 8, MessageStreamID: 1, Name: "publish", CommandID: 3, Arguments: []any{nil, "secret", "live"}},
	} {
		if err := w.Write(m); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// FuzzSource: whatever a client sends once it may, the server neither panics nor goes
// on for ever, and nothing of the token is said.
func FuzzSource(f *testing.F) {
	begin := publishing(f)
	add := func(messages ...message.Message) {
		var b bytes.Buffer
		w := message.NewWriter(&b, bytecounter.NewWriter(&b), false)
		for _, m := range messages {
			if err := w.Write(m); err != nil {
				f.Fatal(err)
			}
		}
		f.Add(b.Bytes())
	}
	add(&message.Audio{ChunkStreamID: 4, MessageStreamID: 1, Codec: message.CodecMPEG1Audio, AU: []byte{0xff, 0xfb, 0x94, 0}},
		&message.DataAMF0{ChunkStreamID: 4, MessageStreamID: 1, Payload: amf0.Data{"@setDataFrame", "onMetaData", amf0.Object{{Key: "title", Value: "x"}}}})
	add(&message.AudioExSequenceStart{ChunkStreamID: 4, FourCC: message.FourCCOpus, OpusConfig: &message.OpusIDHeader{Version: 1, ChannelCount: 2}},
		&message.AudioExCodedFrames{ChunkStreamID: 4, FourCC: message.FourCCOpus, Payload: []byte{0xfc, 1, 2}},
		&message.AudioExMultitrack{TrackID: 3, Wrapped: &message.AudioExCodedFrames{ChunkStreamID: 4, FourCC: message.FourCCOpus, Payload: []byte{0xfc, 1, 2}}})
	add(&message.Audio{ChunkStreamID: 4, MessageStreamID: 1, Codec: message.CodecMPEG4Audio, AACType: message.AudioAACTypeAU, AU: []byte{1, 2, 3}},
		&message.CommandAMF0{ChunkStreamID: 3, Name: "deleteStream", CommandID: 9, Arguments: []any{nil, 1.0}})
	f.Fuzz(func(t *testing.T, b []byte) {
		var said bytes.Buffer
		s := New(sink{}, Options{Log: slog.New(slog.NewTextHandler(&said, nil))})
		s.serve(t.Context(), &wire{conn: tape{Reader: io.MultiReader(bytes.NewReader(begin), bytes.NewReader(b))}}, "192.0.2.1:1")
		if strings.Contains(said.String(), "panics") || strings.Contains(said.String(), "secret") {
			t.Error(said.String())
		}
	})
}
