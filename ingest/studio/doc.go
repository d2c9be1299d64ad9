// Package studio is what a host and the speakers of a station work with: the API under
// /api/v1, which the studio's page uses and anybody else may.
//
//	host, speaker ── Bearer token ──> API ─┬─> show (broadcast.Show): announce, live, end, hold, links
//	                                       ├─> desk (ingest.Desk): on air, mute, gain, cue, talkback
//	      <── events (SSE): state, levels, news ── watch of each station
//
// What holds:
//
//   - A token opens its own station and no other; what it may do there follows from its
//     role, at every route. A token is never in an address, an answer to GET or a log.
//   - Every error is a problem of RFC 9457 that says in plain words what to do.
//   - Whoever reads events slowly is dropped; nobody waits for them, and nothing here
//     runs in the mixer's 20 ms.
//   - What an outsider can make this package keep is bounded: bodies, names, links,
//     broadcasts, streams.
//   - The document at /api/v1/openapi.json describes every route, and a test holds the
//     answers against it.
//
// This package does not carry sound (packages whip, icecast and others do), does not
// serve the page (package page does), and keeps nothing itself.
package studio
