// Package file puts a file or standard input on air through the same gate as
// everybody else.
//
//	FILE ── ffmpeg, sandboxed, sees only FILE ── 2 s ahead ──┐
//	                                                          ├─> lane.Push
//	standard input: WAV, or PCM as Options say ───────────────┘
//
// A file is any container and codec that ffmpeg knows; the operator named it, so
// its format is not restricted to what speakers may send. When it loops the next
// pass is decoded before the last has been played, so the sound has no gap. A
// decoder that dies is started again where it was.
//
// The lane sets the pace: Push blocks while it holds enough. Standard input that
// comes slower than that, because something live makes it, is taken as it comes.
//
// This package does not fetch from a network and does not mix.
package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"longwave/ingest"
	"longwave/ingest/decode"
	"longwave/ingest/decode/ffmpeg"
	"longwave/ingest/pcm"
)

// lane is a speaker's way to the mixer: *ingest.Lane.
type lane interface {
	Push(ingest.Packet) error
	Title(string)
	Close() error
}

// gate says who may speak: *ingest.Gate, or what lets the operator's own inputs
// through without a token.
type gate[L lane] interface {
	Open(context.Context, ingest.Claim, decode.Format) (L, error)
}

// Options are what a player may be told.
type Options struct {
	// Station is where the sound goes. It must be set.
	Station string
	// Path is the file to play; "-" is standard input.
	Path string
	// Loop plays the file again and again instead of once.
	Loop bool
	// Title is the programme's title while this plays; empty: none.
	Title string
	// Format is what standard input holds when it is not WAV; zero: s16le, 48 kHz,
	// stereo.
	Format decode.Format
	// Stdin is read for "-"; nil: os.Stdin.
	Stdin io.Reader
	// FFmpeg is the program; empty: "ffmpeg" on the path.
	FFmpeg string
	// Log is where the start, the end and restarts are told; nil: nowhere.
	Log *slog.Logger
}

// A Player plays one file.
type Player struct {
	open func(context.Context, ingest.Claim, decode.Format) (lane, error)
	o    Options
	file *os.File // nil for standard input
}

// New opens the file, so that a mistake in its name is told at the start.
func New[L lane](g gate[L], o Options) (*Player, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Format == (decode.Format{}) {
		o.Format = decode.Format{Codec: decode.S16LE, Rate: pcm.Rate, Channels: pcm.Channels}
	}
	if o.Stdin == nil {
		o.Stdin = os.Stdin
	}
	p := &Player{o: o, open: func(ctx context.Context, c ingest.Claim, f decode.Format) (lane, error) {
		return g.Open(ctx, c, f)
	}}
	if o.Path == "-" {
		if o.Loop {
			return nil, errors.New("play standard input: it cannot be looped")
		}
		return p, nil
	}
	file, err := os.Open(o.Path)
	if err != nil {
		return nil, fmt.Errorf("play: %w", err)
	}
	if fi, err := file.Stat(); err != nil || !fi.Mode().IsRegular() {
		_ = file.Close()
		return nil, fmt.Errorf("play %s: not a file", o.Path)
	}
	p.file = file
	return p, nil
}

// Run plays until the end, until the lane is closed from the other side, or
// until ctx ends. It returns nil at the end and when the lane was closed. The
// lane plays out what it was given. Run is called once.
func (p *Player) Run(ctx context.Context) error {
	if p.file == nil {
		return p.live(ctx)
	}
	defer func() { _ = p.file.Close() }()
	l, err := p.lane(ctx, filepath.Base(p.o.Path), decode.Format{Codec: decode.F32LE, Rate: pcm.Rate, Channels: pcm.Channels})
	if err != nil {
		return err
	}
	return p.end(ctx, l, p.play(ctx, l))
}

// lane opens a lane for what is called name.
func (p *Player) lane(ctx context.Context, name string, f decode.Format) (lane, error) {
	transport := "file"
	if p.file == nil {
		transport = "stdin"
	}
	l, err := p.open(ctx, ingest.Claim{Station: p.o.Station, Transport: transport, Remote: p.o.Path, Name: name}, f)
	if err != nil {
		return nil, fmt.Errorf("play %s on %q: %w", p.o.Path, p.o.Station, err)
	}
	if p.o.Title != "" {
		l.Title(p.o.Title)
	}
	p.o.Log.InfoContext(ctx, "playing", "path", p.o.Path, "station", p.o.Station, "format", f.String(), "loop", p.o.Loop)
	return l, nil
}

// end closes the lane after err, which is nil or io.EOF at the end.
func (p *Player) end(ctx context.Context, l lane, err error) error {
	closeErr := l.Close()
	switch {
	case err == nil || errors.Is(err, io.EOF):
		err = closeErr
	case errors.Is(err, ingest.ErrClosed):
		p.o.Log.InfoContext(ctx, "playing ended by the gate", "path", p.o.Path)
		return nil
	}
	if err != nil {
		return fmt.Errorf("play %s: %w", p.o.Path, err)
	}
	p.o.Log.InfoContext(ctx, "played to the end", "path", p.o.Path)
	return nil
}

// ffmpegOptions are the decoder's.
func (p *Player) ffmpegOptions() ffmpeg.Options {
	return ffmpeg.Options{Path: p.o.FFmpeg, Log: p.o.Log}
}
