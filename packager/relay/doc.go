// Package relay pushes stations to another origin, as they are made.
//
//	Put ──> window ──> way (one a rendition): part, then the playlist that names it ──> HTTP
//	         │ 32 segments, newest playlist                                    PUT /push/{key}
//	         └──────────> what a restarted origin misses (its 409 tells)
//	     ──> desk: multivariants, status, steering ────────────────────────────────────> HTTP
//	         control: who is late waits, yields, is shed, comes back
//
// What holds:
//
//   - Put never blocks and never fails: an origin that is slow or dead delays neither the
//     programme, nor listeners here, nor another origin.
//   - A playlist names only what the other side has acknowledged. Of playlists only the
//     newest counts; there it is cut to what has arrived.
//   - A rendition waits for no other one.
//   - What no playlist names any more is not sent any more.
//   - When the way is too narrow for everything, the lowest renditions go first; then the
//     highest are shed: taken off the other side's lists, one at a time, and put back
//     when there has been room for a while. The lowest of each codec is never shed.
//   - Memory is bounded by the live window, whatever the other side does.
//
// The other side is an origin with package origin/receive, or any server that keeps what
// is PUT there ([Options.Foreign]). Specifications: rfc8216bis, RFC 9110, RFC 9457.
//
// This package does not make playlists, keep anything that must last, or read what
// others push.
package relay
