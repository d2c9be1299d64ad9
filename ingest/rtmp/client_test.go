package rtmp_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/bluenviron/gortmplib"
	"github.com/bluenviron/gortmplib/pkg/amf0"
	"github.com/bluenviron/gortmplib/pkg/codecs"
	"github.com/bluenviron/gortmplib/pkg/message"
	"github.com/hraban/opus"

	"longwave/ingest/decode/decodetest"
	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
)

// A client publishes what a test tells it to.
type client struct {
	gortmplib.Client
	net net.Conn
}

// dial publishes; the error is the server's refusal.
func dial(t *testing.T, address string) (*client, error) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	c := &client{}
	c.Client = gortmplib.Client{URL: u, Publish: true, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		c.net = conn
		return conn, err
	}}
	err = c.Initialize(t.Context())
	if c.net != nil {
		t.Cleanup(func() { _ = c.net.Close() })
	}
	return c, err
}

// publish publishes and must be let in.
func publish(t *testing.T, address string) *client {
	t.Helper()
	c, err := dial(t, address)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// opus returns the way of Opus packets.
func (c *client) opus(t *testing.T) func(at time.Duration, packet []byte) error {
	t.Helper()
	track := &gortmplib.Track{Codec: &codecs.Opus{ChannelCount: 2}}
	w := &gortmplib.Writer{Conn: c, Tracks: []*gortmplib.Track{track}}
	if err := w.Initialize(); err != nil {
		t.Fatal(err)
	}
	return func(at time.Duration, packet []byte) error { return w.WriteOpus(track, at, packet) }
}

// say sends packets, each 20 ms, as fast as they are taken, from a place in time on.
func (c *client) say(t *testing.T, from time.Duration, packets [][]byte) {
	t.Helper()
	write := c.opus(t)
	for i, p := range packets {
		if err := write(from+time.Duration(i)*pcm.FrameDuration, p); err != nil {
			t.Fatal(err)
		}
	}
}

// bye says that the stream ends.
func (c *client) bye(t *testing.T) {
	t.Helper()
	if err := c.Write(&message.CommandAMF0{ChunkStreamID: 3, Name: "deleteStream", CommandID: 6, Arguments: []any{nil, 1.0}}); err != nil {
		t.Fatal(err)
	}
}

// title sends a title as encoders do.
func (c *client) title(t *testing.T, title string) {
	t.Helper()
	if err := c.Write(&message.DataAMF0{ChunkStreamID: 4, MessageStreamID: 0x1000000, Payload: amf0.Data{
		"@setDataFrame", "onMetaData", amf0.ECMAArray{{Key: "title", Value: title}},
	}}); err != nil {
		t.Fatal(err)
	}
}

// gone waits until the server has closed the connection, and returns the last that it
// said.
func (c *client) gone(t *testing.T) (said string) {
	t.Helper()
	if err := c.net.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for {
		m, err := c.Read()
		if err != nil {
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				t.Error("the server has not closed the connection")
			}
			return said
		}
		if cmd, ok := m.(*message.CommandAMF0); ok && len(cmd.Arguments) > 1 {
			if o, ok := cmd.Arguments[1].(amf0.Object); ok {
				said, _ = o.GetString("description")
			}
		}
	}
}

// tone returns Opus packets of the tone, 20 ms each.
func tone(t *testing.T, d time.Duration) [][]byte {
	t.Helper()
	enc, err := opus.NewEncoder(pcm.Rate, pcm.Channels, opus.AppAudio)
	if err != nil {
		t.Fatal(err)
	}
	sound := pcmtest.Tone{Hz: decodetest.Hz, Amp: 0.1}.Make(int(pcm.Samples(d)))
	var packets [][]byte
	for len(sound) >= pcm.FrameLen {
		b := make([]byte, 1500)
		n, err := enc.EncodeFloat32(sound[:pcm.FrameLen], b)
		if err != nil {
			t.Fatal(err)
		}
		packets, sound = append(packets, b[:n]), sound[pcm.FrameLen:]
	}
	return packets
}

// rest reads a plain connection to its end.
func rest(t *testing.T, c net.Conn) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, c); err != nil {
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			t.Error("the server has not closed the connection")
		}
	}
}
