package main_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"longwave/cmd/longwave/systemtest"
)

// An entry is where a node takes sound besides HTTP: host and port.
type entry struct{ rtc, rtmp, srt string }

// conversation is quietHold with every way in, on ports of its own.
func conversation(t *testing.T, stations ...string) (config string, in entry) {
	t.Helper()
	for _, addr := range []*string{&in.rtc, &in.rtmp, &in.srt} {
		var err error
		if *addr, err = systemtest.FreeAddr(); err != nil {
			t.Fatal(err)
		}
	}
	return quietHold(t, stations...) + fmt.Sprintf("log: {level: debug}\nrtc: {listen: %q}\nrtmp: {listen: %q}\nsrt: {listen: %q}\n", in.rtc, in.rtmp, in.srt), in
}

// A desk is a host at work on a station of a node: the API with a host's token.
type desk struct {
	*systemtest.Node
	t       testing.TB
	station string
	token   string
}

func hostDesk(n *systemtest.Node, station string) *desk {
	return &desk{Node: n, t: n.T(), station: station, token: n.Token(station, "--role", "host", "--name", "Host")}
}

// What the API says of a station.
type (
	snapshot struct {
		Phase     string
		Broadcast *show
		Hears     string `json:"audience_hears"`
		Speakers  []speaker
	}
	show struct {
		ID, Title, State string
		LiveAt           string `json:"live_at"`
		Late             int    `json:"late_seconds"`
	}
	speaker struct {
		Seat, Name, Transport, Group string
		Connected, Muted, Standby    bool
		OnAir                        bool    `json:"on_air"`
		Gain                         float64 `json:"gain_db"`
	}
	link struct {
		ID, Name, Token string
		Revoked         bool
		Push            map[string]string
	}
	problem struct {
		Type, Title, Detail string
		Status              int
	}
)

// ask makes a request to the API with a token; body is sent as it is, as JSON.
func ask(n *systemtest.Node, token, method, path, body string) systemtest.Reply {
	n.T().Helper()
	req, err := http.NewRequestWithContext(n.T().Context(), method, n.URL+"/api/v1"+path, strings.NewReader(body))
	if err != nil {
		n.T().Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	return answerOf(n.T(), req)
}

// answerOf makes a request and reads all of the answer.
func answerOf(t testing.TB, req *http.Request) systemtest.Reply {
	t.Helper()
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return systemtest.Reply{Status: r.StatusCode, Header: r.Header, Body: b}
}

// do makes a request about the station, which must be answered with a status of
// success, and reads the answer into v.
func (d *desk) do(method, path string, body, v any) {
	d.t.Helper()
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			d.t.Fatal(err)
		}
	}
	r := ask(d.Node, d.token, method, "/stations/"+d.station+path, string(text))
	if r.Status/100 != 2 {
		d.t.Fatalf("%s %s: status %d: %s", method, path, r.Status, r.Body)
	}
	if v == nil {
		return
	}
	if err := json.Unmarshal(r.Body, v); err != nil {
		d.t.Fatalf("%s %s: %v: %s", method, path, err, r.Body)
	}
}

// look returns how things stand.
func (d *desk) look() (s snapshot) {
	d.t.Helper()
	d.do("GET", "", nil, &s)
	return s
}

// seat returns a speaker by name, the zero value when there is none.
func (d *desk) seat(name string) speaker {
	d.t.Helper()
	for _, s := range d.look().Speakers {
		if s.Name == name {
			return s
		}
	}
	return speaker{}
}

// change changes a speaker who is there: on_air, muted, gain_db.
func (d *desk) change(name string, to map[string]any) {
	d.t.Helper()
	d.do("PATCH", "/speakers/"+d.seat(name).Seat, to, nil)
}

// link makes a speaker's link.
func (d *desk) link(name string) (l link) {
	d.t.Helper()
	d.do("POST", "/links", map[string]any{"role": "speaker", "name": name}, &l)
	d.Secret(l.Token)
	return l
}

// An event is one of the events that the API sends.
type event struct{ name, data string }

// A stream is an event stream as it comes in.
type stream struct {
	ended chan struct{} // closed when the server has closed it

	mu     sync.Mutex
	events []event
}

// follow opens the event stream of the station talk with a token.
func follow(n *systemtest.Node, token string) *stream {
	n.T().Helper()
	req, err := http.NewRequestWithContext(n.T().Context(), http.MethodGet, n.URL+"/api/v1/stations/talk/events", nil)
	if err != nil {
		n.T().Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	r, err := http.DefaultClient.Do(req) //nolint:bodyclose // who reads it closes it
	if err != nil {
		n.T().Fatal(err)
	}
	if r.StatusCode != http.StatusOK || r.Header.Get("Content-Type") != "text/event-stream" {
		n.T().Fatalf("event stream: status %d, %s", r.StatusCode, r.Header.Get("Content-Type"))
	}
	s := &stream{ended: make(chan struct{})}
	go s.read(r.Body)
	return s
}

func (s *stream) read(body io.ReadCloser) {
	defer close(s.ended)
	defer body.Close()
	var e event
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			e.name = name
		}
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			e.data = data
			s.mu.Lock()
			s.events = append(s.events, e)
			s.mu.Unlock()
		}
	}
}

// count returns how many events of a name have come that hold all of these.
func (s *stream) count(name string, of ...string) (count int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		if e.name == name && !slices.ContainsFunc(of, func(x string) bool { return !strings.Contains(e.data, x) }) {
			count++
		}
	}
	return count
}

// over reports that the server has closed the stream.
func (s *stream) over() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

// last returns the event that came last.
func (s *stream) last() event {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.events) == 0 {
		return event{}
	}
	return s.events[len(s.events)-1]
}

// TestStudioRefusals: whoever shows no token that opens a route is refused at every
// one, and what cannot be read or done is answered with a problem that says so, shows
// no token, and changes nothing.
func TestStudioRefusals(t *testing.T) {
	t.Parallel()
	config, _ := conversation(t, "talk", "news")
	n := systemtest.Start(t, systemtest.Options{Build: systemtest.Racing, Config: config})
	expired := n.Token("talk", "--role", "host", "--expires", "1ms")
	elsewhere := systemtest.New(t, systemtest.Options{Config: config}) // with another secret
	awaitReady(n)
	d := hostDesk(n, "talk")
	gone, guest := d.link("Gone"), d.link("Guest")
	d.do("DELETE", "/links/"+gone.ID, nil, nil)
	before := d.look()
	refused := []struct {
		who, token string
		status     int
		kind       string
	}{
		{"nobody", "", 401, "unauthorized"},
		{"somebody with nonsense", n.Secret("canary-3b7f10"), 401, "unauthorized"},
		{"another server's host", n.Secret(elsewhere.Token("talk", "--role", "host")), 401, "unauthorized"},
		{"a host whose token was changed", n.Secret(change(d.token)), 401, "unauthorized"},
		{"a host of yesterday", expired, 403, "expired"},
		{"another station's host", n.Token("news", "--role", "host"), 403, "forbidden"},
		{"a captioner", n.Token("talk", "--role", "captioner"), 403, "forbidden"},
		{"an origin", n.Token("talk", "--role", "origin"), 403, "forbidden"},
		{"somebody whose link was revoked", gone.Token, 403, "revoked"},
		{"a speaker", guest.Token, 403, "forbidden"},
	}
	for _, route := range [][2]string{
		{"GET", ""},
		{"GET", "/events"},
		{"GET", "/speakers"}, // a speaker may
		{"GET", "/broadcasts"},
		{"POST", "/broadcasts"},
		{"GET", "/broadcasts/x"},
		{"PATCH", "/broadcasts/x"},
		{"DELETE", "/broadcasts/x"},
		{"POST", "/live"},
		{"POST", "/end"},
		{"PUT", "/hold"},
		{"GET", "/links"},
		{"POST", "/links"},
		{"DELETE", "/links/x"},
		{"DELETE", "/speakers/x"},
		{"PUT", "/cue"},
		{"PUT", "/talkback"},
	} {
		for _, tt := range refused {
			if tt.who == "a speaker" && (route[1] == "" || route[1] == "/events" || route[1] == "/speakers") {
				continue
			}
			r := ask(n, tt.token, route[0], "/stations/talk"+route[1], "")
			judgeProblem(t, tt.who+": "+route[0]+" "+route[1], r, tt.status, tt.kind)
			if tt.token != "" && bytes.Contains(r.Body, []byte(tt.token)) {
				t.Errorf("%s: the answer shows the token: %s", tt.who, r.Body)
			}
		}
	}
	for _, tt := range []struct {
		what, method, path, body, media string
		status                          int
		kind                            string
	}{
		{"70 kB", "POST", "/broadcasts", `{"title":"` + strings.Repeat("x", 70_000) + `"}`, "", 413, "too-large"},
		{"a form", "POST", "/broadcasts", "title=x", "application/x-www-form-urlencoded", 415, "media-type"},
		{"no type", "PUT", "/hold", `{"on":true}`, "-", 415, "media-type"},
		{"half an object", "POST", "/links", `{"name":`, "", 400, "malformed"},
		{"two objects", "PUT", "/hold", `{"on":true}{"on":false}`, "", 400, "malformed"},
		{"a field too many", "POST", "/links", `{"name":"x","token":"y"}`, "", 422, "invalid"},
		{"a role that nobody may give", "POST", "/links", `{"name":"x","role":"origin"}`, "", 422, "invalid"},
		{"the past", "POST", "/broadcasts", `{"title":"x","start":"2001-01-01T00:00:00Z"}`, "", 422, "invalid"},
		{"no broadcast", "DELETE", "/broadcasts/nobody", "", "", 404, "not-found"},
		{"no speaker", "PATCH", "/speakers/nobody", `{"on_air":true}`, "", 404, "not-found"},
		{"an end of nothing", "POST", "/end", "", "", 409, "conflict"},
		{"a method", "PUT", "/live", "", "", 405, "method"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tt.method, n.URL+"/api/v1/stations/talk"+tt.path, strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+d.token)
		switch tt.media {
		case "-":
		case "":
			req.Header.Set("Content-Type", "application/json")
		default:
			req.Header.Set("Content-Type", tt.media)
		}
		judgeProblem(t, tt.what, answerOf(t, req), tt.status, tt.kind)
	}
	if after := d.look(); after.Phase != before.Phase || after.Broadcast != nil || len(after.Speakers) > 0 {
		t.Errorf("refused requests made of %+v this: %+v", before, after)
	}
	n.Stop()
	if got := n.Count("level=ERROR"); got > 0 {
		t.Errorf("%d errors in the log, of requests that were refused", got)
	}
}

// judgeProblem checks an answer that refuses: RFC 9457.
func judgeProblem(t *testing.T, what string, r systemtest.Reply, status int, kind string) {
	t.Helper()
	var p problem
	err := json.Unmarshal(r.Body, &p)
	if r.Status != status || err != nil || p.Status != status || p.Type != "urn:longwave:"+kind || p.Detail == "" {
		t.Errorf("%s: status %d, want %d (%s): %v, %s", what, r.Status, status, kind, err, r.Body)
	}
	if got := r.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("%s: a problem of the type %q", what, got)
	}
	if got := r.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("%s: Cache-Control %q", what, got)
	}
	if status == http.StatusUnauthorized && !strings.HasPrefix(r.Header.Get("WWW-Authenticate"), "Bearer") {
		t.Errorf("%s: WWW-Authenticate %q", what, r.Header.Get("WWW-Authenticate"))
	}
}

// TestStudioEvents: a stream says at once how things stand, then what happens; a
// token that is revoked is told so and its stream ends, another one's goes on; none
// opens with it any more; the server's end is told too.
func TestStudioEvents(t *testing.T) {
	t.Parallel()
	config, _ := conversation(t, "talk")
	n := systemtest.Start(t, systemtest.Options{Build: systemtest.Racing, Config: config})
	awaitReady(n)
	d := hostDesk(n, "talk")
	guest, other := d.link("Guest"), d.link("Other")
	host, mine, others := follow(n, d.token), follow(n, guest.Token), follow(n, other.Token)
	for who, s := range map[string]*stream{"the host": host, "a guest": mine, "another guest": others} {
		n.Await(who+" to be told how things stand", func() bool { return s.count("state", `"phase":"auto"`) > 0 })
		n.Await(who+" to be told of levels", func() bool { return s.count("levels") > 2 })
	}
	d.do("POST", "/live", map[string]any{"title": "An evening"}, nil)
	n.Await("everybody to be told that it is live", func() bool {
		for _, s := range []*stream{host, mine, others} {
			if s.count("news", `"kind":"live"`, "An evening") != 1 || s.count("state", `"phase":"live"`) == 0 {
				return false
			}
		}
		return true
	})
	d.do("DELETE", "/links/"+guest.ID, nil, nil)
	n.Await("the guest's stream to end", mine.over)
	if got := mine.last(); got != (event{"bye", `{"reason":"revoked"}`}) {
		t.Errorf("the guest was told last: %+v", got)
	}
	if r := ask(n, guest.Token, "GET", "/stations/talk/events", ""); r.Status != http.StatusForbidden {
		t.Errorf("a revoked link opens the stream again: %d: %.100s", r.Status, r.Body)
	}
	d.do("PUT", "/hold", map[string]any{"on": true}, nil)
	n.Await("the others to be told of the hold", func() bool {
		return host.count("news", `"kind":"hold"`) == 1 && others.count("news", `"kind":"hold"`) == 1
	})
	n.Stop()
	for who, s := range map[string]*stream{"the host": host, "another guest": others} {
		<-s.ended
		if got := s.last(); got != (event{"bye", `{"reason":"ending"}`}) {
			t.Errorf("%s was told last: %.200s", who, got)
		}
	}
}
