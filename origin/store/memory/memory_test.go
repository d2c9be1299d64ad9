package memory_test

import (
	"testing"

	"longwave/origin/store"
	"longwave/origin/store/memory"
	"longwave/origin/store/storetest"
)

func TestContract(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store { return new(memory.Store) }, storetest.Options{})
}
