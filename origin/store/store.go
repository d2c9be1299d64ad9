package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"time"

	"longwave/packager"
)

// MaxBytes is the size of the largest object that a store takes or gives back:
// some minutes of the highest rendition, far above a segment. It keeps a foreign
// file in the store from filling the memory.
const MaxBytes = 64 << 20

// The errors by which a caller decides. Any other error may pass by itself.
var (
	// ErrNotFound: there is no object with this name.
	ErrNotFound = errors.New("no such object")
	// ErrConflict: the condition does not hold, or the name is immutable and
	// there with other bytes. Nothing was written.
	ErrConflict = errors.New("another version of the object is there")
	// ErrFull: the store has no room. Deleting helps, repeating does not.
	ErrFull = errors.New("no space left")
	// ErrRefused: credentials, rights, the bucket or the folder are wrong. It
	// stays so until somebody acts.
	ErrRefused = errors.New("the store refuses")
)

// A Putter keeps objects. Safe for concurrent use, like all parts of a [Store].
type Putter interface {
	// Put is PutIf with [Always] for an object with a key.
	packager.Sink
	// PutIf writes data under n if c holds and returns the ETag of what is there
	// then. When it returns nil, the object is durable and visible. After an
	// error that is none of ErrConflict, ErrName, ErrFull and ErrRefused, the
	// object may be there or not, but never in part. data belongs to the store
	// from then on: the caller must not change it.
	PutIf(ctx context.Context, n Name, data []byte, c Condition) (ETag, error)
}

// A Getter gives objects back.
type Getter interface {
	// Get returns the object, or an error that wraps ErrNotFound. The caller
	// must not change its Data.
	Get(ctx context.Context, n Name) (Object, error)
	// Head returns what Get would say of the object, without its bytes.
	Head(ctx context.Context, n Name) (Info, error)
}

// A Sweeper says what is there and removes it.
type Sweeper interface {
	// List yields the objects whose names begin with prefix and come after
	// after, in the order of their bytes. An empty prefix and an empty after
	// mean everything. The ETags may be missing. Files in the store that are not
	// ours are listed too: see [Name.Check]. An error is the last thing yielded.
	List(ctx context.Context, prefix string, after Name) iter.Seq2[Info, error]
	// Delete removes the object; it is a success when there is none.
	Delete(ctx context.Context, n Name) error
}

// A Store is a place where objects are kept: memory, disk, S3. Who uses one asks
// for the part that is needed.
type Store interface {
	Putter
	Getter
	Sweeper
}

// An ETag names a version of an object: equal ETags of one name mean equal bytes.
// Each store has its own; none is empty.
type ETag string

// ETagOf is the ETag of the stores that have to make one: half a SHA-256.
func ETagOf(data []byte) ETag {
	sum := sha256.Sum256(data)
	return ETag(hex.EncodeToString(sum[:16]))
}

// An Info is what a store says of an object.
type Info struct {
	Name     Name
	Size     int64 // in bytes
	ETag     ETag  // missing in a listing where it would cost a read
	Modified time.Time
}

// An Object is an object as it is in a store.
type Object struct {
	Info
	Data []byte
}

// A Condition says when a write may happen. The zero Condition is [Always].
type Condition struct {
	mode Mode
	etag ETag
}

var (
	// Always writes whatever is there. An immutable name is still not changed.
	Always = Condition{}
	// IfAbsent writes when there is no object with the name. For a name that is
	// not immutable it is strict: the same bytes by somebody else are a conflict.
	IfAbsent = Condition{mode: Create}
)

// IfMatch writes when the object is there with this ETag: compare and swap. An
// empty ETag never matches.
func IfMatch(e ETag) Condition { return Condition{mode: Compare, etag: e} }

// A Mode is what a store has to do to write under a name; see [Condition.On].
type Mode uint8

const (
	// Replace: write, whatever is there.
	Replace Mode = iota
	// Create: write if nothing is there; ErrConflict otherwise.
	Create
	// CreateOnce: as Create, but a success when the same bytes are there.
	CreateOnce
	// Compare: write if the object there has the condition's ETag.
	Compare
)

// On checks the write of size bytes under n and returns how to do it. It is
// where every store gets the rule for immutable names from.
func (c Condition) On(n Name, size int) (Mode, ETag, error) {
	if err := n.Check(); err != nil {
		return 0, "", err
	}
	if size > MaxBytes {
		return 0, "", fmt.Errorf("%d bytes are more than the %d that an object may have", size, MaxBytes)
	}
	mode := c.mode
	if n.Immutable() && mode != Compare {
		mode = CreateOnce
	}
	if mode == Compare && (c.etag == "" || n.Immutable()) {
		return 0, "", ErrConflict
	}
	return mode, c.etag, nil
}

// An Audience is a store as those who answer the audience see it: objects with a
// key and nothing else. A private object has no key, so it cannot be asked for.
type Audience struct{ from Getter }

// NewAudience returns the audience's view of g.
func NewAudience(g Getter) Audience { return Audience{g} }

// Get returns the object with key k, or an error that wraps [ErrNotFound].
func (a Audience) Get(ctx context.Context, k packager.Key) (packager.Object, error) {
	o, err := a.from.Get(ctx, NameOf(k))
	if err != nil {
		return packager.Object{}, err
	}
	return packager.Object{Key: k, Data: o.Data}, nil
}
