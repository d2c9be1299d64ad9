package pull

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg1audio"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/opus"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/fmp4"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/mp4/codecs"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/mpegts"
	tscodecs "github.com/bluenviron/mediacommon/v2/pkg/formats/mpegts/codecs"

	"longwave/ingest/decode"
	"longwave/ingest/pcm"
)

// A unit is what is pushed at once, and how long it lasts.
type unit struct {
	data []byte
	time time.Duration
}

// errMedia means a segment that cannot be read.
var errMedia = errors.New("no segment with sound that can be decoded")

// demux returns the sound in a segment; before is the format of the one before. The
// demuxers are others' and see foreign bytes: where one panics, the segment is damaged.
func demux(s segment, before decode.Format) (f decode.Format, units []unit, err error) {
	defer func() {
		if r := recover(); r != nil {
			f, units, err = decode.Format{}, nil, fmt.Errorf("%w: %v", errMedia, r)
		}
	}()
	switch {
	case len(s.init) > 0:
		f, units, err = demuxMP4(s.init, s.data)
	case len(s.data) > 0 && s.data[0] == 0x47:
		f, units, err = demuxTS(s.data)
	default:
		f, units, err = packed(s.data, s.lasts, before)
	}
	if err == nil && len(units) == 0 {
		err = errMedia
	}
	return f, units, err
}

// demuxMP4 reads CMAF and other fragmented MP4 (RFC 8216 section 3.3).
func demuxMP4(init, data []byte) (f decode.Format, units []unit, err error) {
	var head fmp4.Init
	if err := head.Unmarshal(bytes.NewReader(init)); err != nil {
		return f, nil, fmt.Errorf("%w: initialisation section: %w", errMedia, err)
	}
	id, wrap := 0, wrapper(nil)
	for _, t := range head.Tracks {
		switch c := t.Codec.(type) {
		case *codecs.MPEG4Audio:
			f, wrap = aac(c.Config)
		case *codecs.Opus:
			if c.ChannelCount > pcm.Channels {
				continue
			}
			f, wrap = opusFormat, opusUnit
		default:
			continue
		}
		id = t.ID
		break
	}
	if wrap == nil {
		return f, nil, fmt.Errorf("%w: neither AAC nor Opus of one or two channels", errMedia)
	}
	var parts fmp4.Parts
	if err := parts.Unmarshal(data); err != nil {
		return f, nil, fmt.Errorf("%w: %w", errMedia, err)
	}
	for _, part := range parts {
		for _, t := range part.Tracks {
			if t.ID != id {
				continue
			}
			for _, s := range t.Samples {
				if units, err = wrap(units, s.Payload); err != nil {
					return f, nil, err
				}
			}
		}
	}
	return f, units, nil
}

// A wrapper appends an access unit in the form in which package decode takes it.
type wrapper func(units []unit, au []byte) ([]unit, error)

// aac gives access units ADTS headers.
func aac(c mpeg4audio.AudioSpecificConfig) (decode.Format, wrapper) {
	f := decode.Format{Codec: decode.ADTS, Rate: c.SampleRate, Channels: int(c.ChannelConfig)}
	return f, func(units []unit, au []byte) ([]unit, error) {
		b, err := mpeg4audio.ADTSPackets{{Type: c.Type, SampleRate: c.SampleRate, ChannelConfig: c.ChannelConfig, AU: au}}.Marshal()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errMedia, err)
		}
		return append(units, unit{b, samples(mpeg4audio.SamplesPerAccessUnit, c.SampleRate)}), nil
	}
}

var opusFormat = decode.Format{Codec: decode.Opus, Rate: pcm.Rate, Channels: pcm.Channels}

func opusUnit(units []unit, packet []byte) ([]unit, error) {
	return append(units, unit{packet, samples(int(opus.PacketDuration2(packet)), pcm.Rate)}), nil
}

// samples is how long n samples last.
func samples(n, rate int) time.Duration {
	return time.Duration(n) * time.Second / time.Duration(max(rate, 1))
}

// demuxTS reads an MPEG transport stream (RFC 8216 section 3.2).
func demuxTS(data []byte) (f decode.Format, units []unit, err error) {
	r := &mpegts.Reader{R: bytes.NewReader(data)}
	if err := r.Initialize(); err != nil {
		return f, nil, fmt.Errorf("%w: %w", errMedia, err)
	}
	for _, t := range r.Tracks() {
		var wrap wrapper
		take := func(_ int64, aus [][]byte) (err error) {
			for _, au := range aus {
				if units, err = wrap(units, au); err != nil {
					return err
				}
			}
			return nil
		}
		switch c := t.Codec.(type) {
		case *tscodecs.MPEG4Audio:
			f, wrap = aac(c.Config)
			r.OnDataMPEG4Audio(t, take)
		case *tscodecs.Opus:
			if c.Desc == nil || c.Desc.ChannelConfigCode > pcm.Channels {
				continue
			}
			f, wrap = opusFormat, opusUnit
			r.OnDataOpus(t, take)
		case *tscodecs.MPEG1Audio:
			f, wrap = decode.Format{Codec: decode.MP3}, mp3Unit
			r.OnDataMPEG1Audio(t, take)
		default:
			continue
		}
		break
	}
	if f.Codec == 0 {
		return f, nil, fmt.Errorf("%w: neither AAC, MP3 nor Opus of one or two channels", errMedia)
	}
	for err == nil {
		err = r.Read()
	}
	if !errors.Is(err, io.EOF) {
		return f, nil, fmt.Errorf("%w: %w", errMedia, err)
	}
	return f, units, nil
}

func mp3Unit(units []unit, frame []byte) ([]unit, error) {
	var h mpeg1audio.FrameHeader
	if err := h.Unmarshal(frame); err != nil {
		return nil, fmt.Errorf("%w: %w", errMedia, err)
	}
	return append(units, unit{frame, samples(h.SampleCount(), h.SampleRate)}), nil
}

// pieces is into how many units packed audio is cut.
const pieces = 50

// packed cuts packed audio (RFC 8216 section 3.4): frames of AAC or MPEG audio, behind an
// ID3 tag. They are not told from each other, so the pieces are of equal length. What is
// too short to be known is taken for what came before.
func packed(data []byte, lasts time.Duration, before decode.Format) (f decode.Format, units []unit, err error) {
	f, err = decode.Sniff(data)
	if errors.Is(err, decode.ErrMore) && before.Codec != 0 {
		f, err = before, nil
	}
	if err != nil {
		return f, nil, fmt.Errorf("%w: %w", errMedia, err)
	}
	if f.Codec != decode.ADTS && f.Codec != decode.MP3 {
		return f, nil, fmt.Errorf("%w: %s", errMedia, f)
	}
	data = data[min(id3Len(data), len(data)):]
	for i := range pieces {
		a, b := len(data)*i/pieces, len(data)*(i+1)/pieces
		units = append(units, unit{data[a:b], lasts / pieces})
	}
	return f, units, nil
}

// id3Len is the length of the ID3v2 tag at the start of b (ID3v2.4 section 3.1), or 0.
func id3Len(b []byte) int {
	if len(b) < 10 || string(b[:3]) != "ID3" {
		return 0
	}
	n := 0
	for _, c := range b[6:10] {
		n = n<<7 | int(c&0x7f)
	}
	if b[5]&0x10 != 0 { // a footer
		n += 10
	}
	return n + 10
}
