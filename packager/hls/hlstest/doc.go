// Package hlstest is a strict judge of HLS as rfc8216bis (draft 22) defines it, for
// live sound above all: it says which rules a playlist, a sequence of playlists, a
// set of renditions, a file or an HTTP response breaks.
//
//	Check, CheckMultivariant   one playlist by itself
//	Follower                   successive versions of one media playlist, and answers
//	CheckRenditions            the media playlists of one multivariant playlist
//	Track                      init segment, segments, parts: the bytes
//	CheckResponse              the header of a response
//
// Every rule has a short name that does not change, see [Rules]. A [Violation] names
// the rule, the line and what was found. Nothing is reported twice: a playlist that
// cannot be read is judged by its lines alone.
//
// Rules marked with "A" are from Apple's HLS Authoring Specification for Apple
// Devices (2025-06-26), those marked with "B.1" from the appendix of the standard on
// low latency; a section "-" marks what neither says and players need all the same.
//
// This package does not fetch anything, and it does not judge what cannot be seen
// from outside: how long a removed segment stays, whether an encoder lost sound. It
// knows neither encryption nor video. Tests and the listener use it; nothing that
// serves an audience does.
package hlstest
