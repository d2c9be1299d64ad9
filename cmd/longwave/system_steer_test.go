package main_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"longwave/cmd/longwave/systemtest"
	"longwave/cmd/longwave/systemtest/cdn"
)

// TestSteering: a CDN that freezes is taken out of the list that players read, and put
// back by the host's hand.
func TestSteering(t *testing.T) {
	t.Parallel()
	a, b := openCDN(t), openCDN(t)
	n := systemtest.Start(t, systemtest.Options{Build: systemtest.Racing, Config: fmt.Sprintf(`
stations: [{name: talk, renditions: [aac-48]}]
rtc: {listen: off}
rtmp: {listen: off}
srt: {listen: off}
pathways:
  - {id: cdn-a, url: %q}
  - {id: cdn-b, url: %q}
`, a.URL(), b.URL())})
	for _, c := range []*cdn.CDN{a, b} {
		if err := c.Origin(n.URL); err != nil {
			t.Fatal(err)
		}
	}
	awaitReady(n)
	steered := func(ids string) func() bool {
		return func() bool {
			r, err := systemtest.Fetch(t.Context(), n.URL+"/talk/steering.json")
			return err == nil && strings.Contains(string(r.Body), `"PATHWAY-PRIORITY":[`+ids+`]`)
		}
	}
	n.Await("a list of both", steered(`"cdn-a","cdn-b"`))
	index, err := systemtest.Fetch(t.Context(), b.URL()+"/talk/index.m3u8")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{`SERVER-URI="steering.json",PATHWAY-ID="cdn-a"`, a.URL() + "/talk/aac-48/live.m3u8", b.URL() + "/talk/aac-48/live.m3u8"} {
		if !strings.Contains(string(index.Body), line) {
			t.Errorf("the multivariant playlist does not hold %q:\n%s", line, index.Body)
		}
	}
	first := func(id string) func() bool { // for players that know no steering, and for all as they come
		return func() bool {
			r, err := systemtest.Fetch(t.Context(), b.URL()+"/talk/index.m3u8")
			_, after, _ := strings.Cut(string(r.Body), "#EXT-X-STREAM-INF")
			variant, _, _ := strings.Cut(after, "\n")
			return err == nil && strings.Contains(variant, `PATHWAY-ID="`+id+`"`) &&
				strings.Contains(string(r.Body), `SERVER-URI="steering.json",PATHWAY-ID="`+id+`"`)
		}
	}
	if err := a.Fail(t.Context(), cdn.Frozen); err != nil {
		t.Fatal(err)
	}
	n.Await("a list without the frozen one", steered(`"cdn-b"`))
	n.Await("a multivariant playlist that begins with the other one", first("cdn-b"))
	layHand(t, n, "cdn-a", "prefer")
	n.Await("a list with the host's choice first", steered(`"cdn-a","cdn-b"`))
	n.Await("a multivariant playlist with the host's choice first", first("cdn-a"))
	n.Kill()
	n.Start()
	n.Await("the host's choice after a restart", steered(`"cdn-a","cdn-b"`))
}

// layHand overrules the probes of a pathway, as the host does.
func layHand(t *testing.T, n *systemtest.Node, id, hand string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, n.URL+"/api/v1/stations/talk/pathways/"+id, strings.NewReader(`{"hand":"`+hand+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+n.Token("talk", "--role", "host"))
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("the host's hand: %s", resp.Status)
	}
}

func openCDN(t *testing.T) *cdn.CDN {
	t.Helper()
	c, err := cdn.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}
