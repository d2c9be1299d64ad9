package main_test

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
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

// TestNetworkHandover: a phone loses its network, is missed, finds another one, with
// another address, and restarts ICE: the session and the seat are the same before and
// after, and the sound comes again by the new way.
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
	n.Await("the phone to be missed", func() bool { return !d.look().Speakers[0].Connected })
	mobile.Up()
	phone.Route("default", "10.64.0.1")
	r := v.restart(t)
	if r.From != "10.64.0.2" {
		t.Errorf("after the change: from %s", r.From)
	}
	d.awaitHeard("the voice again", tone)
	last := d.Last("talk", "aac-96")
	gaps, _ := silences(d.Stored("talk", "aac-96", began, last+1).Decode(t), annaHz)
	t.Logf("connected %v after there was a network again; silences of %v", r.After, gaps)
	if len(gaps) == 0 || gaps[0] < time.Second {
		t.Errorf("without a network the voice had silences of %v", gaps)
	}
	if c := n.Count("WebRTC session connected"); c != 1 {
		t.Errorf("%d sessions, want the one", c)
	}
	if s := d.look().Speakers; len(s) != 1 || !s[0].Connected || !s[0].OnAir {
		t.Errorf("the seat after the change: %+v", s)
	}
	n.Stop()
}

// dropped returns how many packets the first rule of a host's table with a counter took.
func dropped(t *testing.T, h *netns.Host, table string) float64 {
	t.Helper()
	m := regexp.MustCompile(`counter packets (\d+)`).FindStringSubmatch(h.Run("nft", append([]string{"list", "table"}, strings.Fields(table)...)...))
	if m == nil {
		t.Fatalf("table %s counts nothing", table)
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestNetworkLoss: a tenth of the packets is lost on the way, either way. Of what one
// speaker sends the next packet has a copy (RED), of the other's it is asked for again
// (NACK): next to nothing is lost to the programme, and no hole is heard that a late
// speaker did not make.
func TestNetworkLoss(t *testing.T) {
	t.Parallel()
	net := netns.New(t)
	server, home := net.Host("server"), net.Host("home")
	net.Connect(server, home, []string{"192.0.2.1/24"}, []string{"192.0.2.2/24"})
	n, url := nodeIn(t, server, "192.0.2.1", systemtest.Options{Config: networkConfig(t, "")})
	d := hostDesk(n, "talk")
	server.Rules("inet lossy",
		"type filter hook input priority 0; udp dport "+mediaPort+" numgen random mod 100 < 10 counter drop",
		"type filter hook output priority 0; udp sport "+mediaPort+" numgen random mod 100 < 10 drop")
	anna := &visitor{URL: url, Token: d.link("Anna").Token, Hz: annaHz, Transport: "udp", NoNACK: true}
	bert := &visitor{URL: url, Token: d.link("Bert").Token, Hz: bertHz, Transport: "udp", NoRED: true}
	a, b := anna.enter(t, home), bert.enter(t, home)
	for _, who := range []string{"Anna", "Bert"} {
		n.Await(who+" to come in", func() bool { return d.seat(who).Connected })
		d.change(who, map[string]any{"on_air": true})
	}
	d.awaitHeard("both voices", func(x []float32) bool { l := levels(x, annaHz, bertHz); return min(l[0], l[1]) > heardDB })
	figure := func(name string, labels ...string) float64 { return n.Figures().Sum("longwave_"+name, labels...) }
	packets := func() float64 { return figure("whip_packets_total", `result="carried"`) }
	began, carried, lost, wire := now(), packets(), figure("whip_lost_packets_total"), dropped(t, server, "inet lossy")
	late, made := figure("jitter_underruns_total"), figure("jitter_concealed_seconds_total")
	n.Await("7 s of packets of both", func() bool { return packets() > carried+640 })
	lost, wire = figure("whip_lost_packets_total")-lost, dropped(t, server, "inet lossy")-wire
	seen := now()
	n.Await("what was heard meanwhile", func() bool { return d.Last("talk", "aac-96") > seen })
	late, made = figure("jitter_underruns_total")-late, figure("jitter_concealed_seconds_total")-made
	t.Logf("connected after %v and %v; %v packets came, %v were dropped on the way, %v are lost; %.2f s were made up, speakers were late %v times",
		a.After, b.After, packets()-carried, wire, lost, made, late)
	if wire < 30 {
		t.Errorf("%v packets were dropped on the way: is the line bad at all?", wire)
	}
	if lost > wire/4 { // without RED or without NACK it would be half
		t.Errorf("of %v packets that were dropped on the way %v are lost to the programme", wire, lost)
	}
	x := d.Stored("talk", "aac-96", began, seen+1).Decode(t)
	for _, hz := range []float64{annaHz, bertHz} {
		// A packet that had to be made up may be a hole, for its 20 ms and some around it.
		gaps, share := silences(x, hz)
		long := slices.IndexFunc(gaps, func(g time.Duration) bool { return g <= 100*time.Millisecond })
		if long < 0 {
			long = len(gaps)
		}
		t.Logf("%v Hz is heard %.2f %% of the time, with silences of %v", hz, 100*share, gaps)
		if float64(len(gaps)) > 50*made+2*late || float64(long) > 2*late {
			t.Errorf("%v Hz: that is neither lost nor late: %v", hz, gaps)
		}
	}
	n.Stop()
}
