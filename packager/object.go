package packager

import (
	"context"

	"longwave/ingest/pcm"
)

// A Source is the programme as the packager sees it.
type Source interface {
	// Next blocks until a frame of [pcm.FrameSamples] is due. Frames follow each
	// other without a gap. It returns io.EOF after the last one.
	Next(ctx context.Context) (pcm.Frame, error)
}

// An Object is one file of a station. Its headers follow from its key: see
// [Key.ContentType] and [Key.CacheControl].
type Object struct {
	Key  Key
	Data []byte // never changed once the object was handed on
	// Filler is near-silence in the place of a missed segment: it can be made again,
	// so it may come after everything else.
	Filler bool
	// Late is from an earlier run: what is new goes first.
	Late bool
	// Basic is of a rendition that is never shed: it goes before the others.
	Basic bool
}

// A Sink takes finished objects: a store, an origin's live window.
type Sink interface {
	// Put returns once o is kept: in a store durable, in a live window visible.
	// The packager puts an object before any playlist that names it. Safe for
	// concurrent use.
	Put(ctx context.Context, o Object) error
}
