// Package steer watches the pathways on which listeners are reached, and says to their
// players which to take (HLS Content Steering Specification; rfc8216bis section 7).
//
//	prober a pathway ── Probe ──> health ──┐
//	  reads what listeners read    3 bad   ├──> order ──> steering.json ──> origins, stores
//	                               in 10 s │      │
//	hand of the operator ──────────────────┘      └──> history, alarms
//
// What holds:
//
//   - A pathway is judged by what listeners get from it: a playlist that is as new as
//     ours, media that is this station's and that was sent so, in time. An old answer
//     with status 200 is as bad as none.
//   - Three bad probes within ten seconds take a pathway out of the list, forty
//     without a bad one bring it back: with the lifetime of the manifest listeners are
//     there again within a minute. So one hiccup moves nobody, and a pathway that
//     flaps is left.
//   - The list is never empty: when every pathway is bad it stays as it was, since then
//     the fault is more likely ours.
//   - Pathways with parts and plain ones are never in one list.
//   - Two nodes that share nothing come to the same list by themselves.
//
// This package does not move anybody by itself: players leave a pathway that fails long
// before they read the list, which keeps them away from it and takes them back.
package steer
