// Package guides holds what to set at CDNs that stand in front of Longwave, and the tests
// that the guides say what the program does.
//
// This package does not hold code.
package guides
