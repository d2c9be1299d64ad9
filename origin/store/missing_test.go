package store_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"longwave/origin/store"
	"longwave/origin/store/disk"
	"longwave/origin/store/memory"
	"longwave/origin/store/storetest"
)

func put(t *testing.T, s store.Store, names ...store.Name) {
	t.Helper()
	for _, n := range names {
		if _, err := s.PutIf(t.Context(), n, []byte(n), store.Always); err != nil {
			t.Fatal(err)
		}
	}
}

// TestMissing compares a disk with stores that lack one thing or another, and have
// others that the disk does not.
func TestMissing(t *testing.T) {
	has := slices.Concat([]store.Name{"talk/index.m3u8", "talk/a/init-aa.mp4", "talk/a/live.m3u8", "talk/a/8.1.m4s", "talk/b/init-bb.mp4", "other/a/5.m4s"},
		segments("talk/a", 8, 13), segments("talk/b", 8, 13))
	for _, c := range []struct {
		name string
		in   []store.Name
		want []string
	}{
		{"nothing", has, nil},
		{"everything", nil, []string{
			"talk/a/10.m4s", "talk/a/11.m4s", "talk/a/12.m4s", "talk/a/8.m4s", "talk/a/9.m4s", "talk/a/init-aa.mp4",
			"talk/b/10.m4s", "talk/b/11.m4s", "talk/b/12.m4s", "talk/b/8.m4s", "talk/b/9.m4s", "talk/b/init-bb.mp4",
		}},
		{"one in the middle, and much that is older", slices.Concat(segments("talk/a", 1, 8), segments("talk/a", 8, 11), segments("talk/a", 12, 14),
			[]store.Name{"talk/a/init-aa.mp4", "talk/b/init-bb.mp4"}, segments("talk/b", 0, 20)), []string{"talk/a/11.m4s"}},
		{"a rendition", slices.Concat(segments("talk/a", 8, 13), segments("talk/c", 8, 13), []store.Name{"talk/a/init-aa.mp4"}), []string{
			"talk/b/10.m4s", "talk/b/11.m4s", "talk/b/12.m4s", "talk/b/8.m4s", "talk/b/9.m4s", "talk/b/init-bb.mp4",
		}},
		{
			"what comes first and last", slices.Concat(segments("talk/a", 8, 10), segments("talk/a", 11, 13), segments("talk/b", 8, 13), []store.Name{"talk/a/init-aa.mp4"}),
			[]string{"talk/a/10.m4s", "talk/b/init-bb.mp4"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := disk.Open(disk.Options{Dir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = d.Close() })
			in := new(memory.Store)
			put(t, d, has...)
			put(t, in, c.in...)
			var got []string
			for k, err := range store.Missing(t.Context(), "talk", d, in) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, k.String())
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestMissingFails: a store that cannot be listed is said, not taken for an empty one.
func TestMissingFails(t *testing.T) {
	s := new(memory.Store)
	put(t, s, segments("talk/a", 8, 13)...)
	ill := &storetest.Faulty{Store: new(memory.Store), Next: func(op storetest.Operation, _ store.Name) storetest.Fault {
		if op == storetest.List {
			return storetest.Lost
		}
		return storetest.Sound
	}}
	for _, pair := range [][2]store.Store{{s, ill}, {ill, s}} {
		found := 0
		var failed error
		for _, err := range store.Missing(t.Context(), "talk", pair[0], pair[1]) {
			if failed = err; err == nil {
				found++
			}
		}
		if !errors.Is(failed, storetest.ErrLost) || found > 0 {
			t.Errorf("%d found, then %v", found, failed)
		}
	}
}
