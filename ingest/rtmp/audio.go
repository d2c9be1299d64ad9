package rtmp

import (
	"context"
	"fmt"
	"time"

	"github.com/bluenviron/gortmplib/pkg/amf0"
	"github.com/bluenviron/gortmplib/pkg/message"

	"longwave/ingest/decode"
	"longwave/ingest/parting"
	"longwave/ingest/pcm"
	"longwave/ingest/titles"
	"longwave/ingest/units"
)

// tolerance of timestamps: RTMP loses nothing on the way and counts milliseconds, and
// some encoders stamp a frame when they come to it.
const tolerance = 100 * time.Millisecond

// audio takes a message of plain RTMP.
func (s *source) audio(m *message.Audio) error {
	if s.number > 0 {
		return nil // another track is being taken
	}
	s.number = 0
	switch {
	case m.Codec == message.CodecMPEG1Audio:
		if s.track == nil {
			if err := s.begin(units.MPEG(), nil); err != nil {
				return err
			}
		}
	case m.Codec != message.CodecMPEG4Audio:
		return fmt.Errorf("audio codec %d of RTMP: %w, send AAC or Opus", m.Codec, units.ErrUnsupported)
	case m.AACType == message.AudioAACTypeConfig:
		if m.AACConfig == nil {
			return nil
		}
		c, err := units.AAC(*m.AACConfig)
		return s.begin(c, err)
	}
	return s.put(m.DTS, m.AU)
}

// numbered takes a message of enhanced RTMP, of the track with a number.
func (s *source) numbered(number int, m message.Message) error {
	if s.number >= 0 && s.number != number {
		return nil
	}
	s.number = number
	switch m := m.(type) {
	case *message.AudioExSequenceStart:
		return s.begin(codecOf(m))
	case *message.AudioExCodedFrames:
		if s.track == nil && m.FourCC == message.FourCCMP3 { // needs no beginning
			if err := s.begin(units.MPEG(), nil); err != nil {
				return err
			}
		}
		return s.put(m.DTS, m.Payload)
	}
	return nil
}

func codecOf(m *message.AudioExSequenceStart) (units.Codec, error) {
	switch m.FourCC {
	case message.FourCCOpus:
		if m.OpusConfig.ChannelMappingFamily != 0 {
			return units.Opus(int(m.OpusConfig.ChannelCount) + pcm.Channels)
		}
		return units.Opus(int(m.OpusConfig.ChannelCount))
	case message.FourCCMP4A:
		return units.AAC(*m.AACConfig)
	case message.FourCCMP3:
		return units.MPEG(), nil
	}
	return units.Codec{}, fmt.Errorf("AC-3: %w, send AAC or Opus", units.ErrUnsupported)
}

// begin opens the lane with the first track's codec, or goes on with another form of
// it.
func (s *source) begin(c units.Codec, err error) error {
	if err != nil {
		return err
	}
	if s.track != nil {
		if s.format == c.Format {
			return nil // encoders repeat it
		}
		s.format = c.Format
		return s.track.Change(c)
	}
	// The lane plays out what it holds after this connection has ended.
	l, err := s.open(context.WithoutCancel(s.ctx), s.claim, c.Format)
	if err != nil {
		return err
	}
	s.lane, s.format = l, c.Format
	s.track = units.NewTrack(l, c, units.Options{Tolerance: tolerance, Lost: s.m.gap, Jumped: s.m.jumps.Inc})
	s.m.active.WithLabelValues(s.codec()).Inc()
	s.o.Log.InfoContext(s.ctx, "source on a lane", "transport", "rtmp", "station", s.claim.Station, "remote", s.claim.Remote, "format", s.format.String())
	s.tell()
	return nil
}

// put carries a unit.
func (s *source) put(at time.Duration, unit []byte) error {
	if s.track == nil || len(unit) == 0 {
		return s.damage(decode.ErrNotAudio)
	}
	ok, err := s.track.Put(pcm.Samples(at), unit, time.Now())
	switch {
	case err != nil:
		return parting.LaneError{Err: err}
	case !ok:
		return s.damage(decode.ErrNotAudio)
	}
	s.damaged = 0
	s.m.bytes.WithLabelValues(s.codec()).Add(float64(len(unit)))
	return s.wire.within(s.o.Silence)
}

// titleOf returns the title in a metadata message, or nothing.
func titleOf(d amf0.Data) string {
	for _, v := range d {
		var o amf0.Object
		switch v := v.(type) {
		case amf0.Object:
			o = v
		case amf0.ECMAArray:
			o = amf0.Object(v)
		}
		if t, ok := o.GetString("title"); ok {
			return titles.Clean(t)
		}
	}
	return ""
}
