// Package broadcast is a station's life: which broadcast is announced, when its doors
// open, whether it is live, and who holds which link.
//
//	Deed ──> Record.Apply (pure) ──> Record ──┬─> desk: fader, auto mode
//	host, clock                        News   └─> Keeper: one JSON object
//
//	auto ⇄ scheduled ── clock ──> doors ── host ──> live ── host ──> ended ── 10 min, all gone ──> auto, scheduled
//
// What holds:
//
//   - [Record.Apply] is a pure function of the record, the deed and the time. The
//     package's clock, its timers and its store are in [Show] alone.
//   - Nothing goes live by itself once something is announced and its doors are open.
//     What is late is shown as late.
//   - After doors and after a broadcast nobody is put on air by the station's return to
//     auto mode: it waits until everybody has left.
//   - The show never waits for the store. A deed holds at once; what could not be kept
//     yet is tried again, on top of what the store has by then.
//   - Of an object in the store no fields are needed that an older version did not write.
//
// This package does not know sound, HTTP or the audience's pages, does not sign tokens,
// and does not keep recordings.
package broadcast
