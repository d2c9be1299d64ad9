package main_test

import (
	"slices"
	"testing"
	"time"

	"longwave/cmd/longwave/systemtest"
	"longwave/cmd/longwave/systemtest/netns"
	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
)

// silences returns the stretches without a tone between its first and its last sound,
// to 10 ms, the longest first, and the share of the time that has it.
func silences(x []float32, hz float64) (gaps []time.Duration, share float64) {
	const step = pcm.Rate / 100 * pcm.Channels
	var heard []bool
	for ; len(x) >= 2*step; x = x[step:] {
		heard = append(heard, pcmtest.DB(pcmtest.Goertzel(x[:2*step], 0, hz)) > heardDB)
	}
	first := slices.Index(heard, true)
	if first < 0 {
		return nil, 0
	}
	run, all := 0, 0
	for _, h := range heard[first:] {
		if !h {
			run++
			continue
		}
		if run > 0 {
			gaps = append(gaps, time.Duration(run)*10*time.Millisecond)
			all += run
			run = 0
		}
	}
	slices.Sort(gaps)
	slices.Reverse(gaps)
	return gaps, 1 - float64(all)/float64(len(heard)-first-run)
}

// TestNetworkHandover: a phone goes from one network to another, with another address,
// and restarts ICE: the session and the seat are the same before and after, and the
// sound comes again by the new way.
func TestNetworkHandover(t *testing.T) {
	t.Parallel()
	net := netns.New(t)
	server, router, phone := net.Host("server"), net.Host("router"), net.Host("phone")
	net.Connect(server, router, []string{"192.0.2.1/24"}, []string{"192.0.2.254/24"})
	server.Route("default", "192.0.2.254")
	_, wifi := net.Connect(router, phone, []string{"192.168.1.1/24"}, []string{"192.168.1.2/24"})
	_, mobile := net.Connect(router, phone, []string{"10.64.0.1/24"}, []string{"10.64.0.2/24"})
	mobile.Down()
	phone.Route("default", "192.168.1.1")
	n, url := nodeIn(t, server, "192.0.2.1", systemtest.Options{Config: networkConfig(t, "")})
	d := hostDesk(n, "talk")
	tone := func(x []float32) bool { return levels(x, annaHz)[0] > heardDB }
	v := &visitor{URL: url, Token: d.link("Anna").Token, Hz: annaHz}
	if r := v.enter(t, phone); r.From != "192.168.1.2" {
		t.Errorf("came from %s", r.From)
	}
	began := now()
	d.awaitHeard("the voice", tone)

	wifi.Down()
	mobile.Up()
	phone.Route("default", "10.64.0.1")
	r := v.restart(t)
	if r.From != "10.64.0.2" {
		t.Errorf("after the change: from %s", r.From)
	}
	d.awaitHeard("the voice again", tone)
	last := d.Last("talk", "aac-96")
	gaps, _ := silences(d.Stored("talk", "aac-96", began, last+1).Decode(t), annaHz)
	t.Logf("connected %v after the change; silences of %v", r.After, gaps)
	if len(gaps) == 0 {
		t.Error("the change was not heard: was there one?")
	}
	if c := n.Count("WebRTC session connected"); c != 1 {
		t.Errorf("%d sessions, want the one", c)
	}
	if s := d.look().Speakers; len(s) != 1 || !s[0].Connected || !s[0].OnAir {
		t.Errorf("the seat after the change: %+v", s)
	}
	n.Stop()
}

// TestNetworkLoss: of a tenth of the packets that is lost on the way, either way, next to
// nothing is lost to the programme: what does not come is in the next packet or comes
// again when it is asked for.
func TestNetworkLoss(t *testing.T) {
	t.Parallel()
	net := netns.New(t)
	server, home := net.Host("server"), net.Host("home")
	net.Connect(server, home, []string{"192.0.2.1/24"}, []string{"192.0.2.2/24"})
	server.Rules("inet lossy",
		"type filter hook input priority 0; udp dport "+mediaPort+" numgen random mod 100 < 10 counter drop",
		"type filter hook output priority 0; udp sport "+mediaPort+" numgen random mod 100 < 10 drop")
	n, url := nodeIn(t, server, "192.0.2.1", systemtest.Options{Config: networkConfig(t, "")})
	d := hostDesk(n, "talk")
	v := &visitor{URL: url, Token: d.link("Anna").Token, Hz: annaHz, Transport: "udp"}
	r := v.enter(t, home)
	began := now()
	packets := func(result string) float64 {
		return n.Figures().Sum("longwave_whip_packets_total", `result="`+result+`"`)
	}
	n.Await("10 s of packets", func() bool { return packets("carried")+packets("recovered") > 500 })
	d.awaitHeard("the voice", func(x []float32) bool { return levels(x, annaHz)[0] > heardDB })
	lost, carried, recovered := n.Figures().Sum("longwave_whip_lost_packets_total"), packets("carried"), packets("recovered")
	gaps, share := silences(d.Stored("talk", "aac-96", began, d.Last("talk", "aac-96")+1).Decode(t), annaHz)
	t.Logf("connected after %v; packets: %v came, %v were in others, %v lost; heard %.2f %% of the time, silences of %v",
		r.After, carried, recovered, lost, 100*share, gaps)
	if recovered < 0.02*carried {
		t.Errorf("%v packets of %v were found in others: is nothing lost?", recovered, carried)
	}
	if lost > 0.02*(carried+recovered) {
		t.Errorf("%v packets of %v are lost to the programme", lost, carried+recovered)
	}
	if share < 0.5 { // on a busy machine the speaker is late at times, and that is heard too
		t.Errorf("the voice is heard %.1f %% of the time", 100*share)
	}
	n.Stop()
}
