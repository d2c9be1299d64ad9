package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"testing"
	"time"

	"longwave/cmd/longwave/systemtest"
	"longwave/cmd/longwave/systemtest/cdn"
)

// TestFaults: a listener in real Chromium hears the station through the first of two CDNs,
// and that one fails in every way there is. How long they hear nothing is a matter of the
// benchmark, to the millisecond; here it is bounded so that a machine under load passes and
// a player that waits for the CDN does not. What must not be heard is another station: that
// one plays faint noise, which counts as silence.
func TestFaults(t *testing.T) {
	for _, fault := range []cdn.Fault{cdn.Refused, cdn.Absent, cdn.Broken, cdn.Hangs, cdn.Frozen, cdn.HTML, cdn.Mixed} {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			strike := fmt.Sprintf("%g=curl -sS '%s/?fault=%s'", faultAt.Seconds(), r.control, fault)
			heard := r.listen(t, faultAt+8*time.Second, strike)
			if silence := heard.silence(faultAt, faultAt+8*time.Second); silence > 1500*time.Millisecond {
				t.Errorf("%s of silence: %+v", silence, heard.Gaps)
			}
			if r.n.Figures().Sum("longwave_pathway_good", `pathway="cdn-a"`, `station="talk"`) != 0 {
				t.Error("the probes find the pathway good")
			}
		})
	}
}

// faultAt is when the fault comes, after the listener pressed play.
const faultAt = 8 * time.Second

// A rig is a node with two stations behind two CDNs.
type rig struct {
	n       *systemtest.Node
	a, b    *cdn.CDN
	control string // of a
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{a: openCDN(t), b: openCDN(t)}
	var err error
	if r.control, err = r.a.Control(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.n = systemtest.Start(t, systemtest.Options{Config: fmt.Sprintf(`
stations:
  - {name: talk, renditions: [opus-96, aac-48], play: %q, loop: true}
  - {name: news, renditions: [opus-96, aac-48], hold: %q}
rtc: {listen: off}
rtmp: {listen: off}
srt: {listen: off}
pathways:
  - {id: cdn-a, url: %q}
  - {id: cdn-b, url: %q}
`, toneFile(t, time.Minute), holdFile(t), r.a.URL(), r.b.URL())})
	for _, c := range []*cdn.CDN{r.a, r.b} {
		if err := c.Origin(r.n.URL); err != nil {
			t.Fatal(err)
		}
		c.Mix("talk", "news")
	}
	awaitReady(r.n)
	return r
}

// A hearing is what the acoustic meter tells.
type hearing struct {
	StartUpMs float64 `json:"startUpMs"`
	Gaps      []struct {
		Second float64 `json:"second"`
		Ms     float64 `json:"ms"`
	} `json:"gaps"`
	Player struct {
		Log []struct{ Phase string } `json:"log"`
	} `json:"player"`
}

// silence returns how long nothing was heard in a span after the press.
func (h hearing) silence(from, to time.Duration) (d time.Duration) {
	for _, g := range h.Gaps {
		begin := time.Duration(g.Second * float64(time.Second))
		end := begin + time.Duration(g.Ms*float64(time.Millisecond))
		d += max(0, min(end, to)-max(begin, from))
	}
	return d
}

// listen plays the station's page in Chromium for a while. A fault is a line of the
// meter's: second and command.
func (r *rig) listen(t *testing.T, d time.Duration, faults ...string) hearing {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	args := []string{"../../infra/bench/acoustic/meter.mjs", "--url", r.b.URL() + "/talk/", "--seconds", fmt.Sprintf("%g", d.Seconds())}
	for _, f := range faults {
		args = append(args, "--fault", f)
	}
	cmd := exec.CommandContext(ctx, "node", args...)
	out, err := cmd.Output() // its exit code is about tones of the benchmark's ruler
	var h hearing
	if jsonErr := json.Unmarshal(out, &h); jsonErr != nil {
		t.Fatalf("acoustic meter: %v, %v\n%s", err, jsonErr, out)
	}
	if h.StartUpMs == 0 {
		t.Fatalf("nothing was heard at all\n%s", out)
	}
	return h
}
