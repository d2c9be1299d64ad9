// Package jitter stands between a sender, who delivers sound when he can, and
// the mixer, who takes a frame every 20 ms.
//
//	decoder ── Write ──> [ ring ] ──> resampler ── Pull ──> mixer
//	             │                        ▲
//	             └── margin ──> Drift ────┘ ratio
//
// A [Stream] is the buffer of a source that arrives in order: Icecast, a pipe, a
// file. What holds:
//
//   - Pull does not wait for a sender, but for 10 ms at most when it is late itself.
//   - It never gives a click: sound begins and ends in a fade of 10 ms, at a gap as at
//     the end.
//   - Nothing is lost without being counted. A sender faster than real time is
//     held back by Write.
//   - The sender's clock is followed ([Drift]) by resampling, so the margin stays
//     where it settled for days.
//
// [Drift] and package resample know nothing of TCP: a buffer for packets can be
// built on them too.
//
// This package does not decode, reorder packets or conceal losses, and it does
// not mix.
package jitter
