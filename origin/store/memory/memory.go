// Package memory keeps objects in the memory of the process: for tests, and for
// a station that needs neither replay nor restart.
//
// This package does not bound what it keeps: store.Retain does.
package memory

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"longwave/origin/store"
	"longwave/packager"
)

// A Store is a [store.Store] in memory. The zero Store is empty and ready.
type Store struct {
	mu      sync.RWMutex
	objects map[store.Name]store.Object
}

var _ store.Store = (*Store)(nil)

// Put implements [packager.Sink].
func (s *Store) Put(ctx context.Context, o packager.Object) error {
	_, err := s.PutIf(ctx, store.NameOf(o.Key), o.Data, store.Always)
	return err
}

// PutIf implements [store.Putter].
func (s *Store) PutIf(ctx context.Context, n store.Name, data []byte, c store.Condition) (store.ETag, error) {
	etag, err := s.put(ctx, n, data, c)
	if err != nil {
		return "", fmt.Errorf("put %q: %w", n, err)
	}
	return etag, nil
}

func (s *Store) put(ctx context.Context, n store.Name, data []byte, c store.Condition) (store.ETag, error) {
	mode, want, err := c.On(n, len(data))
	if err != nil {
		return "", err
	}
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	etag := store.ETagOf(data)
	s.mu.Lock()
	defer s.mu.Unlock()
	was, found := s.objects[n]
	switch {
	case mode == store.CreateOnce && found && bytes.Equal(was.Data, data):
		return was.ETag, nil
	case mode == store.Create && found, mode == store.CreateOnce && found,
		mode == store.Compare && was.ETag != want:
		return "", store.ErrConflict
	}
	if s.objects == nil {
		s.objects = make(map[store.Name]store.Object)
	}
	info := store.Info{Name: n, Size: int64(len(data)), ETag: etag, Modified: time.Now()}
	s.objects[n] = store.Object{Info: info, Data: data}
	return etag, nil
}

// Get implements [store.Getter].
func (s *Store) Get(ctx context.Context, n store.Name) (store.Object, error) {
	o, err := s.get(ctx, n)
	if err != nil {
		return o, fmt.Errorf("get %q: %w", n, err)
	}
	return o, nil
}

// Head implements [store.Getter].
func (s *Store) Head(ctx context.Context, n store.Name) (store.Info, error) {
	o, err := s.get(ctx, n)
	if err != nil {
		return o.Info, fmt.Errorf("head %q: %w", n, err)
	}
	return o.Info, nil
}

func (s *Store) get(ctx context.Context, n store.Name) (store.Object, error) {
	if err := n.Check(); err != nil {
		return store.Object{}, err
	}
	if ctx.Err() != nil {
		return store.Object{}, context.Cause(ctx)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	o, found := s.objects[n]
	if !found {
		return o, store.ErrNotFound
	}
	return o, nil
}

// List implements [store.Sweeper]. It lists what was there when it began.
func (s *Store) List(ctx context.Context, prefix string, after store.Name) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		if ctx.Err() != nil {
			yield(store.Info{}, fmt.Errorf("list %q: %w", prefix, context.Cause(ctx)))
			return
		}
		for _, info := range s.list(prefix, after) {
			if !yield(info, nil) {
				return
			}
		}
	}
}

func (s *Store) list(prefix string, after store.Name) []store.Info {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var all []store.Info
	for n, o := range s.objects {
		if n > after && strings.HasPrefix(string(n), prefix) {
			all = append(all, o.Info)
		}
	}
	slices.SortFunc(all, func(a, b store.Info) int { return strings.Compare(string(a.Name), string(b.Name)) })
	return all
}

// Delete implements [store.Sweeper].
func (s *Store) Delete(ctx context.Context, n store.Name) error {
	if err := n.Check(); err != nil {
		return fmt.Errorf("delete %q: %w", n, err)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("delete %q: %w", n, context.Cause(ctx))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.objects, n)
	return nil
}
