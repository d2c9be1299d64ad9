package whip_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/pion/webrtc/v4"

	"longwave/ingest/token"
	"longwave/ingest/whip"
	"longwave/ingest/whip/whiptest"
)

// A reply is an answer whose body was read.
type reply struct {
	StatusCode int
	Header     http.Header
	Path       string // that was asked
}

// ask makes one request and returns the answer and its body.
func (s *studio) ask(method, path, body string, header ...string) (reply, string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	b, err := io.ReadAll(a.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	_ = a.Body.Close()
	return reply{a.StatusCode, a.Header, path}, string(b)
}

// offer is a real offer to speak.
func offer(t *testing.T) string {
	t.Helper()
	pc, err := webrtc.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pc.Close() }()
	if _, err := pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly}); err != nil {
		t.Fatal(err)
	}
	o, err := pc.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	return o.SDP
}

const (
	sdpType  = "application/sdp"
	fragType = "application/trickle-ice-sdpfrag"
)

func TestEndpointAnswers(t *testing.T) {
	t.Parallel()
	s := newStudio(t, whip.Options{ICEServers: []whip.ICEServer{
		{URL: "stun:stun.example.org"}, {URL: "turn:turn.example.org?transport=tcp", Username: "u", Credential: `p"w`},
	}})
	good := "Bearer " + s.token(token.Token{})
	elsewhere := "Bearer " + s.token(token.Token{Station: "other"})
	captioner := "Bearer " + s.token(token.Token{Role: token.Captioner})
	speak := offer(t)
	hear := strings.ReplaceAll(speak, "a=sendonly", "a=recvonly")
	for _, c := range []struct {
		what, method, path, auth, contentType, body string
		status                                      int
	}{
		{"a voice", "POST", "/whip/talk", good, sdpType, speak, 201},
		{"a voice, with a parameter of the type", "POST", "/whip/talk", good, sdpType + "; charset=utf-8", speak, 201},
		{"an ear", "POST", "/whep/talk", good, sdpType, hear, 201},
		{"a voice for an ear", "POST", "/whep/talk", good, sdpType, speak, 406},
		{"an ear for a voice", "POST", "/whip/talk", good, sdpType, hear, 406},
		{"no token", "POST", "/whip/talk", "", sdpType, speak, 401},
		{"another scheme", "POST", "/whip/talk", "Basic dTpw", sdpType, speak, 401},
		{"a wrong token", "POST", "/whip/talk", "Bearer nonsense", sdpType, speak, 401},
		{"another station's token", "POST", "/whip/talk", elsewhere, sdpType, speak, 403},
		{"another role's token", "POST", "/whep/talk", captioner, sdpType, hear, 403},
		{"no such station", "POST", "/whip/other", good, sdpType, speak, 403},
		{"no media type", "POST", "/whip/talk", good, "", speak, 415},
		{"another media type", "POST", "/whip/talk", good, "application/json", speak, 415},
		{"too much", "POST", "/whip/talk", good, sdpType, speak + strings.Repeat("a=x\r\n", 20_000), 413},
		{"nothing", "POST", "/whip/talk", good, sdpType, "", 400},
		{"no SDP", "POST", "/whip/talk", good, sdpType, "hello", 400},
		{"half an SDP", "POST", "/whip/talk", good, sdpType, speak[:strings.Index(speak, "m=audio")+4], 400},
		{"no ICE", "POST", "/whip/talk", good, sdpType, strings.ReplaceAll(speak, "a=ice-", "a=nice-"), 400},
		{"no DTLS", "POST", "/whip/talk", good, sdpType, strings.ReplaceAll(speak, "a=fingerprint", "a=thumbprint"), 400},
		{"no mid", "POST", "/whip/talk", good, sdpType, strings.ReplaceAll(speak, "a=mid:", "a=middle:"), 400},
		{"33 candidates", "POST", "/whip/talk", good, sdpType, speak + strings.Repeat("a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n", 33), 400},
		{"65 formats", "POST", "/whip/talk", good, sdpType, strings.Replace(speak, " 111", strings.Repeat(" 111", 65), 1), 400},
		{"600 attributes", "POST", "/whip/talk", good, sdpType, speak + strings.Repeat("a=rtcp-fb:* x\r\n", 600), 400},
		{"no Opus", "POST", "/whip/talk", good, sdpType, strings.ReplaceAll(speak, "opus/48000/2", "speex/16000"), 406},
		{"a data channel", "POST", "/whip/talk", good, sdpType, strings.ReplaceAll(speak, "m=audio", "m=application"), 406},
		{"no media", "POST", "/whip/talk", good, sdpType, speak[:strings.Index(speak, "m=audio")], 406},
		{"a look", "GET", "/whip/talk", good, "", "", 405},
		{"a look without a token", "HEAD", "/whep/talk", "", "", "", 405},
		{"a file", "PUT", "/whip/talk", good, sdpType, speak, 405},
		{"an end", "DELETE", "/whip/talk", good, "", "", 405},
		{"a preflight", "OPTIONS", "/whip/talk", "", "", "", 200},
	} {
		t.Run(c.what, func(t *testing.T) {
			header := []string{"Content-Type", c.contentType}
			if c.auth != "" {
				header = append(header, "Authorization", c.auth)
			}
			a, body := s.ask(c.method, c.path, c.body, header...)
			if a.StatusCode != c.status {
				t.Errorf("%d, want %d: %s", a.StatusCode, c.status, body)
			}
			if a.Header.Get("Access-Control-Allow-Origin") != "*" || a.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("header: %v", a.Header)
			}
			checkEndpointHeader(t, a, body)
			if strings.Contains(s.log.String(), strings.TrimPrefix(good, "Bearer ")) {
				t.Error("the token is in the log")
			}
		})
	}
}

func checkEndpointHeader(t *testing.T, a reply, body string) {
	t.Helper()
	h := a.Header
	switch a.StatusCode {
	case http.StatusCreated:
		if !strings.HasPrefix(h.Get("Location"), a.Path+"/") || len(h.Get("Location")) != len(a.Path)+33 {
			t.Errorf("Location: %q", h.Get("Location"))
		}
		if e := h.Get("ETag"); len(e) != 34 || e[0] != '"' {
			t.Errorf("ETag: %q", e)
		}
		want := `<stun:stun.example.org>; rel="ice-server"|<turn:turn.example.org?transport=tcp>; rel="ice-server"; username="u"; credential="p\"w"; credential-type="password"`
		if got := strings.Join(h.Values("Link"), "|"); got != want {
			t.Errorf("Link: %s", got)
		}
		if h.Get("Content-Type") != sdpType || !strings.Contains(body, "a=candidate:") || strings.Contains(body, " 2 udp ") {
			t.Errorf("%s: %s", h.Get("Content-Type"), body)
		}
		for _, x := range []string{"Location", "ETag", "Link", "Retry-After"} {
			if !strings.Contains(h.Get("Access-Control-Expose-Headers"), x) {
				t.Errorf("%s is not exposed", x)
			}
		}
	case http.StatusUnauthorized:
		if !strings.HasPrefix(h.Get("WWW-Authenticate"), "Bearer") {
			t.Errorf("WWW-Authenticate: %q", h.Get("WWW-Authenticate"))
		}
	case http.StatusMethodNotAllowed:
		if h.Get("Allow") == "" {
			t.Error("no Allow")
		}
	case http.StatusOK: // OPTIONS
		if h.Get("Accept-Post") != sdpType || h.Get("Access-Control-Allow-Headers") != "Authorization, Content-Type, If-Match" || len(h.Values("Link")) > 0 {
			t.Errorf("header: %v", h)
		}
	}
}

func TestOptionsTellsIceServersToWhoeverHasAToken(t *testing.T) {
	t.Parallel()
	s := newStudio(t, whip.Options{ICEServers: []whip.ICEServer{{URL: "stun:stun.example.org"}}})
	a, _ := s.ask("OPTIONS", "/whip/talk", "", "Authorization", "Bearer "+s.token(token.Token{}))
	if a.Header.Get("Link") == "" {
		t.Error("no Link")
	}
}

func TestResourceAnswers(t *testing.T) {
	t.Parallel()
	s := newStudio(t, whip.Options{})
	mine := s.token(token.Token{})
	x := s.speak(mine, whiptest.Voice{Hz: 1000, Amp: 0.3}, whiptest.Options{})
	path := strings.TrimPrefix(x.Resource, s.url)
	candidate := "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=candidate:1 1 udp 2130706431 127.0.0.1 9 typ host\r\na=end-of-candidates\r\n"
	auth := "Bearer " + mine
	for _, c := range []struct {
		what, method, path, auth, contentType, match, body string
		status                                             int
	}{
		{"a candidate", "PATCH", path, auth, fragType, x.ETag, candidate, 204},
		{"a name instead of an address", "PATCH", path, auth, fragType, x.ETag, strings.ReplaceAll(candidate, "127.0.0.1", "printer.local"), 204},
		{"nothing more", "PATCH", path, auth, fragType, x.ETag, "a=end-of-candidates\r\n", 204},
		{"no If-Match", "PATCH", path, auth, fragType, "", candidate, 428},
		{"another ICE session", "PATCH", path, auth, fragType, `"0"`, candidate, 412},
		{"another type", "PATCH", path, auth, sdpType, x.ETag, candidate, 415},
		{"too much", "PATCH", path, auth, fragType, x.ETag, strings.Repeat(candidate, 200), 413},
		{"too many", "PATCH", path, auth, fragType, x.ETag, strings.Repeat(candidate, 33), 400},
		{"garbage", "PATCH", path, auth, fragType, x.ETag, "\x00\xff", 400},
		{"a restart without *", "PATCH", path, auth, fragType, x.ETag, "a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\n", 422},
		{"a restart without a password", "PATCH", path, auth, fragType, "*", "a=ice-ufrag:abcd\r\n", 422},
		{"credentials that are none", "PATCH", path, auth, fragType, "*", "a=ice-ufrag:a b c d\r\n", 400},
		{"no token", "PATCH", path, "", fragType, x.ETag, candidate, 401},
		{"a wrong token", "PATCH", path, "Bearer x", fragType, x.ETag, candidate, 401},
		{"somebody else's token", "PATCH", path, "Bearer " + s.token(token.Token{}), fragType, x.ETag, candidate, 403},
		{"another kind", "PATCH", strings.ReplaceAll(path, "whip", "whep"), auth, fragType, x.ETag, candidate, 404},
		{"another session", "PATCH", path[:len(path)-1], auth, fragType, x.ETag, candidate, 404},
		{"a preflight", "OPTIONS", path, "", "", "", "", 200},
		{"a look", "GET", path, auth, "", "", "", 405},
		{"an offer", "POST", path, auth, sdpType, "", "", 405},
		{"an end without a token", "DELETE", path, "", "", "", "", 401},
		{"an end by another", "DELETE", path, "Bearer " + s.token(token.Token{}), "", "", "", 403},
		{"an end", "DELETE", path, auth, "", "", "", 200},
	} {
		t.Run(c.what, func(t *testing.T) {
			header := []string{"Content-Type", c.contentType}
			for name, value := range map[string]string{"Authorization": c.auth, "If-Match": c.match} {
				if value != "" {
					header = append(header, name, value)
				}
			}
			a, body := s.ask(c.method, c.path, c.body, header...)
			if a.StatusCode != c.status {
				t.Errorf("%d, want %d: %s", a.StatusCode, c.status, body)
			}
			if a.StatusCode == http.StatusNoContent && a.Header.Get("ETag") != "" {
				t.Error("an entity tag for candidates")
			}
		})
	}
	s.await("the session is gone", func() bool {
		a, _ := s.ask("DELETE", path, "", "Authorization", auth)
		return a.StatusCode == http.StatusNotFound
	})
}
