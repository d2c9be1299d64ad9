package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// maxRounds bounds [Update]. Each round lost means that somebody else wrote; so
// many in a row mean that the store's answers do not fit each other.
const maxRounds = 256

// A Versioned is what [Update] needs of a store.
type Versioned interface {
	Get(ctx context.Context, n Name) (Object, error)
	PutIf(ctx context.Context, n Name, data []byte, c Condition) (ETag, error)
}

// Update changes the JSON object n: it reads it (the zero T when there is none),
// lets change alter the value, and writes it on condition that nobody else wrote
// meanwhile; otherwise it begins again with what is there now. So change may be
// called more than once, and must depend on nothing but the value. It returns the
// value that was written. An error of change ends it, and nothing is written.
func Update[T any](ctx context.Context, s Versioned, n Name, change func(*T) error) (T, error) {
	for range maxRounds {
		v, cond, err := load[T](ctx, s, n)
		if err != nil {
			return v, err
		}
		if err := change(&v); err != nil {
			return v, fmt.Errorf("update %q: %w", n, err)
		}
		data, err := json.Marshal(v)
		if err != nil {
			return v, fmt.Errorf("update %q: %w", n, err)
		}
		_, err = s.PutIf(ctx, n, data, cond)
		if !errors.Is(err, ErrConflict) {
			return v, err
		}
	}
	var none T
	return none, fmt.Errorf("update %q: given up after %d rounds: %w", n, maxRounds, ErrConflict)
}

// load reads the JSON object n and the condition under which it may be replaced.
func load[T any](ctx context.Context, s Versioned, n Name) (v T, c Condition, err error) {
	o, err := s.Get(ctx, n)
	if errors.Is(err, ErrNotFound) {
		return v, IfAbsent, nil
	}
	if err != nil {
		return v, c, err
	}
	if err := json.Unmarshal(o.Data, &v); err != nil {
		return v, c, fmt.Errorf("update %q: what is there is not valid: %w", n, err)
	}
	return v, IfMatch(o.ETag), nil
}
