package studio_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"longwave/ingest/token"
)

// told returns what the log says of deeds with this name: the speaker and what changed.
func (r *room) told(deed string) (all []string) {
	for line := range strings.Lines(r.logged.String()) {
		var x map[string]any
		if err := json.Unmarshal([]byte(line), &x); err != nil {
			r.t.Fatal(err)
		}
		if x["deed"] == deed {
			all = append(all, fmt.Sprintf("%v %v %v", x["speaker"], x["gain_db"], x["muted"]))
		}
	}
	return all
}

// TestLogNames: the log says who was changed by name, and of a fader that is drawn where
// it came to rest, at the end too.
func TestLogNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := enter(t, &memory{objects: map[string][]byte{}})
		guest := r.sign(token.Token{Role: token.Speaker, Name: "Anna"})
		r.speak(guest, 0.1)
		time.Sleep(time.Second)
		path := "/api/v1/stations/talk/speakers/" + r.seat(guest)
		draw := func(from, to int) {
			for db := from; db >= to; db-- {
				if a := r.ask(http.MethodPatch, path, r.host, fmt.Sprintf(`{"gain_db":%d}`, db)); a.status != http.StatusOK {
					t.Fatalf("%d %s", a.status, a.body)
				}
				time.Sleep(100 * time.Millisecond)
			}
		}
		draw(0, -30)
		time.Sleep(3 * time.Second)
		r.ask(http.MethodPatch, path, r.host, `{"muted":true,"gain_db":-3}`)
		draw(-4, -6)
		if a := r.ask(http.MethodDelete, "/api/v1/stations/talk/links/"+r.seat(guest), r.host, ""); a.status != http.StatusNoContent {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if !strings.Contains(r.logged.String(), `"deed":"link revoked","station":"talk","by":"Hanna","token_id":"`+r.seat(r.host)+`","link":"`+r.seat(guest)+`","name":"Anna"`) {
			t.Error("the log does not name whose link was revoked")
		}
		r.leave()
		want := []string{"Anna -30 <nil>", "Anna -3 true", "Anna -6 <nil>"}
		if diff := cmp.Diff(want, r.told("speaker changed")); diff != "" {
			t.Error(diff)
		}
	})
}
