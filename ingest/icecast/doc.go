// Package icecast lets broadcasters' software put sound on air: the source side
// of the Icecast protocol on our own HTTP server.
//
//	PUT|SOURCE /ice/{station} ── token ── sniff ──> gate.Open ──> lane.Push, Push, …
//	GET /admin/metadata       ── token ──────────────────────────> lane.Title
//
// Any user name is taken, the password is the token; it may also be shown as a
// Bearer token. PUT comes as HTTP/1.1 with "Expect: 100-continue" (ffmpeg, BUTT),
// SOURCE as HTTP/1.0 (liquidsoap, darkice), or first without credentials to see
// the 401 (libshout: ezstream, Mixxx). net/http shows an empty body for requests
// that name no length, so the connection is hijacked and read raw; bodies with a
// length or in chunks are read as net/http gives them.
//
// The server needs HTTP/1.1 on its connections (HTTP/2 carries bodies in chunks
// alone). It answers "OPTIONS *", which libshout asks first, by itself.
//
// This package does not decode, buffer or pace, does not serve listeners, and
// does not understand SOURCE with ICE/1.0, which net/http refuses.
package icecast
