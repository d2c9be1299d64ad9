package main_test

import (
	"bytes"
	"fmt"
	"math"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"longwave/cmd/longwave/systemtest"
	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
)

// A sending is an ffmpeg that sends, until it has sent all, is refused or is killed.
type sending struct {
	cmd  *exec.Cmd
	said bytes.Buffer
	done chan struct{}
	err  error // how it ended, when done is closed
}

// send starts ffmpeg, which ends with the test at the latest.
func send(t testing.TB, args ...string) *sending {
	t.Helper()
	s := &sending{done: make(chan struct{})}
	s.cmd = exec.Command("ffmpeg", append([]string{"-hide_banner", "-nostdin", "-v", "error", "-re"}, args...)...)
	s.cmd.Stdout, s.cmd.Stderr = &s.said, &s.said
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(s.done)
		s.err = s.cmd.Wait()
	}()
	t.Cleanup(s.kill)
	return s
}

// kill ends it as a power cut does.
func (s *sending) kill() {
	_ = s.cmd.Process.Signal(syscall.SIGKILL)
	<-s.done
}

// wait waits for its end and returns how it was and what it said, without a secret.
func (s *sending) wait(secret string) error {
	<-s.done
	if s.err == nil {
		return nil
	}
	return fmt.Errorf("%w\n%s", s.err, strings.ReplaceAll(s.said.String(), secret, "SECRET"))
}

// toIcecast are ffmpeg's arguments for a minute of a tone of hz to a station's mount.
func toIcecast(n *systemtest.Node, station, token string, hz int) []string {
	tone := fmt.Sprintf("sine=frequency=%d:sample_rate=48000:duration=60", hz)
	return []string{
		"-f", "lavfi", "-i", tone, "-ac", "2", "-c:a", "libopus", "-b:a", "96k", "-content_type", "audio/ogg", "-f", "ogg",
		"icecast://source:" + token + "@" + n.URL[len("http://"):] + "/ice/" + station,
	}
}

// levels returns how loud each of some tones is in x, in dB, in the second in its middle.
func levels(x []float32, hz ...int) []float64 {
	begin := max(len(x)/pcm.Channels-pcm.Rate, 0) / 2
	x = x[pcm.Channels*begin:]
	x = x[:min(len(x), pcm.Channels*pcm.Rate)]
	var all []float64
	for _, f := range hz {
		all = append(all, pcmtest.DB(pcmtest.Goertzel(x, 0, float64(f))))
	}
	return all
}

// awaitHeard waits for a segment of the programme that begins after now and is as it
// should be.
func (d *desk) awaitHeard(what string, ok func(x []float32) bool) {
	d.t.Helper()
	seen := now()
	d.Await(what, func() bool {
		last := d.Last(d.station, "aac-96")
		if last <= seen {
			return false
		}
		seen = last
		return ok(d.Stored(d.station, "aac-96", last, last+1).Decode(d.t))
	})
}

const (
	annaHz, bertHz, carlHz = 600, 900, 1300 // whole turns in a second

	heardDB  = -40 // the tones are at -24 dB with the fader down by 6
	absentDB = -55
)

// TestShowSurvives: a show that was announced, opens its doors by the clock though the
// node was dead when it should, begins late, and is killed while it is live. Started
// again, everything is as the host left it.
func TestShowSurvives(t *testing.T) {
	t.Parallel()
	config, _ := conversation(t, "talk")
	n := systemtest.Start(t, systemtest.Options{Config: config})
	awaitReady(n)
	d := hostDesk(n, "talk")

	var announced show
	start := time.Now().Add(6 * time.Second)
	d.do("POST", "/broadcasts", map[string]any{"title": "An evening", "start": start.Format(time.RFC3339Nano), "doors_minutes": 0.05}, &announced)
	if s := d.look(); s.Phase != "scheduled" || s.Broadcast == nil || s.Broadcast.ID != announced.ID {
		t.Errorf("after it was announced: %+v", s)
	}
	anna, bert, carl, gone := d.link("Anna"), d.link("Bert"), d.link("Carl"), d.link("Gone")
	d.do("DELETE", "/links/"+gone.ID, nil, nil)
	n.Kill()
	time.Sleep(time.Until(start.Add(-2 * time.Second))) // it is dead while the doors should open, a second before
	n.Start()
	awaitReady(n)
	n.Await("the doors to open", func() bool { s := d.look(); return s.Phase == "doors" && s.Broadcast.ID == announced.ID })
	n.Await("the show to be late", func() bool { return d.look().Broadcast.Late >= 1 })
	var live show
	d.do("POST", "/live", nil, &live)
	if live.ID != announced.ID || live.State != "live" || live.Late < 1 {
		t.Errorf("gone live: %+v, announced was %+v", live, announced)
	}

	speak := func() {
		for _, l := range []struct {
			link
			hz int
		}{{anna, annaHz}, {bert, bertHz}, {carl, carlHz}} {
			send(t, toIcecast(n, "talk", l.Token, l.hz)...)
		}
		n.Await("everybody to be there", func() bool {
			return d.seat("Anna").Connected && d.seat("Bert").Connected && d.seat("Carl").Connected
		})
	}
	speak()
	for _, s := range d.look().Speakers {
		if s.OnAir || s.Muted || s.Gain != 0 {
			t.Errorf("a newcomer in a live show: %+v", s)
		}
	}
	d.change("Anna", map[string]any{"gain_db": -6, "on_air": true})
	d.change("Bert", map[string]any{"muted": true, "on_air": true})
	alone := func(x []float32) bool {
		l := levels(x, annaHz, bertHz, carlHz)
		return l[0] > heardDB && l[1] < absentDB && l[2] < absentDB
	}
	d.awaitHeard("Anna alone", alone)
	n.Await("all of it to be kept", func() bool {
		kept := string(n.ReadStore("_/broadcasts/talk.json"))
		return strings.Contains(kept, `"gain_db":-6`) && strings.Contains(kept, `"muted":true`)
	})

	n.Kill()
	n.Start()
	awaitReady(n)
	s := d.look()
	if s.Phase != "live" || s.Broadcast == nil || *s.Broadcast != live {
		t.Errorf("after kill -9: %+v, %+v; it was %+v", s, s.Broadcast, live)
	}
	speak()
	for _, want := range []speaker{
		{Name: "Anna", OnAir: true, Gain: -6},
		{Name: "Bert", OnAir: true, Muted: true},
		{Name: "Carl"},
	} {
		if got := d.seat(want.Name); got.OnAir != want.OnAir || got.Muted != want.Muted || got.Gain != want.Gain {
			t.Errorf("after kill -9: %+v, want %+v", got, want)
		}
	}
	d.awaitHeard("Anna alone again", alone)
	d.change("Bert", map[string]any{"muted": false})
	d.awaitHeard("Anna with her fader down by 6 dB, and Bert", func(x []float32) bool {
		l := levels(x, annaHz, bertHz, carlHz)
		return l[0] > heardDB && math.Abs(l[1]-l[0]-6) < 1 && l[2] < absentDB
	})
	if status := put(t, n, "talk", gone.Token, []byte("OggS")); status != http.StatusForbidden {
		t.Errorf("a link that was revoked before: status %d, want 403", status)
	}
	if r := ask(n, gone.Token, "GET", "/stations/talk", ""); r.Status != http.StatusForbidden {
		t.Errorf("a link that was revoked before opens the API: %d: %.100s", r.Status, r.Body)
	}
	var links struct{ Links []link }
	d.do("GET", "/links", nil, &links)
	for _, l := range links.Links {
		if l.Revoked != (l.Name == "Gone") {
			t.Errorf("after kill -9: %+v", l)
		}
	}
	if len(links.Links) != 4 {
		t.Errorf("%d links, want 4", len(links.Links))
	}
	var ended show
	d.do("POST", "/end", nil, &ended)
	if ended.ID != live.ID || ended.State != "ended" || ended.LiveAt != live.LiveAt {
		t.Errorf("ended: %+v; live was %+v", ended, live)
	}
	d.awaitHeard("the hold", func(x []float32) bool {
		l := levels(x, annaHz, bertHz, carlHz)
		return l[0] < absentDB && l[1] < absentDB && l[2] < absentDB
	})
	n.Stop()
}
