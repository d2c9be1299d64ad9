package hlstest

import (
	"errors"
	"fmt"
	"time"

	"github.com/Eyevinn/mp4ff/bits"
	"github.com/Eyevinn/mp4ff/mp4"
)

// A sample is one access unit with its place in time, in ticks of its track.
type sample struct {
	at   uint64
	dur  uint32
	data string
}

// A fragment is a moof with its mdat.
type fragment struct {
	moof *mp4.MoofBox
	mdat *mp4.MdatBox
}

// guard runs f. mp4ff is made for good files: what makes it panic is a violation
// like any other.
func guard(r *report, f func()) {
	defer func() {
		if p := recover(); p != nil {
			r.add("box-syntax", 0, "%v", p)
		}
	}()
	f()
}

// decodeBoxes decodes the boxes of a file.
func decodeBoxes(b []byte) (boxes []mp4.Box, err error) {
	r := bits.NewFixedSliceReader(b)
	for r.NrRemainingBytes() > 0 {
		box, err := mp4.DecodeBoxSR(uint64(len(b)-r.NrRemainingBytes()), r)
		if err != nil {
			return nil, fmt.Errorf("decode boxes: %w", err)
		}
		boxes = append(boxes, box)
	}
	return boxes, nil
}

// fragments pairs the moof and mdat boxes of a segment or part.
func fragments(b []byte) ([]fragment, error) {
	boxes, err := decodeBoxes(b)
	if err != nil {
		return nil, err
	}
	var all []fragment
	var moof *mp4.MoofBox
	for _, box := range boxes {
		switch box := box.(type) {
		case *mp4.MoofBox:
			if moof != nil {
				return nil, errors.New("a moof without its mdat")
			}
			moof = box
		case *mp4.MdatBox:
			if moof == nil {
				return nil, errors.New("an mdat without its moof")
			}
			all = append(all, fragment{moof, box})
			moof = nil
		case *mp4.MoovBox, *mp4.FtypBox:
			return nil, fmt.Errorf("%s in a segment", box.Type())
		}
	}
	if moof != nil || len(all) == 0 {
		return nil, errors.New("no whole fragment")
	}
	for _, f := range all {
		if len(f.moof.Trafs) == 0 {
			return nil, errors.New("a moof without a traf")
		}
		for _, traf := range f.moof.Trafs {
			if traf.Tfhd == nil {
				return nil, errors.New("a traf without a tfhd")
			}
		}
	}
	return all, nil
}

// A trackInfo is what the init segment says of a track.
type trackInfo struct {
	timescale uint32
	trex      *mp4.TrexBox
}

// samples returns the samples of a track fragment, and false when they are not all
// in the mdat.
func (i trackInfo) samples(f fragment, traf *mp4.TrafBox) ([]sample, bool) {
	var all []sample
	at := uint64(0)
	if traf.Tfdt != nil {
		at = traf.Tfdt.BaseMediaDecodeTime()
	}
	payload := f.moof.Size() + f.mdat.HeaderSize() // from the start of the moof
	next := payload
	for _, trun := range traf.Truns {
		trun.AddSampleDefaultValues(traf.Tfhd, i.trex)
		if trun.HasDataOffset() {
			next = uint64(trun.DataOffset)
		}
		for _, s := range trun.Samples {
			from := next - payload
			if next < payload || from+uint64(s.Size) > uint64(len(f.mdat.Data)) {
				return nil, false
			}
			all = append(all, sample{at: at, dur: s.Dur, data: string(f.mdat.Data[from : from+uint64(s.Size)])})
			at += uint64(s.Dur)
			next += uint64(s.Size)
		}
	}
	return all, true
}

// duration returns n ticks as a time, or false when that is too long to be one.
func (i trackInfo) duration(n uint64) (time.Duration, bool) {
	scale := uint64(i.timescale)
	if scale == 0 || n/scale > 1<<33 {
		return 0, false
	}
	return time.Duration(n/scale)*time.Second + time.Duration(n%scale*uint64(time.Second)/scale), true
}
