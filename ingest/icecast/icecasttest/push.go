// Package icecasttest pushes sound with the software that broadcasters use:
// ffmpeg, liquidsoap and ezstream, as they are installed on this machine. A
// program that is missing fails the test.
//
// This package does not judge what arrives.
package icecasttest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The clients.
const (
	FFmpeg       = "ffmpeg"        // PUT, HTTP/1.1, Expect
	FFmpegLegacy = "ffmpeg-legacy" // SOURCE, HTTP/1.0
	Liquidsoap   = "liquidsoap"    // SOURCE, HTTP/1.0
	Ezstream     = "ezstream"      // libshout: OPTIONS, SOURCE, 401, again
)

// The codecs that a [Source] can send.
const (
	Opus   = "opus" // in Ogg
	Vorbis = "vorbis"
	FLAC   = "flac" // in Ogg
	MP3    = "mp3"
	AAC    = "aac" // ADTS
)

// A Source is what is to be sent.
type Source struct {
	Client string
	Codec  string
	URL    string // http://host:port/ice/station
	Token  string
	File   string // anything ffmpeg reads
	// Duration is how much of the file, at its own speed. Silence goes round it
	// where the client loses its start or end.
	Duration time.Duration
}

// ffmpegArgs are the encoder's, by codec.
var ffmpegArgs = map[string][]string{
	Opus:   {"-c:a", "libopus", "-b:a", "96k", "-content_type", "audio/ogg", "-f", "ogg"},
	Vorbis: {"-c:a", "libvorbis", "-b:a", "128k", "-content_type", "audio/ogg", "-f", "ogg"},
	FLAC:   {"-c:a", "flac", "-content_type", "audio/ogg", "-f", "ogg"},
	MP3:    {"-c:a", "libmp3lame", "-b:a", "128k", "-content_type", "audio/mpeg", "-f", "mp3"},
	AAC:    {"-c:a", "aac", "-b:a", "128k", "-content_type", "audio/aac", "-f", "adts"},
}

// liquidsoapFormats are the encoders by codec, as liquidsoap 2.1 writes them.
var liquidsoapFormats = map[string]string{
	Opus:   "%opus(samplerate=48000, channels=2, bitrate=96)",
	Vorbis: "%vorbis(samplerate=48000, channels=2, quality=0.5)",
	FLAC:   "%ogg(%flac(samplerate=48000, channels=2, bits_per_sample=16))",
	MP3:    "%mp3(samplerate=48000, stereo=true, bitrate=128)",
}

// ezstreamFormats are the names of the formats by codec.
var ezstreamFormats = map[string]string{Opus: "Ogg", Vorbis: "Ogg", FLAC: "Ogg", MP3: "MP3"}

// ezstreamSuffix is what ezstream tells a file's type by.
var ezstreamSuffix = map[string]string{Opus: "opus", Vorbis: "ogg", FLAC: "oga", MP3: "mp3"}

// Push sends s and returns when the client has ended by itself. The error is why
// it could not be run or how it ended, with what it said. It may be called from
// any goroutine.
func Push(ctx context.Context, t testing.TB, s Source) error {
	t.Helper()
	u, err := url.Parse(s.URL)
	if err != nil {
		return err
	}
	var program string
	var args []string
	switch s.Client {
	case FFmpeg, FFmpegLegacy:
		program = "ffmpeg"
		args, err = s.ffmpeg(ctx, t, u)
	case Liquidsoap:
		program = "liquidsoap"
		args, err = s.liquidsoap(ctx, t, u)
	case Ezstream:
		program = "ezstream"
		args, err = s.ezstream(ctx, t, u)
	default:
		err = errors.New("no such client")
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s.Client, err)
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.WaitDelay = 5 * time.Second
	said, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", s.Client, err, strings.ReplaceAll(string(said), s.Token, "TOKEN"))
	}
	return nil
}

func (s Source) ffmpeg(ctx context.Context, t testing.TB, u *url.URL) ([]string, error) {
	t.Helper()
	args := []string{"-hide_banner", "-nostdin", "-v", "warning"}
	if s.Client == FFmpegLegacy {
		sound, err := s.prepare(ctx, t, "sound.wav", "-af", pad, "-f", "wav")
		if err != nil {
			return nil, err
		}
		args = append(args, "-re", "-i", sound, "-legacy_icecast", "1")
	} else {
		args = append(args, "-t", seconds(s.Duration), "-re", "-i", s.File)
	}
	to := url.URL{Scheme: "icecast", User: url.UserPassword("source", s.Token), Host: u.Host, Path: u.Path}
	return append(append(args, ffmpegArgs[s.Codec]...), to.String()), nil
}

// liquidsoap writes a script that plays the file once and ends.
func (s Source) liquidsoap(ctx context.Context, t testing.TB, u *url.URL) ([]string, error) {
	t.Helper()
	format, ok := liquidsoapFormats[s.Codec]
	if !ok {
		return nil, fmt.Errorf("cannot send %s", s.Codec)
	}
	sound, err := s.prepare(ctx, t, "sound.wav", "-filter_complex", padded, "-f", "wav")
	if err != nil {
		return nil, err
	}
	return write(t, "push.liq", fmt.Sprintf(`settings.init.allow_root.set(true)
settings.log.stdout.set(true)
settings.log.level.set(2)
settings.frame.audio.samplerate.set(48000)
settings.frame.duration.set(0.02)
output.icecast(%s, host="%s", port=%s, user="source", password="%s", mount="%s",
  fallible=true, on_stop=shutdown, once(single("%s")))
`, format, u.Hostname(), u.Port(), s.Token, u.Path, sound))
}

// ezstream writes a configuration that sends an encoded file once: ezstream does
// not encode.
func (s Source) ezstream(ctx context.Context, t testing.TB, u *url.URL) ([]string, error) {
	t.Helper()
	format, ok := ezstreamFormats[s.Codec]
	if !ok {
		return nil, fmt.Errorf("cannot send %s", s.Codec)
	}
	sound, err := s.prepare(ctx, t, "sound."+ezstreamSuffix[s.Codec], ffmpegArgs[s.Codec]...)
	if err != nil {
		return nil, err
	}
	config, err := write(t, "ezstream.xml", fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?>
<ezstream>
 <servers><server><protocol>HTTP</protocol><hostname>%s</hostname><port>%s</port><user>source</user>
  <password>%s</password><reconnect_attempts>1</reconnect_attempts></server></servers>
 <streams><stream><mountpoint>%s</mountpoint><format>%s</format></stream></streams>
 <intakes><intake><type>file</type><filename>%s</filename><stream_once>Yes</stream_once></intake></intakes>
</ezstream>
`, u.Hostname(), u.Port(), s.Token, u.Path, format, sound))
	return append([]string{"-c"}, config...), err
}

// pad adds a second of silence. ffmpeg-legacy loses what is on its way when it
// ends: it closes with our answer unread, upon which the kernel resets the
// connection.
const pad = "apad=pad_dur=1"

// padded is for liquidsoap, which plays while it connects and does not flush its
// encoders when it ends. The noise is there because silence in FLAC takes so few
// bytes that it would not fill the last page of sound.
const padded = "adelay=1000:all=1," + pad + "[sound];anoisesrc=amplitude=0.001:sample_rate=48000[noise];" +
	"[sound][noise]amix=inputs=2:duration=first:normalize=0"

// prepare writes the part of the file that is to be sent, changed by args.
func (s Source) prepare(ctx context.Context, t testing.TB, name string, args ...string) (string, error) {
	t.Helper()
	name = filepath.Join(t.TempDir(), name)
	all := []string{"-hide_banner", "-nostdin", "-v", "error", "-t", seconds(s.Duration), "-i", s.File}
	if said, err := exec.CommandContext(ctx, "ffmpeg", append(append(all, args...), name)...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("prepare %s: %w: %s", name, err, said)
	}
	return name, nil
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) }

// write writes a file and returns its name as a list of arguments.
func write(t testing.TB, name, text string) ([]string, error) {
	t.Helper()
	name = filepath.Join(t.TempDir(), name)
	return []string{name}, os.WriteFile(name, []byte(text), 0o600)
}
