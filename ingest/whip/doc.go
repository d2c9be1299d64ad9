// Package whip lets browsers and OBS speak, and hear the others, by WebRTC: WHIP
// (RFC 9725) for the voice, WHEP (draft-ietf-wish-whep) for the return.
//
//	POST /whip/{station} ── token ── offer, answer ──┐
//	UDP, ICE-TCP (one port) ── SRTP ── bounds ── RED ─┴─> gate.OpenPackets ──> lane.Put, Put, …
//	POST /whep/{station} ── token ── offer, answer ──┐
//	gate.OpenReturn ── Return.Next ── Opus 32k ──────┴─> SRTP ── UDP, ICE-TCP
//
// What holds:
//
//   - A seat is taken by the first packet of sound, never by a request: whoever does
//     not connect within 10 s, or connects and says nothing for 20 s, is closed.
//   - Liveness is judged by media. After 2 s without a packet the lane is closed and
//     the seat kept; the next packet opens it again.
//   - The same token again takes over: when the gate ends a lane, its session is closed.
//   - What a session may send is bounded before it is decoded; what is over the bound
//     is dropped and counted, and when that goes on the session is closed.
//
// This package does not decode, conceal or buffer: a lane does. It does not decide
// who is on air or who hears whom, takes no video, and needs no STUN or TURN server
// itself: those are for clients, and it only asks them whether they serve.
package whip
