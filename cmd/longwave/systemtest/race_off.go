//go:build !race

package systemtest

const withRace = false
