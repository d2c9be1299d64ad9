package whip_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"

	"longwave/ingest/token"
	"longwave/ingest/whip"
	"longwave/ingest/whip/whiptest"
)

// obs is the head of an offer as OBS writes it.
const obs = `v=0
o=rtc 1404 0 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1
a=group:LS 0 1
a=msid-semantic:WMS *
a=setup:actpass
a=ice-ufrag:Kx7g
a=ice-pwd:6t5gLf0dJwOkTYQ3tVYJxm
a=ice-options:ice2,trickle
a=fingerprint:sha-256 8A:EF:B7:4B:58:FF:8F:6D:88:E1:7C:C2:F0:C1:7C:42:77:7D:0B:15:91:D2:3F:0B:CC:42:93:65:25:B9:3F:11
`

const obsAudio = `m=audio 9 UDP/TLS/RTP/SAVPF 111
c=IN IP4 0.0.0.0
a=mid:0
a=sendonly
a=ssrc:1 cname:x
a=ssrc:1 msid:x x-audio
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 nack
a=fmtp:111 minptime=10;maxaveragebitrate=96000;stereo=1;sprop-stereo=1;useinbandfec=1
`

const obsVideo = `m=video 9 UDP/TLS/RTP/SAVPF 96
c=IN IP4 0.0.0.0
a=mid:1
a=sendonly
a=ssrc:2 cname:x
a=ssrc:2 msid:x x-video
a=rtcp-mux
a=rtpmap:96 CODEC/90000
a=rtcp-fb:96 nack
a=rtcp-fb:96 nack pli
a=rtcp-fb:96 goog-remb
`

// TestVideoIsSwitchedOff: whichever codec is offered and in whichever order, video is
// neither refused nor received.
func TestVideoIsSwitchedOff(t *testing.T) {
	t.Parallel()
	s := newStudio(t, whip.Options{})
	for codec, fmtp := range map[string]string{
		"H264": "a=fmtp:96 profile-level-id=42e01f;packetization-mode=1;level-asymmetry-allowed=1\n",
		"H265": "", "AV1": "", "VP8": "", "VP9": "a=fmtp:96 profile-id=0\n",
	} {
		video := strings.ReplaceAll(obsVideo, "CODEC", codec) + fmtp
		for order, sections := range map[string]string{"after": obsAudio + video, "before": video + obsAudio} {
			body := strings.ReplaceAll(obs+sections, "\n", "\r\n")
			a, answer := s.ask("POST", "/whip/talk", body, "Authorization", "Bearer "+s.token(token.Token{}), "Content-Type", sdpType)
			if a.StatusCode != 201 {
				t.Errorf("%s %s: %d: %s", codec, order, a.StatusCode, answer)
				continue
			}
			var d sdp.SessionDescription
			if err := d.UnmarshalString(answer); err != nil {
				t.Fatal(err)
			}
			for _, m := range d.MediaDescriptions {
				_, inactive := m.Attribute("inactive")
				if _, mid := m.Attribute("mid"); !mid || m.MediaName.Port.Value == 0 || inactive != (m.MediaName.Media == "video") {
					t.Errorf("%s %s: %s", codec, order, answer)
				}
			}
			if !strings.Contains(answer, "a=group:BUNDLE") || !strings.Contains(answer, "a=rtcp-fb:111 nack") || strings.Contains(answer, "stereo") {
				t.Errorf("%s %s: %s", codec, order, answer)
			}
		}
	}
}

func TestPublicAddresses(t *testing.T) {
	t.Parallel()
	s := newStudio(t, whip.Options{Public: []string{"203.0.113.5"}, Lite: true})
	_, answer := s.ask("POST", "/whip/talk", offer(t), "Authorization", "Bearer "+s.token(token.Token{}), "Content-Type", sdpType)
	for _, want := range []string{" udp ", " tcp "} {
		if !strings.Contains(answer, want) {
			t.Errorf("no%scandidate: %s", want, answer)
		}
	}
	if !strings.Contains(answer, " 203.0.113.5 ") || strings.Contains(answer, " 127.0.0.1 ") || !strings.Contains(answer, "a=ice-lite") {
		t.Errorf("%s", answer)
	}
}

// TestGarbageOnThePort: noise, half a STUN message and connections that say nothing
// change nothing for who speaks.
func TestGarbageOnThePort(t *testing.T) {
	t.Parallel()
	s := newStudio(t, whip.Options{})
	s.speak(s.token(token.Token{}), whiptest.Voice{Hz: 1000, Amp: 0.3}, whiptest.Options{})
	s.awaitTone(1000)
	udp, err := net.Dial("udp", s.server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = udp.Close() }()
	stun := []byte("\x00\x01\x00\x00\x21\x12\xa4\x42abcdefghijkl")
	noise := make([]byte, 1400)
	rand.Read(noise)
	for i := range 300 {
		for _, b := range [][]byte{stun[:i%len(stun)], stun, noise[:i*4], append([]byte{0x80, 111}, noise[:i]...), append([]byte{0x80, 200}, noise[:i]...), append([]byte{22, 0xfe, 0xfd}, noise[:i]...)} {
			if len(b) > 0 {
				_, _ = udp.Write(b)
			}
		}
	}
	for _, b := range [][]byte{{}, {0xff, 0xff}, append([]byte{0, 20}, stun...), append([]byte{5, 0x78}, noise...), []byte("GET / HTTP/1.1\r\n\r\n")} {
		tcp, err := net.Dial("tcp", s.server.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = tcp.Close() })
		_, _ = tcp.Write(b)
	}
	s.await("too much is dropped", func() bool { return s.count("longwave_whip_dropped_datagrams_total") > 100 })
	s.awaitTone(1000)
	if n := s.count("longwave_whip_sessions_total"); n != 0 {
		t.Errorf("%v sessions ended", n)
	}
}

// TestManySSRCs: a client that sends ever new SSRCs is closed, and those that were not
// announced are not heard.
func TestManySSRCs(t *testing.T) {
	t.Parallel()
	s := newStudio(t, whip.Options{})
	x := s.speak(s.token(token.Token{Name: "Ada"}), whiptest.Voice{Hz: 1000, Amp: 0.3}, whiptest.Options{})
	s.awaitTone(1000)
	p := &rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: 111}, Payload: bytes.Repeat([]byte{0xf8}, 20)}
	n := 0
	s.await("the session is closed", func() bool {
		n++
		p.SSRC++
		_ = x.SendRaw(p)
		return s.count("longwave_whip_sessions_total", "flooded") == 1
	})
	if n < 10 || n > 100 {
		t.Errorf("after %d SSRCs", n)
	}
}

// TestVanishedClient: one whose line is dead is away after 2 s and closed after 20 s;
// the same token comes back at once.
func TestVanishedClient(t *testing.T) {
	t.Parallel()
	s := newStudio(t, whip.Options{})
	r := s.relay(7)
	tok := s.token(token.Token{Name: "Ada"})
	s.speak(tok, whiptest.Voice{Hz: 1000, Amp: 0.3}, whiptest.Options{Relay: r})
	s.awaitTone(1000)
	r.Set(whiptest.Line{Loss: 1}, whiptest.Line{Loss: 1})
	gone := time.Now()
	s.await("Ada is away", func() bool { return !s.programme.Desk().Speakers()[0].Connected })
	s.speak(tok, whiptest.Voice{Hz: 1700, Amp: 0.3}, whiptest.Options{})
	s.awaitTone(1700)
	t.Logf("back after %v", time.Since(gone))
	s.awaitEnd("takenover") // it did not sound any more
	if all := s.programme.Desk().Speakers(); len(all) != 1 || !all[0].OnAir {
		t.Errorf("%+v", all)
	}
}

// TestNobodyComesBack: a dead line alone ends the session.
func TestNobodyComesBack(t *testing.T) {
	t.Parallel()
	s := newStudio(t, whip.Options{})
	r := s.relay(7)
	s.speak(s.token(token.Token{Name: "Ada"}), whiptest.Voice{Hz: 1000, Amp: 0.3}, whiptest.Options{Relay: r})
	s.awaitTone(1000)
	r.Set(whiptest.Line{Loss: 1}, whiptest.Line{Loss: 1})
	s.awaitEnd("vanished")
}

// relay opens a line to the server until the test ends.
func (s *studio) relay(seed uint64) *whiptest.Relay {
	s.t.Helper()
	r, err := whiptest.NewRelay(s.server.Addr().AddrPort(), seed)
	if err != nil {
		s.t.Fatal(err)
	}
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go func() { done <- r.Run(ctx) }()
	s.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Error(err)
		}
	})
	return r
}

// TestTokensAreNotLogged keeps tokens out of the log whatever happens.
func TestTokensAreNotLogged(t *testing.T) {
	t.Parallel()
	s := newStudio(t, whip.Options{})
	tok := s.token(token.Token{Name: "Ada"})
	x := s.speak(tok, whiptest.Voice{Hz: 1000, Amp: 0.3}, whiptest.Options{})
	s.awaitTone(1000)
	if err := x.Delete(t.Context()); err != nil {
		t.Error(err)
	}
	s.awaitEnd("deleted")
	s.ask("POST", "/whip/talk", "x", "Authorization", "Bearer "+tok, "Content-Type", sdpType)
	lines := 0
	for l := bufio.NewScanner(strings.NewReader(s.log.String())); l.Scan(); lines++ {
		if strings.Contains(l.Text(), tok) {
			t.Error(l.Text())
		}
	}
	if lines != 4 {
		t.Errorf("%d lines, want listening, connected, ended, refused:\n%s", lines, s.log.String())
	}
}

// TestWrongTokens: who tries one token after another is answered ever later and not told of
// without end; a right one is answered at once.
func TestWrongTokens(t *testing.T) {
	t.Parallel()
	s := newStudio(t, whip.Options{})
	statuses := make(chan int, 20)
	for range cap(statuses) {
		go func() {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/whip/talk", nil)
			if err != nil {
				t.Error(err)
				return
			}
			r.Header.Set("Authorization", "Bearer wrong")
			a, err := http.DefaultClient.Do(r)
			if err != nil {
				return // the test has ended, and this one still waits
			}
			_ = a.Body.Close()
			statuses <- a.StatusCode
		}()
	}
	got := map[int]int{}
	for range cap(statuses) - 4 { // others wait
		got[<-statuses]++
	}
	if got[429] < 10 {
		t.Errorf("answers by status: %v", got)
	}
	if a, body := s.ask("POST", "/whip/talk", offer(t), "Content-Type", sdpType, "Authorization", "Bearer "+s.token(token.Token{})); a.StatusCode != 201 {
		t.Errorf("a right one: %d %s", a.StatusCode, body)
	}
	if n := strings.Count(s.log.String(), "session refused"); n > 5 {
		t.Errorf("told of %d times", n)
	}
}
