package studio_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"longwave/ingest"
	"longwave/ingest/decode"
	"longwave/ingest/pcm"
	"longwave/ingest/token"
)

// problem reads a problem.
func (a answer) problem(t *testing.T) (kind, detail string) {
	t.Helper()
	var p struct{ Type, Detail string }
	if err := json.Unmarshal(a.body, &p); err != nil {
		t.Fatalf("%v in %q", err, a.body)
	}
	return strings.TrimPrefix(p.Type, "urn:longwave:"), p.Detail
}

// every calls do with each method and path of the API; the paths name things that are
// not there.
func (r *room) every(do func(method, path string)) {
	r.t.Helper()
	if err := chi.Walk(r.router, func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		if !strings.Contains(route, "openapi") {
			path := strings.NewReplacer("{station}", "talk", "{broadcast}", "none", "{link}", "none", "{seat}", "none").Replace(route)
			do(method, strings.TrimSuffix(path, "/"))
		}
		return nil
	}); err != nil {
		r.t.Fatal(err)
	}
}

// TestTokens: every verb of every route, with every kind of wrong token.
func TestTokens(t *testing.T) {
	in(t, func(t *testing.T, r *room) {
		now := time.Now()
		revoked := r.must(http.StatusCreated, "POST", "/links", `{"name":"Rita","role":"host"}`)
		r.must(http.StatusNoContent, "DELETE", "/links/"+revoked["id"].(string), "")
		tokens := map[string]struct {
			text   string
			status int
			kind   string
		}{
			"none":              {"", http.StatusUnauthorized, "unauthorized"},
			"garbage":           {"hackme", http.StatusUnauthorized, "unauthorized"},
			"changed":           {strings.Repeat("A", len(r.host)), http.StatusUnauthorized, "unauthorized"},
			"expired":           {r.sign(token.Token{Role: token.Host, Name: "Otto", Expires: now.Add(-time.Minute)}), http.StatusForbidden, "expired"},
			"revoked":           {revoked["token"].(string), http.StatusForbidden, "revoked"},
			"another station's": {r.sign(token.Token{Role: token.Host, Name: "Nina", Station: "news"}), http.StatusForbidden, "forbidden"},
			"a captioner's":     {r.sign(token.Token{Role: token.Captioner}), http.StatusForbidden, "forbidden"},
			"an origin's":       {r.sign(token.Token{Role: token.Origin}), http.StatusForbidden, "forbidden"},
		}
		routes := 0
		r.every(func(method, path string) {
			routes++
			for name, c := range tokens {
				if path == "/api/v1/stations" && name == "another station's" {
					continue // it names none: 404, below
				}
				a := r.ask(method, path, c.text, "")
				if a.status != c.status {
					t.Errorf("%s %s with %s token: %d %s, want %d", method, path, name, a.status, a.body, c.status)
					continue
				}
				if kind, _ := a.problem(t); kind != c.kind {
					t.Errorf("%s %s with %s token: %s, want %s", method, path, name, kind, c.kind)
				}
				if got := a.header.Get("WWW-Authenticate"); (got != "") != (a.status == http.StatusUnauthorized) {
					t.Errorf("%s %s with %s token: WWW-Authenticate is %q", method, path, name, got)
				}
				if a.header.Get("Cache-Control") != "no-store" {
					t.Errorf("%s %s with %s token: Cache-Control is %q", method, path, name, a.header.Get("Cache-Control"))
				}
			}
		})
		if routes != 23 {
			t.Errorf("%d routes were asked", routes)
		}
		for _, path := range []string{"/api/v1/stations", "/api/v1/stations/news"} {
			if a := r.ask("GET", path, tokens["another station's"].text, ""); a.status != http.StatusNotFound {
				t.Errorf("%s with the token of a station that is not here: %d %s", path, a.status, a.body)
			}
		}
		for name, header := range map[string]string{"Basic": "Basic " + r.host, "the token alone": r.host, "nothing behind Bearer": "Bearer"} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://studio/api/v1/stations/talk", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", header)
			if a := r.send(req); a.status != http.StatusUnauthorized {
				t.Errorf("%s: %d", name, a.status)
			}
		}
		if a := r.ask("GET", "/api/v1/stations/talk?token="+r.host, "", ""); a.status != http.StatusUnauthorized {
			t.Errorf("a token in the address: %d", a.status)
		}
	})
}

// TestRoles: what a speaker may do is what the contract says, and nothing else.
func TestRoles(t *testing.T) {
	in(t, func(t *testing.T, r *room) {
		greta, gustav := r.sign(token.Token{Role: token.Speaker, Name: "Greta"}), r.sign(token.Token{Role: token.Speaker, Name: "Gustav"})
		r.speak(greta, 0.2)
		r.speak(gustav, 0.2)
		allowed := []string{"GET /api/v1/stations", "GET /api/v1/stations/talk", "GET /api/v1/stations/talk/speakers"}
		r.every(func(method, path string) {
			if strings.HasSuffix(path, "/events") {
				return
			}
			a := r.ask(method, path, greta, "")
			want := http.StatusForbidden
			switch {
			case slices.Contains(allowed, method+" "+path):
				want = http.StatusOK
			case method == "PATCH" && strings.HasSuffix(path, "/speakers/none"):
				want = http.StatusUnsupportedMediaType // by its body, below
			}
			if a.status != want {
				t.Errorf("%s %s by a speaker: %d %s, want %d", method, path, a.status, a.body, want)
			}
		})
		for _, c := range []struct {
			seat, body string
			want       int
		}{
			{r.seat(greta), `{"muted":true}`, http.StatusOK},
			{r.seat(greta), `{"muted":false}`, http.StatusOK},
			{r.seat(greta), `{"muted":false,"on_air":true}`, http.StatusForbidden},
			{r.seat(greta), `{"gain_db":0}`, http.StatusForbidden},
			{r.seat(gustav), `{"muted":true}`, http.StatusForbidden},
			{"none", `{"muted":true}`, http.StatusNotFound},
		} {
			if a := r.ask("PATCH", "/api/v1/stations/talk/speakers/"+c.seat, greta, c.body); a.status != c.want {
				t.Errorf("%s: %d %s, want %d", c.body, a.status, a.body, c.want)
			}
		}
		for _, s := range r.programme.Desk().Speakers() {
			if s.Muted || s.GainDB != 0 {
				t.Errorf("what was refused was done: %+v", s)
			}
		}
	})
}

// TestMethods: a method that a path has not is 405 and says which there are.
func TestMethods(t *testing.T) {
	in(t, func(t *testing.T, r *room) {
		has := map[string][]string{}
		r.every(func(method, path string) { has[path] = append(has[path], method) })
		for path, methods := range has {
			slices.Sort(methods)
			for _, m := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
				if slices.Contains(methods, m) {
					continue
				}
				a := r.ask(m, path, r.host, "")
				if got, want := a.header.Get("Allow"), strings.Join(methods, ", "); a.status != http.StatusMethodNotAllowed || got != want {
					t.Errorf("%s %s: %d, Allow %q, want 405 and %q", m, path, a.status, got, want)
				}
				r.document.fits(t, component("Problem"), a.body)
			}
		}
		for _, path := range []string{"/api/v1", "/api/v1/", "/api/v1/nothing", "/api/v1/stations/talk/nothing", "/api/v1/stations/talk/speakers/a/b"} {
			a := r.ask("GET", path, r.host, "")
			if a.status != http.StatusNotFound {
				t.Errorf("%s: %d", path, a.status)
			}
			r.document.fits(t, component("Problem"), a.body)
		}
	})
}

// TestBodies: every route that takes a body, with bodies that it must refuse.
func TestBodies(t *testing.T) {
	in(t, func(t *testing.T, r *room) {
		guest := r.sign(token.Token{Role: token.Speaker, Name: "Greta"})
		r.speak(guest, 0.2)
		soon := time.Now().Add(2 * time.Hour).Format(time.RFC3339)
		b := r.must(http.StatusCreated, "POST", "/broadcasts", `{"title":"B","start":"`+soon+`"}`)["id"].(string)
		const base = "/api/v1/stations/talk"
		routes := []struct{ method, path string }{
			{"POST", "/broadcasts"},
			{"PATCH", "/broadcasts/" + b},
			{"POST", "/live"},
			{"POST", "/end"},
			{"PUT", "/hold"},
			{"POST", "/links"},
			{"PATCH", "/speakers/" + r.seat(guest)},
			{"PUT", "/cue"},
			{"PUT", "/talkback"},
			{"PATCH", "/pathways/cdn-a"},
		}
		large := `{"title":"` + strings.Repeat("x", 64<<10) + `"}`
		for _, c := range routes {
			for _, x := range []struct {
				body, media string
				want        int
				kind, says  string
			}{
				{`{}`, "text/plain", 415, "media-type", "application/json"},
				{`{}`, "", 415, "media-type", "application/json"},
				{`{"title"`, "application/json", 400, "malformed", "too early"},
				{`{title:1}`, "application/json", 400, "malformed", "not JSON"},
				{`{} {}`, "application/json; charset=utf-8", 400, "malformed", "after"},
				{`{"colour":"red"}`, "application/json", 422, "invalid", `"colour"`},
				{`[]`, "application/json", 422, "invalid", "array"},
				{`7`, "application/json", 422, "invalid", "number"},
				{large, "application/json", 413, "too-large", "64 kB"},
			} {
				req, err := http.NewRequestWithContext(t.Context(), c.method, "http://studio"+base+c.path, strings.NewReader(x.body))
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Authorization", "Bearer "+r.host)
				if x.media != "" {
					req.Header.Set("Content-Type", x.media)
				}
				a := r.send(req)
				if x.body == large && c.path != "/broadcasts" && c.path != "/live" && c.path != "/broadcasts/"+b {
					continue // a field that it has not ends the reading before
				}
				kind, detail := a.problem(t)
				if a.status != x.want || kind != x.kind || !strings.Contains(detail, x.says) {
					t.Errorf("%s %s with %.20q as %q: %d %s %q, want %d %s with %q", c.method, c.path, x.body, x.media, a.status, kind, detail, x.want, x.kind, x.says)
				}
				r.document.fits(t, component("Problem"), a.body)
			}
		}
		if r.must(200, "GET", "", "")["phase"] != "scheduled" {
			t.Error("something was done")
		}
	})
}

// TestValues: values out of their ranges and deeds at the wrong time, and what is said
// about them.
func TestValues(t *testing.T) {
	in(t, func(t *testing.T, r *room) {
		guest := r.sign(token.Token{Role: token.Speaker, Name: "Greta"})
		r.speak(guest, 0.2)
		seat := r.seat(guest)
		at := func(d time.Duration) string { return time.Now().Add(d).Format(time.RFC3339) }
		b := r.must(201, "POST", "/broadcasts", `{"title":"B","start":"`+at(2*time.Hour)+`"}`)["id"].(string)
		for _, x := range []struct {
			method, path, body string
			want               int
			says               string
		}{
			{"POST", "/broadcasts", `{"title":"B"}`, 422, "a start"},
			{"POST", "/broadcasts", `{"start":"` + at(time.Hour) + `"}`, 422, "a title"},
			{"POST", "/broadcasts", `{"title":"","start":"` + at(time.Hour) + `"}`, 422, "a title"},
			{"POST", "/broadcasts", `{"title":"B","start":"tomorrow"}`, 422, `"tomorrow" is not a time`},
			{"POST", "/broadcasts", `{"title":"B","start":12}`, 422, "A time is a text"},
			{"POST", "/broadcasts", `{"title":12,"start":"` + at(time.Hour) + `"}`, 422, `"title" must not be a number`},
			{"POST", "/broadcasts", `{"title":"B","start":"` + at(-time.Hour) + `"}`, 422, "The start must be in the future."},
			{"POST", "/broadcasts", `{"title":"B","start":"` + at(900*24*time.Hour) + `"}`, 422, "two years"},
			{"POST", "/broadcasts", `{"title":"C","start":"` + at(2*time.Hour) + `"}`, 409, `"B" is announced for the same time`},
			{"POST", "/broadcasts", `{"title":"B","start":"` + at(time.Hour) + `","doors_minutes":-1}`, 422, "0 minutes to 24 hours"},
			{"POST", "/broadcasts", `{"title":"B","start":"` + at(time.Hour) + `","doors_minutes":1e300}`, 422, "0 minutes to 24 hours"},
			{"POST", "/broadcasts", `{"title":"` + strings.Repeat("x", 201) + `","start":"` + at(time.Hour) + `"}`, 422, "201 characters, 200"},
			{"PATCH", "/broadcasts/" + b, `{"title":""}`, 422, "a title"},
			{"PATCH", "/broadcasts/none", `{"title":"C"}`, 404, `no broadcast "none"`},
			{"GET", "/broadcasts/none", "", 404, `no broadcast "none"`},
			{"DELETE", "/broadcasts/none", "", 404, `no broadcast "none"`},
			{"POST", "/live", `{"broadcast":"none"}`, 404, `no broadcast "none"`},
			{"POST", "/live", `{"title":"a\nb"}`, 422, "one line"},
			{"POST", "/end", "", 409, "The station is not live."},
			{"PUT", "/hold", `{}`, 422, "true"},
			{"PUT", "/hold", `{"on":"yes"}`, 422, `"on" must not be a string`},
			{"POST", "/links", `{}`, 422, "needs a name"},
			{"POST", "/links", `{"name":"  "}`, 422, "needs a name"},
			{"POST", "/links", `{"name":"A","role":"origin"}`, 422, "speaker or host"},
			{"POST", "/links", `{"name":"A","hours":0}`, 422, "hours"},
			{"POST", "/links", `{"name":"A","hours":8785}`, 422, "hours"},
			{"POST", "/links", `{"name":"` + strings.Repeat("x", 30) + `"}`, 422, "bytes too long"},
			{"POST", "/links", `{"name":"A","priority":3}`, 422, "in a group"},
			{"POST", "/links", `{"name":"A","priority":8,"group":"g"}`, 422, "Priority 8"},
			{"POST", "/links", `{"name":"a\u0000b"}`, 422, "control"},
			{"DELETE", "/links/none", "", 404, `no link "none"`},
			{"DELETE", "/links/" + r.seat(r.host), "", 409, "yourself"},
			{"PATCH", "/speakers/" + seat, `{}`, 422, "what to change"},
			{"PATCH", "/speakers/" + seat, `{"gain_db":13}`, 422, "-60 to 12 dB"},
			{"PATCH", "/speakers/" + seat, `{"gain_db":-60.5}`, 422, "-60 to 12 dB"},
			{"PATCH", "/speakers/none", `{"muted":true}`, 404, `the seat "none"`},
			{"DELETE", "/speakers/none", "", 404, `the seat "none"`},
			{"PUT", "/cue", `{"seats":["none"]}`, 422, `the seat "none"`},
			{"PUT", "/cue", `{"seats":["` + r.seat(r.host) + `"]}`, 422, "your own"},
			{"PUT", "/cue", `{"seats":["` + seat + `"]}`, 409, "Join the studio first"},
			{"PUT", "/talkback", `{"seats":["` + seat + `"]}`, 409, "event stream"},
			{"PUT", "/talkback", `{"all":true,"seats":["` + seat + `"]}`, 422, "either"},
		} {
			a := r.ask(x.method, "/api/v1/stations/talk"+x.path, r.host, x.body)
			_, detail := a.problem(t)
			if a.status != x.want || !strings.Contains(detail, x.says) {
				t.Errorf("%s %s %.60s: %d %q, want %d with %q", x.method, x.path, x.body, a.status, detail, x.want, x.says)
			}
			if !strings.HasSuffix(detail, ".") || strings.Contains(detail, "..") {
				t.Errorf("%s %s %.60s: %q is no sentence", x.method, x.path, x.body, detail)
			}
		}
		r.must(200, "POST", "/live", "")
		r.must(409, "POST", "/live", "")
		r.must(200, "POST", "/end", "")
		r.must(409, "PUT", "/hold", `{"on":true}`)
	})
}

// TestOperatorsInput: an input without a token is a speaker as others are, whatever its
// name has in it.
func TestOperatorsInput(t *testing.T) {
	in(t, func(t *testing.T, r *room) {
		lane, err := r.gate.Trusted().Open(t.Context(), ingest.Claim{Station: "talk", Transport: "file", Name: `hold/ä "1%2F".wav`}, decode.Format{Codec: decode.F32LE, Rate: pcm.Rate, Channels: pcm.Channels})
		if err != nil {
			t.Fatal(err)
		}
		l := r.listen(r.host, "")
		time.Sleep(time.Second)
		s := l.state()["speakers"].([]any)[0].(map[string]any)
		if s["role"] != "input" || s["on_air"] != true {
			t.Errorf("it is %v", s)
		}
		if _, ok := l.lanes()[s["seat"].(string)]; !ok {
			t.Errorf("the lanes are %v", l.lanes())
		}
		path := "/speakers/" + url.PathEscape(s["seat"].(string))
		if got := r.must(200, "PATCH", path, `{"gain_db":-3.25}`); got["gain_db"] != -3.3 || got["seat"] != s["seat"] {
			t.Errorf("changed to %v", got)
		}
		r.must(204, "DELETE", path, "")
		<-lane.Done()
		l.check()
	})
}

// TestNoTokenTold: no token is in the log, whatever was asked.
func TestNoTokenTold(t *testing.T) {
	in(t, func(t *testing.T, r *room) {
		link := r.must(201, "POST", "/links", `{"name":"Greta","hours":1}`)
		text := link["token"].(string)
		l := r.listen(text, "")
		r.must(204, "DELETE", "/links/"+link["id"].(string), "")
		<-l.done
		r.ask("GET", "/api/v1/stations/talk", text, "")
		r.leave()
		log := r.logged.String()
		for _, secret := range []string{r.host, text} {
			if strings.Contains(log, secret) {
				t.Errorf("a token is in the log: %s", log)
			}
		}
		if !strings.Contains(log, "link revoked") {
			t.Errorf("the log does not tell what was done: %s", log)
		}
	})
}
