package packager

import "longwave/ingest/pcm"

// A rate is what a rendition costs on the wire in bit/s, boxes included.
type rate struct {
	peak, average       float64 // measured: of the dearest segment, of some minutes
	bandwidth, declared int     // what the multivariants say: BANDWIDTH, AVERAGE-BANDWIDTH
	stale               bool    // they no longer fit
}

type rates map[string]*rate

// averaging is the weight of a new segment: about five minutes are remembered.
const averaging = 1.0 / 150

// estimate is what a rung is declared with before anything was measured: libopus
// keeps to its bitrate within a few per cent, libavcodec's AAC encoder goes far
// above low ones, and the boxes of a part cost 160 bytes.
func (r Rung) estimate() *rate {
	over, peak := 1.05, 1.15
	if r.Codec == "aac" {
		over, peak = 1.2, 1.4
	}
	const boxes = 4_300
	return &rate{
		average:   over*float64(r.Bitrate) + boxes,
		bandwidth: roundUp(peak*float64(r.Bitrate) + boxes),
		declared:  roundUp(over*float64(r.Bitrate) + boxes),
	}
}

// measure takes in the size of a segment.
func (r rates) measure(name string, bytes int) {
	m := r[name]
	bps := float64(bytes) * 8 * pcm.Rate / float64(SegmentSamples)
	m.peak = max(m.peak, bps)
	m.average += averaging * (bps - m.average)
	d := float64(m.declared)
	if m.peak > float64(m.bandwidth) || m.average > 1.1*d || m.average < 0.9*d {
		m.stale = true
	}
}

// changed brings what is declared up to date where it no longer fits, and reports
// whether anything was.
func (r rates) changed() bool {
	again := false
	for _, m := range r {
		if m.stale {
			m.bandwidth = max(m.bandwidth, roundUp(m.peak))
			m.declared = min(roundUp(m.average), m.bandwidth)
			m.stale, again = false, true
		}
	}
	return again
}

// roundUp rounds to whole kbit/s, so that a declared figure stays.
func roundUp(bps float64) int { return (int(bps) + 999) / 1000 * 1000 }
