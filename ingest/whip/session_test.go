package whip_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	dto "github.com/prometheus/client_model/go"

	"longwave/ingest/pcm/pcmtest"
	"longwave/ingest/token"
	"longwave/ingest/whip"
	"longwave/ingest/whip/whiptest"
)

// count returns a metric's value, of all its labels that have these values.
func (s *studio) count(name string, labels ...string) float64 {
	s.t.Helper()
	families, err := s.reg.Gather()
	if err != nil {
		s.t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			if has(m, labels) {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

func has(m *dto.Metric, values []string) bool {
	var got []string
	for _, l := range m.GetLabel() {
		got = append(got, l.GetValue())
	}
	for _, v := range values {
		if !strings.Contains(strings.Join(got, " "), v) {
			return false
		}
	}
	return true
}

// awaitEnd waits until a session ended with a result.
func (s *studio) awaitEnd(result string) {
	s.t.Helper()
	s.await("a session ended as "+result, func() bool { return s.count("longwave_whip_sessions_total", result) == 1 })
}

func (s *studio) listen(token string, o whiptest.Options) *whiptest.Listener {
	s.t.Helper()
	l, err := whiptest.Listen(s.t.Context(), s.url+"/whep/talk", token, o)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = l.PC.Close() })
	return l
}

// onAir takes a speaker on air.
func (s *studio) onAir(name string) {
	s.t.Helper()
	s.await(name+" is there", func() bool {
		for _, x := range s.programme.Desk().Speakers() {
			if x.Name == name {
				return s.programme.Desk().SetOnAir(x.Seat, true) == nil
			}
		}
		return false
	})
}

func TestSpeakersHearEachOtherAndNotThemselves(t *testing.T) {
	t.Parallel()
	for _, transport := range []whiptest.Transport{whiptest.UDP, whiptest.TCP} {
		t.Run(string(transport), func(t *testing.T) {
			t.Parallel()
			s := newStudio(t, whip.Options{})
			ada, bob := s.token(token.Token{Name: "Ada"}), s.token(token.Token{Name: "Bob"})
			o := whiptest.Options{Transport: transport}
			s.speak(ada, whiptest.Voice{Hz: 1000, Amp: 0.3}, o)
			s.speak(bob, whiptest.Voice{Hz: 1700, Amp: 0.3}, o)
			s.onAir("Ada")
			s.onAir("Bob")
			l := s.listen(ada, o)
			s.await("Ada hears Bob", func() bool {
				x, err := l.Hear(t.Context(), 200*time.Millisecond)
				return err == nil && pcmtest.Goertzel(x, 0, 1700) > 0.02
			})
			s.await("Ada hears nothing of herself", func() bool { // in a second without a packet lost
				x, err := l.Hear(t.Context(), time.Second)
				return err == nil && pcmtest.DB(pcmtest.Goertzel(x, 0, 1000)/pcmtest.Goertzel(x, 0, 1700)) < -50
			})
			if err := l.Delete(context.Background()); err != nil {
				t.Errorf("DELETE: %v", err)
			}
			s.awaitEnd("deleted")
		})
	}
}

// TestReturnIsPaced: packets follow one another by 20 ms on their own clock.
func TestReturnIsPaced(t *testing.T) {
	t.Parallel()
	s := newStudio(t, whip.Options{})
	l := s.listen(s.token(token.Token{}), whiptest.Options{})
	before, err := l.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	bytes := 0
	for range 50 {
		f, err := l.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if f.Seq != before.Seq+1 || f.Time != before.Time+960 || len(f.Samples) != 2*960 {
			t.Fatalf("after %d at %d: %d at %d with %d samples", before.Seq, before.Time, f.Seq, f.Time, len(f.Samples))
		}
		bytes += f.Bytes
		before = f
	}
	if bytes > 50*32_000/8/50*3/2 {
		t.Errorf("%d bytes in a second", bytes)
	}
}

func TestMusicIsStereo(t *testing.T) {
	t.Parallel()
	for _, music := range []bool{true, false} {
		t.Run(fmt.Sprintf("music %v", music), func(t *testing.T) {
			t.Parallel()
			s := newStudio(t, whip.Options{})
			x := s.speak(s.token(token.Token{Music: music}), whiptest.Voice{Hz: 1000, Amp: 0.3, Stereo: music}, whiptest.Options{RED: true})
			for _, want := range []string{"stereo=1", "maxaveragebitrate=128000"} {
				if strings.Contains(x.Answer, want) != music {
					t.Errorf("%s: %s", want, x.Answer)
				}
			}
			if !strings.Contains(x.Answer, "useinbandfec=1") {
				t.Errorf("no error correction: %s", x.Answer)
			}
			if red := strings.Contains(x.Answer, "SAVPF 63 111"); red == music {
				t.Errorf("RED first: %v", red)
			}
			s.awaitTone(1000)
			heard := s.hear(200 * time.Millisecond)
			left, right := pcmtest.Goertzel(heard, 0, 1000), pcmtest.Goertzel(heard, 1, 1000)
			if music != (right < left/10) {
				t.Errorf("left %.3f, right %.3f", left, right)
			}
		})
	}
}

func TestSameTokenTakesOver(t *testing.T) {
	t.Parallel()
	s := newStudio(t, whip.Options{})
	tok := s.token(token.Token{})
	first := s.speak(tok, whiptest.Voice{Hz: 1000, Amp: 0.3}, whiptest.Options{})
	s.awaitTone(1000)
	s.speak(tok, whiptest.Voice{Hz: 1700, Amp: 0.3}, whiptest.Options{})
	s.awaitTone(1700)
	s.awaitEnd("takenover")
	s.await("one is left", func() bool { return s.count("longwave_whip_sessions", "whip") == 1 })
	s.await("the first is told", func() bool {
		return first.PC.ConnectionState() == webrtc.PeerConnectionStateClosed
	})
}

// TestWhoeverNeverConnectsTakesNoSeat: an offer alone does nothing to who speaks.
func TestWhoeverNeverConnectsTakesNoSeat(t *testing.T) {
	t.Parallel()
	s := newStudio(t, whip.Options{})
	tok := s.token(token.Token{})
	s.speak(tok, whiptest.Voice{Hz: 1000, Amp: 0.3}, whiptest.Options{})
	s.awaitTone(1000)
	for range 3 {
		a, body := s.ask("POST", "/whip/talk", offer(t), "Authorization", "Bearer "+tok, "Content-Type", sdpType)
		if a.StatusCode != 201 {
			t.Fatalf("%d: %s", a.StatusCode, body)
		}
	}
	s.await("of one token there are two", func() bool { return s.count("longwave_whip_sessions", "whip") == 2 })
	s.awaitTone(1000)
	s.await("nobody came", func() bool { return s.count("longwave_whip_sessions_total", "notconnected") == 1 })
	if n := s.count("longwave_whip_sessions_total", "takenover"); n != 2 {
		t.Errorf("%v sessions gave way, want 2", n)
	}
	s.awaitTone(1000)
}

func TestRemovedByTheHost(t *testing.T) {
	t.Parallel()
	s := newStudio(t, whip.Options{})
	tok := s.token(token.Token{})
	s.speak(tok, whiptest.Voice{Hz: 1000, Amp: 0.3}, whiptest.Options{})
	l := s.listen(tok, whiptest.Options{})
	s.awaitTone(1000)
	if _, err := l.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.programme.Desk().Remove(s.programme.Desk().Speakers()[0].Seat); err != nil {
		t.Fatal(err)
	}
	s.await("both are gone", func() bool { return s.count("longwave_whip_sessions_total", "removed") == 2 })
}

// TestSilenceIsAway: whoever sends nothing for two seconds is away and keeps the seat;
// the next packet brings them back.
func TestSilenceIsAway(t *testing.T) {
	t.Parallel()
	s := newStudio(t, whip.Options{})
	tok := s.token(token.Token{Name: "Ada"})
	x, err := whiptest.Dial(t.Context(), s.url+"/whip/talk", tok, whiptest.Voice{Hz: 1000, Amp: 0.3}, whiptest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = x.PC.Close() })
	connected := func() bool {
		return len(s.programme.Desk().Speakers()) == 1 && s.programme.Desk().Speakers()[0].Connected
	}
	for range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if err := x.Run(ctx); err != nil {
			t.Error(err)
		}
		cancel()
		if !connected() {
			t.Fatal("Ada is not there")
		}
		s.await("Ada is away", func() bool { return !connected() })
	}
	if n := s.count("longwave_whip_sessions", "whip"); n != 1 {
		t.Errorf("%v sessions", n)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	s := newStudio(t, whip.Options{Sessions: 3, PerAddress: 2})
	post := func() (int, string) {
		a, _ := s.ask("POST", "/whip/talk", offer(t), "Authorization", "Bearer "+s.token(token.Token{}), "Content-Type", sdpType)
		return a.StatusCode, a.Header.Get("Retry-After")
	}
	for i, want := range []int{201, 201, 503} {
		if status, retry := post(); status != want || (status == 503) != (retry != "") {
			t.Errorf("offer %d: %d, Retry-After %q", i, status, retry)
		}
	}
}

func TestShutdown(t *testing.T) {
	t.Parallel()
	s := newStudio(t, whip.Options{})
	s.speak(s.token(token.Token{}), whiptest.Voice{Hz: 1000, Amp: 0.3}, whiptest.Options{})
	s.awaitTone(1000)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := s.server.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	a, _ := s.ask("POST", "/whip/talk", offer(t), "Authorization", "Bearer "+s.token(token.Token{}), "Content-Type", sdpType)
	if a.StatusCode != 503 {
		t.Errorf("%d after Shutdown", a.StatusCode)
	}
	if n := s.count("longwave_whip_sessions"); n != 0 {
		t.Errorf("%v sessions", n)
	}
}

// TestProgrammeEnds: that is not the end of the server.
func TestProgrammeEnds(t *testing.T) {
	t.Parallel()
	s := newStudio(t, whip.Options{})
	s.speak(s.token(token.Token{}), whiptest.Voice{Hz: 1000, Amp: 0.3}, whiptest.Options{})
	s.awaitTone(1000)
	s.programme.Close()
	s.awaitEnd("closed")
	if n := s.count("longwave_whip_sessions_total", "shutdown"); n != 0 {
		t.Errorf("%v sessions were ended by the server", n)
	}
}

func TestPortTaken(t *testing.T) {
	t.Parallel()
	s := newStudio(t, whip.Options{})
	_, err := whip.New(s.gate, whip.Options{Address: s.server.Addr().String()})
	if err == nil || !strings.Contains(err.Error(), s.server.Addr().String()) {
		t.Errorf("%v", err)
	}
}

// TestIceRestart: the client changes its credentials, as on a change of network, and
// is heard on.
func TestIceRestart(t *testing.T) {
	t.Parallel()
	for _, lite := range []bool{false, true} {
		t.Run(fmt.Sprintf("lite %v", lite), func(t *testing.T) {
			t.Parallel()
			s := newStudio(t, whip.Options{Lite: lite})
			x := s.speak(s.token(token.Token{}), whiptest.Voice{Hz: 1000, Amp: 0.3}, whiptest.Options{Video: "first"})
			s.awaitTone(1000)
			before := x.ETag
			if err := x.RestartICE(t.Context()); err != nil {
				t.Fatal(err)
			}
			if x.ETag == before {
				t.Error("the entity tag is the old one")
			}
			if a, _, err := x.Patch(t.Context(), before, "a=end-of-candidates\r\n"); err != nil || a != 412 {
				t.Errorf("the old ICE session: %d, %v", a, err)
			}
			s.await("the pair is new", func() bool { return x.PC.ICEConnectionState() == webrtc.ICEConnectionStateConnected })
			n := s.count("longwave_whip_packets_total", "carried")
			s.await("packets go on", func() bool { return s.count("longwave_whip_packets_total", "carried") > n+50 })
			s.awaitTone(1000)
			if n := s.count("longwave_whip_sessions", "whip"); n != 1 {
				t.Errorf("%v sessions", n)
			}
		})
	}
}

// TestRelay: a line that loses, doubles and reorders is heard through, and counted.
func TestRelay(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]whiptest.Options{"plain": {}, "RED": {RED: true}, "NACK": {NACK: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStudio(t, whip.Options{})
			r := s.relay(7)
			o.Relay = r
			s.speak(s.token(token.Token{}), whiptest.Voice{Hz: 1000, Amp: 0.3}, o)
			s.awaitTone(1000)
			r.Set(whiptest.Line{Loss: 0.1, Duplicate: 0.05, Reorder: 0.05, Jitter: 10 * time.Millisecond}, whiptest.Line{})
			start := s.count("longwave_whip_packets_total")
			s.await("200 packets came", func() bool { return s.count("longwave_whip_packets_total") > start+200 })
			lost, recovered := s.count("longwave_whip_lost_packets_total"), s.count("longwave_whip_packets_total", "recovered")
			t.Logf("relay %+v, lost %v, recovered %v", r.Counts(), lost, recovered)
			switch {
			case r.Counts().Lost < 10 || r.Counts().Duplicated == 0 || r.Counts().Reordered == 0:
				t.Errorf("the line is too good: %+v", r.Counts())
			case name == "plain" && lost < 8:
				t.Errorf("%v lost", lost)
			case name == "RED" && (lost > 6 || recovered < 8):
				t.Errorf("%v lost, %v recovered", lost, recovered)
			case name == "NACK" && lost > 3:
				t.Errorf("%v lost", lost)
			}
			s.awaitTone(1000)
		})
	}
}

// TestBadPackets: what is no voice is dropped and counted, nobody else hears of it,
// and when it goes on the session is closed.
func TestBadPackets(t *testing.T) {
	t.Parallel()
	s := newStudio(t, whip.Options{})
	s.speak(s.token(token.Token{Name: "Ada"}), whiptest.Voice{Hz: 1000, Amp: 0.3}, whiptest.Options{})
	s.awaitTone(1000)
	bad, err := whiptest.Dial(t.Context(), s.url+"/whip/talk", s.token(token.Token{Name: "Eve"}), whiptest.Voice{}, whiptest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bad.PC.Close() })
	<-bad.Connected()
	p := &rtp.Packet{Header: rtp.Header{Version: 2}}
	var sent int
	s.await("the session is closed", func() bool {
		for range 20 { // 1,000 a second
			p.Payload = [][]byte{{3}, {0xff, 0xff}, make([]byte, 1300), {}, {0xf8, 0, 0}}[sent%5]
			p.SequenceNumber += uint16(1 + sent%3*700)
			p.Timestamp += 96_000
			sent++
			if bad.Send(p) != nil {
				break
			}
		}
		return s.count("longwave_whip_sessions_total", "flooded") == 1
	})
	for _, result := range []string{"malformed", "excess"} {
		if s.count("longwave_whip_packets_total", result) == 0 {
			t.Errorf("nothing counted as %s", result)
		}
	}
	s.await("Ada alone is heard", func() bool { return pcmtest.Has(s.hear(400*time.Millisecond), 0, 1000) })
	if _, err := whiptest.Dial(t.Context(), s.url+"/whip/talk", "x", whiptest.Voice{}, whiptest.Options{}); err == nil {
		t.Error("a wrong token connected")
	} else if status, ok := errors.AsType[*whiptest.StatusError](err); !ok || status.Status != 401 {
		t.Errorf("a wrong token: %v", err)
	}
}
