// Package pull fetches a programme from an HTTP address and puts it on air through
// the same gate as everybody else.
//
//	URL ── guard ── GET ── Icecast, SHOUTcast, a file ── titles out ── sniff ──┐
//	                  ├─ M3U, PLS: the address in it                           ├─> lane.Push
//	                  └─ HLS: playlist ── segments ── demux ── pace ───────────┘
//
// What it is is told from the bytes. HLS may be MPEG-TS, fMP4 or packed audio with
// AAC, MP3 or Opus in it; of a multivariant playlist the best rendition of sound alone
// is taken. Segments are fetched ahead and pushed as time passes, so that the lane sees
// a live source.
//
// What holds:
//
//   - No connection goes to an address that is not public (see [Options.AllowPrivate]):
//     it is judged when it is dialled, after the name was resolved, for redirects,
//     playlists, segments and every retry alike. A name whose answer changes, or a
//     proxy in the environment, is no way around that.
//   - What the other side sends is bounded: redirects, headers, playlists, segments,
//     and for how long it may send nothing, or next to nothing.
//   - It does not give up: after a failure it comes back, soon at first, after 10 s in
//     the end. That it fails and that it is back is logged once.
//   - Neither user names nor passwords nor queries of an address are logged.
//
// This package does not decode or buffer, does not understand encrypted HLS, does not
// ask for parts of low-latency HLS (segments of the same list are fetched instead), and
// does not decide who may speak: the operator named the address.
package pull
