// Package listen is a strict listener: it plays a stream as a good player would,
// without making sound, and reports what a listener would have suffered and which
// rules the stream broke.
//
//	URL ──> find ──> rendition ── playlists ──> feed ── parts ──> reel ── segments ──> Track
//	        page,    one each,    blocking      hints,            bytes, rates
//	        list     side by side reloads, skip one by one            │
//	                     │                      │                     ├─> player: stalls
//	                 auditor: the renditions    └─────────────────────┘   sound: level (by ffmpeg)
//	                 against each other, deltas
//	                 against full playlists
//
// What holds:
//
//   - The rules are those of package hlstest and of [Rules] here; each finding names
//     its rule, and a rule that is broken a thousand times is one [Finding].
//   - Requests are those of a player: blocking reloads, delta updates, the hinted
//     part before it exists. Polling where the playlist offers no better. Beyond
//     that the auditor asks for a little more, which [Report.Requests] counts apart.
//   - What is measured is what a listener here gets: network, server and this
//     machine together. The delay needs a clock that is right.
//   - Memory is bounded, whatever a server sends and for however long.
//
// Specifications: rfc8216bis (draft 22); Apple's HLS Authoring Specification.
//
// This package does not decode: where a level is asked for, ffmpeg does, as a child
// process. It judges fragmented MP4 alone: of other formats it follows the playlists
// and the times. It knows neither encryption nor video, and it makes no load: for
// many listeners there is another tool.
package listen
