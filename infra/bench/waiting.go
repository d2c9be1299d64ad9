package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"longwave/ingest/pcm"
	"longwave/packager"
)

const (
	waitingListeners = 10_000
	waitingWaves     = 10
	bareWaves        = 5 // of the server to compare with
	// waitingProfile has parts of 0.96 s: with shorter ones 10,000 listeners ask for
	// more than two cores can answer, and what is measured is the queue.
	waitingProfile = "calm"
	// waitingRendition is Opus, so that a part is there when its last frame is.
	waitingRendition = "opus-48"
)

// A watch is what was read of the node in one run.
type watch struct {
	empty, full int64         // its memory without and with listeners
	used, idle  time.Duration // its CPU over the waves, and what of it is none of theirs
	begin, end  moment
}

// measureWaiting lets 10,000 listeners wait, each for the next part on a connection
// of its own.
func measureWaiting(ctx context.Context, b *bench) error {
	most := int(fileLimit()) - 100
	listeners := min(waitingListeners, most)
	n, err := b.serve(ctx, nodeOptions{profile: waitingProfile, play: conversation, renditions: []string{waitingRendition, "aac-48"}})
	if err != nil {
		return err
	}
	defer n.stop()
	if err := errors.Join(n.ready(ctx), pause(ctx, 4*time.Second)); err != nil {
		return err
	}
	a, w, err := b.waitFor(ctx, n.pid(), n.base, crowdSize{listeners, waitingWaves})
	if err != nil {
		return err
	}
	b.reportWaiting(listeners, a, w)
	n.stop()
	bare, err := b.startBare(ctx)
	if err != nil {
		return err
	}
	defer bare.stop()
	a, w, err = b.waitFor(ctx, bare.pid(), strings.TrimSuffix(bare.url, "/file"), crowdSize{listeners, bareWaves})
	if err != nil {
		return fmt.Errorf("bare net/http: %w", err)
	}
	b.reportBareWaiting(listeners, a, w)
	return nil
}

// waitFor has listeners of a server wait for so many parts and watches it meanwhile.
func (b *bench) waitFor(ctx context.Context, pid int, base string, size crowdSize) (audience, watch, error) {
	var w watch
	idle, err := idleRate(ctx, pid, 3*time.Second)
	if err != nil {
		return audience{}, w, err
	}
	if w.empty, err = resident(pid); err != nil {
		return audience{}, w, err
	}
	var before, after time.Duration
	o := order{
		Server: strings.TrimPrefix(base, "http://"), Profile: waitingProfile, Renditions: []string{waitingRendition},
		Listeners: size.listeners, Waves: size.waves,
	}
	a, err := b.crowd(ctx, o, func() (err error) {
		if w.begin, err = now(); err == nil {
			before, err = cpuTime(pid)
		}
		return err
	}, func() (err error) {
		if w.full, err = resident(pid); err != nil {
			return err
		}
		if after, err = cpuTime(pid); err == nil {
			w.end, err = now()
		}
		return err
	})
	w.used = after - before
	w.idle = time.Duration(idle * float64(w.end.at.Sub(w.begin.at)))
	return a, w, err
}

// A crowdSize is how many listeners wait, and for how many parts.
type crowdSize struct{ listeners, waves int }

// crowd runs a process of listeners; begin and end are called when what counts does.
// Every answer must be a 200.
func (b *bench) crowd(ctx context.Context, o order, begin, end func() error) (audience, error) {
	var a audience
	self, err := os.Executable()
	if err != nil {
		return a, err
	}
	text, err := json.Marshal(o)
	if err != nil {
		return a, err
	}
	cmd := exec.CommandContext(ctx, self, "listeners", string(text))
	out, in, err := os.Pipe()
	if err != nil {
		return a, err
	}
	defer out.Close()
	cmd.Stdout = in
	c, err := b.start("listeners", cmd)
	in.Close()
	if err != nil {
		return a, err
	}
	defer c.stop()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		switch line := lines.Text(); line {
		case "begin":
			err = begin()
		case "end":
			err = end()
		default:
			err = json.Unmarshal([]byte(line), &a)
		}
		if err != nil {
			return a, err
		}
	}
	if a.Bad > 0 {
		return a, fmt.Errorf("%d answers were not 200, the first %q", a.Bad, a.FirstBad)
	}
	if a.Answers == 0 {
		<-c.done
		return a, fmt.Errorf("the listeners reported nothing: %w: %s", errors.Join(c.err, lines.Err(), io.ErrUnexpectedEOF), c.said())
	}
	return a, nil
}

// reportWaiting enters the figures of a run.
func (b *bench) reportWaiting(listeners int, a audience, w watch) {
	t := a.times(listeners)
	ld := w.end.since(w.begin)
	enter := func(f figure) {
		f.Name, f.load = strconv.Itoa(listeners)+" listeners: "+f.Name, ld
		b.enter(f)
	}
	enter(figure{
		Name: "memory of each", Value: w.memory(listeners), Unit: "KiB", Target: new(48.0), Steady: true,
		Notes: fmt.Sprintf("the node went from %d to %d MiB; sockets in the kernel are not counted", w.empty>>20, w.full>>20),
	})
	enter(figure{
		Name: "waking one", Value: w.wakeUp(a), Unit: "us CPU", Target: new(30.0),
		Notes: fmt.Sprintf("%d answers in %d waves, gzipped deltas of %d bytes", a.Answers, len(a.Waves), int(a.Bytes)/a.Answers),
	})
	waves := float64(len(a.Waves))
	enter(figure{
		Name: "last after the first", Value: round(median(t.spread), 1), Unit: "ms", Target: new(200.0),
		Notes: fmt.Sprintf("median wave, %s; %d of %d waves complete; a wave takes the node %.0f ms of CPU and the listeners' process, on the same %d cores, %.0f ms",
			spread(t.spread), t.complete, len(a.Waves), millis(w.used-w.idle)/waves, b.report.Machine.Cores, millis(a.CPU)/waves),
	})
	enter(figure{
		Name: "last after the part's end", Value: round(median(t.last), 1), Unit: "ms", Target: new(200.0),
		Notes: fmt.Sprintf("by the clock, so with mixing, encoding and storing; first %.1f ms, p99 %.0f ms, last %s", median(t.first), median(t.p99), spread(t.last)),
	})
}

// reportBareWaiting enters what a server takes that does nothing but wait and answer.
func (b *bench) reportBareWaiting(listeners int, a audience, w watch) {
	t := a.times(listeners)
	b.enter(figure{
		Name: "bare net/http: waking one", Value: w.wakeUp(a), Unit: "us CPU", load: w.end.since(w.begin),
		Notes: fmt.Sprintf("%s KiB each; last after the first %s ms (%s); answers of %d bytes", number(w.memory(listeners)), number(median(t.spread)), spread(t.spread), int(a.Bytes)/a.Answers),
	})
}

// memory is what a listener takes, in KiB.
func (w watch) memory(listeners int) float64 {
	return round(float64(w.full-w.empty)/1024/float64(listeners), 1)
}

// wakeUp is the CPU that the server spent on an answer, in microseconds.
func (w watch) wakeUp(a audience) float64 {
	return round(micros(w.used-w.idle)/float64(a.Answers), 2)
}

// waveTimes are milliseconds, a value a wave: since the part's end by the clock, but
// spread from the first answer to the last.
type waveTimes struct {
	first, last, p99, spread []float64
	complete                 int // waves in which everybody was answered
}

func (a audience) times(listeners int) waveTimes {
	var t waveTimes
	for _, v := range a.Waves {
		if v.Answers == listeners {
			t.complete++
		}
		t.first = append(t.first, millis(v.First))
		t.last = append(t.last, millis(v.Last))
		t.p99 = append(t.p99, millis(v.P99))
		t.spread = append(t.spread, millis(v.Last-v.First))
	}
	return t
}

func millis(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

// partEnd is when the last sample of a part is at the input.
func partEnd(msn int64, part int, p packager.Profile) time.Time {
	return (packager.SegmentPos(msn) + pcm.Pos(part+1)*p.PartSamples).Time()
}
