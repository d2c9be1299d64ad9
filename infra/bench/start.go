package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path"
	"time"

	"longwave/packager"
	"longwave/packager/hls"
)

// conversation is the sound of every node that is not measured by ear.
const conversation = "infra/demo/conversation.ogg"

// starts is how often a node is started anew.
const starts = 3

// A first is how long after the start of the process something could first be had.
type first struct {
	playlist  time.Duration // a playlist whose segments can be had
	programme time.Duration // a part of the programme, and not of the silence before
}

// measureStart starts a node with nothing kept, and once more after a kill -9.
func measureStart(ctx context.Context, b *bench) error {
	begin, err := now()
	if err != nil {
		return err
	}
	var playlists, programmes []float64
	var last *node
	for range starts {
		if last != nil {
			last.stop()
		}
		n, f, err := b.firstSound(ctx, "")
		if err != nil {
			return err
		}
		last = n
		playlists = append(playlists, f.playlist.Seconds())
		programmes = append(programmes, f.programme.Seconds())
	}
	b.add(begin, figure{
		Name: "first playable playlist", Value: median(playlists), Unit: "s", Target: new(3.0),
		Notes: fmt.Sprintf("process start to playlist, init segment and newest segment by HTTP, which ffmpeg decodes; %s in %d starts", spread(playlists), starts),
	})
	b.add(begin, figure{
		Name: "first part of the programme", Value: median(programmes), Unit: "s",
		Notes: "up to 1.92 s of it are the wait for the next segment on the grid, then a part of 0.32 s; " + spread(programmes),
	})
	if begin, err = now(); err != nil {
		return err
	}
	last.kill()
	n, f, err := b.firstSound(ctx, last.data)
	if err != nil {
		return err
	}
	n.stop()
	b.add(begin, figure{
		Name: "the same after kill -9", Value: f.playlist.Seconds(), Unit: "s",
		Notes: fmt.Sprintf("with the window of the run before from disk; programme after %s s", number(f.programme.Seconds())),
	})
	return nil
}

// firstSound starts a node over a data folder, empty for a new one, and times it.
func (b *bench) firstSound(ctx context.Context, data string) (*node, first, error) {
	var f first
	n, err := b.serve(ctx, nodeOptions{profile: "low", play: conversation, data: data})
	if err != nil {
		return nil, f, err
	}
	var sound []byte
	for sound == nil {
		if sound, err = n.newestSegment(ctx); err == nil {
			break
		}
		if time.Since(n.started) > 10*time.Second {
			return nil, f, fmt.Errorf("nothing to play after 10 s: %w: %s", err, n.said())
		}
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			return nil, f, err
		}
	}
	f.playlist = time.Since(n.started)
	if err := n.nextPart(ctx); err != nil {
		return nil, f, err
	}
	f.programme = time.Since(n.started)
	return n, f, decodes(ctx, sound)
}

// newestSegment goes the way of a player from the multivariant playlist to the
// newest segment, and returns it behind its init segment.
func (n *node) newestSegment(ctx context.Context) ([]byte, error) {
	text, err := get(ctx, n.url("index.m3u8"))
	if err != nil {
		return nil, err
	}
	mv, err := hls.ParseMultivariant(text)
	if err != nil {
		return nil, err
	}
	if len(mv.Variants) == 0 {
		return nil, fmt.Errorf("the multivariant playlist names nothing:\n%s", text)
	}
	m, err := n.playlist(ctx, mv.Variants[0].URI)
	if err != nil {
		return nil, err
	}
	if len(m.Segments) == 0 {
		return nil, fmt.Errorf("no segments")
	}
	newest := m.Segments[len(m.Segments)-1]
	var file []byte
	for _, uri := range []string{newest.Map.URI, newest.URI} {
		data, err := get(ctx, n.url(path.Join(path.Dir(mv.Variants[0].URI), uri)))
		if err != nil {
			return nil, err
		}
		file = append(file, data...)
	}
	return file, nil
}

func (n *node) playlist(ctx context.Context, uri string) (*hls.Media, error) {
	text, err := get(ctx, n.url(uri))
	if err != nil {
		return nil, err
	}
	return hls.ParseMedia(text)
}

// nextPart waits for the part after the newest one: at a start, the first one.
func (n *node) nextPart(ctx context.Context) error {
	const uri = "aac-48/live.m3u8"
	m, err := n.playlist(ctx, uri)
	if err != nil {
		return err
	}
	next := m.Next()
	_, err = n.playlist(ctx, fmt.Sprintf("%s?_HLS_msn=%d&_HLS_part=%d", uri, next.MSN, next.Part))
	return err
}

// decodes reports whether ffmpeg makes a segment's length of sound of a file.
func decodes(ctx context.Context, file []byte) error {
	cmd := exec.CommandContext(ctx, "ffmpeg", "-v", "error", "-xerror", "-i", "pipe:0", "-ac", "1", "-ar", "48000", "-f", "s16le", "pipe:1")
	cmd.Stdin = bytes.NewReader(file)
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("ffmpeg does not decode the newest segment: %w", err)
	}
	if got, want := len(out)/2, int(packager.SegmentSamples); got < want*9/10 {
		return fmt.Errorf("the newest segment decodes to %d samples, not %d", got, want)
	}
	return nil
}
