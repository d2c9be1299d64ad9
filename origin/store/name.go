package store

import (
	"errors"
	"fmt"
	"strings"

	"longwave/packager"
)

// ErrName is wrapped by the error of an operation whose name no object can have.
var ErrName = errors.New("not the name of an object")

const (
	privatePrefix = "_/"
	privateSuffix = ".json"
	privateDepth  = 8 // elements below "_/": more than anything of ours needs
)

// A Name is where an object lies in a store: the string of a [packager.Key], or
// a private name. Every store checks the names it is given; see [Name.Check].
type Name string

// NameOf returns the name of the object with key k. A key that was put together
// by hand and is not one (its station may be "_") gets a name that all refuse.
func NameOf(k packager.Key) Name {
	s := k.String()
	if parsed, err := packager.ParseKey(s); err != nil || parsed != k {
		return Name("?" + s)
	}
	return Name(s)
}

// Private returns the name "_/a/b.json" for the elements a, b. Each element is
// valid in the sense of [packager.ValidName]; otherwise the stores refuse the
// name with [ErrName].
func Private(elem ...string) Name {
	return Name(privatePrefix + strings.Join(elem, "/") + privateSuffix)
}

// Check returns an error that wraps [ErrName] unless n is the string of a key or
// a private name. So no name holds "..", an empty element, a backslash, an upper
// case letter, or anything else that two stores could take for different things.
func (n Name) Check() error {
	if n.Private() {
		if n.checkPrivate() {
			return nil
		}
	} else if _, ok := n.Key(); ok {
		return nil
	}
	return fmt.Errorf("%q: %w", string(n), ErrName)
}

func (n Name) checkPrivate() bool {
	s, ok := strings.CutSuffix(strings.TrimPrefix(string(n), privatePrefix), privateSuffix)
	if !ok {
		return false
	}
	elem := strings.Split(s, "/")
	for _, e := range elem {
		if !packager.ValidName(e) {
			return false
		}
	}
	return len(elem) <= privateDepth
}

// Private reports whether n is kept from the audience.
func (n Name) Private() bool { return strings.HasPrefix(string(n), privatePrefix) }

// Key returns the key whose string n is, if there is one.
func (n Name) Key() (packager.Key, bool) {
	k, err := packager.ParseKey(string(n))
	return k, err == nil
}

// ContentType returns the media type of the object, "application/octet-stream"
// for a name that is not ours.
func (n Name) ContentType() string {
	if n.Private() {
		return "application/json"
	}
	if k, ok := n.Key(); ok {
		return k.ContentType()
	}
	return "application/octet-stream"
}

// CacheControl returns the Cache-Control header of the object: "no-store" for a
// private one.
func (n Name) CacheControl() string {
	if k, ok := n.Key(); ok {
		return k.CacheControl()
	}
	return packager.CacheNever
}

// Immutable reports whether the bytes under n never change.
func (n Name) Immutable() bool {
	k, ok := n.Key()
	return ok && k.Immutable()
}

// station returns the first element of n; empty for a private name, and for one
// without a slash, which is not ours.
func (n Name) station() string {
	s, _, found := strings.Cut(string(n), "/")
	if !found || n.Private() {
		return ""
	}
	return s
}
