// Package decode turns what a source sends into samples at 48 kHz, stereo.
//
//	Opus packets, Ogg Opus, PCM at 48 kHz ── in this process ──────────┐
//	                                                                    ├─> out(samples)
//	AAC, MP3, Vorbis, FLAC, other PCM ── one ffmpeg in a sandbox ──────┘
//
// [Sniff] tells the format from the first bytes, never from what a client says
// about them. [New] starts the decoder. Foreign bytes are parsed in Go up to the
// frame or page; ffmpeg is given an elementary stream or clean Ogg pages by pipe,
// never a URL, a file or a network (see packages ffmpeg and sandbox).
//
// The number of samples out follows the time in the stream: what was lost inside
// an Ogg Opus stream is concealed, pre-skip and end trim are cut (RFC 7845
// section 4). With the other codecs lost bytes are lost time, because a pipe
// carries no timestamps; holding the position is the lane's work.
//
// This package does not buffer against jitter, correct drift, read the network
// or decide who may speak.
package decode

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"longwave/ingest/decode/ffmpeg"
	"longwave/ingest/pcm"
)

// ErrNotAudio is wrapped by errors that mean: these bytes are not, or no longer,
// what the source began with, or nothing that can be decoded.
var ErrNotAudio = errors.New("not audio that can be decoded")

// A Decoder turns one source into samples. One goroutine uses it.
type Decoder interface {
	// Decode takes what the [Codec] says one call is given. It blocks while out
	// blocks or a failed ffmpeg is started again. Samples may come out during a
	// later call or during Close. After an error the decoder is of no more use,
	// except to Close. It does not keep data.
	Decode(data []byte) error
	// Close gives out everything that was fed, ends what New started and waits
	// for it. It returns the first error that Decode had not yet returned.
	Close() error
}

// Options are what a decoder may be told. The zero value is ready for use.
type Options struct {
	// Log is where restarts and damage are told; nil: nowhere.
	Log *slog.Logger
	// Registry is where the counters live, one set for all decoders that are
	// given the same; nil: not counted.
	Registry prometheus.Registerer
	// FFmpeg is the program; empty: "ffmpeg" on the path.
	FFmpeg string
	// Title is called with the title that a comment header names, in step with
	// the samples, from the goroutine that calls Decode; nil: not told.
	Title func(title string)
}

// out takes interleaved stereo samples at 48 kHz.
type out = func(samples []float32) error

// New starts a decoder. Samples go to out, interleaved stereo at [pcm.Rate],
// finite, nominally in [-1, 1] (a lossy codec may overshoot); the slice belongs
// to the decoder again when out returns. Out is called from one goroutine at a
// time, not always the one that calls Decode; while it blocks, so does Decode,
// and an error that it returns ends the decoder and comes back from Decode or
// Close. When ctx ends the decoder ends at once, without the rest.
func New(ctx context.Context, f Format, out func(samples []float32) error, o Options) (Decoder, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Title == nil {
		o.Title = func(string) {}
	}
	d := maker{ctx: ctx, format: f, out: sane(out), o: o, m: newMetrics(o.Registry)}
	switch f.Codec {
	case Opus:
		return newOpus(d.out, d.m)
	case OggOpus:
		if f.Channels > pcm.Channels {
			return d.ogg(), nil
		}
		return newOggOpus(d.out, o.Title, d.m), nil
	case OggVorbis, OggFLAC:
		return d.ogg(), nil
	case ADTS:
		return d.frames("aac", parseADTS), nil
	case MP3:
		return d.frames("mp3", parseMPEG), nil
	case FLAC:
		return &flacPipe{to: d.ffmpeg("flac"), title: o.Title}, nil
	case WAV:
		return &wav{make: func(f Format) (Decoder, error) { return New(ctx, f, out, o) }}, nil
	case S16LE, S24LE, S32LE, F32LE:
		return d.pcm()
	}
	return nil, fmt.Errorf("decode codec %v: %w", f.Codec, ErrNotAudio)
}

// feed is a process that decodes what is written to it: *ffmpeg.Decoder.
type feed interface {
	Write(b []byte) error
	Prime(headers []byte)
	Close() error
}

// A maker makes one decoder.
type maker struct {
	ctx    context.Context //nolint:containedctx // lives as long as New runs
	format Format
	out    out
	o      Options
	m      metrics
}

func (d maker) ffmpeg(demuxer string, args ...string) *ffmpeg.Decoder {
	return ffmpeg.New(d.ctx, ffmpeg.Input{Demuxer: demuxer, Args: args}, d.out, ffmpeg.Options{
		Path: d.o.FFmpeg, Log: d.o.Log, Restarted: d.m.restarts.WithLabelValues(d.format.Codec.String()).Inc,
	})
}

func (d maker) ogg() Decoder {
	return &oggPipe{
		to: d.ffmpeg("ogg"), codec: d.format.Codec, title: d.o.Title,
		damage: d.m.damaged.WithLabelValues(d.format.Codec.String()),
	}
}

func (d maker) frames(demuxer string, parse parser) Decoder {
	return &framePipe{
		framer: framer{parse: parse}, codec: d.format.Codec, to: d.ffmpeg(demuxer),
		damage: d.m.damaged.WithLabelValues(d.format.Codec.String()),
	}
}

func (d maker) pcm() (Decoder, error) {
	if err := checkPCM(d.format); err != nil {
		return nil, err
	}
	if d.format.Rate == pcm.Rate && d.format.Channels <= pcm.Channels {
		return &raw{format: d.format, out: d.out}, nil
	}
	args := []string{"-ar", strconv.Itoa(d.format.Rate), "-ac", strconv.Itoa(d.format.Channels)}
	return pipe{d.ffmpeg(d.format.Codec.String(), args...)}, nil
}

// sane wraps out so that no source can bring the mixer's sum to infinity: a
// sample is a number in [-8, 8].
func sane(out out) out {
	return func(samples []float32) error {
		for i, v := range samples {
			if v >= -8 && v <= 8 {
				continue
			}
			switch {
			case v > 8:
				samples[i] = 8
			case v < -8:
				samples[i] = -8
			default: // not a number
				samples[i] = 0
			}
		}
		return out(samples)
	}
}
