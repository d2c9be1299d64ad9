// Package packager turns the programme into the files of a station.
//
//	Source ── 20 ms ──> tape ──> rendition (coder ⇄ coder) ──> parts ──> segments
//	 frames, marks                one a rung of the ladder       │          │
//	                                                             │          └──> Outlet ──> store
//	                             window, marks ──> playlist      │               acks │
//	                                                  └──────────┴──> Live            └─> shelf ──> plain playlist
//
// What holds:
//
//   - One goroutine does all of it, in the order of the sound. Nothing is locked, and
//     it waits for nobody: not for a listener, not for a store (but 20 ms at most for
//     one on this machine).
//   - Names, numbers and times are functions of time: MSN = Pos / 92,160, tfdt = Pos,
//     PROGRAM-DATE-TIME from Pos. An encoder that restarts, or a twin on another
//     machine, goes on with the same ones.
//   - A segment is a function of its sound: its coders begin in their first state and
//     are rolled in on the sound before. The same sound gives the same bytes.
//   - A key, once put, never changes its bytes. After a restart the first new segment
//     is the next one on the grid; what was missed is filled with encoded near-silence.
//   - Every segment has its full length. There is no EXT-X-GAP and no
//     EXT-X-DISCONTINUITY, ever.
//   - An object is put before any playlist that names it, and the playlist of a store
//     names only what the store has acknowledged.
//
// Units: positions and lengths are pcm.Pos, samples at 48 kHz; bitrates are bit/s.
// Specifications: rfc8216bis, ISO/IEC 23000-19 (CMAF), ISO/IEC 14496-12, RFC 6716,
// ISO/IEC 14496-3, Opus in ISOBMFF 1.0.0.
//
// This package does not mix, resample or decode, serve anything, or know what a store
// is made of.
package packager
