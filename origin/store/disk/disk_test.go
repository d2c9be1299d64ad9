package disk_test

import (
	"testing"

	"longwave/origin/store"
	"longwave/origin/store/disk"
	"longwave/origin/store/storetest"
)

func open(t *testing.T) *disk.Store {
	t.Helper()
	s, err := disk.Open(disk.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return open(t) }, storetest.Options{})
}
