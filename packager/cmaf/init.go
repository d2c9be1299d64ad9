package cmaf

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/Eyevinn/mp4ff/mp4"

	"longwave/ingest/pcm"
	"longwave/packager/encode"
)

// trackID is the one track of every file.
const trackID = 1

// Init returns the init segment of a rendition with the given number of channels
// and declared bitrate in bit/s (ISO/IEC 23000-19 section 7.3). It carries
// defaults for samples and a default sample group, so that parts need none. (The
// duration stands in parts all the same: gohlslib looks only there.)
func Init(f encode.Format, channels, bitrate int) ([]byte, error) {
	trak := mp4.CreateEmptyTrak(trackID, pcm.Rate, "audio", "und")
	entry, err := sampleEntry(f, channels, bitrate)
	if err != nil {
		return nil, err
	}
	stbl := trak.Mdia.Minf.Stbl
	stbl.Stsd.AddChild(entry)
	stbl.AddChild(rollGroup(f.Roll))

	moov := mp4.NewMoovBox()
	mvhd := mp4.CreateMvhd()
	mvhd.Timescale = pcm.Rate
	mvhd.NextTrackID = trackID + 1
	moov.AddChild(mvhd)
	moov.AddChild(trak)
	mvex := mp4.NewMvexBox()
	trex := mp4.CreateTrex(trackID)
	trex.DefaultSampleDuration = uint32(f.FrameSamples)
	trex.DefaultSampleFlags = syncSample
	mvex.AddChild(trex)
	moov.AddChild(mvex)

	// iso6 for default-base-is-moof, cmfc for CMAF (ISO/IEC 23000-19 section 7.2).
	ftyp := mp4.NewFtyp("cmfc", 0, []string{"iso6", "cmfc", "mp41"})
	var b bytes.Buffer
	for _, box := range []mp4.Box{ftyp, moov} {
		if err := box.Encode(&b); err != nil {
			return nil, fmt.Errorf("write %s box: %w", box.Type(), err)
		}
	}
	return b.Bytes(), nil
}

// Hash names an init segment by its bytes: 10 hexadecimal digits of their SHA-256.
func Hash(init []byte) string {
	sum := sha256.Sum256(init)
	return hex.EncodeToString(sum[:5])
}

func sampleEntry(f encode.Format, channels, bitrate int) (mp4.Box, error) {
	var child mp4.Box
	switch f.SampleEntry {
	case "Opus": // Encapsulation of Opus in ISOBMFF 1.0.0, section 4.3.2
		child = &mp4.DopsBox{OutputChannelCount: byte(channels), PreSkip: uint16(f.PreSkip), InputSampleRate: pcm.Rate}
	case "mp4a":
		esds := mp4.CreateEsdsBox(f.Config)
		dc := esds.DecConfigDescriptor
		dc.MaxBitrate, dc.AvgBitrate = uint32(bitrate), uint32(bitrate)
		child = esds
	default:
		return nil, fmt.Errorf("no sample entry for %q", f.SampleEntry)
	}
	entry := mp4.CreateAudioSampleEntryBox(f.SampleEntry, uint16(channels), 16, pcm.Rate, child)
	entry.AddChild(&mp4.BtrtBox{MaxBitrate: uint32(bitrate), AvgBitrate: uint32(bitrate)})
	return entry, nil
}

// rollGroup says that every sample wants n samples before it to be decoded first
// (ISO/IEC 14496-12 section 10.1). Version 2 has a default entry: a sample that no
// sbgp box maps belongs to it (section 8.9.3).
func rollGroup(n int) mp4.Box {
	return &mp4.SgpdBox{
		Version:                      2,
		GroupingType:                 "roll",
		DefaultLength:                2,
		DefaultGroupDescriptionIndex: 1,
		SampleGroupEntries:           []mp4.SampleGroupEntry{&mp4.RollSampleGroupEntry{RollDistance: int16(-n)}},
	}
}
