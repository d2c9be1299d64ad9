package srt_test

import (
	"bytes"
	"crypto/rand"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gosrt "github.com/datarhei/gosrt"

	"longwave/ingest/decode/decodetest"
	"longwave/ingest/ingesttest"
	"longwave/ingest/srt"
	"longwave/ingest/token"
)

const step = 5 * time.Millisecond // between datagrams of tests to which pace does not matter

// stream returns a transport stream with the tone.
func stream(t *testing.T, d time.Duration, args ...string) []byte {
	t.Helper()
	return decodetest.Encode(t, d, append(append([]string{"-ac", "2"}, args...), "-f", "mpegts")...)
}

// TestRefused: who is not let in is told why by number, and the log does not tell the
// token.
func TestRefused(t *testing.T) {
	t.Parallel()
	st := newStation(t, srt.Options{})
	good := st.Token("A")
	expired := st.Sign(token.Token{Station: ingesttest.Station, Role: token.Speaker, Expires: time.Now().Add(-time.Hour)})
	for _, c := range []struct {
		what, id, says string
		reason         gosrt.RejectionReason
	}{
		{"a wrong token", "hackme-hackme-hackme", "no valid token", gosrt.REJX_UNAUTHORIZED},
		{"no token", "", "the stream ID is the token", gosrt.REJX_UNAUTHORIZED},
		{"another form", "#!R=" + good, "the stream ID is the token, publish:token or", gosrt.REJX_UNAUTHORIZED},
		{"an expired token", "publish:" + expired, "expired at", gosrt.REJX_FORBIDDEN},
		{"another station", "#!::r=other,m=publish,u=" + good, "it is for station", gosrt.REJX_FORBIDDEN},
		{"a player", "#!::m=request,r=" + good, "there is nothing to play", gosrt.REJX_BAD_MODE},
		{"a player in short", "read:" + good, "there is nothing to play", gosrt.REJX_BAD_MODE},
	} {
		t.Run(c.what, func(t *testing.T) {
			conn, err := dial(st, c.id)
			if err == nil {
				_ = conn.Close()
				t.Fatal("it was let in")
			}
			st.Until("it is logged", func() bool { return strings.Contains(st.Log(), c.says) })
			for _, secret := range []string{good, expired, "hackme"} {
				if strings.Contains(st.Log(), secret) {
					t.Errorf("the log shows a token:\n%s", st.Log())
				}
			}
		})
	}
}

// TestForms: every form of a stream ID that names a token opens the lane.
func TestForms(t *testing.T) {
	t.Parallel()
	ts := stream(t, time.Second, "-c:a", "libopus")
	for _, form := range []string{"TOKEN", "publish:TOKEN", "#!::r=talk,m=publish,u=TOKEN", "#!::m=publish,r=TOKEN", "#!::h=example.com,t=stream,u=TOKEN"} {
		t.Run(form, func(t *testing.T) {
			st := newStation(t, srt.Options{})
			c := call(t, st, strings.ReplaceAll(form, "TOKEN", st.Token("A")))
			if err := c.send(ts, step); err != nil {
				t.Fatal(err)
			}
			st.Until("a lane is open", func() bool { return strings.Contains(st.Log(), "source on a lane") })
		})
	}
}

// TestMalformedHandshake: a datagram that makes the library panic ends nothing.
func TestMalformedHandshake(t *testing.T) {
	t.Parallel()
	st := newStation(t, srt.Options{})
	conn, err := net.Dial("udp", st.host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	b := make([]byte, 16+50) // a handshake and half an extension
	b[0] = 0x80
	copy(b[16:], []byte{0, 0, 0, 5, 0, 0, 0, 1})
	copy(b[16+20:], []byte{0xff, 0xff, 0xff, 0xff}) // conclusion
	if _, err := conn.Write(b); err != nil {
		t.Fatal(err)
	}
	st.Until("it is counted", func() bool { return value(t, st, "longwave_srt_sources_total") == 1 })
	call(t, st, st.Token("A"))
}

// TestGarbage: who sends no transport stream, or one without sound that can be taken, is
// closed, and nobody else hears anything of it.
func TestGarbage(t *testing.T) {
	t.Parallel()
	st := recorded(t, srt.Options{PerAddress: 20})
	good := call(t, st, st.Token("Good"))
	sent := make(chan error, 1)
	go func() {
		sent <- good.send(stream(t, 3*time.Second, "-c:a", "libopus", "-af", "apad=pad_dur=3"), 20*time.Millisecond)
	}()
	noise := make([]byte, 3<<20)
	_, _ = rand.Read(noise)
	tables := bytes.Repeat([]byte{0x47, 0x40, 0, 0x10}, 47)
	for _, c := range []struct {
		what  string
		bytes []byte
		says  string
	}{
		{"zeros", make([]byte, 3<<20), "not an MPEG transport stream"},
		{"LATM", stream(t, time.Second, "-c:a", "aac", "-mpegts_flags", "latm"), "AAC in LATM: sound that is not supported, send AAC with ADTS headers"},
		{"AC-3", stream(t, time.Second, "-c:a", "ac3"), "no track of AAC, Opus or MPEG audio: sound that is not supported"},
	} {
		t.Run(c.what, func(t *testing.T) {
			conn := call(t, st, st.Token("Bad"))
			if err := conn.send(c.bytes, time.Millisecond); err == nil {
				conn.hungUp(t)
			}
			st.Until("it is logged", func() bool { return strings.Contains(st.Log(), c.says) })
		})
	}
	for what, b := range map[string][]byte{"noise": noise, "tables of nothing": bytes.Repeat(tables, 200)} {
		t.Run(what, func(t *testing.T) {
			conn := call(t, st, st.Token("Bad"))
			_ = conn.send(b[:min(len(b), 1<<20)], time.Millisecond)
			_ = conn.Close()
		})
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	_ = good.Close() // what is on its way is silence
	st.Until("the good one has ended", func() bool { return strings.Contains(st.Log(), "format=\"opus 48000 Hz 2 ch\" result=ended") })
	st.UntilGone()
	if strings.Contains(st.Log(), "panics") {
		t.Errorf("log:\n%s", st.Log())
	}
	ingesttest.CheckTone(t, st.Studio, 3*time.Second, 20*time.Millisecond)
}

// TestTakeover: the same token calls again; the connection before is closed.
func TestTakeover(t *testing.T) {
	t.Parallel()
	st := newStation(t, srt.Options{})
	key := st.Token("Studio 1")
	ts := stream(t, 20*time.Second, "-c:a", "libopus")
	first, second := call(t, st, key), call(t, st, key)
	sent := make(chan error, 1)
	go func() { sent <- first.send(ts, 50*time.Millisecond) }()
	st.Until("the first is on a lane", func() bool { return strings.Contains(st.Log(), "source on a lane") })
	if err := second.send(ts[:len(ts)/20/188*188], step); err != nil {
		t.Fatal(err)
	}
	if err := <-sent; err == nil {
		t.Error("the first was not hung up on")
	}
	st.result(t, "closed", key)
	if n := len(st.Programme.Desk().Speakers()); n != 1 {
		t.Errorf("%d seats, want 1", n)
	}
}

// TestRemoved: the host removes a speaker, who is hung up on.
func TestRemoved(t *testing.T) {
	t.Parallel()
	st := newStation(t, srt.Options{})
	c := call(t, st, st.Token("Studio 1"))
	sent := make(chan error, 1)
	ts := stream(t, 20*time.Second, "-c:a", "libopus")
	go func() { sent <- c.send(ts, 50*time.Millisecond) }()
	st.Until("it is on a lane", func() bool { return len(st.Programme.Desk().Speakers()) == 1 })
	if err := st.Programme.Desk().Remove(st.Programme.Desk().Speakers()[0].Seat); err != nil {
		t.Fatal(err)
	}
	if err := <-sent; err == nil {
		t.Error("the speaker was not hung up on")
	}
	st.result(t, "closed")
	if !strings.Contains(st.Log(), "removed by the host") {
		t.Errorf("log:\n%s", st.Log())
	}
}

// TestSilence: who sends no sound is hung up on, before the first as after it.
func TestSilence(t *testing.T) {
	t.Parallel()
	st := newStation(t, srt.Options{Silence: time.Second})
	ts := stream(t, time.Second, "-c:a", "libopus")
	never, once := call(t, st, st.Token("A")), call(t, st, st.Token("B"))
	if err := once.send(ts, step); err != nil {
		t.Fatal(err)
	}
	st.Until("there was sound", func() bool { return strings.Contains(st.Log(), "source on a lane") })
	never.hungUp(t)
	once.hungUp(t)
	st.Until("both are counted", func() bool { return strings.Count(st.Log(), "result=stalled") == 2 })
}

// TestVanished: an encoder that is gone without a goodbye is told from one that hung up.
func TestVanished(t *testing.T) {
	t.Parallel()
	st := newStation(t, srt.Options{})
	var cut atomic.Bool
	line := relay(t, st.host, func([]byte) bool { return !cut.Load() })
	ts := stream(t, time.Second, "-c:a", "libopus")
	good, lost := call(t, st, st.Token("A")), call(t, &station{host: line}, st.Token("B"))
	for _, c := range []*caller{good, lost} {
		if err := c.send(ts, step); err != nil {
			t.Fatal(err)
		}
	}
	st.Until("both are on a lane", func() bool { return strings.Count(st.Log(), "source on a lane") == 2 })
	cut.Store(true)
	_ = good.Close()
	st.Until("one has hung up", func() bool {
		return strings.Contains(st.Log(), `result=ended reason="the client closed the connection"`)
	})
	st.Until("the other is lost", func() bool {
		return strings.Contains(st.Log(), `level=WARN msg="source lost"`) && strings.Contains(st.Log(), `result=broken reason="nothing has come from the client for 5s"`)
	})
}

// TestLimits: one address has so many connections and no more, and a place that is free
// again can be had.
func TestLimits(t *testing.T) {
	t.Parallel()
	st := newStation(t, srt.Options{PerAddress: 2})
	first := call(t, st, st.Token("A"))
	call(t, st, st.Token("B"))
	if c, err := dial(st, st.Token("C")); err == nil {
		_ = c.Close()
		t.Error("a third connection was let in")
	}
	_ = first.Close()
	st.Until("a place is free", func() bool { return value(t, st, "longwave_srt_connections") == 1 })
	call(t, st, st.Token("C"))
}

// TestShutdown: Run hangs up when its context ends.
func TestShutdown(t *testing.T) {
	t.Parallel()
	st := newStation(t, srt.Options{})
	idle, busy := call(t, st, st.Token("A")), call(t, st, st.Token("B"))
	sent := make(chan error, 1)
	ts := stream(t, 20*time.Second, "-c:a", "libopus")
	go func() { sent <- busy.send(ts, 50*time.Millisecond) }()
	st.Until("it is on a lane", func() bool { return strings.Contains(st.Log(), "source on a lane") })
	st.end()
	if err := <-st.done; err != nil {
		t.Error(err)
	}
	idle.hungUp(t)
	if err := <-sent; err == nil {
		t.Error("who sends was not hung up on")
	}
	if n := strings.Count(st.Log(), "result=closed"); n != 2 {
		t.Errorf("%d sources closed, want 2; log:\n%s", n, st.Log())
	}
}

// TestListen: the error says which option to change.
func TestListen(t *testing.T) {
	t.Parallel()
	st := newStation(t, srt.Options{})
	err := srt.New(st.Gate, srt.Options{Address: st.host}).Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "srt.listen") || !strings.Contains(err.Error(), st.host) {
		t.Errorf("%v, want the option's name and the address", err)
	}
	err = srt.New(st.Gate, srt.Options{Address: "127.0.0.1:0", Passphrase: "short"}).Listen(t.Context())
	if err == nil || !strings.Contains(err.Error(), "srt.passphrase") || strings.Contains(err.Error(), "short") {
		t.Errorf("%v, want the option's name", err)
	}
}
