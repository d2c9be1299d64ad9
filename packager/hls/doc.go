// Package hls writes and reads HLS playlists as rfc8216bis (draft 22) defines
// them, the low-latency part included.
//
// A media playlist is a [Media]. Its segments are numbered from
// [Media.MediaSequence]; the segment under way, of which only parts exist, is
// [Media.Open]. [Media.Append] renders it into a buffer of the caller's without
// allocating, [Media.AppendDelta] renders what a client that has an older
// version needs, [ParseMedia] is their inverse and [Merge] undoes a delta. A
// [Position] says how far a playlist has come; [ParseDirectives] reads what a
// client asks to wait for. [Multivariant] is the list of renditions.
//
// Durations are [time.Duration] and are written and read digit by digit, so a
// duration that was written as 1.91999 is exactly that after any number of
// rounds. Nothing here is a float. Instants are written in UTC.
//
// All of it is pure: the same value gives the same bytes.
//
// This package does not read or write files, ask the clock, speak HTTP, wait for
// anything, or decide which segments and parts a playlist lists: the packager
// does. It does not know encryption, variables (EXT-X-DEFINE) or I-frame
// playlists: the first two are refused, so that nobody relays what he cannot
// read. Whether a playlist keeps the rules of the standard is the matter of
// package hlstest; the parser refuses only what it cannot represent or what the
// standard tells clients to refuse.
package hls
