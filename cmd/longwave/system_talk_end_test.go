package main_test

import (
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"longwave/cmd/longwave/systemtest"
	"longwave/ingest/whip/whiptest"
	"longwave/packager"
)

// TestEndOfATalk: SIGINT while speakers are on air by WebRTC, RTMP, SRT and Icecast at
// once, one listens to a return and a host follows what happens. Everybody is told or
// let go, what was said is played out, and the program ends within 10 s with 0.
func TestEndOfATalk(t *testing.T) {
	t.Parallel()
	config, _ := conversation(t, "talk")
	n := systemtest.Start(t, systemtest.Options{Build: systemtest.Racing, Config: config})
	awaitReady(n)
	d := hostDesk(n, "talk")
	events := follow(n, d.token)
	tones := map[string]int{"whip": annaHz, "rtmp": bertHz, "srt": carlHz, "icecast": 1700}
	whipSpeak(n, d.link("whip").Token, annaHz)
	ear, err := whiptest.Listen(t.Context(), n.URL+"/whep/talk", d.link("Ear").Token, whiptest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ear.Vanish() })
	encoders := []*sending{send(t, toIcecast(n, "talk", d.link("icecast").Token, tones["icecast"])...)}
	for via, container := range map[string]string{"rtmp": "flv", "srt": "mpegts"} {
		w := way{via: via, link: d.link(via)}
		tone := fmt.Sprintf("sine=frequency=%d:sample_rate=48000:duration=300", tones[via])
		encoders = append(encoders, send(t, "-f", "lavfi", "-i", tone, "-ac", "2", "-c:a", "aac", "-b:a", "128k", "-f", container, w.address()))
	}
	for name := range tones {
		n.Await(name+" to be there", func() bool { return d.seat(name).Connected })
		d.change(name, map[string]any{"on_air": true})
	}
	d.awaitHeard("all four of them", func(x []float32) bool {
		return slices.Min(levels(x, annaHz, bertHz, carlHz, tones["icecast"])) > heardDB
	})
	if _, err := ear.Hear(t.Context(), 200*time.Millisecond); err != nil {
		t.Errorf("the return: %v", err)
	}
	n.Await("the host to be told of levels", func() bool { return events.count("levels") > 0 })
	began := time.Now()
	n.Stop()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v to end, more than 10 s", took)
	}
	<-events.ended
	if got := events.last(); got != (event{"bye", `{"reason":"ending"}`}) {
		t.Errorf("the host was told last: %.200s", got)
	}
	for err = nil; err == nil; {
		_, err = ear.Next(t.Context())
	}
	if !errors.Is(err, whiptest.ErrEnded) {
		t.Errorf("the return: %v", err)
	}
	for _, e := range encoders {
		<-e.done // else it would go on sending to nobody
	}
	for transport := range tones {
		if got := n.Count(`msg="lane closed"`, "transport="+transport); got != 1 || n.Count(`msg="lane closed"`, "transport="+transport, "played=0s") > 0 {
			t.Errorf("%s: %d lanes were played out, want one that had sound", transport, got)
		}
	}
	if n.Count("level=ERROR") > 0 || n.Count("not drained in time") > 0 {
		t.Error("the log has errors")
	}
}

// TestHogs: two programs that take all the time that they can get on both cores, while a
// speaker talks by WebRTC. The output has no hole: every segment and part, in order and
// in time with its number.
func TestHogs(t *testing.T) {
	config, _ := conversation(t, "talk")
	n := systemtest.Start(t, systemtest.Options{Config: config})
	ledger := &systemtest.Ledger{}
	l := &systemtest.Listener{Ledger: ledger, Station: "talk", Slack: time.Hour} // the machine is slow on purpose
	stop := systemtest.Listen(t, n, l)
	awaitReady(n)
	d := hostDesk(n, "talk")
	whipSpeak(n, d.link("Anna").Token, annaHz)
	voice := func(x []float32) bool { return levels(x, annaHz)[0] > -35 }
	d.awaitHeard("the voice", voice)
	from := now()
	for range 2 {
		hog := exec.Command("sh", "-c", "while :; do :; done")
		if err := hog.Start(); err != nil {
			t.Fatal(err)
		}
		end := sync.OnceFunc(func() {
			_ = hog.Process.Signal(syscall.SIGKILL)
			_ = hog.Wait()
		})
		t.Cleanup(end)
		time.AfterFunc(10*time.Second, end)
	}
	// What was made in those 10 s, and then the voice is there as before.
	n.Await("the programme of 10 s", func() bool { return n.Last("talk", "aac-96") > from+5 })
	d.awaitHeard("the voice after it", voice)
	to := l.Edge().MSN
	stop()
	n.Stop()
	for _, f := range ledger.Found() {
		t.Error(f)
	}
	judgeTimeline(t, ledger, "aac-96", from, to)
}

// judgeTimeline: of the segments from one to before another none is missing, and none
// of their parts.
func judgeTimeline(t *testing.T, ledger *systemtest.Ledger, rendition string, from, to int64) {
	t.Helper()
	if to < from+5 {
		t.Errorf("%s: the listener came from %d to %d only", rendition, from, to)
	}
	got := map[int64]int{} // parts
	whole := map[int64]bool{}
	for _, k := range ledger.Keys("talk", rendition, packager.Segment) {
		whole[k.MSN] = true
	}
	for _, k := range ledger.Keys("talk", rendition, packager.Part) {
		got[k.MSN]++
	}
	for msn := from; msn < to; msn++ {
		if !whole[msn] || got[msn] != 6 {
			t.Errorf("%s: of segment %d: whole %v, %d parts; want it and 6", rendition, msn, whole[msn], got[msn])
		}
	}
}
