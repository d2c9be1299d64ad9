// Package receive takes a station from another node, or from a foreign encoder, over
// HTTP, and puts it into an origin's memory.
//
//	PUT, DELETE /push/{key} ──> token ──> key ──> body ──> rules ──> origin.Live ──> listeners
//	                             401       400     413      409 412
//	                             403
//
// What holds:
//
//   - Whatever is refused has changed nothing, and is counted by its reason.
//   - A playlist is taken only when all that it names is here. One that names more is
//     answered with what is missing (409), so that a sender can fill an origin that has
//     just started.
//   - A whole segment is joined from its parts: it need not be sent twice.
//   - Bytes under an immutable key never change: the same ones again are a success,
//     others are refused (412).
//   - The live edge only moves forward, unless it has stood for as long as listeners
//     wait.
//   - What a sender can leave here is bounded in bytes, files, renditions and time,
//     and what is under way in bytes and number.
//
// A token is a Bearer token, or the password of HTTP Basic (RFC 6750, RFC 7617). Errors
// are problem details (RFC 9457) with a member "reason", and "missing" where it applies.
//
// This package does not sign or read tokens, choose what is sent, answer listeners, or
// keep anything that must last.
package receive
