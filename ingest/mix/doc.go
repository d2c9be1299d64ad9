// Package mix makes one programme of many lanes, a frame of 20 ms at a time.
//
//	lane: Source ─ join ─ fader, mute ─┐
//	lane: Source ─ join ─ fader, mute ─┼─ sum ──────────┬─ limiter ─ dither ─ meter ─> dst
//	lane: Source ─ join ─ fader, mute ─┘   └─> on air? ─┤
//	                                         hold ──────┘
//
// What holds:
//
//   - Mix never blocks on a source, does not allocate, and always fills dst. The
//     programme is never digital silence.
//   - Nothing begins, ends or changes its level in less than 10 ms.
//   - No true peak is above -1 dBTP.
//   - What the hold and the dither add depends on the position alone, and lanes
//     are summed in the order of their ids: two mixers whose lanes give the same
//     samples give the same programme.
//   - The output is later than the lanes by [Latency], always.
//
// This package does not buffer, decode or resample (package jitter and others
// do), and it does not decide who may be a lane. High-pass, AGC and mix-minus are
// not here yet; their place is in lane.pull, between the source and the join.
package mix
