// Package aws holds what Longwave needs at Amazon Web Services (README.md), and the
// tests that it knows the same cache rules and the same limits as the program.
//
//	../edge/rules.json ┐
//	src/ ──────────────┴─ make aws ──────────> template.json, store.json ──> CloudFormation
//	test/ ─────────────── npm test
//
// This package does not hold code.
package aws
