package rtmp_test

import (
	"bytes"
	"crypto/rand"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bluenviron/gortmplib/pkg/amf0"
	"github.com/bluenviron/gortmplib/pkg/message"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"longwave/ingest/ingesttest"
	"longwave/ingest/pcm"
	"longwave/ingest/rtmp"
	"longwave/ingest/token"
)

// TestRefused: who is not let in is told why, and the log does not tell the token.
func TestRefused(t *testing.T) {
	t.Parallel()
	st := newStation(t, rtmp.Options{})
	expired := st.Sign(token.Token{Station: ingesttest.Station, Role: token.Speaker, Expires: time.Now().Add(-time.Hour)})
	elsewhere := st.Sign(token.Token{Station: "other", Role: token.Speaker})
	captions := st.Sign(token.Token{Station: ingesttest.Station, Role: token.Captioner})
	var all sync.WaitGroup
	for _, c := range []struct{ what, path, token, says string }{
		{"a wrong token", "/live/", "hackme-hackme-hackme", "no valid token"},
		{"an expired token", "/live/", expired, "expired at"},
		{"another station's", "/live/", elsewhere, `there is no station "other"`},
		{"another role's", "/live/", captions, "it is for the role captioner"},
		{"another application", "/stream/", st.Token("A"), "the address is rtmp://host/live"},
		{"no stream key", "/live", "", "the address is rtmp://host/live"},
		{"what is no address", "/live/", "%zz-secret", ""},
	} {
		all.Go(func() {
			said, err := ffmpeg(t, "rtmp://"+st.host+c.path+c.token, time.Second, "-c:a", "aac")
			if err == nil {
				t.Errorf("%s: ffmpeg thinks it was let in", c.what)
			}
			if !strings.Contains(said, c.says) {
				t.Errorf("%s: ffmpeg said %q, want %q in it", c.what, said, c.says)
			}
			if c.token != "" && strings.Contains(st.Log(), c.token) {
				t.Errorf("%s: the log shows the token:\n%s", c.what, st.Log())
			}
		})
	}
	all.Wait()
}

// TestPlay: who wants to play is told that there is nothing.
func TestPlay(t *testing.T) {
	t.Parallel()
	st := newStation(t, rtmp.Options{})
	c, err := dial(t, st.url(st.Token("A"))) // publishes; a player is simulated below
	if err != nil {
		t.Fatal(err)
	}
	_ = c.net.Close()
	c.Publish = false
	if err := c.Initialize(t.Context()); err == nil {
		t.Error("the player was let in")
	}
	st.result(t, "forbidden")
}

// TestGarbage: who does not speak RTMP, or stops to, is closed, and nobody else hears
// anything of it.
func TestGarbage(t *testing.T) {
	t.Parallel()
	st := recorded(t, rtmp.Options{PerAddress: 20})
	good := publish(t, st.url(st.Token("Good")))
	packets := tone(t, 4*time.Second)
	good.say(t, 0, packets[:100])
	noise := make([]byte, 1<<20)
	_, _ = rand.Read(noise)
	handshake := append([]byte{3}, make([]byte, 3072)...)
	// An object in an object in an object, in a message of 10 MB.
	bomb := append(bytes.Clone(handshake), 2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0x98, 0x96, 0x80)
	bomb = append(bomb, 3, 0, 0, 0, 0x98, 0x96, 0x80, 20, 0, 0, 0, 0)
	bomb = append(bomb, bytes.Repeat([]byte{3, 0, 1, 'a'}, 2_500_000)...)
	for what, b := range map[string][]byte{
		"HTTP":                   []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		"noise":                  noise,
		"noise after greeting":   append(bytes.Clone(handshake), noise...),
		"a bomb":                 bomb,
		"a greeting without end": append(bytes.Clone(handshake), bytes.Repeat([]byte{2, 0, 0, 0, 0, 0, 4, 3, 0, 0, 0, 0, 0, 0, 0, 0}, 8000)...),
	} {
		t.Run(what, func(t *testing.T) {
			conn, err := net.Dial("tcp", st.host)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			go func() { _, _ = conn.Write(b) }() // until the server closes
			rest(t, conn)
		})
	}
	for what, spoil := range map[string]func(c *client){
		"noise": func(c *client) { _, _ = c.net.Write(noise) },
		"units of nothing": func(c *client) {
			write := c.opus(t)
			for range 1000 {
				_ = write(0, []byte{3, 63}) // 63 frames of 10 ms: more than a packet may have
			}
		},
		"a sound of another kind": func(c *client) {
			_ = c.Write(&message.Audio{ChunkStreamID: 4, MessageStreamID: 1, Codec: message.CodecPCMU, AU: make([]byte, 160)})
		},
	} {
		t.Run(what+" after a token", func(t *testing.T) {
			c := publish(t, st.url(st.Token("Bad")))
			spoil(c)
			c.gone(t)
		})
	}
	good.say(t, 2*time.Second, packets[100:])
	good.bye(t)
	st.result(t, "ended")
	st.result(t, "malformed")
	st.result(t, "unsupported")
	st.UntilGone()
	if strings.Contains(st.Log(), "panics") {
		t.Errorf("log:\n%s", st.Log())
	}
	ingesttest.CheckTone(t, st.Studio, 4*time.Second, 20*time.Millisecond)
}

// TestUnsupported: what cannot be taken is said in words.
func TestUnsupported(t *testing.T) {
	t.Parallel()
	st := newStation(t, rtmp.Options{})
	for _, c := range []struct {
		m    message.Message
		says string
	}{
		{&message.Audio{ChunkStreamID: 4, MessageStreamID: 1, Codec: message.CodecPCMU, AU: make([]byte, 160)}, "audio codec 8 of RTMP: sound that is not supported, send AAC or Opus"},
		{&message.AudioExSequenceStart{ChunkStreamID: 4, FourCC: message.FourCCAC3}, "AC-3: sound that is not supported, send AAC or Opus"},
		{&message.AudioExSequenceStart{ChunkStreamID: 4, FourCC: message.FourCCOpus, OpusConfig: &message.OpusIDHeader{ChannelCount: 6, ChannelMappingFamily: 1}}, "channels: sound that is not supported, send mono or stereo"},
	} {
		client := publish(t, st.url(st.Token("A")))
		if err := client.Write(c.m); err != nil {
			t.Fatal(err)
		}
		if said := client.gone(t); !strings.Contains(said, c.says) {
			t.Errorf("%T: the server said %q, want %q", c.m, said, c.says)
		}
	}
}

// TestTakeover: the same token publishes again; the connection before is closed and
// what it sent is still heard.
func TestTakeover(t *testing.T) {
	t.Parallel()
	st := newStation(t, rtmp.Options{})
	key := st.Token("Studio 1")
	packets := tone(t, 2*time.Second)
	first := publish(t, st.url(key))
	write := first.opus(t)
	for i, p := range packets[:50] {
		if err := write(time.Duration(i)*pcm.FrameDuration, p); err != nil {
			t.Fatal(err)
		}
	}
	st.Until("the first is connected", func() bool { return len(st.Programme.Desk().Speakers()) == 1 })
	second := publish(t, st.url(key))
	second.say(t, 0, packets)
	st.Until("the second has taken over", func() bool { return strings.Count(st.Log(), "source on a lane") == 2 })
	for i := 50; ; i++ { // it learns it when it sends
		if err := write(time.Duration(i)*pcm.FrameDuration, packets[50]); err != nil {
			break
		}
		if i > 1000 {
			_ = first.gone(t)
			break
		}
	}
	second.bye(t)
	st.result(t, "closed", key)
	st.UntilGone()
	if n := len(st.Programme.Desk().Speakers()); n != 1 {
		t.Errorf("%d seats, want 1", n)
	}
}

// TestRemoved: the host removes a speaker, whose connection is closed.
func TestRemoved(t *testing.T) {
	t.Parallel()
	st := newStation(t, rtmp.Options{})
	c := publish(t, st.url(st.Token("Studio 1")))
	write := c.opus(t)
	packet := tone(t, 20*time.Millisecond)[0]
	removed := false
	for i := 0; ; i++ {
		if err := write(time.Duration(i)*pcm.FrameDuration, packet); err != nil {
			break
		}
		if s := st.Programme.Desk().Speakers(); len(s) == 1 && !removed {
			removed = true
			if err := st.Programme.Desk().Remove(s[0].Seat); err != nil {
				t.Fatal(err)
			}
		}
	}
	st.result(t, "closed")
	if !strings.Contains(st.Log(), "removed by the host") {
		t.Errorf("log:\n%s", st.Log())
	}
}

// TestPatience: who says nothing is closed, at each stage.
func TestPatience(t *testing.T) {
	t.Parallel()
	st := newStation(t, rtmp.Options{Handshake: time.Second, Silence: time.Second})
	t.Run("no byte", func(t *testing.T) {
		conn, err := net.Dial("tcp", st.host)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		rest(t, conn)
	})
	t.Run("a byte now and then", func(t *testing.T) {
		conn, err := net.Dial("tcp", st.host)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		go func() {
			b := []byte{3}
			for {
				if _, err := conn.Write(b); err != nil {
					return
				}
				b[0] = 0
				time.Sleep(10 * time.Millisecond)
			}
		}()
		rest(t, conn)
	})
	t.Run("no sound", func(t *testing.T) {
		c := publish(t, st.url(st.Token("A")))
		go func() {
			for range 1000 {
				if c.Write(&message.Video{ChunkStreamID: 6, Codec: message.CodecH264, Type: message.VideoTypeAU, AU: []byte{1}}) != nil {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
		}()
		c.gone(t)
	})
	t.Run("no more sound", func(t *testing.T) {
		packets := tone(t, time.Second)
		c := publish(t, st.url(st.Token("A")))
		c.say(t, 0, packets)
		c.gone(t)
	})
	st.UntilGone()
	if n := strings.Count(st.Log(), "result=stalled"); n != 4 {
		t.Errorf("%d sources stalled, want 4; log:\n%s", n, st.Log())
	}
}

// TestLimits: one address has so many connections and no more, and a place that is free
// again can be had.
func TestLimits(t *testing.T) {
	t.Parallel()
	st := newStation(t, rtmp.Options{PerAddress: 2})
	first := publish(t, st.url(st.Token("A")))
	publish(t, st.url(st.Token("B")))
	if _, err := dial(t, st.url(st.Token("C"))); err == nil {
		t.Error("a third connection was let in")
	}
	_ = first.net.Close()
	st.result(t, "broken")
	st.Until("a place is free", func() bool {
		_, err := dial(t, st.url(st.Token("C")))
		return err == nil
	})
}

// TestVanished: an encoder that is gone without a goodbye is told from one that stopped.
func TestVanished(t *testing.T) {
	t.Parallel()
	st := newStation(t, rtmp.Options{})
	packets := tone(t, time.Second)
	stopped, killed := publish(t, st.url(st.Token("A"))), publish(t, st.url(st.Token("B")))
	stopped.say(t, 0, packets)
	stopped.bye(t)
	st.Until("one has stopped", func() bool {
		return strings.Contains(st.Log(), `result=ended reason="the client ended the stream"`)
	})
	killed.say(t, 0, packets)
	_ = killed.net.Close()
	st.Until("the other is lost", func() bool {
		return strings.Contains(st.Log(), `level=WARN msg="source lost"`) && strings.Contains(st.Log(), `result=broken reason="the client closed the connection"`)
	})
}

// TestShutdown: Run ends sources when its context does, and what they sent is heard.
func TestShutdown(t *testing.T) {
	t.Parallel()
	st := recorded(t, rtmp.Options{})
	c := publish(t, st.url(st.Token("A")))
	idle, err := net.Dial("tcp", st.host)
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	packets := tone(t, 2*time.Second)
	c.say(t, 0, packets)
	st.Until("all has come", func() bool {
		return received(t, st) == total(packets)
	})
	st.end()
	if err := <-st.done; err != nil {
		t.Error(err)
	}
	c.gone(t)
	rest(t, idle)
	st.UntilGone()
	ingesttest.CheckTone(t, st.Studio, 2*time.Second, 20*time.Millisecond)
	if conn, err := net.Dial("tcp", st.host); err == nil {
		_ = conn.Close()
		t.Error("the port is still taken")
	}
}

// TestSilentCrowd: clients of many addresses that connect and show no token keep nobody out,
// and do not oust who has shown one.
func TestSilentCrowd(t *testing.T) {
	t.Parallel()
	st := newStation(t, rtmp.Options{Connections: 3})
	silent := func(last byte) {
		t.Helper()
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, last)}}
		conn, err := d.DialContext(t.Context(), "tcp4", st.host)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
	packets := tone(t, 4*time.Second)
	first := publish(t, st.url(st.Token("A")))
	first.say(t, 0, packets[:50])
	for last := range byte(5) {
		silent(10 + last)
	}
	second := publish(t, st.url(st.Token("B")))
	second.say(t, 0, packets[:50])
	st.Until("both are on a lane", func() bool { return strings.Count(st.Log(), "source on a lane") == 2 })
	first.bye(t)
	second.bye(t)
	st.result(t, "busy")
	st.UntilGone()
}

func total(packets [][]byte) (n float64) {
	for _, p := range packets {
		n += float64(len(p))
	}
	return n
}

// received returns the bytes of sound that were counted.
func received(t *testing.T, st *station) float64 {
	t.Helper()
	all, err := st.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if f.GetName() == "longwave_rtmp_received_bytes_total" {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	return 0
}

// TestPortTaken: the error says which option to change.
func TestPortTaken(t *testing.T) {
	t.Parallel()
	st := newStation(t, rtmp.Options{})
	err := rtmp.New(st.Gate, rtmp.Options{Address: st.host}).Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "rtmp.listen") || !strings.Contains(err.Error(), st.host) {
		t.Errorf("%v, want the option's name and the address", err)
	}
}

// TestMetrics: what was counted, by name.
func TestMetrics(t *testing.T) {
	t.Parallel()
	st := newStation(t, rtmp.Options{})
	c := publish(t, st.url(st.Token("A")))
	write := c.opus(t)
	packet := tone(t, 20*time.Millisecond)[0]
	for _, ms := range []int{0, 20, 40, 560, 580, 99_000} {
		if err := write(time.Duration(ms)*time.Millisecond, packet); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Write(&message.DataAMF0{ChunkStreamID: 4, Payload: amf0.Data{}}); err != nil {
		t.Fatal(err)
	}
	c.bye(t)
	st.result(t, "ended")
	st.UntilGone()
	want := `
# HELP longwave_rtmp_connections RTMP connections now, with a token or without.
# TYPE longwave_rtmp_connections gauge
longwave_rtmp_connections 0
# HELP longwave_rtmp_damaged_messages_total Messages that could not be read and were left out.
# TYPE longwave_rtmp_damaged_messages_total counter
longwave_rtmp_damaged_messages_total 0
# HELP longwave_rtmp_lost_seconds_total Sound that was missing between timestamps and was filled with silence.
# TYPE longwave_rtmp_lost_seconds_total counter
longwave_rtmp_lost_seconds_total 0.5
# HELP longwave_rtmp_sources RTMP sources on a lane now, by codec.
# TYPE longwave_rtmp_sources gauge
longwave_rtmp_sources{codec="opus"} 0
# HELP longwave_rtmp_sources_total RTMP connections that ended or were refused, by codec and result.
# TYPE longwave_rtmp_sources_total counter
longwave_rtmp_sources_total{codec="opus",result="ended"} 1
# HELP longwave_rtmp_timestamp_jumps_total Times that a source's timestamps jumped.
# TYPE longwave_rtmp_timestamp_jumps_total counter
longwave_rtmp_timestamp_jumps_total 1
`
	st.Until("the connection is counted off", func() bool {
		return testutil.GatherAndCompare(st.Registry, strings.NewReader(want),
			"longwave_rtmp_connections", "longwave_rtmp_damaged_messages_total", "longwave_rtmp_lost_seconds_total",
			"longwave_rtmp_sources", "longwave_rtmp_sources_total", "longwave_rtmp_timestamp_jumps_total") == nil
	})
}
