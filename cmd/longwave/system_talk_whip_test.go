package main_test

import (
	"context"
	"crypto/rand"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"longwave/cmd/longwave/systemtest"
	"longwave/ingest/whip/whiptest"
)

// whipOffer is an offer of a voice as a browser writes it.
const whipOffer = "v=0\r\no=- 1404 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n" +
	"m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=sendonly\r\na=rtcp-mux\r\na=setup:actpass\r\n" +
	"a=ice-ufrag:Kx7g\r\na=ice-pwd:6t5gLf0dJwOkTYQ3tVYJxm\r\na=ice-options:trickle\r\n" +
	"a=fingerprint:sha-256 8A:EF:B7:4B:58:FF:8F:6D:88:E1:7C:C2:F0:C1:7C:42:77:7D:0B:15:91:D2:3F:0B:CC:42:93:65:25:B9:3F:11\r\n" +
	"a=ssrc:1 cname:x\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n"

// whipAsk makes a request to a WHIP address; header has name and value of one field
// after the other, those without a value are left out.
func whipAsk(t *testing.T, method, url, body string, header ...string) systemtest.Reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for pair := range slices.Chunk(header, 2) {
		if pair[1] != "" {
			req.Header.Set(pair[0], pair[1])
		}
	}
	return answerOf(t, req)
}

// whipSpeak connects a speaker of a tone, who speaks until stop is called or the
// session ends.
func whipSpeak(n *systemtest.Node, token string, hz float64) (speaker *whiptest.Speaker, stop func()) {
	n.T().Helper()
	s, err := whiptest.Dial(n.T().Context(), n.URL+"/whip/talk", token, whiptest.Voice{Hz: hz, Amp: 0.2}, whiptest.Options{})
	if err != nil {
		n.T().Fatal(err)
	}
	ctx, cancel := context.WithCancel(n.T().Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.Run(ctx) // that the server ended it is what some tests are about
	}()
	stop = func() { cancel(); <-ended }
	n.T().Cleanup(func() {
		stop()
		_ = s.Vanish()
	})
	return s, stop
}

// TestWHIPRefusals: what no client should send is answered with the status that says
// so at every verb, and a session is its owner's alone.
func TestWHIPRefusals(t *testing.T) {
	t.Parallel()
	config, _ := conversation(t, "talk", "news")
	n := systemtest.Start(t, systemtest.Options{Build: systemtest.Racing, Config: config})
	expired := n.Token("talk", "--expires", "1ms")
	awaitReady(n)
	d := hostDesk(n, "talk")
	mine, gone := d.link("Anna").Token, d.link("Gone")
	d.do("DELETE", "/links/"+gone.ID, nil, nil)
	const sdp, frag = "application/sdp", "application/trickle-ice-sdpfrag"
	candidate := "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=candidate:1 1 udp 2130706431 127.0.0.1 9 typ host\r\na=end-of-candidates\r\n"
	anna, _ := whipSpeak(n, mine, 600)
	n.Await("Anna to be there", func() bool { return d.seat("Anna").Connected })
	end, own := n.URL+"/whip/talk", anna.Resource
	canary, captioner := n.Secret("canary-77c01d"), n.Token("talk", "--role", "captioner")
	for _, tt := range []struct {
		what, method, url, token, media, match, body string
		status                                       int
	}{
		{"no token", "POST", end, "", sdp, "", whipOffer, 401},
		{"a wrong token", "POST", end, canary, sdp, "", whipOffer, 401},
		{"a token that was changed", "POST", end, n.Secret(change(mine)), sdp, "", whipOffer, 401},
		{"one that has expired", "POST", end, expired, sdp, "", whipOffer, 403},
		{"one that was revoked", "POST", end, gone.Token, sdp, "", whipOffer, 403},
		{"a captioner's", "POST", end, captioner, sdp, "", whipOffer, 403},
		{"a captioner's ear", "POST", n.URL + "/whep/talk", captioner, sdp, "", whipOffer, 403},
		{"another station's", "POST", end, n.Token("news"), sdp, "", whipOffer, 403},
		{"another station", "POST", n.URL + "/whip/nobody", mine, sdp, "", whipOffer, 403},
		{"no SDP", "POST", end, mine, sdp, "", "hello", 400},
		{"nothing", "POST", end, mine, sdp, "", "", 400},
		{"half an SDP", "POST", end, mine, sdp, "", whipOffer[:strings.Index(whipOffer, "m=audio")+4], 400},
		{"no media type", "POST", end, mine, "", "", whipOffer, 415},
		{"JSON", "POST", end, mine, "application/json", "", whipOffer, 415},
		{"70 kB", "POST", end, mine, sdp, "", whipOffer + strings.Repeat("a=x\r\n", 14_000), 413},
		{"no Opus", "POST", end, mine, sdp, "", strings.ReplaceAll(whipOffer, "opus/48000/2", "speex/16000"), 406},
		{"a look", "GET", end, mine, "", "", "", 405},
		{"a question", "OPTIONS", end, "", "", "", "", 200},
		{"a question about a session", "OPTIONS", own, "", "", "", "", 200},
		{"an unknown session", "PATCH", end + "/0123456789abcdef0123456789abcdef", mine, frag, anna.ETag, candidate, 404},
		{"an unknown session's end", "DELETE", end + "/0123456789abcdef0123456789abcdef", mine, "", "", "", 404},
		{"a session without a token", "PATCH", own, "", frag, anna.ETag, candidate, 401},
		{"a session with a wrong token", "DELETE", own, canary, "", "", "", 401},
		{"a session with one that has expired", "DELETE", own, expired, "", "", "", 403},
		{"somebody else's session", "DELETE", own, d.token, "", "", "", 403},
		{"somebody else's candidate", "PATCH", own, d.token, frag, anna.ETag, candidate, 403},
		{"a candidate", "PATCH", own, mine, frag, anna.ETag, candidate, 204},
		{"a candidate for no session", "PATCH", own, mine, frag, "", candidate, 428},
		{"a candidate for another one", "PATCH", own, mine, frag, `"other"`, candidate, 412},
		{"a candidate as SDP", "PATCH", own, mine, sdp, anna.ETag, candidate, 415},
		{"20 kB of candidates", "PATCH", own, mine, frag, anna.ETag, strings.Repeat(candidate, 180), 413},
		{"a broken fragment", "PATCH", own, mine, frag, anna.ETag, "\x00\xff", 400},
	} {
		bearer := ""
		if tt.token != "" {
			bearer = "Bearer " + tt.token
		}
		r := whipAsk(t, tt.method, tt.url, tt.body, "Authorization", bearer, "Content-Type", tt.media, "If-Match", tt.match)
		if r.Status != tt.status {
			t.Errorf("%s: %s answered %d, want %d: %s", tt.what, tt.method, r.Status, tt.status, r.Body)
		}
		if tt.token != "" && strings.Contains(string(r.Body), tt.token) {
			t.Errorf("%s: the answer shows the token", tt.what)
		}
		if r.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: pages of other origins cannot read the answer", tt.what)
		}
	}
	if !d.seat("Anna").Connected {
		t.Error("Anna was put out by what others asked for")
	}
	if err := anna.Delete(t.Context()); err != nil {
		t.Errorf("the end of one's own session: %v", err)
	}
	n.Await("the session to be gone", func() bool {
		return whipAsk(t, "DELETE", own, "", "Authorization", "Bearer "+mine).Status == http.StatusNotFound
	})
	n.Stop()
}

// TestWHIPTakeover: a second session with the same token has the seat at once; the
// first one is ended, and the seat is one.
func TestWHIPTakeover(t *testing.T) {
	t.Parallel()
	config, _ := conversation(t, "talk")
	n := systemtest.Start(t, systemtest.Options{Config: config})
	awaitReady(n)
	d := hostDesk(n, "talk")
	token := d.link("Anna").Token
	first, _ := whipSpeak(n, token, annaHz)
	tone := func(is, isNot int) func([]float32) bool {
		return func(x []float32) bool { l := levels(x, is, isNot); return l[0] > -35 && l[1] < -60 }
	}
	d.awaitHeard("the first voice", tone(annaHz, bertHz))
	whipSpeak(n, token, bertHz)
	n.AwaitLog("seat taken over", "speaker=Anna")
	d.awaitHeard("the second voice alone", tone(bertHz, annaHz))
	n.Await("the first session to end", func() bool {
		return whipAsk(t, "DELETE", first.Resource, "", "Authorization", "Bearer "+token).Status == http.StatusNotFound
	})
	if s := d.look().Speakers; len(s) != 1 || !s[0].Connected || !s[0].OnAir {
		t.Errorf("after a takeover: %+v", s)
	}
	n.Stop()
}

// TestWHIPFullHouse: where no seat is left a newcomer is told so, and when to come
// again; whoever has a seat may take it over; a seat that was left is free.
func TestWHIPFullHouse(t *testing.T) {
	t.Parallel()
	config, _ := conversation(t, "talk")
	n := systemtest.Start(t, systemtest.Options{Build: systemtest.Racing, Config: config + "limits: {speakers: 2}\n"})
	awaitReady(n)
	d := hostDesk(n, "talk")
	anna, bert, carl := d.link("Anna").Token, d.link("Bert").Token, d.link("Carl").Token
	whipSpeak(n, anna, annaHz)
	second, stop := whipSpeak(n, bert, bertHz)
	n.Await("two to be there", func() bool { return d.seat("Anna").Connected && d.seat("Bert").Connected })
	r := whipAsk(t, "POST", n.URL+"/whip/talk", whipOffer, "Authorization", "Bearer "+carl, "Content-Type", "application/sdp")
	if r.Status != http.StatusServiceUnavailable || r.Header.Get("Retry-After") == "" {
		t.Errorf("a third speaker: status %d, Retry-After %q, want 503 and a time: %s", r.Status, r.Header.Get("Retry-After"), r.Body)
	}
	whipSpeak(n, anna, annaHz)
	n.AwaitLog("seat taken over", "speaker=Anna")
	stop()
	if err := second.Delete(t.Context()); err != nil {
		t.Error(err)
	}
	n.Await("Bert to be away", func() bool { return !d.seat("Bert").Connected })
	whipSpeak(n, carl, carlHz)
	n.Await("Carl to be there", func() bool { return d.seat("Carl").Connected })
	n.Stop()
}

// TestWHIPGarbage: what comes to the port and is none of ours, and what a speaker sends
// who is on air and is no voice, is dropped and counted; somebody else's tone goes on
// without a jump.
func TestWHIPGarbage(t *testing.T) {
	t.Parallel()
	config, in := conversation(t, "garbage")
	n := systemtest.Start(t, systemtest.Options{Config: config})
	awaitReady(n)
	d := hostDesk(n, "garbage")
	tone := startTone(t, n, "garbage", 15*time.Second)
	n.AwaitLog("on air", "state=live")
	eve, err := whiptest.Dial(t.Context(), n.URL+"/whip/garbage", d.link("Eve").Token, whiptest.Voice{}, whiptest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = eve.Vanish() })
	select {
	case <-eve.Connected():
	case <-t.Context().Done():
	}
	throwAtPort(t, in.rtc)
	n.Await("what is not ours to be dropped", func() bool { return n.Figures().Sum("longwave_whip_dropped_datagrams_total") > 100 })

	// One packet of silence brings Eve in, and the host takes her on air.
	p := &rtp.Packet{Header: rtp.Header{Version: 2}, Payload: []byte{0xf8, 0xff, 0xfe}}
	if err := eve.Send(p); err != nil {
		t.Fatal(err)
	}
	n.Await("Eve to be there", func() bool { return d.seat("Eve").Connected })
	d.change("Eve", map[string]any{"on_air": true})
	junk := make([]byte, 1200)
	rand.Read(junk)
	n.Await("Eve's session to be closed", func() bool {
		for i := range 20 { // 1,000 a second
			p.Payload = [][]byte{{}, {3}, {0xff, 0xff}, {0xfb, 0x3f}, junk}[i%5]
			p.SequenceNumber += uint16(1 + i%3*700)
			p.Timestamp += 96_000
			q := *p
			q.SSRC, q.PayloadType = uint32(i), uint8(i)
			raw := rtcp.RawPacket(append([]byte{0x80 | byte(i), byte(200 + i%8), 0, byte(i)}, junk[:4*i]...))
			// Some of it goes no further than this side; the session may be over.
			_, _, _ = eve.Send(p), eve.SendRaw(&q), eve.PC.WriteRTCP([]rtcp.Packet{&raw})
		}
		return n.Figures().Sum("longwave_whip_sessions_total", `result="flooded"`) > 0
	})
	f := n.Figures()
	if f.Sum("longwave_whip_packets_total", `result="malformed"`) == 0 {
		t.Error("nothing is counted as malformed")
	}
	from, to := tone.wait()
	n.Stop()
	judgeTone(t, n, "garbage", "aac-96", window{from, to, tone.length})
}

// throwAtPort sends datagrams, and bytes by TCP, that are no part of any session.
func throwAtPort(t *testing.T, addr string) {
	t.Helper()
	udp, err := net.Dial("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	stun := []byte("\x00\x01\x00\x00\x21\x12\xa4\x42abcdefghijkl")
	noise := make([]byte, 1400)
	rand.Read(noise)
	for i := range 300 {
		for _, b := range [][]byte{
			stun[:i%len(stun)+1], stun, noise[:i*4+1], // STUN, RFC 8489
			append([]byte{0x80, 111}, noise[:i]...), append([]byte{0x80, 200}, noise[:i]...), // RTP, RTCP
			append([]byte{22, 0xfe, 0xfd}, noise[:i]...), // DTLS
		} {
			_, _ = udp.Write(b)
		}
	}
	for _, b := range [][]byte{{0xff, 0xff}, append([]byte{0, 20}, stun...), append([]byte{5, 0x78}, noise...), []byte("GET / HTTP/1.1\r\n\r\n")} {
		tcp, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { tcp.Close() })
		_, _ = tcp.Write(b)
	}
}
