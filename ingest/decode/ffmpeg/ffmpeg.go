// Package ffmpeg runs ffmpeg as a decoder: one long-lived process a source, in
// the sandbox, fed an elementary stream or clean Ogg pages by pipe and started
// again when it dies or hangs.
//
//	Write ──> pipe ──> ffmpeg (sandbox) ──> pipe ──> out(samples)
//	             guard: fed for 2 s without output ──> killed ──> started again
//
// ffmpeg is always told the format (-f), probes as little as it can and reads
// nothing but its pipe. It never gets -fflags nobuffer, which drops a frame.
//
// This package does not parse what it is given and does not keep what a dead
// process had not yet decoded: that sound is lost.
package ffmpeg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"longwave/ingest/decode/sandbox"
	"longwave/ingest/pcm"
)

// ErrGivenUp is wrapped by the error of a decoder whose process died more than
// five times within a minute.
var ErrGivenUp = errors.New("decoder failed too often")

// An Input says what the bytes are.
type Input struct {
	Demuxer string   // ffmpeg's name: "aac", "mp3", "ogg", "flac", "s16le"
	Args    []string // what the demuxer must be told
}

// Options are what a decoder may be told. The zero value is ready for use.
type Options struct {
	// Path is the program; empty: "ffmpeg" on the path.
	Path string
	// Log is where restarts are told; nil: nowhere.
	Log *slog.Logger
	// Restarted is called when a process is about to be started again; nil: not.
	Restarted func()
}

// find returns the program and how far it is shut in here.
func (o Options) find(ctx context.Context) (string, sandbox.Level, error) {
	path, err := o.look()
	if err != nil {
		return "", 0, err
	}
	log := o.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	level, err := sandbox.Detect(ctx, path, log, "-version")
	return path, level, err
}

func (o Options) look() (string, error) {
	name := o.Path
	if name == "" {
		name = "ffmpeg"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("find ffmpeg, which decodes everything but Opus (install the package ffmpeg): %w", err)
	}
	if path, err = filepath.Abs(path); err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		return "", fmt.Errorf("find ffmpeg: %w", err)
	}
	return path, nil
}

// Version returns the version of ffmpeg and the sandbox's level here, or an
// error that says what to install. It is meant for the program's start.
func Version(ctx context.Context, o Options) (version string, level sandbox.Level, err error) {
	path, level, err := o.find(ctx)
	if err != nil {
		return "", 0, err
	}
	b, err := exec.CommandContext(ctx, path, "-version").Output()
	if err != nil {
		return "", 0, fmt.Errorf("ask ffmpeg for its version: %w", err)
	}
	words := strings.Fields(string(b))
	if len(words) < 3 || words[0] != "ffmpeg" {
		return "", 0, fmt.Errorf("%s is not ffmpeg", path)
	}
	return words[2], level, nil
}

// A Decoder feeds one source to ffmpeg. One goroutine uses it.
type Decoder struct {
	ctx      context.Context //nolint:containedctx // the life of the source that the decoder belongs to
	in       Input
	out      func([]float32) error
	o        Options
	prime    []byte
	restarts restarts
	p        *process
	err      error
}

// New returns a decoder that gives interleaved stereo samples at 48 kHz to out,
// from a goroutine of its own; when out returns an error the decoder ends. The
// process starts with the first Write and ends with Close or ctx.
func New(ctx context.Context, in Input, out func(samples []float32) error, o Options) *Decoder {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Restarted == nil {
		o.Restarted = func() {}
	}
	return &Decoder{ctx: ctx, in: in, out: out, o: o}
}

// Prime says what a process that is started from now on is given before the
// bytes of Write: the stream's headers.
func (d *Decoder) Prime(headers []byte) { d.prime = headers }

// Write decodes b. It blocks while ffmpeg does not read, because out blocks or
// because it is being started again. Its error is out's, ctx's cause, or one
// that wraps [ErrGivenUp].
func (d *Decoder) Write(b []byte) error {
	for d.err == nil {
		if d.p == nil {
			if d.err = d.start(); d.err != nil {
				break
			}
			if d.p.write(d.prime) != nil {
				d.err = d.again()
				continue
			}
		}
		if d.p.write(b) == nil {
			return nil
		}
		d.err = d.again()
	}
	return d.err
}

func (d *Decoder) start() error {
	args := []string{
		"-hide_banner", "-nostdin", "-v", "error", "-threads", "1", "-protocol_whitelist", "pipe",
		"-probesize", "2048", "-analyzeduration", "0", "-f", d.in.Demuxer,
	}
	args = append(args, d.in.Args...)
	args = append(args, "-i", "pipe:0")
	p, err := start(d.ctx, append(args, output...), nil, d.o)
	if err != nil {
		return err
	}
	d.p = p
	go p.run(d.out)
	return nil
}

// output is what every process writes. ffmpeg's own way from mono to stereo
// loses 3 dB; this one keeps mono and stereo as they are and brings more channels
// down so that they cannot clip. Channels that the input lacks are left out.
var output = []string{
	"-map", "0:a:0",
	"-af", "pan=stereo|FL<FL+0.7071*FC+0.7071*SL+0.7071*BL+0.5*BC|FR<FR+0.7071*FC+0.7071*SR+0.7071*BR+0.5*BC",
	"-f", "f32le", "-ar", strconv.Itoa(pcm.Rate), "pipe:1",
}

// again buries a process that no longer reads and waits until the next may be
// started. Its error is final.
func (d *Decoder) again() error {
	p := d.p
	d.p = nil
	p.kill()
	<-p.done
	if p.outErr != nil {
		return p.outErr
	}
	if d.ctx.Err() != nil {
		return context.Cause(d.ctx)
	}
	wait, ok := d.restarts.next(time.Now())
	if !ok {
		return fmt.Errorf("decode %s: %w: %s", d.in.Demuxer, ErrGivenUp, p.said)
	}
	d.o.Log.WarnContext(d.ctx, "decoder died, starting it again",
		"codec", d.in.Demuxer, "ended", p.err, "said", p.said.String(), "delay", wait)
	d.o.Restarted()
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-d.ctx.Done():
		return context.Cause(d.ctx)
	}
}

// Close ends the input, waits until everything that was written has gone to
// out, and returns an error that Write had not returned yet. A Write after it
// starts a process anew: so one stream can follow another.
func (d *Decoder) Close() error {
	p := d.p
	if p == nil {
		return nil
	}
	d.p = nil
	p.finish()
	<-p.done
	switch {
	case p.outErr != nil:
		d.err = p.outErr
	case d.ctx.Err() != nil:
		d.err = context.Cause(d.ctx)
	case p.err != nil:
		d.o.Log.WarnContext(d.ctx, "decoder died at the end", "codec", d.in.Demuxer, "ended", p.err, "said", p.said.String())
	}
	return d.err
}

// Play decodes a whole file from the position from on, in a sandbox in which it
// sees nothing but that file: any container and codec that ffmpeg knows, because
// the operator named it. Samples go to out as with [New]. It returns nil at the
// file's end, out's error, ctx's cause, or an error with what ffmpeg said.
func Play(ctx context.Context, file *os.File, from pcm.Pos, out func(samples []float32) error, o Options) error {
	args := []string{"-hide_banner", "-nostdin", "-v", "error", "-threads", "1", "-protocol_whitelist", "file,pipe"}
	if from > 0 {
		args = append(args, "-ss", strconv.FormatFloat(float64(from)/pcm.Rate, 'f', 6, 64))
	}
	args = append(args, "-i", "file:/dev/stdin")
	p, err := start(ctx, append(args, output...), file, o)
	if err != nil {
		return err
	}
	p.watch.close(time.Now()) // output is owed from the start
	p.run(out)
	switch {
	case p.outErr != nil:
		return p.outErr
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case p.err != nil:
		return fmt.Errorf("decode %s: %w: %s", file.Name(), p.err, p.said)
	}
	return nil
}
