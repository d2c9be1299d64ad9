package studio_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"longwave/ingest/studio"
	"longwave/ingest/token"
)

// pair is two rooms, twins: what is done at one is not known at the other.
func pair(t *testing.T, do func(t *testing.T, a, b *room)) {
	t.Helper()
	in(t, func(t *testing.T, a *room) {
		b := enter(t, &memory{objects: map[string][]byte{}}, func(o *studio.Options) { o.Twins = []string{"https://a.example"} })
		do(t, a, b)
	})
}

// carry does what a host's page does: it brings to each what the other knows.
func carry(a, b *room) {
	a.t.Helper()
	fetch := func(r *room, method, body string) string {
		answer := r.ask(method, "/api/v1/stations/talk/record", r.host, body)
		if answer.status != http.StatusOK {
			a.t.Fatalf("%s: %d %s", method, answer.status, answer.body)
		}
		return string(answer.body)
	}
	fetch(a, "PUT", fetch(b, "PUT", fetch(a, "GET", "")))
}

// as returns what a room tells of somebody.
func (r *room) as(seat string) map[string]any {
	r.t.Helper()
	for _, s := range r.must(200, "GET", "", "")["speakers"].([]any) {
		if s := s.(map[string]any); s["seat"] == seat {
			return s
		}
	}
	return nil
}

// TestRecord: a twin that missed what a host did is told, and of what both were told the
// later one holds, whoever was told first.
func TestRecord(t *testing.T) {
	pair(t, func(t *testing.T, a, b *room) {
		guest := a.sign(token.Token{Role: token.Speaker, Name: "Greta"})
		seat := a.seat(guest)
		a.must(200, "PUT", "/hold", `{"on":true}`)
		a.speak(guest, 0.1)
		b.speak(guest, 0.1)
		time.Sleep(time.Second)
		a.must(200, "PATCH", "/speakers/"+seat, `{"muted":true,"gain_db":-6}`)
		a.must(200, "PATCH", "/speakers/"+seat, `{"on_air":false}`)
		link := a.must(201, "POST", "/links", `{"name":"Anna"}`)["id"].(string)
		a.must(200, "POST", "/live", `{"id":"theevening","title":"The evening"}`)
		time.Sleep(time.Second)
		b.must(200, "PATCH", "/speakers/"+seat, `{"gain_db":-3}`) // the later one
		if sum := func(r *room) any { return r.must(200, "GET", "", "")["record"] }; sum(a) == sum(b) {
			t.Errorf("twins that know different things say the same: %v", sum(a))
		}
		carry(b, a)
		for name, r := range map[string]*room{"a": a, "b": b} {
			s := r.must(200, "GET", "", "")
			if s["phase"] != "live" || s["broadcast"].(map[string]any)["id"] != "theevening" || s["hold"] != false {
				t.Errorf("%s is %v, %v, hold %v", name, s["phase"], s["broadcast"], s["hold"])
			}
			if p := r.as(seat); p["muted"] != true || p["gain_db"] != -3.0 || p["on_air"] != false {
				t.Errorf("%s has the guest so: %v", name, p)
			}
			if got := r.must(200, "GET", "/links", "")["links"].([]any); len(got) != 1 || got[0].(map[string]any)["id"] != link {
				t.Errorf("%s has the links %v", name, got)
			}
		}
		if x, y := a.must(200, "GET", "", ""), b.must(200, "GET", "", ""); x["record"] != y["record"] {
			t.Errorf("they know the same and say %v and %v", x["record"], y["record"])
		}
	})
}

// TestRecordRemoved: who was removed at one twin is put out at the other, and a link that
// was revoked opens neither; who came again since then stays.
func TestRecordRemoved(t *testing.T) {
	pair(t, func(t *testing.T, a, b *room) {
		again := a.sign(token.Token{Role: token.Speaker, Name: "Again"})
		gone := a.sign(token.Token{Role: token.Speaker, Name: "Gone"})
		revoked := a.must(201, "POST", "/links", `{"name":"Rita"}`)
		for _, r := range []*room{a, b} {
			r.must(200, "POST", "/live", `{"id":"theevening"}`)
			for _, text := range []string{again, gone, revoked["token"].(string)} {
				r.speak(text, 0.1)
			}
			time.Sleep(time.Second)
			r.must(200, "PATCH", "/speakers/"+a.seat(again), `{"on_air":true,"gain_db":-9}`)
		}
		time.Sleep(time.Second)
		for _, text := range []string{again, gone} {
			a.must(204, "DELETE", "/speakers/"+a.seat(text), "")
		}
		a.must(204, "DELETE", "/links/"+revoked["id"].(string), "")
		if r := a.ask("POST", "/api/v1/stations/talk/broadcasts", a.host, `{"id":"Evening","title":"x","start":"2026-03-02T20:00:00Z"}`); r.status != 422 {
			t.Errorf("an id that is none: %d", r.status)
		}
		time.Sleep(time.Second)
		a.speak(again, 0.1)
		stop := b.speak(again, 0.1)
		defer stop()
		time.Sleep(time.Second)
		carry(a, b)
		time.Sleep(time.Second)
		if p := b.as(a.seat(again)); p["connected"] != true || p["on_air"] != false || p["gain_db"] != 0.0 {
			t.Errorf("who came again is %v", p)
		}
		for _, text := range []string{gone, revoked["token"].(string)} {
			if p := b.as(a.seat(text)); p != nil {
				t.Errorf("still there: %v", p)
			}
		}
		if r := b.ask("GET", "/api/v1/stations/talk", revoked["token"].(string), ""); r.status != http.StatusForbidden {
			t.Errorf("the revoked link opens the twin: %d", r.status)
		}
	})
}

// TestRecordExpected: who is at one twin alone has their place at the other when they come.
func TestRecordExpected(t *testing.T) {
	pair(t, func(t *testing.T, a, b *room) {
		a.must(200, "POST", "/live", "")
		guest := a.sign(token.Token{Role: token.Speaker, Name: "Greta"})
		seat := a.seat(guest)
		a.speak(guest, 0.1)
		time.Sleep(time.Second)
		a.must(200, "PATCH", "/speakers/"+seat, `{"on_air":true,"gain_db":-6}`)
		carry(a, b)
		if p := b.as(seat); p["connected"] != false {
			t.Errorf("the place is %v", p)
		}
		b.speak(guest, 0.1)
		time.Sleep(time.Second)
		if p := b.as(seat); p["connected"] != true || p["on_air"] != true || p["gain_db"] != -6.0 {
			t.Errorf("who comes later is %v", p)
		}
	})
}

// TestBadRecords: what is no record is refused, changes nothing and is a host's alone;
// what a newer version adds is let be.
func TestBadRecords(t *testing.T) {
	pair(t, func(t *testing.T, _, b *room) {
		guest := b.sign(token.Token{Role: token.Speaker, Name: "Greta"})
		const path = "/api/v1/stations/talk/record"
		for body, status := range map[string]int{
			`{"show":{"phase":"live"},"places":[]}`:                    200, // no broadcast is live
			`{"show":{},"places":[{"seat":"x","here":true}],"new":{}}`: 200,
			`{"show":{"phase":7},"places":[]}`:                         422,
			`{"show":`:                                                 400,
			`[]`:                                                       422,
			`"` + strings.Repeat("x", 2<<20) + `"`:                     413,
		} {
			if r := b.ask("PUT", path, b.host, body); r.status != status {
				t.Errorf("%.40s: %d %s, want %d", body, r.status, r.body, status)
			}
		}
		for _, method := range []string{"GET", "PUT"} {
			if r := b.ask(method, path, guest, ""); r.status != http.StatusForbidden {
				t.Errorf("%s by a guest: %d", method, r.status)
			}
		}
		if s := b.must(200, "GET", "", ""); s["phase"] != "auto" {
			t.Errorf("the phase is %v", s["phase"])
		}
		var mine struct{ Record *string }
		if err := json.Unmarshal(b.ask("GET", "/api/v1/stations/talk", guest, "").body, &mine); err != nil || mine.Record != nil {
			t.Errorf("a guest is told what hosts know: %v, %v", mine.Record, err)
		}
	})
}

// TestTwinsPages: the pages of the twins may use the API, those of others may not, and
// where there are no twins nobody else's may.
func TestTwinsPages(t *testing.T) {
	pair(t, func(t *testing.T, a, b *room) {
		for _, tt := range []struct {
			r               *room
			method, origin  string
			status          int
			allowed, allows string
		}{
			{b, "OPTIONS", "https://a.example", 204, "https://a.example", "DELETE, GET, PATCH, POST, PUT"},
			{b, "GET", "https://a.example", 401, "https://a.example", ""},
			{b, "OPTIONS", "https://evil.example", 405, "", ""},
			{b, "GET", "https://evil.example", 401, "", ""},
			{b, "GET", "https://a.example.evil.example", 401, "", ""},
			{b, "GET", "null", 401, "", ""},
			{a, "OPTIONS", "https://a.example", 405, "", ""},
			{a, "GET", "https://a.example", 401, "", ""},
		} {
			req, err := http.NewRequestWithContext(t.Context(), tt.method, "http://studio/api/v1/stations/talk", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Origin", tt.origin)
			req.Header.Set("Access-Control-Request-Method", "PATCH")
			got := tt.r.send(req)
			h := got.header
			if got.status != tt.status || h.Get("Access-Control-Allow-Origin") != tt.allowed || h.Get("Access-Control-Allow-Methods") != tt.allows {
				t.Errorf("%s from %s: %d %v", tt.method, tt.origin, got.status, h)
			}
			if tt.r == b && h.Get("Vary") != "Origin" || h.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s from %s: %v", tt.method, tt.origin, h)
			}
		}
	})
}
