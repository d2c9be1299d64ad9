package studio_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"longwave/ingest/studio"
	"longwave/ingest/token"
)

// ways are two CDNs, of which the second is bad.
type ways struct{ hand string }

func (w *ways) Look() ([]studio.Pathway, []studio.PathwayChange) {
	at := time.Date(2026, 3, 1, 18, 30, 0, 0, time.UTC)
	return []studio.Pathway{
			{ID: "cdn-a", URL: "https://a.example", Good: true, Listed: true, Hand: w.hand, Since: at, Looked: at, FirstByte: 12_300 * time.Microsecond},
			{ID: "cdn-b", URL: "https://b.example", Plain: true, Hand: "auto", Since: at, Fault: "stale", Text: "old", Behind: 4 * time.Second},
		}, []studio.PathwayChange{
			{At: at, Pathway: "cdn-b", What: "bad", Fault: "stale", Text: "old"},
		}
}

func (w *ways) SetHand(id, hand string) error {
	if id != "cdn-a" {
		return errors.New("no such pathway")
	}
	w.hand = hand
	return nil
}

// TestPathways: the host sees them and may overrule the probes, nobody else.
func TestPathways(t *testing.T) {
	in(t, func(t *testing.T, r *room) {
		guest := r.sign(token.Token{Role: token.Speaker, Name: "Greta"})
		got := r.must(200, "GET", "/pathways", "")
		want := map[string]any{
			"pathways": []any{
				map[string]any{
					"id": "cdn-a", "url": "https://a.example", "plain": false, "good": true, "listed": true, "hand": "auto",
					"since": "2026-03-01T18:30:00.000Z", "fault": "", "text": "", "looked": "2026-03-01T18:30:00.000Z",
					"first_byte_ms": 12.0, "behind_ms": 0.0,
				},
				map[string]any{
					"id": "cdn-b", "url": "https://b.example", "plain": true, "good": false, "listed": false, "hand": "auto",
					"since": "2026-03-01T18:30:00.000Z", "fault": "stale", "text": "old", "looked": nil,
					"first_byte_ms": 0.0, "behind_ms": 4000.0,
				},
			},
			"history": []any{
				map[string]any{"at": "2026-03-01T18:30:00.000Z", "pathway": "cdn-b", "what": "bad", "fault": "stale", "text": "old"},
			},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if got := r.must(200, "PATCH", "/pathways/cdn-a", `{"hand":"avoid"}`); got["hand"] != "avoid" {
			t.Errorf("hand %v", got["hand"])
		}
		for _, w := range []struct {
			token, path, body string
			status            int
			says              string
		}{
			{r.host, "/pathways/cdn-x", `{"hand":"prefer"}`, 404, "cdn-x"},
			{r.host, "/pathways/cdn-a", `{"hand":"please"}`, 422, "prefer"},
			{r.host, "/pathways/cdn-a", `{}`, 422, "prefer"},
			{guest, "/pathways/cdn-a", `{"hand":"avoid"}`, 403, "host"},
		} {
			a := r.ask("PATCH", "/api/v1/stations/talk"+w.path, w.token, w.body)
			if _, detail := a.problem(t); a.status != w.status || !strings.Contains(detail, w.says) {
				t.Errorf("%s with %s: %d %q", w.path, w.body, a.status, detail)
			}
		}
	}, func(o *studio.Options) { o.Stations[0].Pathways = &ways{hand: "auto"} })
}

// TestNoPathways: who has none is told so.
func TestNoPathways(t *testing.T) {
	in(t, func(_ *testing.T, r *room) {
		r.must(200, "GET", "/pathways", "")
		r.must(404, "PATCH", "/pathways/cdn-a", `{"hand":"avoid"}`)
	})
}
