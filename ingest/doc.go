// Package ingest decides who is on air and makes one programme of them.
//
//	transport ── Claim ──> Gate ── token, seat ──> Lane ──┐
//	(icecast, file, …)                                    │ packets
//	        decode ── PCM ──> jitter ── 20 ms a pull ──> mix ──> Programme.Next ──> packager
//
// What holds:
//
//   - A transport delivers packets, never samples: decoding, jitter and drift are
//     here once.
//   - A token owns a seat, a connection does not: the same token again takes the
//     seat over at once, and what the connection before had buffered is still heard.
//   - The programme is counted in samples and never ends with an input: when nobody
//     is heard, the hold is.
//   - What is known of the sound (on air or hold, titles) travels with it as marks.
//
// This package does not know parts, segments or listeners, and it imports nothing
// of ours outside its own folder.
package ingest
