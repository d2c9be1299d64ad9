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

// multivariants returns the lists of the station's renditions: for the origin, whose
// media playlists have parts, or for a store, whose are plain and of which it has some.
func (p *Packager) multivariants(plain bool, has []bool) []Object {
	var aac, opus []hls.Variant
	for i, w := range p.windows {
		if plain && !has[i] {
			continue
		}
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
	ways := p.pathways(plain)
	return []Object{p.multivariant(EverybodyList, aac, ways), p.multivariant(OpusList, asked, ways)}
}

// multivariant writes every variant on every pathway, one pathway after the other.
// A player without content steering takes variants of equal attributes for copies of
// each other, and begins with those of the first pathway (rfc8216bis section 7.4).
func (p *Packager) multivariant(name string, variants []hls.Variant, ways []Pathway) Object {
	m := hls.Multivariant{Version: 6, IndependentSegments: true, Variants: variants}
	if len(ways) > 0 {
		m.Steering = p.steering(ways)
		m.Variants = make([]hls.Variant, 0, len(ways)*len(variants))
	}
	for _, w := range ways {
		for _, v := range variants {
			v.PathwayID = w.ID
			v.URI = w.URL + "/" + p.opt.Station + "/" + v.URI
			m.Variants = append(m.Variants, v)
		}
	}
	return Object{Key: Key{Station: p.opt.Station, Kind: Multivariant, Name: name}, Data: m.Append(nil)}
}

// steering is there when there is a choice, or when it was asked for.
func (p *Packager) steering(ways []Pathway) hls.ContentSteering {
	uri := p.opt.Steering
	if uri == "" {
		if len(ways) < 2 {
			return hls.ContentSteering{}
		}
		uri = SteeringFile
	}
	return hls.ContentSteering{ServerURI: uri, PathwayID: ways[0].ID}
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
	for _, o := range p.multivariants(false, nil) {
		p.putLive(ctx, o)
	}
	for _, s := range p.outlets {
		if s.opened {
			p.sendMultivariants(s)
		}
	}
}

func (p *Packager) sendMultivariants(s *shop) {
	for _, o := range p.multivariants(true, s.has) {
		s.send(o)
	}
}
