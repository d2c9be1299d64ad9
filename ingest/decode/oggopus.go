package decode

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"longwave/ingest/decode/ogg"
	"longwave/ingest/pcm"
)

// maxHole is the longest gap in an Ogg Opus stream's granule positions that is
// filled: a longer one is a stream that begins anew. One second.
const maxHole = pcm.Rate

// An opusHead is the identification header of an Ogg Opus link (RFC 7845 section 5.1).
type opusHead struct {
	channels int
	preSkip  int     // in samples
	gain     float32 // factor
	family   byte
	streams  int
}

func parseOpusHead(b []byte) (opusHead, error) {
	bad := func(why string) (opusHead, error) {
		return opusHead{}, fmt.Errorf("%w: Opus header %s", ErrNotAudio, why)
	}
	if len(b) < 19 || !bytes.HasPrefix(b, []byte("OpusHead")) {
		return bad("cut short")
	}
	if b[8]>>4 != 0 {
		return bad(fmt.Sprintf("of version %d", b[8]))
	}
	h := opusHead{
		channels: int(b[9]),
		preSkip:  int(binary.LittleEndian.Uint16(b[10:])),
		gain:     float32(math.Pow(10, float64(int16(binary.LittleEndian.Uint16(b[16:])))/(20*256))),
		family:   b[18],
		streams:  1,
	}
	if h.channels == 0 {
		return bad("without channels")
	}
	if h.family != 0 {
		if len(b) < 21 {
			return bad("cut short")
		}
		h.streams = int(b[19])
	}
	if h.family > 1 || h.family == 0 && h.channels > 2 || h.channels > 8 {
		return bad(fmt.Sprintf("with mapping family %d and %d channels; family 0 with up to 2 and family 1 with up to 8 can be", h.family, h.channels))
	}
	return h, nil
}

// piped says that the link needs a decoder of several streams: ffmpeg's.
func (h opusHead) piped() bool { return h.streams != 1 || h.channels > pcm.Channels }

// An oggOpus decodes Ogg Opus in this process.
type oggOpus struct {
	opusState
	demux   ogg.Demuxer
	out     out
	title   func(string)
	metrics metrics
	skipped int64

	head    opusHead
	headers int   // header packets read
	begun   bool  // pos is known
	pos     int64 // granule position of the next sample
	skip    int   // samples of pre-skip still to cut
}

func newOggOpus(out out, title func(string), m metrics) *oggOpus {
	return &oggOpus{out: out, title: title, metrics: m}
}

func (d *oggOpus) Decode(data []byte) error {
	d.demux.Feed(data)
	for {
		g, ok, err := d.demux.Next()
		if err != nil {
			return fmt.Errorf("%w: %w", ErrNotAudio, err)
		}
		if !ok {
			break
		}
		if err := d.group(g); err != nil {
			return err
		}
	}
	d.metrics.damaged.WithLabelValues(OggOpus.String()).Add(float64(d.demux.Skipped() - d.skipped))
	d.skipped = d.demux.Skipped()
	return nil
}

// Close has nothing to give out: pages are decoded when they come.
func (d *oggOpus) Close() error { return nil }

func (d *oggOpus) group(g ogg.Group) error {
	if g.First {
		return d.link(g)
	}
	packets := g.Packets
	if d.headers == 1 && len(packets) > 0 {
		d.headers = 2
		if b, ok := bytes.CutPrefix(packets[0], []byte("OpusTags")); ok {
			if tags, err := ogg.Comments(b); err == nil && ogg.Title(tags) != "" {
				d.title(ogg.Title(tags))
			}
			packets = packets[1:]
		}
	}
	if len(packets) == 0 {
		return nil
	}
	return d.sound(packets, g.Page.Granule, g.Page.Last)
}

// link begins a link of the chain with a fresh decoder.
func (d *oggOpus) link(g ogg.Group) error {
	if err := sameCodec(g, OggOpus); err != nil {
		return err
	}
	head, err := parseOpusHead(g.Packets[0])
	if err != nil {
		return err
	}
	if head.piped() {
		return fmt.Errorf("%w: an Opus stream with %d channels in %d streams inside one with two channels", ErrNotAudio, head.channels, head.streams)
	}
	state, err := newOpusState(d.metrics, OggOpus)
	if err != nil {
		return err
	}
	d.opusState, d.head, d.headers, d.begun, d.skip = state, head, 1, false, head.preSkip
	return nil
}

// sound decodes the packets that end on a page whose last sample has the granule
// position granule (RFC 7845 section 4): it fills a hole before them, and cuts
// what is after granule on the last page.
func (d *oggOpus) sound(packets [][]byte, granule int64, last bool) error {
	var total int64
	for _, b := range packets {
		n, _ := opusSamples(b)
		total += int64(n)
	}
	if !d.begun {
		d.begun, d.pos = true, max(0, granule-total)
	}
	if granule < 0 { // not said
		granule = d.pos + total
	}
	if hole := granule - total - d.pos; hole > 0 {
		if hole <= maxHole {
			if err := d.fill(int(hole)); err != nil {
				return err
			}
		}
		d.pos += hole
	}
	keep := total
	if last && granule >= d.pos && granule < d.pos+total {
		keep = granule - d.pos
	}
	for _, b := range packets {
		n, ok := opusSamples(b)
		if !ok {
			d.damage.Add(float64(len(b)))
			continue
		}
		samples, err := d.packet(b, n)
		if err != nil {
			return err
		}
		samples = samples[:min(int64(len(samples)), keep*pcm.Channels)]
		keep -= int64(len(samples)) / pcm.Channels
		if err := d.give(samples); err != nil {
			return err
		}
	}
	d.pos = granule
	return nil
}

// fill conceals a hole of n samples.
func (d *oggOpus) fill(n int) error {
	for n > 0 {
		step := min(n, pcm.FrameSamples)
		if err := d.give(d.conceal(step)); err != nil {
			return err
		}
		n -= step
	}
	return nil
}

// give hands samples on, without the pre-skip and with the header's gain.
func (d *oggOpus) give(samples []float32) error {
	n := min(d.skip, len(samples)/pcm.Channels)
	d.skip -= n
	samples = samples[n*pcm.Channels:]
	if len(samples) == 0 {
		return nil
	}
	if d.head.gain != 1 {
		for i := range samples {
			samples[i] *= d.head.gain
		}
	}
	return d.out(samples)
}
