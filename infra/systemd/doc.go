// Package systemd holds the units that run a node and an origin, and their user.
//
// This package does not hold code: its tests read the units with systemd's own tools.
package systemd
