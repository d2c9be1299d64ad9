package packager

import (
	"context"

	"longwave/packager/hls"
)

// The names of the multivariant playlists. A list that mixes codecs invites
// players to change the codec in mid-programme; so the one for everybody is AAC
// alone, and the one for players that were asked has Opus, and AAC to fall back on.
const (
	EverybodyList = "index"
	OpusList      = "opus"
)

// multivariants returns the lists of the station's renditions.
func (p *Packager) multivariants() []Object {
	var aac, opus []hls.Variant
	for _, w := range p.windows {
		v := p.variant(w)
		if w.rend.rung.Codec == "aac" {
			aac = append(aac, v)
		} else {
			opus = append(opus, v)
		}
	}
	asked := append(opus, aac[0])
	if len(opus) == 0 { // the address stays, whatever a station's ladder becomes
		asked = aac
	}
	return []Object{p.multivariant(EverybodyList, aac), p.multivariant(OpusList, asked)}
}

func (p *Packager) multivariant(name string, variants []hls.Variant) Object {
	m := hls.Multivariant{Version: 6, IndependentSegments: true, Variants: variants}
	return Object{Key: Key{Station: p.opt.Station, Kind: Multivariant, Name: name}, Data: m.Append(nil)}
}

func (p *Packager) variant(w *window) hls.Variant {
	r := w.rend.rung
	return hls.Variant{
		URI:              r.Name + "/live.m3u8",
		Bandwidth:        int64(p.rates[r.Name].bandwidth),
		AverageBandwidth: int64(p.rates[r.Name].declared),
		Codecs:           w.rend.format.Codecs,
		StableID:         r.Name,
	}
}

// putMultivariants puts the lists into the live window and, where they stand there
// already, into the stores.
func (p *Packager) putMultivariants(ctx context.Context) {
	for _, o := range p.multivariants() {
		p.putLive(ctx, o)
		for _, s := range p.outlets {
			if s.opened {
				s.send(o)
			}
		}
	}
}
