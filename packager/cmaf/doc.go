// Package cmaf writes the files of a rendition: the init segment, by mp4ff, and
// the parts (CMAF chunks: one moof and one mdat, ISO/IEC 23000-19 section 7.3.3),
// by appending to a buffer, because a library's tree of boxes costs hundreds of
// allocations each. A segment is the concatenation of its parts.
//
//	segment = styp prft moof mdat | moof mdat | … | moof mdat
//	          part 0                part 1        part 5
//
// Times are pcm.Pos: samples at 48 kHz since the Unix epoch stand in tfdt as they
// are, so two encoders that never met write the same file.
//
// A free box at the end of each moof says whose sound it is ([StationTag]). All stations
// have the same times and numbers, so bytes of another one would play without a word:
// our player and the probes of pathways look at the tag, others skip it (ISO/IEC
// 14496-12 section 8.1.2).
//
// This package does not encode, name files or know what a playlist is.
package cmaf
