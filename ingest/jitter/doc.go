// Package jitter stands between a sender, who delivers sound when he can, and
// the mixer, who takes a frame every 20 ms.
//
//	decoder ── Write ──> [ ring ] ──> resampler ── Pull ──> mixer
//	             │                        ▲
//	             └── margin ──> Drift ────┘ ratio
//
//	network ── Put ──> [ packets ] ──> Opus ──> resampler ── Pull ──> mixer
//	             └── margin ──> delay, Drift ───────┘ ratio
//
// A [Stream] is the buffer of a source that arrives in order: Icecast, a pipe, a
// file. [Packets] is that of a speaker whose Opus packets come by RTP, each with its
// time, lost, late, doubled and out of order. What holds for both:
//
//   - Pull does not wait for a sender, but for 10 ms at most when it is late itself.
//   - It never gives a click: sound begins and ends in a fade of 10 ms, at a gap as at
//     the end.
//   - Nothing is lost without being counted. A sender faster than real time is
//     held back by Write; of packets there are never more than 512.
//   - The sender's clock is followed ([Drift]) by resampling, so the margin stays
//     where it settled for days.
//
// Packets are played on the sender's time: a loss, a pause or a late packet takes the
// time that it would have taken, and is never made up for by stacking what follows. They
// are decoded when they are due, because only then it is known what is missing.
//
// This package does not parse RTP, RTCP or RED, it does not ask for what was lost, and
// it does not mix.
package jitter
