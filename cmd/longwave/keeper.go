package main

import (
	"context"
	"encoding/json"
	"errors"

	"longwave/origin/store"
)

// A keeper keeps each station's broadcasts as a private object of the store.
type keeper struct{ store store.Store }

// Load returns what is kept of a station, nil when there is nothing.
func (k keeper) Load(ctx context.Context, station string) ([]byte, error) {
	o, err := k.store.Get(ctx, store.Private("broadcasts", station))
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return o.Data, err
}

// Update changes it on condition that nobody else did meanwhile.
func (k keeper) Update(ctx context.Context, station string, change func([]byte) ([]byte, error)) error {
	_, err := store.Update(ctx, k.store, store.Private("broadcasts", station), func(text *json.RawMessage) error {
		changed, err := change(*text)
		*text = changed
		return err
	})
	return err
}
