package packager

import "context"

// An Outlet is a way to a store. It queues, retries and gives up by itself; the
// packager never waits for it, but for a moment when it is [Outlet.Local].
type Outlet interface {
	// Send queues o. It does not block. Of mutable objects only the newest version
	// need arrive.
	Send(o Object)
	// Acks delivers what became of every object that was sent.
	Acks() <-chan Ack
	// Local reports that the store is on this machine, so that an object is kept
	// within milliseconds: a segment is put there before it is named to anybody, and
	// a node that is killed finds again all that it ever named.
	Local() bool
}

// A Shedder is an outlet that can say that it is too slow for all that it is sent.
type Shedder interface {
	// Shed returns how many of the highest renditions the outlet wants to be spared,
	// at most most. It is asked once a segment.
	Shed(most int) int
	// Spool takes an object that the store is to have one day, after everything else.
	// There is no acknowledgement.
	Spool(o Object)
	// Withdraw takes away an object that changes: who asks the store for it is told
	// that there is none, and looks elsewhere. There is no acknowledgement.
	Withdraw(k Key)
}

// An Ack says that an object is kept, or that it was given up.
type Ack struct {
	Key    Key
	Err    error // why it was given up
	Filler bool  // as in the object
}

// A Reader reads what a store kept.
type Reader interface {
	// Read returns the bytes of an object, or an error that wraps fs.ErrNotExist.
	Read(ctx context.Context, key Key) ([]byte, error)
}
