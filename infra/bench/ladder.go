package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"longwave/packager"
)

const (
	ladderSample  = 15 * time.Second
	ladderAlone   = 10 * time.Second
	ladderSamples = 3 // side by side
	ladderSettle  = 3 * time.Second
)

// A contender is a process that encodes the ladder live. Its samples are percent of
// a core.
type contender struct {
	*child
	alone, beside []float64
}

// measureLadder encodes the default ladder live: the node alone, then side by side
// with ffmpeg on the same file, then ffmpeg alone.
func measureLadder(ctx context.Context, b *bench) error {
	begin, err := now()
	if err != nil {
		return err
	}
	input := filepath.Join(b.tmp, "conversation.wav")
	if err := command(ctx, "ffmpeg", "-v", "error", "-y", "-i", conversation, "-ar", "48000", "-ac", "2", input); err != nil {
		return err
	}
	n, err := b.serve(ctx, nodeOptions{profile: "low", play: input})
	if err != nil {
		return err
	}
	defer n.stop()
	if err := errors.Join(n.ready(ctx), pause(ctx, ladderSettle)); err != nil {
		return err
	}
	ours := &contender{child: n.child}
	if err := sample(ctx, &ours.alone, ours); err != nil {
		return err
	}
	same, err := b.ffmpegLadder(ctx, input, "fast")
	if err != nil {
		return err
	}
	defer same.stop()
	usual, err := b.ffmpegLadder(ctx, input, "twoloop")
	if err != nil {
		return err
	}
	defer usual.stop()
	if err := pause(ctx, ladderSettle); err != nil {
		return err
	}
	for range ladderSamples {
		if err := sampleTogether(ctx, ours, same, usual); err != nil {
			return err
		}
	}
	n.stop()
	usual.stop()
	if err := sample(ctx, &same.alone, same); err != nil {
		return err
	}
	b.reportLadder(begin, ours, same, usual)
	return nil
}

func (b *bench) reportLadder(begin moment, ours, same, usual *contender) {
	us, them, twoloop := median(ours.beside), median(same.beside), median(usual.beside)
	b.add(begin, figure{
		Name: "ours against ffmpeg as it comes", Value: round(us/twoloop, 2), Unit: "x", Target: new(1.2), Steady: true,
		Notes: "side by side: mixing, encoding, packaging and storing against ffmpeg -re to HLS files",
	})
	b.add(begin, figure{
		Name: "ours against ffmpeg with our AAC coder", Value: round(us/them, 2), Unit: "x", Target: new(1.2), Steady: true,
		Notes: fmt.Sprintf("the cheaper one, fast, where ffmpeg takes twoloop; each alone %.2f", median(ours.alone)/median(same.alone)),
	})
	b.add(begin, figure{
		Name: "longwave serve", Value: round(us, 2), Unit: "% of a core",
		Notes: fmt.Sprintf("the whole process and its decoder; %s in %d samples of %.0f s; alone %s", spread(ours.beside), ladderSamples, ladderSample.Seconds(), number(median(ours.alone))),
	})
	b.add(begin, figure{Name: "ffmpeg, AAC coder fast", Value: round(them, 2), Unit: "% of a core", Notes: fmt.Sprintf("%s; alone %s", spread(same.beside), number(median(same.alone)))})
	b.add(begin, figure{Name: "ffmpeg, AAC coder twoloop", Value: round(twoloop, 2), Unit: "% of a core", Notes: spread(usual.beside)})
}

// ffmpegLadder starts ffmpeg, which encodes the default ladder in real time to HLS
// files, as Longwave does.
func (b *bench) ffmpegLadder(ctx context.Context, input, aacCoder string) (*contender, error) {
	dir, err := os.MkdirTemp(b.tmp, "ffmpeg")
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "ffmpeg", ffmpegArguments(packager.DefaultLadder(), input, aacCoder)...)
	cmd.Dir = dir
	c, err := b.start("ffmpeg", cmd)
	if err != nil {
		return nil, err
	}
	return &contender{child: c}, nil
}

func ffmpegArguments(ladder []packager.Rung, input, aacCoder string) []string {
	args := []string{"-v", "error", "-nostdin", "-re", "-stream_loop", "-1", "-i", input}
	var streams []string
	for i, r := range ladder {
		n := strconv.Itoa(i)
		args = append(args, "-map", "0:a", "-ac:a:"+n, strconv.Itoa(r.Channels), "-b:a:"+n, strconv.Itoa(r.Bitrate))
		switch r.Codec {
		case "opus":
			args = append(args, "-c:a:"+n, "libopus")
		case "aac":
			args = append(args, "-c:a:"+n, "aac", "-aac_coder:a:"+n, aacCoder)
		}
		streams = append(streams, "a:"+n)
	}
	return append(args, "-f", "hls", "-hls_segment_type", "fmp4", "-hls_time", "1.92", "-hls_list_size", "32",
		"-hls_flags", "delete_segments", "-var_stream_map", strings.Join(streams, " "), "-hls_fmp4_init_filename", "init-%v.mp4",
		"-hls_segment_filename", "%v-%d.m4s", "%v.m3u8")
}

// sample adds what c used in a span of time to a list.
func sample(ctx context.Context, to *[]float64, c *contender) error {
	used, err := usage(ctx, ladderAlone, c)
	if err == nil {
		*to = append(*to, used[0])
	}
	return err
}

// sampleTogether adds what each used in the same span of time.
func sampleTogether(ctx context.Context, contenders ...*contender) error {
	used, err := usage(ctx, ladderSample, contenders...)
	if err != nil {
		return err
	}
	for i, c := range contenders {
		c.beside = append(c.beside, used[i])
	}
	return nil
}

// usage returns the CPU that processes and what they started use, in percent of a
// core.
func usage(ctx context.Context, span time.Duration, contenders ...*contender) ([]float64, error) {
	begin := time.Now()
	before := make([]time.Duration, len(contenders))
	used := make([]float64, len(contenders))
	var err error
	for i, c := range contenders {
		if before[i], err = familyTime(c.pid()); err != nil {
			return nil, fmt.Errorf("%w: %s", err, c.said())
		}
	}
	if err := pause(ctx, span); err != nil {
		return nil, err
	}
	span = time.Since(begin)
	for i, c := range contenders {
		after, err := familyTime(c.pid())
		if err != nil {
			return nil, fmt.Errorf("%w: %s", err, c.said())
		}
		used[i] = 100 * (after - before[i]).Seconds() / span.Seconds()
	}
	return used, nil
}

// command runs a program and returns what it said when it failed.
func command(ctx context.Context, name string, args ...string) error {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return nil
}
