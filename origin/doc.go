// Package origin serves a station to the audience's side: players and CDNs.
//
//	Put ──> Live ── line a rendition ──┬─ files: parts, segments (bytes, headers)
//	                                   └─ snapshot: the newest playlist, rendered
//	                                        │ closed channel wakes who waits
//	GET ──> Server ────────────────────────┘        └─> Archive (a store) for what is older
//
// What holds:
//
//   - Bytes are the contract: the origin is given objects, in one process or over
//     the network, and learns the live edge from the playlists among them.
//   - A playlist is rendered once a part, plain, as a delta and gzipped, into bytes
//     that nobody changes; a request only writes them out. No lock is held while
//     rendering or writing.
//   - A request that waits can always leave, and everything that it held goes with
//     it. It waits no longer than three target durations after the last thing
//     happened.
//   - For a live playlist the answer is 200, 400 or 404, never 503: players lose
//     seconds on a 503, and may never come back from a request that hangs.
//
// Specifications: rfc8216bis sections 6.2.2, 6.2.5, 6.2.6 and appendix B.1;
// RFC 9110; RFC 9111.
//
// This package does not encode, choose what a playlist names, terminate TLS, ask
// who a listener is, or keep anything that must last.
package origin
