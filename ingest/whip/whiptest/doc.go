// Package whiptest has WebRTC clients for tests: speakers with a tone, a clock and a
// line as bad as a test wants, and listeners that keep what they hear. They are made
// of pion and libopus and speak WHIP and WHEP by HTTP as any other client does.
//
// This package does not judge what it hears, and it knows nothing of the server but
// its addresses.
package whiptest
