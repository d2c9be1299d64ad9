package main_test

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"longwave/cmd/longwave/systemtest"
	"longwave/ingest/pcm"
	"longwave/ingest/pcm/pcmtest"
)

// Of the programme that both feeds carry, and the marks by which they are told apart.
const (
	feedHz      = 1000
	bestMarkHz  = 2500
	spareMarkHz = 4000
)

// feedArgs are ffmpeg's for five minutes of the programme with a mark 12 dB under it.
func feedArgs(mark int, args ...string) []string {
	sound := fmt.Sprintf("aevalsrc=0.125*sin(2*PI*%d*t)+0.03*sin(2*PI*%d*t):s=48000:d=300", feedHz, mark)
	return slices.Concat([]string{"-f", "lavfi", "-i", sound, "-ac", "2"}, args)
}

// TestRedundantFeeds: of two feeds of one programme, by RTMP and by Icecast, the better
// one is on air. It is killed, and the other one is heard without a gap and without
// both at once; it comes back, and is heard again. The API tells each switch.
func TestRedundantFeeds(t *testing.T) {
	t.Parallel()
	config, _ := conversation(t, "talk")
	n := systemtest.Start(t, systemtest.Options{Config: config})
	awaitReady(n)
	d := hostDesk(n, "talk")
	events := follow(n, d.token)
	var best, spare link
	for l, body := range map[*link]map[string]any{
		&best:  {"name": "Best", "feed": true, "group": "main", "priority": 0},
		&spare: {"name": "Spare", "feed": true, "group": "main", "priority": 1},
	} {
		d.do("POST", "/links", body, l)
		n.Secret(l.Token)
	}
	w := way{via: "rtmp", link: best}
	sendBest := func() *sending {
		return send(t, feedArgs(bestMarkHz, "-c:a", "aac", "-b:a", "160k", "-f", "flv", w.address())...)
	}
	first := sendBest()
	n.Await("the best feed to be heard", func() bool { return n.Count("feed switched", "to=Best") > 0 })
	send(t, feedArgs(spareMarkHz, "-c:a", "libmp3lame", "-b:a", "160k", "-content_type", "audio/mpeg", "-f", "mp3",
		"icecast://source:"+spare.Token+"@"+n.URL[len("http://"):]+"/ice/talk")...)
	n.Await("the spare feed to stand by", func() bool { s := d.seat("Spare"); return s.Connected && s.Standby && s.OnAir })
	from := now() + 1
	d.awaitHeard("the best feed alone", markIs(bestMarkHz, spareMarkHz))
	// A feed takes over as soon as it has had sound for a moment, which its buffer has.
	first.kill()
	n.Await("the API to tell of the switch", func() bool { return events.count("news", `"kind":"feed"`, "main: Best → Spare") >= 1 })
	d.awaitHeard("the spare feed alone", markIs(spareMarkHz, bestMarkHz))
	if s := d.seat("Spare"); s.Standby || !s.OnAir {
		t.Errorf("the one that is heard: %+v", s)
	}
	sendBest()
	n.Await("the best feed to be heard again", func() bool { return events.count("news", `"kind":"feed"`, "main: Spare → Best (better)") >= 1 })
	d.awaitHeard("the best feed alone, again", markIs(bestMarkHz, spareMarkHz))
	to := n.Last("talk", "aac-96") + 1
	n.Stop()
	judgeFeeds(t, n.Stored("talk", "aac-96", from, to).Decode(t), n.Count("feed switched"))
}

// markIs asks for one mark and not for another.
func markIs(is, isNot int) func([]float32) bool {
	return func(x []float32) bool {
		l := levels(x, is, isNot)
		return l[0] > -40 && l[1] < -60
	}
}

// judgeFeeds: the programme has no gap, is never louder by more than 3 dB but in a
// crossfade, where it may be by half a decibel more, and of the two feeds it is always
// one. A switch has a crossfade of 20 ms, over which codec and window smear.
func judgeFeeds(t *testing.T, x []float32, switches int) {
	t.Helper()
	x = x[pcm.Channels*pcm.Rate/10 : len(x)-pcm.Channels*pcm.Rate/10]
	for _, g := range pcmtest.Gaps(x, 0.05, pcm.Rate*60/1000) {
		t.Errorf("a gap of %v at %v", pcm.Duration(pcm.Pos(g.Len)), pcm.Duration(pcm.Pos(g.At)))
	}
	const block = pcm.Channels * pcm.Rate / 50
	var level []float64
	both, run, changes, last := 0, 0, 0, 0
	for b := range slices.Chunk(x[:len(x)/block*block], block) {
		level = append(level, pcmtest.DB(pcmtest.RMS(b)))
		best, spare := pcmtest.Goertzel(b, 0, bestMarkHz), pcmtest.Goertzel(b, 0, spareMarkHz)
		const there = 0.012
		switch {
		case best > there && spare > there:
			run++
		case best > there && last != bestMarkHz, spare > there && last != spareMarkHz:
			if last != 0 {
				changes++
			}
			last, run = map[bool]int{true: bestMarkHz, false: spareMarkHz}[best > there], 0
		default:
			run = 0
		}
		both = max(both, run)
	}
	sorted := slices.Sorted(slices.Values(level))
	usual := sorted[len(sorted)/2]
	loud, loudest := 0, math.Inf(-1)
	for _, l := range level {
		if l > usual+3 {
			loud++
		}
		loudest = max(loudest, l-usual)
	}
	t.Logf("%v: %d changes in the sound, %d switches in the log, both feeds in %d blocks of 20 ms at most, %.1f dB over the usual %.1f dB at the loudest",
		time.Duration(len(level))*20*time.Millisecond, changes, switches, both, loudest, usual)
	if both > 3 {
		t.Errorf("both feeds are heard at once for %d ms", 20*both)
	}
	if loud > 2*switches || loudest > 3.5 {
		t.Errorf("%d blocks are louder by more than 3 dB, by up to %.1f", loud, loudest)
	}
	if changes < 2 {
		t.Errorf("the sound changes %d times from one feed to the other, want at least twice", changes)
	}
}
