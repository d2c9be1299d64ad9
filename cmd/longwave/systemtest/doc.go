// Package systemtest runs the real program and looks at it from outside, as a
// listener, a speaker, a CDN and an operator do.
//
//	Build       the program, once for all tests
//	Start       a node: the program on free ports, with a data folder
//	Listener    a strict player of every rendition of a station
//	Ledger      every immutable object that was ever seen, wherever it was seen
//	Tone, PCM   sound to send, and what became of it
//
// This package does not know how the program works inside, but for its keys and
// its playlists. It is for tests only.
package systemtest
