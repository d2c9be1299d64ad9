// Package feed makes one source of several that carry the same programme: of a
// group of redundant feeds the best healthy one is heard.
//
//	member: Source ─ line, health ─┐
//	member: Source ─ line, health ─┼─ choose ─ one crossfade of 20 ms ──> Pull
//	member: Source ─ line, health ─┘
//	                  ▲
//	                  └── align: by how much one is behind the other
//
// What holds:
//
//   - Every member is pulled with every frame, heard or not, so that its buffer
//     keeps the time.
//   - One member is heard at a time. Two are heard for the 20 ms of a crossfade alone.
//   - The group looks one frame ahead (it is 20 ms later than its members), so a
//     member whose sound ends is left while it can still be heard: no gap.
//   - What is left for its faults is come back to after a hold-off, which grows while
//     it goes on failing.
//   - Pull does not block longer than its members do and allocates nothing.
//
// # When it switches
//
// A member has gone when its next frame is silent in the sense of [pcm.Silent]:
// its buffer ran dry, which no sender mends within a frame, so the switch is made
// at once. Concealment is borne for [Options.Loss], for 60 ms when the other member
// is known to be at the same place of the programme. A member that sends silence is
// left after [Options.Silence] when another one has had sound meanwhile; where all
// are silent that is the programme.
//
// # Alignment
//
// Feeds of one programme come by ways of different length. While the sound of two
// members clearly is the same, the one that is ahead is held back, by 2 s at most,
// until both are at the same sample; a switch then loses and repeats nothing. The
// delay of a member that is not heard is set at once; of the one that is heard it
// grows only while it is quiet, by a frame at a time.
//
// This package does not decode, buffer against jitter or resample, does not match
// the members' levels, and does not know of tokens or connections.
package feed
