// Package relaytest makes a station for tests: objects as the packager puts them, part
// by part, with bytes that follow from their keys. It encodes nothing.
package relaytest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"longwave/ingest/pcm"
	"longwave/packager"
	"longwave/packager/hls"
)

// The grid of profile low.
const (
	Parts   = 6  // of a segment
	Window  = 32 // segments
	PartDur = 320 * time.Millisecond
)

// A Rendition of a [Station].
type Rendition struct {
	Name, Codec string
	Kbps        int
}

// Ladder is the default ladder.
func Ladder() []Rendition {
	return []Rendition{
		{"opus-24", hls.CodecOpus, 30},
		{"opus-48", hls.CodecOpus, 53},
		{"opus-96", hls.CodecOpus, 101},
		{"aac-48", hls.CodecAACLC, 53},
		{"aac-96", hls.CodecAACLC, 101},
	}
}

// A Station is one whose live edge is at part Part of segment MSN.
type Station struct {
	Name   string
	Ladder []Rendition
	MSN    int64 // under way
	Part   int   // the next one
	Sink   packager.Sink
	Ended  bool

	t     testing.TB
	first int64 // the first one with parts
}

// New returns a station whose first own segment is msn, and puts what comes before it:
// init segments, a window of segments, playlists and lists.
func New(t testing.TB, sink packager.Sink, msn int64) *Station {
	t.Helper()
	return NewOn(t, sink, msn, Ladder())
}

// NewOn is New with a ladder of its own.
func NewOn(t testing.TB, sink packager.Sink, msn int64, ladder []Rendition) *Station {
	t.Helper()
	s := &Station{Name: "talk", Ladder: ladder, MSN: msn, Sink: sink, t: t, first: msn}
	for _, r := range s.Ladder {
		s.put(s.key(r, packager.Key{Kind: packager.Init, Name: "1"}))
		for n := msn - Window; n < msn; n++ {
			s.put(s.key(r, packager.Key{Kind: packager.Segment, MSN: n}))
		}
	}
	s.playlists()
	s.Lists()
	return s
}

// Next makes the next part of every rendition, and their playlists.
func (s *Station) Next() {
	for _, r := range s.Ladder {
		s.put(s.key(r, packager.Key{Kind: packager.Part, MSN: s.MSN, Part: s.Part}))
	}
	if s.Part++; s.Part == Parts {
		for _, r := range s.Ladder {
			s.put(s.key(r, packager.Key{Kind: packager.Segment, MSN: s.MSN}))
		}
		s.MSN, s.Part = s.MSN+1, 0
	}
	s.playlists()
}

// End ends the station at the segment's edge.
func (s *Station) End() {
	for s.Part != 0 {
		s.Next()
	}
	s.Ended = true
	s.playlists()
}

// Edge is the newest thing in the playlists.
func (s *Station) Edge() hls.Position {
	if s.Part == 0 {
		return hls.Position{MSN: s.MSN - 1, Part: Parts - 1}
	}
	return hls.Position{MSN: s.MSN, Part: s.Part - 1}
}

// Bytes returns the bytes of an init segment, a part or a segment.
func (s *Station) Bytes(k packager.Key) []byte {
	if k.Kind == packager.Segment {
		var all []byte
		for p := range Parts {
			k.Kind, k.Part = packager.Part, p
			all = append(all, s.Bytes(k)...)
		}
		return all
	}
	size := 600
	for _, r := range s.Ladder {
		if r.Name == k.Rendition && k.Kind == packager.Part {
			size = r.Kbps * 1000 / 8 * int(PartDur/time.Millisecond) / 1000
		}
	}
	sum := sha256.Sum256([]byte(k.String()))
	return bytes.Repeat(sum[:], size/len(sum)+1)[:size]
}

// Read implements [packager.Reader]: everything that the station ever made.
func (s *Station) Read(_ context.Context, k packager.Key) ([]byte, error) { return s.Bytes(k), nil }

func (s *Station) key(r Rendition, k packager.Key) packager.Key {
	k.Station, k.Rendition = s.Name, r.Name
	return k
}

func (s *Station) put(k packager.Key) { s.give(packager.Object{Key: k, Data: s.Bytes(k)}) }

func (s *Station) give(o packager.Object) {
	if err := s.Sink.Put(s.t.Context(), o); err != nil {
		s.t.Fatalf("put %s: %v", o.Key, err)
	}
}

// Lists puts the multivariant playlists again.
func (s *Station) Lists() {
	lists := map[string]*hls.Multivariant{}
	for _, r := range s.Ladder {
		name := packager.OpusList
		if r.Codec == hls.CodecAACLC {
			name = packager.EverybodyList
		}
		if lists[name] == nil {
			lists[name] = &hls.Multivariant{Version: 6, IndependentSegments: true}
		}
		lists[name].Variants = append(lists[name].Variants, hls.Variant{
			URI: r.Name + "/live.m3u8", Bandwidth: int64(r.Kbps) * 1000, Codecs: r.Codec, StableID: r.Name,
		})
	}
	for name, m := range lists {
		s.give(packager.Object{Key: packager.Key{Station: s.Name, Kind: packager.Multivariant, Name: name}, Data: m.Append(nil)})
	}
}

func (s *Station) playlists() {
	for _, r := range s.Ladder {
		s.give(packager.Object{Key: s.key(r, packager.Key{Kind: packager.Media}), Data: s.media(r).Append(nil)})
	}
}

func (s *Station) media(r Rendition) *hls.Media {
	m := &hls.Media{
		Version: 9, TargetDuration: packager.TargetDuration, PartTarget: PartDur, MediaSequence: s.MSN - Window,
		Control: hls.ServerControl{CanBlockReload: true, CanSkipUntil: 6 * packager.TargetDuration, HoldBack: 3 * packager.TargetDuration, PartHoldBack: 4 * PartDur},
		EndList: s.Ended,
	}
	for n := m.MediaSequence; n <= s.MSN; n++ {
		parts := Parts
		if n == s.MSN {
			parts = s.Part
		}
		seg := segment(n)
		for p := range parts {
			if n >= max(s.first, s.MSN-2) {
				seg.Parts = append(seg.Parts, hls.Part{URI: fmt.Sprintf("%d.%d.m4s", n, p), Duration: PartDur - 10*time.Microsecond, Independent: true})
			}
		}
		switch {
		case n < s.MSN:
			seg.URI, seg.Duration = fmt.Sprintf("%d.m4s", n), pcm.Duration(packager.SegmentSamples)-10*time.Microsecond
			m.Segments = append(m.Segments, seg)
		case parts > 0:
			m.Open = seg
		}
	}
	if s.Ended {
		return m
	}
	m.Hints = []hls.PreloadHint{{Type: hls.HintPart, URI: fmt.Sprintf("%d.%d.m4s", s.MSN, s.Part)}}
	for _, o := range s.Ladder {
		if o != r {
			m.Reports = append(m.Reports, hls.RenditionReport{URI: "../" + o.Name + "/live.m3u8", Last: s.Edge()})
		}
	}
	return m
}

func segment(msn int64) hls.Segment {
	return hls.Segment{PDT: packager.SegmentPos(msn).Time(), Map: hls.Map{URI: "init-1.mp4"}}
}
