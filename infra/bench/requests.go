package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"time"

	"longwave/packager/hls"
)

const (
	requestRuns    = 3               // of which the median counts
	requestTime    = 3 * time.Second // of a run
	referenceTime  = time.Second     // of a run of a server to compare with
	requestsFamily = "aac-48"        // the rendition of which files are asked for
)

// A pull is what wrk says of a run, with what it cost the server.
type pull struct {
	requests, bad int
	perSecond     float64
	cost          time.Duration // CPU of the server a request
}

// A kind of request, by what it asks for.
type request struct {
	name     string
	target   *float64 // microseconds of CPU
	encoding string   // Accept-Encoding
	note     string
	path     func(m *hls.Media) string // below the rendition
}

func newestPart(m *hls.Media) string {
	if n := len(m.Open.Parts); n > 0 {
		return m.Open.Parts[n-1].URI
	}
	parts := m.Segments[len(m.Segments)-1].Parts
	return parts[len(parts)-1].URI
}

func newestWhole(m *hls.Media) string { return m.Segments[len(m.Segments)-1].URI }

func livePlaylist(*hls.Media) string { return "live.m3u8" }

// The targets are microseconds of one machine on one day. The ratios to a bare server
// travel better, but nobody has promised any: they have no target.
var requests = []request{
	{"playlist", new(15.0), "identity", "live.m3u8, no directives", livePlaylist},
	{"playlist, gzipped", nil, "gzip", "the same as browsers ask for it", livePlaylist},
	{"part", new(14.0), "identity", "newest part", newestPart},
	{"segment", new(20.0), "identity", "newest segment", newestWhole},
}

// measureRequests has wrk ask for one file after the other, of the node and of two
// servers of the same bytes in turn, so that what happens meanwhile happens to all.
func measureRequests(ctx context.Context, b *bench) error {
	n, err := b.serve(ctx, nodeOptions{profile: "low", play: conversation, renditions: []string{requestsFamily}})
	if err != nil {
		return err
	}
	defer n.stop()
	if err := errors.Join(n.ready(ctx), pause(ctx, 4*time.Second)); err != nil {
		return err
	}
	idle, err := idleRate(ctx, n.pid(), 2*time.Second)
	if err != nil {
		return err
	}
	refs, err := b.references(ctx)
	if err != nil {
		return err
	}
	defer func() {
		for _, ref := range refs {
			ref.stop()
		}
	}()
	for _, r := range requests {
		if err := b.pullAll(ctx, n, r, idle, refs); err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
	}
	return nil
}

// pullAll measures one kind of request.
func (b *bench) pullAll(ctx context.Context, n *node, r request, idle float64, refs []*reference) error {
	begin, err := now()
	if err != nil {
		return err
	}
	var costs, rates []float64
	others := make([][]float64, len(refs))
	var size int
	for range requestRuns {
		m, err := n.playlist(ctx, requestsFamily+"/live.m3u8")
		if err != nil {
			return err
		}
		url := n.url(requestsFamily + "/" + r.path(m))
		data, err := getEncoded(ctx, url, r.encoding)
		if err != nil {
			return err
		}
		size = len(data)
		p, err := wrk(ctx, n.pid(), requestTime, url, "-H", "Accept-Encoding: "+r.encoding)
		if err != nil {
			return err
		}
		costs = append(costs, micros(p.cost)-idle*1e6/p.perSecond)
		rates = append(rates, p.perSecond)
		for i, ref := range refs {
			cost, err := ref.pull(ctx, data)
			if err != nil {
				return fmt.Errorf("%s: %w", ref.name, err)
			}
			others[i] = append(others[i], cost)
		}
	}
	f := figure{
		Name: r.name, Value: round(median(costs), 2), Unit: "us CPU", Target: r.target,
		Notes: fmt.Sprintf("%s %s, %d bytes; %s in %d runs; %.0f/s; beside it:", requestsFamily, r.note, size, spread(costs), requestRuns, median(rates)),
	}
	for i, ref := range refs {
		f.Notes += fmt.Sprintf(" %s %s us", ref.name, number(median(others[i])))
	}
	b.add(begin, f)
	b.add(begin, figure{
		Name: r.name + ", against bare net/http", Value: round(median(costs)/median(others[0]), 2), Unit: "x", Steady: true,
	})
	return nil
}

// idleRate is the CPU that a process uses when nobody asks it for anything, in
// seconds a second.
func idleRate(ctx context.Context, pid int, span time.Duration) (float64, error) {
	before, err := cpuTime(pid)
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	if err := pause(ctx, span); err != nil {
		return 0, err
	}
	after, err := cpuTime(pid)
	return (after - before).Seconds() / time.Since(begin).Seconds(), err
}

// wrk loads a URL, which is in args, over 32 connections and returns what that cost the process. Every
// answer must be a 200.
func wrk(ctx context.Context, pid int, span time.Duration, args ...string) (pull, error) {
	before, err := cpuTime(pid)
	if err != nil {
		return pull{}, err
	}
	args = append([]string{"-t1", "-c32", fmt.Sprintf("-d%ds", int(span.Seconds()))}, args...)
	out, err := exec.CommandContext(ctx, "wrk", args...).Output()
	if err != nil {
		return pull{}, fmt.Errorf("wrk: %w", err)
	}
	after, err := cpuTime(pid)
	if err != nil {
		return pull{}, err
	}
	p, err := parseWrk(string(out))
	if err != nil {
		return pull{}, err
	}
	if p.bad > 0 {
		return p, fmt.Errorf("%d of %d answers were not 200", p.bad, p.requests)
	}
	p.cost = (after - before) / time.Duration(p.requests)
	return p, nil
}

var (
	wrkRequests = regexp.MustCompile(`(\d+) requests in ([0-9.]+)(m?s)`)
	wrkRate     = regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`)
	wrkBad      = regexp.MustCompile(`Non-2xx or 3xx responses: (\d+)`)
	wrkErrors   = regexp.MustCompile(`Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)`)
)

// parseWrk reads what wrk 4 prints.
func parseWrk(text string) (pull, error) {
	n, rate := wrkRequests.FindStringSubmatch(text), wrkRate.FindStringSubmatch(text)
	if n == nil || rate == nil {
		return pull{}, fmt.Errorf("wrk said something else:\n%s", text)
	}
	var p pull
	p.requests, _ = strconv.Atoi(n[1]) // the expressions match numbers only
	p.perSecond, _ = strconv.ParseFloat(rate[1], 64)
	if p.requests == 0 || p.perSecond == 0 {
		return p, fmt.Errorf("wrk got no answer:\n%s", text)
	}
	for _, m := range [][]string{wrkBad.FindStringSubmatch(text), wrkErrors.FindStringSubmatch(text)} {
		for i := 1; i < len(m); i++ {
			k, _ := strconv.Atoi(m[i])
			p.bad += k
		}
	}
	return p, nil
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
