package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os/exec"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"longwave/ingest/pcm"
	"longwave/ingest/whip/whiptest"
	"longwave/packager"
	"longwave/packager/hls"
)

const (
	eightSpeakers = 8
	eightSettle   = 4 * time.Second
	eightSpan     = 12 * time.Second
	hogsSpan      = 10 * time.Second
)

// measureEight has eight speakers talk at once, each of whom hears the others, and
// then lets others take all processors for a while.
func measureEight(ctx context.Context, b *bench) error {
	ctx, s, err := b.openStage(ctx, nodeOptions{profile: "low"})
	if err != nil {
		return err
	}
	defer s.close()
	if err := pause(ctx, eightSettle); err != nil {
		return err
	}
	alone, err := usage(ctx, 5*time.Second, &contender{child: s.child})
	if err != nil {
		return err
	}
	if err := s.eight(ctx); err != nil {
		return err
	}
	if err := pause(ctx, eightSettle); err != nil {
		return err
	}
	begin, err := now()
	if err != nil {
		return err
	}
	used, err := usage(ctx, eightSpan, &contender{child: s.child})
	if err != nil {
		return err
	}
	memory, err := resident(s.pid())
	if err != nil {
		return err
	}
	b.add(begin, figure{
		Name: "8 speakers by WHIP with returns, default ladder", Value: round(used[0], 1), Unit: "% of a core", Target: new(40.0),
		Notes: fmt.Sprintf("the whole process for %.0f s; %s with nobody there; %.0f MiB resident", eightSpan.Seconds(), number(round(alone[0], 1)), float64(memory)/(1<<20)),
	})
	return b.hogged(ctx, s)
}

// eight lets the speakers come, all at different pitches, and listen to their returns.
func (s *stage) eight(ctx context.Context) error {
	tokens := make([]string, eightSpeakers)
	g, gctx := errgroup.WithContext(ctx)
	for i := range tokens {
		g.Go(func() (err error) {
			// The stage's own context: they speak on when all have come.
			tokens[i], err = s.enter(ctx, fmt.Sprintf("Speaker %d", i+1), whiptest.Voice{Hz: 200 + 60*float64(i), Amp: 0.1}, whiptest.Options{})
			return errors.Join(err, gctx.Err())
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, token := range tokens {
		l, err := s.hear(ctx, token)
		if err != nil {
			return err
		}
		if _, err := l.Next(ctx); err != nil {
			return fmt.Errorf("a return is silent: %w", err)
		}
		s.speaking.Go(func() {
			<-ctx.Done()
			_ = l.Vanish() // the node ends as well
		})
	}
	return s.onAir(ctx, eightSpeakers)
}

// hogged lets as many processes as there are processors count to infinity, and looks
// for what listeners got meanwhile.
func (b *bench) hogged(ctx context.Context, s *stage) error {
	begin, err := now()
	if err != nil {
		return err
	}
	before, err := s.lateness(ctx)
	if err != nil {
		return err
	}
	stop, err := b.hogs(ctx)
	if err != nil {
		return err
	}
	from := time.Now()
	edges, err := s.follow(ctx, hogsSpan)
	to := time.Now()
	stop()
	if err != nil {
		return err
	}
	after, err := s.lateness(ctx)
	if err != nil {
		return err
	}
	end, err := now()
	if err != nil {
		return err
	}
	r, err := s.record(ctx, from, to)
	if err != nil {
		return err
	}
	gap, places, err := s.timeline(ctx, from)
	if err != nil {
		return err
	}
	longest, _, err := dropouts(r.span(from, to))
	if err != nil {
		return err
	}
	ld := end.since(begin)
	b.enter(figure{
		Name: "the same with CPU hogs on all cores: longest gap in the timeline", Value: round(gap, 1), Unit: "ms", Target: new(0.0), Steady: true, load: ld,
		Notes: fmt.Sprintf("PROGRAM-DATE-TIME and tfdt of %d segments of all renditions; %.0f s", places, hogsSpan.Seconds()),
	})
	b.enter(figure{Name: "with CPU hogs: longest silence in the programme", Value: longest, Unit: "ms", load: ld, Notes: "in aac-96, decoded; the eight speakers run on the same processors, and what they send late is not there"})
	late := math.Inf(-1)
	for _, e := range edges {
		late = max(late, percentile(e.delays, 100))
	}
	b.enter(figure{
		Name: "with CPU hogs: live edge, latest of all parts", Value: round(late, 0), Unit: "ms", load: ld,
		Notes: fmt.Sprintf("behind the clock; %.0f of %.0f frames were mixed more than 20 ms late", after.late-before.late, after.all-before.all),
	})
	return nil
}

// hogs starts a process for each processor that does nothing but take it.
func (b *bench) hogs(ctx context.Context) (stop func(), err error) {
	var all []*child
	stop = sync.OnceFunc(func() {
		for _, c := range all {
			c.kill()
		}
	})
	for range describeMachine().Cores {
		c, err := b.start("hog", exec.CommandContext(ctx, "sh", "-c", "while :; do :; done"))
		if err != nil {
			stop()
			return nil, err
		}
		all = append(all, c)
	}
	return stop, nil
}

// A lateness is how many frames were mixed, and how many of them too late.
type lateness struct{ all, late float64 }

func (n *node) lateness(ctx context.Context) (lateness, error) {
	text, err := get(ctx, n.metrics+"/metrics")
	if err != nil {
		return lateness{}, err
	}
	return parseLateness(string(text))
}

// parseLateness reads the histogram of the one station.
func parseLateness(text string) (lateness, error) {
	const name = "longwave_programme_frame_lateness_seconds_bucket"
	var l lateness
	inTime := math.Inf(-1)
	for line := range strings.Lines(text) {
		series, value, ok := strings.Cut(strings.TrimSpace(line), "} ")
		if !ok || !strings.HasPrefix(series, name) {
			continue
		}
		_, le, _ := strings.Cut(series, `le="`)
		bound, err := strconv.ParseFloat(strings.TrimRight(le, `"`), 64)
		if err != nil {
			return l, fmt.Errorf("%s: %w", name, err)
		}
		count, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return l, fmt.Errorf("%s: %w", name, err)
		}
		if l.all = max(l.all, count); bound <= pcm.FrameDuration.Seconds() {
			inTime = max(inTime, count)
		}
	}
	if math.IsInf(inTime, -1) {
		return l, fmt.Errorf("no %s up to 20 ms", name)
	}
	l.late = l.all - inTime
	return l, nil
}

// timeline returns the longest gap in ms between segments of any rendition from a
// moment on, as the playlist and the media tell their times, and how many there are.
func (n *node) timeline(ctx context.Context, from time.Time) (gap float64, segments int, err error) {
	for _, rung := range packager.DefaultLadder() {
		m, err := n.playlist(ctx, rung.Name+"/live.m3u8")
		if err != nil {
			return 0, 0, err
		}
		list := slices.DeleteFunc(m.Segments, func(s hls.Segment) bool { return s.PDT.Before(from.Add(-2 * time.Second)) })
		times := make([]uint64, len(list))
		for i, s := range list {
			data, err := get(ctx, n.url(path.Join(rung.Name, s.URI)))
			if err != nil {
				return 0, 0, err
			}
			if times[i], err = decodeTime(data); err != nil {
				return 0, 0, fmt.Errorf("%s of %s: %w", s.URI, rung.Name, err)
			}
		}
		gap = max(gap, longestGap(list, times))
		segments += len(list)
	}
	return gap, segments, nil
}

// longestGap compares when segments begin with when those before them end, in ms.
func longestGap(list []hls.Segment, times []uint64) (gap float64) {
	const rounding = 1.0 // ms of PROGRAM-DATE-TIME
	for i := 1; i < len(list); i++ {
		if list[i].Gap || list[i].Discontinuity {
			gap = max(gap, millis(list[i].Duration))
		}
		media := float64(times[i]-times[i-1])/pcm.Rate*1000 - millis(pcm.Duration(packager.SegmentSamples))
		wall := millis(list[i].PDT.Sub(list[i-1].PDT)) - millis(pcm.Duration(packager.SegmentSamples))
		for _, off := range []float64{media, wall} {
			if off = math.Abs(off); off >= rounding {
				gap = max(gap, off)
			}
		}
	}
	return gap
}

// decodeTime returns the first baseMediaDecodeTime of a segment (ISO/IEC 14496-12
// section 8.8.12), in samples.
func decodeTime(segment []byte) (uint64, error) {
	_, after, ok := strings.Cut(string(segment[:min(len(segment), 4096)]), "tfdt")
	if !ok || len(after) < 12 {
		return 0, errors.New("no tfdt")
	}
	if after[0] == 0 {
		return uint64(binary.BigEndian.Uint32([]byte(after[4:]))), nil
	}
	return binary.BigEndian.Uint64([]byte(after[4:])), nil
}
