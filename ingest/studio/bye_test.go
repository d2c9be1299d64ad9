package studio_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"longwave/ingest"
	"longwave/ingest/token"
)

// bye waits for the end of the stream and returns the reason that was told.
func (l *listener) bye() string {
	l.r.t.Helper()
	<-l.done
	all := l.named("bye")
	if len(all) == 0 {
		return ""
	}
	var v struct{ Reason string }
	if err := json.Unmarshal(all[0].data, &v); err != nil {
		l.r.t.Fatal(err)
	}
	l.check()
	return v.Reason
}

// TestBye: a stream that we close says why, and a page that comes back after a removal is
// not put out again by the same news.
func TestBye(t *testing.T) {
	in(t, func(t *testing.T, r *room) {
		soon := r.sign(token.Token{Role: token.Speaker, Name: "Otto", Expires: time.Now().Add(20 * time.Second)})
		l := r.listen(soon, "")
		began := time.Now()
		if why := l.bye(); why != "expired" || time.Since(began) > 20*time.Second {
			t.Errorf("%q after %v", why, time.Since(began))
		}
		link := r.must(201, "POST", "/links", `{"name":"Rita"}`)
		l = r.listen(link["token"].(string), "")
		lane, err := r.open(link["token"].(string))
		if err != nil {
			t.Fatal(err)
		}
		r.must(204, "DELETE", "/links/"+link["id"].(string), "")
		if why := l.bye(); why != "revoked" {
			t.Errorf("revoked: %q", why)
		}
		<-lane.Done()
		if !errors.Is(lane.Err(), ingest.ErrRemoved) {
			t.Errorf("the revoked lane ended with %v", lane.Err())
		}
		if _, err := r.open(link["token"].(string)); !errors.Is(err, ingest.ErrForbidden) {
			t.Errorf("revoked, and the gate says %v", err)
		}
		guest := r.sign(token.Token{Role: token.Speaker, Name: "Greta"})
		l = r.listen(guest, "")
		r.speak(guest, 0.2)
		time.Sleep(time.Second)
		_, before := l.kinds()
		r.must(204, "DELETE", "/speakers/"+r.seat(guest), "")
		if why := l.bye(); why != "removed" {
			t.Errorf("removed: %q", why)
		}
		l = r.listen(guest, before)
		time.Sleep(time.Second)
		if kinds, _ := l.kinds(); len(l.named("bye")) > 0 || len(kinds) != 1 {
			t.Errorf("back: %v %v", kinds, l.named("bye"))
		}
		host := r.listen(r.host, "")
		r.leave()
		if a, b := l.bye(), host.bye(); a != "ending" || b != "ending" {
			t.Errorf("at the end: %q, %q", a, b)
		}
	})
}

// TestNobodyIsCutOff: a token that expires while its holder speaks is good until they go, and
// for a minute more, in which a broken line is mended.
func TestNobodyIsCutOff(t *testing.T) {
	in(t, func(t *testing.T, r *room) {
		soon := r.sign(token.Token{Role: token.Speaker, Name: "Otto", Expires: time.Now().Add(20 * time.Second)})
		l := r.listen(soon, "")
		seat, stop := r.seat(soon), r.speak(soon, 0.2)
		time.Sleep(time.Minute)
		if bye := l.named("bye"); len(bye) > 0 {
			t.Errorf("expired while speaking: %v", bye)
		}
		mute := func() int {
			return r.ask("PATCH", "/api/v1/stations/talk/speakers/"+seat, soon, `{"muted":true}`).status
		}
		if status := mute(); status != http.StatusOK {
			t.Errorf("expired while speaking, and muting answers %d", status)
		}
		stop()
		time.Sleep(30 * time.Second)
		lane, err := r.open(soon)
		if err != nil {
			t.Fatalf("back after half a minute: %v", err)
		}
		if err := lane.Close(); err != nil {
			t.Error(err)
		}
		time.Sleep(90 * time.Second)
		if why := l.bye(); why != "expired" {
			t.Errorf("gone: %q", why)
		}
		if _, err := r.open(soon); !errors.Is(err, ingest.ErrForbidden) {
			t.Errorf("gone for good, and the gate says %v", err)
		}
		if status := mute(); status != http.StatusForbidden {
			t.Errorf("gone for good, and muting answers %d", status)
		}
	})
}

// TestForeignToken: a token that was made elsewhere is revoked while its owner is there.
func TestForeignToken(t *testing.T) {
	in(t, func(t *testing.T, r *room) {
		guest := r.sign(token.Token{Role: token.Speaker, Name: "Greta"})
		r.must(404, "DELETE", "/links/"+r.seat(guest), "")
		r.speak(guest, 0.2)
		r.must(204, "DELETE", "/links/"+r.seat(guest), "")
		if a := r.ask("GET", "/api/v1/stations/talk", guest, ""); a.status != http.StatusForbidden {
			t.Errorf("revoked: %d", a.status)
		}
		links := r.must(200, "GET", "/links", "")["links"].([]any)
		if len(links) != 1 || links[0].(map[string]any)["name"] != "Greta" {
			t.Errorf("the links: %v", links)
		}
	})
}
