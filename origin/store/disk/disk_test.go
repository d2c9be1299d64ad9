package disk_test

import (
	"testing"

	"longwave/origin/store"
	"longwave/origin/store/disk"
	"longwave/origin/store/storetest"
)

// open opens the store in dir, and closes it at the end of the test.
func open(t testing.TB, o disk.Options) *disk.Store {
	t.Helper()
	s, err := disk.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		return open(t, disk.Options{Dir: t.TempDir()})
	}, storetest.Options{})
}
