// Package container holds what runs Longwave in containers: an image, and a rehearsal of
// twins behind two edges.
//
// This package does not hold code: its tests read the files, since no container is
// started where they run.
package container
