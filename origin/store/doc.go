// Package store says what a place is in which objects are kept, and holds what
// is the same for every such place: names, conditions, errors, figures, and the
// deletion of what is old.
//
//	packager/push ──> Putter ┐            ┌─ memory
//	origin ──────────> Getter ├── Store ───┼─ disk
//	[Retain] ────────> Sweeper ┘           └─ s3
//
// A store is a flat map from [Name] to bytes. What else an object has (media
// type, caching, whether its bytes may ever change) follows from its name, so a
// store cannot get it wrong and nobody has to hand it on. Three rules hold in
// every store and are proved by the suite in storetest:
//
//   - When Put returns nil the object is kept and every later Get sees it.
//   - An immutable name never changes its bytes: the same bytes again are a
//     success, others are [ErrConflict].
//   - A reader sees a whole object or none.
//
// # Private objects
//
// Settings, revoked tokens and broadcasts are small JSON objects whose names
// begin with "_/" (see [Private]). [packager.ParseKey] refuses such a name, and
// code that answers the audience is given an [Audience], which can only be asked
// for a [packager.Key]: it cannot name a private object. A bucket that a CDN
// reads must deny "_/" to the public; the probe of store/s3 looks whether it does.
//
// This package does not queue, order or retry what is put: packager/push does.
// It does not serve HTTP, and it opens no store: cmd does.
package store
