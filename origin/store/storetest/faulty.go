package storetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"syscall"
	"time"

	"longwave/origin/store"
	"longwave/packager"
)

// A Fault is a way in which a store fails. The zero Fault is none.
type Fault struct {
	kind  faultKind
	delay time.Duration
}

type faultKind uint8

const (
	sound faultKind = iota
	lost
	storedButLost
	slow
	hang
	full
	refused
)

var (
	// Sound is no fault.
	Sound = Fault{}
	// Lost is an operation that fails, and nothing was done.
	Lost = Fault{kind: lost}
	// StoredButLost is an operation that is done, and reported as failed.
	StoredButLost = Fault{kind: storedButLost}
	// Hang is no answer until the context ends, and nothing is done.
	Hang = Fault{kind: hang}
	// Full is a full disk.
	Full = Fault{kind: full}
	// Refused are credentials that have expired.
	Refused = Fault{kind: refused}
)

// Slow is an operation that is done after d, if the context lasts.
func Slow(d time.Duration) Fault { return Fault{slow, d} }

// ErrLost is wrapped by the errors of [Lost] and [StoredButLost].
var ErrLost = errors.New("connection reset by the test")

// An Operation is what a store is asked for.
type Operation string

// The operations, as they are given to Faulty.Next.
const (
	Put    Operation = "put" // and PutIf
	Get    Operation = "get" // and Head
	List   Operation = "list"
	Delete Operation = "delete"
)

// Faulty is a store that fails as it is told. Next is asked at every operation
// which fault it has; n is the prefix for [List]. It is called by many goroutines.
type Faulty struct {
	store.Store
	Next func(op Operation, n store.Name) Fault
}

var _ store.Store = (*Faulty)(nil)

// Always is a Next by which every put has the fault f, and nothing else has one.
func Always(f Fault) func(Operation, store.Name) Fault {
	return func(op Operation, _ store.Name) Fault {
		if op == Put {
			return f
		}
		return Sound
	}
}

// Sequence is a Next by which the first puts have the faults, one each, and then
// all are sound.
func Sequence(faults ...Fault) func(Operation, store.Name) Fault {
	var mu sync.Mutex
	return func(op Operation, _ store.Name) Fault {
		mu.Lock()
		defer mu.Unlock()
		if op != Put || len(faults) == 0 {
			return Sound
		}
		f := faults[0]
		faults = faults[1:]
		return f
	}
}

// do runs an operation with its fault.
func (f *Faulty) do(ctx context.Context, op Operation, n store.Name, run func() error) error {
	fault := f.Next(op, n)
	fail := func(err error) error { return fmt.Errorf("%s %q: %w", op, n, err) }
	switch fault.kind {
	case lost:
		return fail(ErrLost)
	case storedButLost:
		if err := run(); err != nil {
			return err
		}
		return fail(ErrLost)
	case slow:
		t := time.NewTimer(fault.delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return fail(context.Cause(ctx))
		}
	case hang:
		<-ctx.Done()
		return fail(context.Cause(ctx))
	case full:
		return fail(fmt.Errorf("%w: %w", store.ErrFull, syscall.ENOSPC))
	case refused:
		return fail(fmt.Errorf("%w: the credentials have expired", store.ErrRefused))
	case sound:
	}
	return run()
}

// Put implements [packager.Sink].
func (f *Faulty) Put(ctx context.Context, o packager.Object) error {
	return f.do(ctx, Put, store.NameOf(o.Key), func() error { return f.Store.Put(ctx, o) })
}

// PutIf implements [store.Putter].
func (f *Faulty) PutIf(ctx context.Context, n store.Name, data []byte, c store.Condition) (etag store.ETag, err error) {
	err = f.do(ctx, Put, n, func() (err error) {
		etag, err = f.Store.PutIf(ctx, n, data, c)
		return err
	})
	if err != nil {
		return "", err
	}
	return etag, nil
}

// Get implements [store.Getter].
func (f *Faulty) Get(ctx context.Context, n store.Name) (o store.Object, err error) {
	err = f.do(ctx, Get, n, func() (err error) {
		o, err = f.Store.Get(ctx, n)
		return err
	})
	if err != nil {
		return store.Object{}, err
	}
	return o, nil
}

// Head implements [store.Getter].
func (f *Faulty) Head(ctx context.Context, n store.Name) (info store.Info, err error) {
	err = f.do(ctx, Get, n, func() (err error) {
		info, err = f.Store.Head(ctx, n)
		return err
	})
	if err != nil {
		return store.Info{}, err
	}
	return info, nil
}

// List implements [store.Sweeper]. A list that fails does so before its first name.
func (f *Faulty) List(ctx context.Context, prefix string, after store.Name) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		if err := f.do(ctx, List, store.Name(prefix), func() error { return nil }); err != nil {
			yield(store.Info{}, err)
			return
		}
		f.Store.List(ctx, prefix, after)(yield)
	}
}

// Delete implements [store.Sweeper].
func (f *Faulty) Delete(ctx context.Context, n store.Name) error {
	return f.do(ctx, Delete, n, func() error { return f.Store.Delete(ctx, n) })
}
