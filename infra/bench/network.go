package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"longwave/ingest/pcm"
	"longwave/ingest/whip/whiptest"
)

const (
	relayTime   = 20 * time.Second
	relaySettle = 3 * time.Second // until a dropout counts
)

// measureNetwork runs what is simulated, and meanwhile two speakers whose packets get
// lost on their way through a real socket.
func measureNetwork(ctx context.Context, b *bench) error {
	begin, err := now()
	if err != nil {
		return err
	}
	if err := b.lossy(ctx, begin); err != nil {
		return err
	}
	if begin, err = now(); err != nil {
		return err
	}
	return b.simulated(ctx, begin)
}

// A scene is what one simulation of ingest/jitter says of itself.
type scene struct {
	name    string
	longest float64 // dropout, ms
	audible float64 // percent of the spans of 100 ms
	within  float64 // ms around the delay that was wanted; NaN when it is not about that
}

// simulated prints what the tests of the jitter buffer found, which are exact and
// repeatable: nothing in them takes real time.
func (b *bench) simulated(ctx context.Context, begin moment) error {
	out, err := exec.CommandContext(ctx, "go", "test", "-count=1", "-timeout=120s", "-v", "-run", "^(TestLosses|TestDriftOfPackets)$", "./ingest/jitter").CombinedOutput()
	scenes := parseScenes(string(out))
	if len(scenes) == 0 {
		return fmt.Errorf("the simulations of ingest/jitter: %w: %s", errors.Join(err, errors.New("no figures")), out)
	}
	failed := err != nil
	for _, loss := range []string{"10 %", "20 %", "30 %"} {
		longest, silent := math.Inf(-1), math.Inf(-1)
		for _, s := range scenes {
			if strings.HasPrefix(s.name, loss+", seed") {
				longest, silent = max(longest, s.longest), max(silent, 100-s.audible)
			}
		}
		if math.IsInf(longest, -1) {
			return fmt.Errorf("the simulations of ingest/jitter have none with a loss of %s", loss)
		}
		b.reportLoss(begin, "simulated, "+loss+" lost", lossFigures{loss, longest, silent}, "60 s, no RED, no NACK; worst of the seeds")
	}
	worst, count := math.Inf(-1), 0
	for _, s := range scenes {
		if !math.IsNaN(s.within) && strings.HasSuffix(s.name, "500 ppm") {
			worst, count = max(worst, s.within), count+1
		}
	}
	b.add(begin, figure{
		Name: "simulated, clock 500 ppm off: error after 60 s", Value: worst, Unit: "ms", Target: new(5.0), Steady: true,
		Notes: fmt.Sprintf("worst of %d scenes of 30 minutes, fast and slow, with jitter and loss", count),
	})
	if failed {
		return errors.New("a simulation of ingest/jitter is not content with itself")
	}
	return nil
}

type lossFigures struct {
	loss            string
	longest, silent float64 // ms and percent
}

// reportLoss enters the figures of one line with the bound that its loss has.
func (b *bench) reportLoss(begin moment, name string, l lossFigures, notes string) {
	dropout := figure{Name: name + ": longest dropout", Value: l.longest, Unit: "ms", Steady: true, Notes: notes}
	ticks := figure{Name: name + ": 100 ms without sound", Value: round(l.silent, 2), Unit: "%", Steady: true}
	switch l.loss {
	case "10 %":
		dropout.Target = new(60.0)
	case "20 %":
		ticks.Target = new(5.0)
	}
	b.add(begin, dropout)
	b.add(begin, ticks)
}

var (
	sceneBegin = regexp.MustCompile(`^=== (?:RUN|CONT|NAME)\s+Test\w+/(.+)$`)
	sceneLoss  = regexp.MustCompile(`longest dropout (\d+) ms, ([\d.]+) % of ticks`)
	sceneDrift = regexp.MustCompile(`within ([\d.]+) ms of the target`)
)

// parseScenes reads go test -v, where a test's words stand behind its name.
func parseScenes(out string) []scene {
	var scenes []scene
	name := ""
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\n")
		if m := sceneBegin.FindStringSubmatch(line); m != nil {
			name = strings.ReplaceAll(m[1], "_", " ")
			continue
		}
		s := scene{name: name, within: math.NaN()}
		if m := sceneLoss.FindStringSubmatch(line); m != nil {
			s.longest, _ = strconv.ParseFloat(m[1], 64) // digits
			s.audible, _ = strconv.ParseFloat(m[2], 64)
			scenes = append(scenes, s)
		} else if m := sceneDrift.FindStringSubmatch(line); m != nil {
			s.within, _ = strconv.ParseFloat(m[1], 64)
			scenes = append(scenes, s)
		}
	}
	return scenes
}

// lossy lets two speakers talk for some time through relays that lose packets.
func (b *bench) lossy(ctx context.Context, begin moment) error {
	g, ctx := errgroup.WithContext(ctx)
	lines := []struct {
		loss    string
		share   float64
		figures lossFigures
		lost    whiptest.Counts
	}{{loss: "10 %", share: 0.1}, {loss: "20 %", share: 0.2}}
	for i := range lines {
		l := &lines[i]
		g.Go(func() (err error) {
			l.figures, l.lost, err = b.lossyLine(ctx, l.share)
			l.figures.loss = l.loss
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, l := range lines {
		b.reportLoss(begin, "by UDP, "+l.loss+" lost", l.figures,
			fmt.Sprintf("%.0f s through a relay that lost %d of %d packets; no RED, no NACK; a vowel in aac-96", relayTime.Seconds(), l.lost.Lost, l.lost.Lost+l.lost.Passed))
	}
	return nil
}

// lossyLine has a speaker on a node of their own behind a relay.
func (b *bench) lossyLine(ctx context.Context, share float64) (lossFigures, whiptest.Counts, error) {
	var f lossFigures
	var c whiptest.Counts
	ctx, s, err := b.openStage(ctx, nodeOptions{profile: "low", renditions: []string{"opus-48", recorded}})
	if err != nil {
		return f, c, err
	}
	defer s.close()
	address, err := netip.ParseAddrPort(s.rtc)
	if err != nil {
		return f, c, err
	}
	relay, err := whiptest.NewRelay(address, 1)
	if err != nil {
		return f, c, err
	}
	s.speaking.Go(func() {
		if err := relay.Run(ctx); err != nil {
			b.say("%v", err)
		}
	})
	if _, err := s.enter(ctx, "Maren", whiptest.Voice{Sound: vowel}, whiptest.Options{Relay: relay}); err != nil {
		return f, c, err
	}
	if err := s.onAir(ctx, 1); err != nil {
		return f, c, err
	}
	relay.Set(whiptest.Line{Loss: share}, whiptest.Line{})
	from := time.Now().Add(relaySettle)
	before := relay.Counts()
	r, err := s.record(ctx, from, from.Add(relayTime))
	if err != nil {
		return f, c, err
	}
	after := relay.Counts()
	c = whiptest.Counts{Lost: after.Lost - before.Lost, Passed: after.Passed - before.Passed}
	f.longest, f.silent, err = dropouts(r.span(from, from.Add(relayTime)))
	return f, c, err
}

// vowel never ends and keeps its level, so that every dropout shows.
func vowel(from int64, dst []float32) {
	for i := range dst {
		t := float64(from+int64(i)) / pcm.Rate
		phase := 2*math.Pi*120*t - 6/1.3*math.Cos(2*math.Pi*1.3*t)
		dst[i] = 0
		for k := 1.0; k < 26; k++ {
			dst[i] += float32(0.12 / k * math.Sin(k*phase+k*k))
		}
	}
}

// dropouts returns the longest time in ms in which sound of constant level is 20 dB
// below it, and the percentage of spans of 100 ms that are.
func dropouts(x []float32) (longest, silent float64, err error) {
	const ms = pcm.Rate / 1000 * pcm.Channels
	if len(x) < 1000*ms {
		return 0, 0, fmt.Errorf("%d ms of sound are too few", len(x)/ms)
	}
	var power []float64
	for i := 0; i+5*ms <= len(x); i += ms {
		power = append(power, energy(x[i:i+5*ms]))
	}
	least := percentile(power, 50) / 100
	if least < 1e-7 {
		return 0, 0, errors.New("the speaker is not heard")
	}
	run := 0.0
	for _, p := range power {
		if run++; p > least {
			run = 0
		}
		longest = max(longest, run)
	}
	spans := 0.0
	for span := range slices.Chunk(x, 100*ms) {
		if spans++; energy(span) <= least {
			silent++
		}
	}
	return longest, 100 * silent / spans, nil
}

// energy is the mean square.
func energy(x []float32) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return sum / float64(len(x))
}
