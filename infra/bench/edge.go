package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"longwave/ingest/pcm"
	"longwave/packager"
	"longwave/packager/hls"
)

// An edge is how far the newest part of a rendition was behind the clock, each time
// that a blocking reload was answered.
type edge struct {
	rendition string
	delays    []float64 // ms
}

// follow reads every rendition of a node by blocking reloads for some time.
func (n *node) follow(ctx context.Context, span time.Duration) ([]edge, error) {
	edges := make([]edge, len(packager.DefaultLadder()))
	end := time.Now().Add(span)
	g, ctx := errgroup.WithContext(ctx)
	for i, r := range packager.DefaultLadder() {
		e := &edges[i]
		e.rendition = r.Name
		g.Go(func() error {
			m, err := n.playlist(ctx, r.Name+"/live.m3u8")
			for err == nil && time.Now().Before(end) {
				next := m.Next()
				text, failed := get(ctx, fmt.Sprintf("%s?_HLS_msn=%d&_HLS_part=%d", n.url(r.Name+"/live.m3u8"), next.MSN, next.Part))
				at := time.Now()
				if err = failed; err != nil {
					break
				}
				if m, err = hls.ParseMedia(text); err == nil {
					e.delays = append(e.delays, millis(at.Sub(newestEnd(m))))
				}
			}
			if err == nil && len(e.delays) == 0 {
				err = errors.New("no blocking reload was answered")
			}
			return err
		})
	}
	return edges, g.Wait()
}

// newestEnd is the PROGRAM-DATE-TIME at the end of the newest part. Durations are
// written 10 us low.
func newestEnd(m *hls.Media) time.Time {
	const short = 10 * time.Microsecond
	s := m.Open
	if len(s.Parts) == 0 {
		s = m.Segments[len(m.Segments)-1]
		return s.PDT.Add(s.Duration + short)
	}
	end := s.PDT
	for _, p := range s.Parts {
		end = end.Add(p.Duration + short)
	}
	return end
}

// codecDelay is how long an encoder holds sound back: AAC looks two frames ahead,
// Opus within its frame.
func codecDelay(rendition string) time.Duration {
	if strings.HasPrefix(rendition, "aac") {
		return pcm.Duration(2048)
	}
	return 0
}

// reportEdge enters the worst rendition, and says what each one had.
func (b *bench) reportEdge(profile string, edges []edge, ld load) {
	p50, p99 := math.Inf(-1), math.Inf(-1)
	var notes []string
	for _, e := range edges {
		own := millis(codecDelay(e.rendition))
		mid, late := percentile(e.delays, 50), percentile(e.delays, 99)
		p50, p99 = max(p50, mid-own), max(p99, late-own)
		notes = append(notes, fmt.Sprintf("%s %.1f/%.1f", e.rendition, mid, late))
	}
	name := "live edge, profile " + profile + ", beyond the encoder: "
	b.enter(figure{
		Name: name + "p50", Value: round(p50, 1), Unit: "ms", Target: new(30.0), load: ld,
		Notes: fmt.Sprintf("worst rendition; p50/p99 of each with the encoder's delay (AAC %.1f): %s; %d answers each", millis(codecDelay("aac")), strings.Join(notes, ", "), len(edges[0].delays)),
	})
	b.enter(figure{Name: name + "p99", Value: round(p99, 1), Unit: "ms", Target: new(100.0), load: ld})
}
