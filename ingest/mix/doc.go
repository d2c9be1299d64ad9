// Package mix makes one programme of many lanes, a frame of 20 ms at a time, and what
// each remote speaker hears of the others.
//
//	voice: Source ─ high-pass ─ AGC ─ join, fader, mute ─┬─ on air? ─ sum ─ slow gain ─┐
//	                             └─ who speaks           └─> returns                   │
//	other: Source ─ join, fader, mute ─┬─ on air? ─ sum ───────────────────────────────┤
//	                                   └─> returns                                     │
//	         ┌─────────────────────────────────────────────────────────────────────────┘
//	         └─ programme's fader ─┬─ limiter ─ dither ─ meter ─> dst
//	                        hold ──┘
//	returns: those lanes that the listener shall hear, never their own ─ sum ─ soft clip ─> Return
//
// What holds:
//
//   - Mix never waits: not for a source, a return, or whoever works at the faders. It
//     does not allocate, and always fills dst. The programme is never digital silence.
//   - Nothing begins, ends or changes its level in less than 10 ms.
//   - No true peak is above -1 dBTP.
//   - A lane that is no live voice passes as it is, but for its fader and the limiter.
//   - What the hold and the dither add depends on the position alone, lanes are summed
//     in the order of their ids, and the gains forget: two mixers whose lanes give the
//     same samples give the same programme, those of voices from some 30 s of speech on.
//   - The output is later than the lanes by [Latency], always.
//
// This package does not buffer, decode or resample (package jitter and others do), it
// does not decide who may be a lane or who hears whom, it does not suppress noise or
// echo, and it knows of speakers no more than the ids of their lanes.
package mix
