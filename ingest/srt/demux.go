package srt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/formats/mpegts"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/mpegts/codecs"

	"longwave/ingest/decode"
	"longwave/ingest/parting"
	"longwave/ingest/pcm"
	"longwave/ingest/units"
)

var errMalformed = errors.New("the transport stream cannot be read")

// A demuxer gives out the sound of a transport stream.
type demuxer struct {
	*source
	r     mpegts.Reader
	clock mpegts.TimeDecoder
	kind  units.Codec // of the chosen track
	err   error       // too much of it is damaged
}

// carry carries the sound of a transport stream until it ends.
func (s *source) carry(r io.Reader) error {
	d := demuxer{source: s, r: mpegts.Reader{R: &sieve{r: r, lost: func(int) { s.m.damaged.Inc() }}}}
	if err := d.r.Initialize(); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, errGarbage) {
			return err
		}
		return fmt.Errorf("%w: %w", errMalformed, err)
	}
	d.clock.Initialize()
	d.r.OnDecodeError(func(err error) { d.damage(err) })
	if err := d.choose(); err != nil {
		return err
	}
	for {
		if err := d.r.Read(); err != nil {
			return err
		}
		if d.err != nil {
			return d.err
		}
	}
}

// choose takes the first audio track that can be taken.
func (d *demuxer) choose() error {
	latm := false
	for _, t := range d.r.Tracks() {
		var err error
		switch c := t.Codec.(type) {
		case *codecs.MPEG4Audio:
			d.kind, err = units.AAC(c.Config)
			d.r.OnDataMPEG4Audio(t, d.units)
		case *codecs.Opus:
			d.kind, err = units.Opus(c.Desc.ChannelCount())
			d.r.OnDataOpus(t, d.units)
		case *codecs.MPEG1Audio:
			d.kind = units.MPEG()
			d.r.OnDataMPEG1Audio(t, d.units)
		case *codecs.MPEG4AudioLATM:
			latm = true
			continue
		default:
			continue
		}
		return err
	}
	if latm {
		return fmt.Errorf("AAC in LATM: %w, send AAC with ADTS headers", units.ErrUnsupported)
	}
	return fmt.Errorf("no track of AAC, Opus or MPEG audio: %w", units.ErrUnsupported)
}

// begin opens the lane. The first PES packet says how much sound the encoder gathers
// before it sends any.
func (d *demuxer) begin(first [][]byte) error {
	d.claim.Burst = d.kind.Duration(first)
	// The lane plays out what it holds after this connection has ended.
	l, err := d.open(context.WithoutCancel(d.ctx), d.claim, d.kind.Format)
	if err != nil {
		return err
	}
	d.lane, d.format = l, d.kind.Format
	d.track = units.NewTrack(l, d.kind, units.Options{Lost: d.m.gap, Jumped: d.m.jumps.Inc})
	d.m.active.WithLabelValues(d.codec()).Inc()
	d.o.Log.InfoContext(d.ctx, "source on a lane", "transport", "srt", "station", d.claim.Station, "remote", d.claim.Remote, "format", d.format.String(), "burst", d.claim.Burst)
	return nil
}

// units carries the access units of a PES packet: the timestamp is the first one's.
func (d *demuxer) units(pts int64, all [][]byte) error {
	if d.track == nil {
		if err := d.begin(all); err != nil {
			return err
		}
	}
	now, at := time.Now(), pcm.Pos(d.clock.Decode(pts)*pcm.Rate/90_000)
	for i, unit := range all {
		put := d.track.Next
		if i == 0 {
			put = func(unit []byte, now time.Time) (bool, error) { return d.track.Put(at, unit, now) }
		}
		ok, err := put(unit, now)
		switch {
		case err != nil:
			return parting.LaneError{Err: err}
		case !ok:
			d.damage(decode.ErrNotAudio)
			continue
		}
		d.damaged = 0
		d.m.bytes.WithLabelValues(d.codec()).Add(float64(len(unit)))
		d.heard()
	}
	return nil
}

// damage leaves a piece out that could not be understood, unless it goes on.
func (d *demuxer) damage(err error) {
	d.m.damaged.Inc()
	if d.damaged++; d.damaged > mostDamaged {
		d.err = fmt.Errorf("%w: %w", errMalformed, err)
	}
}
