package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"longwave/cmd/longwave/systemtest/edges"
	"longwave/ingest/pcm"
	"longwave/packager"
)

const (
	edgeProfile = "low"
	edgeWaves   = 24 // parts of 0.32 s that count
	edgeSettle  = 6  // parts before them
	edgeEarTime = 34 * time.Second
	// most is how many times the playlists and parts of the renditions in use the origin
	// may be asked for.
	edgeMost = 1.5
	// edgeLate is what the edge may add for 99 of 100 listeners, in ms.
	edgeLate = 60.0
)

// edgeRendition is what all listeners have where they are one herd: Opus, so that a part
// is there when its last frame is.
var edgeRendition = []string{"opus-96"}

// varnishArgs are what is shipped, and Varnish's own defaults where tests take less.
var varnishArgs = append([]string{"-p", "thread_pool_min=100", "-p", "vsl_space=80m"}, edges.Shipped...)

// measureEdges puts a real Varnish before a node, with the configuration that infra/edge
// writes, and listeners before it.
func measureEdges(ctx context.Context, b *bench) error {
	return errors.Join(
		b.onStand(ctx, b.behindVarnish),
		b.onStand(ctx, func(t testing.TB) error { return b.earBehindVarnish(t, "low", 1.5) }),   //nolint:contextcheck // the stand's is made of it
		b.onStand(ctx, func(t testing.TB) error { return b.earBehindVarnish(t, "fast", 0.66) }), //nolint:contextcheck // the stand's is made of it
	)
}

// A herd is listeners of an edge, or of the origin itself.
type herd struct {
	listeners  int
	renditions []string
	direct     bool // at the origin
}

// behindVarnish counts what the origin is asked for, and how late listeners are.
func (b *bench) behindVarnish(t testing.TB) error {
	ctx := t.Context()
	n, err := b.serve(ctx, nodeOptions{profile: edgeProfile, play: conversation})
	if err != nil {
		return err
	}
	defer n.stop()
	if err := errors.Join(n.ready(ctx), pause(ctx, 4*time.Second)); err != nil {
		return err
	}
	varnish := edges.Varnish(t, edges.Place{Origin: n.base, Args: varnishArgs})
	var all []string
	for _, r := range packager.DefaultLadder() {
		all = append(all, r.Name)
	}
	begin, err := now()
	if err != nil {
		return err
	}
	var behind, direct audience // of 1,000 in one rendition
	for _, h := range []herd{
		{1, edgeRendition, false},
		{10, edgeRendition, false},
		{100, edgeRendition, false},
		{1000, edgeRendition, false},
		{1000, all, false},
		{1000, edgeRendition, true},
	} {
		a, err := b.herd(ctx, n, varnish, h)
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", h.name(), err)
		case h.direct:
			direct = a
		case len(h.renditions) == 1:
			behind = a
		}
	}
	for _, w := range []struct {
		name           string
		behind, direct wait
	}{{"playlists", behind.Reload, direct.Reload}, {"parts", behind.Part, direct.Part}} {
		b.add(begin, figure{
			Name: "1000 listeners: what Varnish adds to " + w.name + ", p99", Value: round(w.behind.P99-w.direct.P99, 1), Unit: "ms", Target: new(edgeLate),
			Notes: fmt.Sprintf("that behind it less that at the origin itself; of p50 %s ms", number(round(w.behind.P50-w.direct.P50, 1))),
		})
	}
	return nil
}

func (h herd) name() string {
	where := "behind Varnish"
	if h.direct {
		where = "at the origin itself"
	}
	if len(h.renditions) > 1 {
		return fmt.Sprintf("%d listeners of %d renditions %s", h.listeners, len(h.renditions), where)
	}
	return fmt.Sprintf("%d listeners %s", h.listeners, where)
}

// An edgeLook is what has been used until some moment.
type edgeLook struct {
	moment
	asked         map[string]float64 // requests at the origin, by kind
	varnish, node time.Duration      // CPU
}

func lookAtEdge(ctx context.Context, n *node, varnish *edges.Edge) (edgeLook, error) {
	var l edgeLook
	var wrong [4]error
	l.moment, wrong[0] = now()
	l.asked, wrong[1] = n.asked(ctx)
	l.varnish, wrong[2] = familyTime(varnish.Pid)
	l.node, wrong[3] = cpuTime(n.pid())
	return l, errors.Join(wrong[:]...)
}

// asked returns what the audience has asked a node for, by kind.
func (n *node) asked(ctx context.Context) (map[string]float64, error) {
	text, err := get(ctx, n.metrics+"/metrics")
	if err != nil {
		return nil, err
	}
	asked := map[string]float64{}
	for line := range bytes.Lines(text) {
		labels, ok := strings.CutPrefix(string(line), "longwave_origin_requests_total{")
		if !ok {
			continue
		}
		_, kind, _ := strings.Cut(labels, `kind="`)
		kind, _, _ = strings.Cut(kind, `"`)
		value, err := strconv.ParseFloat(strings.TrimSpace(labels[strings.LastIndexByte(labels, ' '):]), 64)
		if err != nil {
			return nil, fmt.Errorf("metrics: %q: %w", line, err)
		}
		asked[kind] += value
	}
	return asked, nil
}

// herd measures one.
func (b *bench) herd(ctx context.Context, n *node, varnish *edges.Edge, h herd) (audience, error) {
	o := order{
		Server: strings.TrimPrefix(varnish.URL, "http://"), Witness: strings.TrimPrefix(n.base, "http://"),
		Profile: edgeProfile, Renditions: h.renditions,
		Listeners: h.listeners, Settle: edgeSettle, Waves: edgeWaves, Parts: true,
	}
	if h.direct {
		o.Server = o.Witness
	}
	var from, to edgeLook
	a, err := b.crowd(ctx, o,
		func() (err error) { from, err = lookAtEdge(ctx, n, varnish); return err },
		func() (err error) { to, err = lookAtEdge(ctx, n, varnish); return err })
	if err != nil {
		return a, err
	}
	if want := h.listeners * edgeWaves; a.Reload.Count < want*98/100 || a.Part.Count < want*98/100 {
		b.say("%s: %d reloads and %d parts of %d", h.name(), a.Reload.Count, a.Part.Count, want)
	}
	use := shares(from, to, a)
	if !h.direct {
		b.reportFlat(h, a, from, to, use)
	}
	if h.listeners >= 1000 {
		b.reportAdded(h, a, to.since(from.moment), use)
	}
	return a, nil
}

// shares says what each process took of a core.
func shares(from, to edgeLook, a audience) string {
	span := to.at.Sub(from.at).Seconds()
	percent := func(d time.Duration) string { return number(round(100*d.Seconds()/span, 1)) }
	return fmt.Sprintf("of a core: Varnish %s %% (%s us an answer), node %s %%, listeners' process %s %%",
		percent(to.varnish-from.varnish), number(micros(to.varnish-from.varnish)/float64(a.Answers)), percent(to.node-from.node), percent(a.CPU))
}

// reportFlat enters how often the origin was asked, without the witnesses.
func (b *bench) reportFlat(h herd, a audience, from, to edgeLook, use string) {
	span := to.at.Sub(from.at).Seconds()
	var sum float64
	var kinds []string
	for _, kind := range []string{"blocking", "part", "playlist", "multivariant", "init", "segment", "page", "other"} {
		asked := to.asked[kind] - from.asked[kind]
		if kind == "blocking" {
			asked -= float64(a.Witnesses)
		}
		if asked != 0 {
			kinds = append(kinds, fmt.Sprintf("%s %.0f", kind, asked))
		}
		sum += asked
	}
	profile, _ := packager.ParseProfile(edgeProfile) // it was parsed before
	ideal := 2 * float64(len(h.renditions)) / pcm.Duration(profile.PartSamples).Seconds()
	b.enter(figure{
		Name: h.name() + ": requests at the origin", Value: round(sum/span, 2), Unit: "/s", Target: new(edgeMost * ideal), Steady: true, load: to.since(from.moment),
		Notes: fmt.Sprintf("%.2f times the playlists and parts of %s (%.2f/s); in %.1f s: %s; %d answers to listeners; %s",
			sum/span/ideal, strings.Join(h.renditions, ", "), ideal, span, strings.Join(kinds, ", "), a.Answers, use),
	})
}

// reportAdded enters how long after the origin's answer listeners have it.
func (b *bench) reportAdded(h herd, a audience, ld load, use string) {
	for _, w := range []struct {
		name string
		wait
	}{{"playlist", a.Reload}, {"part", a.Part}} {
		b.enter(figure{
			Name: h.name() + ": " + w.name + " after the origin's answer, p99", Value: round(w.P99, 1), Unit: "ms", load: ld,
			Notes: fmt.Sprintf("p50 %s, most %s ms of %d; p99 of a wave %s, of the worst %s; %s",
				number(w.P50), number(w.Most), w.Count, number(w.Typical), number(w.Worst), use),
		})
	}
}

// earBehindVarnish is mouth to ear with Varnish between.
func (b *bench) earBehindVarnish(t testing.TB, profile string, target float64) error {
	ctx := t.Context()
	n, bursts, err := b.ruled(ctx, nodeOptions{profile: profile})
	if err != nil {
		return err
	}
	defer bursts.stop()
	defer n.stop()
	if err := errors.Join(n.ready(ctx), pause(ctx, 4*time.Second)); err != nil {
		return err
	}
	varnish := edges.Varnish(t, edges.Place{Origin: n.base, Args: varnishArgs})
	begin, err := now()
	if err != nil {
		return err
	}
	h, err := b.meter(ctx, varnish.URL+"/"+station+"/", edgeEarTime)
	if err != nil {
		return err
	}
	end, err := now()
	if err != nil {
		return err
	}
	b.reportEar("mouth to ear behind Varnish, profile "+profile, target, h, end.since(begin))
	return nil
}
