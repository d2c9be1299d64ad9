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
	waitingWaves     = 12
	// waitingProfile has parts of 0.96 s: with shorter ones 10,000 listeners ask for
	// more than two cores can answer, and what is measured is the queue.
	waitingProfile = "calm"
	// waitingRendition is Opus, so that a part is there when its last frame is.
	waitingRendition = "opus-48"
)

// A wave is one part, as all listeners got it. Times are since the part's end by
// the clock.
type wave struct {
	First   time.Duration `json:"first"`
	Last    time.Duration `json:"last"`
	Median  time.Duration `json:"median"`
	P99     time.Duration `json:"p99"`
	Answers int           `json:"answers"`
}

// An audience is what the process of the listeners reports at its end.
type audience struct {
	Waves   []wave        `json:"waves"`
	Answers int           `json:"answers"`
	Bad     int           `json:"bad"` // answers that were not 200
	Bytes   int64         `json:"bytes"`
	CPU     time.Duration `json:"cpu"` // of the listeners' process, in the waves
}

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
	a, w, err := b.crowd(ctx, n, listeners)
	if err != nil {
		return err
	}
	b.reportWaiting(listeners, a, w)
	return nil
}

// crowd starts the listeners and watches the node meanwhile.
func (b *bench) crowd(ctx context.Context, n *node, listeners int) (audience, watch, error) {
	var a audience
	var w watch
	var err error
	idle, err := idleRate(ctx, n.pid(), 3*time.Second)
	if err != nil {
		return a, w, err
	}
	if w.empty, err = resident(n.pid()); err != nil {
		return a, w, err
	}
	self, err := os.Executable()
	if err != nil {
		return a, w, err
	}
	cmd := exec.CommandContext(ctx, self, "listeners", strings.TrimPrefix(n.base, "http://"), strconv.Itoa(listeners), strconv.Itoa(waitingWaves))
	out, in, err := os.Pipe()
	if err != nil {
		return a, w, err
	}
	defer out.Close()
	cmd.Stdout = in
	c, err := b.start("listeners", cmd)
	in.Close()
	if err != nil {
		return a, w, err
	}
	defer c.stop()
	var before, after time.Duration
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		switch line := lines.Text(); line {
		case "begin":
			if w.begin, err = now(); err == nil {
				before, err = cpuTime(n.pid())
			}
		case "end":
			if w.full, err = resident(n.pid()); err != nil {
				return a, w, err
			}
			if after, err = cpuTime(n.pid()); err == nil {
				w.end, err = now()
			}
		default:
			err = json.Unmarshal([]byte(line), &a)
		}
		if err != nil {
			return a, w, err
		}
	}
	if a.Bad > 0 {
		return a, w, fmt.Errorf("%d answers were not 200", a.Bad)
	}
	if a.Answers == 0 {
		<-c.done
		return a, w, fmt.Errorf("the listeners reported nothing: %w: %s", errors.Join(c.err, lines.Err(), io.ErrUnexpectedEOF), c.said())
	}
	w.used = after - before
	w.idle = time.Duration(idle * float64(w.end.at.Sub(w.begin.at)))
	return a, w, nil
}

// reportWaiting enters the figures of a run.
func (b *bench) reportWaiting(listeners int, a audience, w watch) {
	var firsts, lasts, behind, p99 []float64
	complete := 0
	for _, v := range a.Waves {
		if v.Answers == listeners {
			complete++
		}
		firsts = append(firsts, millis(v.First))
		lasts = append(lasts, millis(v.Last-v.First))
		behind = append(behind, millis(v.Last))
		p99 = append(p99, millis(v.P99))
	}
	own := millis(a.CPU) / float64(len(a.Waves))
	work := millis(w.used-w.idle) / float64(len(a.Waves))
	ld := w.end.since(w.begin)
	enter := func(f figure) {
		f.load = ld
		b.enter(f)
	}
	who := strconv.Itoa(listeners) + " listeners: "
	enter(figure{
		Name: who + "memory of each", Value: round(float64(w.full-w.empty)/1024/float64(listeners), 1), Unit: "KiB", Target: new(48.0), Steady: true,
		Notes: fmt.Sprintf("the node went from %d to %d MiB; sockets in the kernel are not counted", w.empty>>20, w.full>>20),
	})
	enter(figure{
		Name: who + "waking one", Value: round(micros(w.used-w.idle)/float64(a.Answers), 2), Unit: "us CPU", Target: new(30.0),
		Notes: fmt.Sprintf("%d answers in %d waves, gzipped deltas of %d bytes", a.Answers, len(a.Waves), int(a.Bytes)/a.Answers),
	})
	enter(figure{
		Name: who + "last after the first", Value: round(median(lasts), 1), Unit: "ms", Target: new(200.0),
		Notes: fmt.Sprintf("median wave, %s; %d of %d waves complete; a wave takes the node %.0f ms of CPU and the listeners' process, on the same %d cores, %.0f ms",
			spread(lasts), complete, len(a.Waves), work, b.report.Machine.Cores, own),
	})
	enter(figure{
		Name: who + "last after the part's end", Value: round(median(behind), 1), Unit: "ms", Target: new(200.0),
		Notes: fmt.Sprintf("by the clock, so with mixing, encoding and storing; first %.1f ms, p99 %.0f ms, last %s", median(firsts), median(p99), spread(behind)),
	})
}

func millis(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

// partEnd is when the last sample of a part is at the input.
func partEnd(msn int64, part int, p packager.Profile) time.Time {
	return (packager.SegmentPos(msn) + pcm.Pos(part+1)*p.PartSamples).Time()
}
